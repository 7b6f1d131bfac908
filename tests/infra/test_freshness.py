"""The promise of freshness has an alarm for each provider, by being in the registry."""

from typing import Any

import pytest
from aws_cdk.assertions import Template

from infra import freshness
from shared.providers.registry import providers


@pytest.fixture(scope="module")
def alarms(default: Template) -> list[dict[str, Any]]:
    return [each["Properties"] for each in default.find_resources("AWS::CloudWatch::Alarm").values()]


def about(alarms: list[dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """By provider, the alarms on one of our own metrics."""
    mine = [each for each in alarms if each.get("Namespace") == "Tributary" and each["MetricName"] == name]
    assert all([d["Name"] for d in each["Dimensions"]] == ["provider"] for each in mine)
    return {each["Dimensions"][0]["Value"]: each for each in mine}


def test_each_provider_that_is_asked_or_tells_has_a_promise(alarms: list[dict[str, Any]]) -> None:
    late = about(alarms, "PromiseUsed")
    assert set(late) == {p.id for p in providers() if p.connects}
    for alarm in late.values():
        assert (alarm["ExtendedStatistic"], alarm["Threshold"], alarm["TreatMissingData"]) == ("p95", 1, "notBreaching")


def test_each_provider_with_webhooks_is_watched_for_silence(alarms: list[dict[str, Any]]) -> None:
    silent = about(alarms, "Silent")
    assert set(silent) == {p.id for p in providers() if p.pushes}
    assert {(each["Statistic"], each["Threshold"]) for each in silent.values()} == {("Average", freshness.MOST_SILENT)}


def test_a_ring_that_stands_still_raises_an_alarm(default: Template, alarms: list[dict[str, Any]]) -> None:
    """Nothing that is not polled can be late: this alone sees it."""
    (poll,) = [id for id in default.find_resources("AWS::Lambda::Function") if id.startswith("Poll")]
    (still,) = [each for each in alarms if each["MetricName"] == "Invocations"]
    assert still["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": poll}}]
    assert (still["ComparisonOperator"], still["TreatMissingData"]) == ("LessThanThreshold", "breaching")
    assert (still["Period"], still["Threshold"]) == (900, 1)
