import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from infra import nag
from infra.settings import Settings
from infra.stack import Tributary


def reports(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "validation-report.json").read_text())["pluginReports"]
    return found


@pytest.mark.parametrize("variant", ["default", "custom"])
def test_no_finding_is_left_unanswered(variant: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(variant)
    assert reports(request.getfixturevalue(f"{variant}_out")) == []


def test_both_rule_packs_bite(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    stack = cdk.Stack(app, "Careless")
    sqs.Queue(stack, "NoTls")
    logs.LogGroup(stack, "NoKey")
    nag.check(app)
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    assert {report["conclusion"] for report in reports(tmp_path)} == {"failure"}
    rules = {violation["ruleName"] for report in reports(tmp_path) for violation in report["violations"]}
    assert {"AwsSolutions-SQS4", "HIPAA.Security-CloudWatchLogGroupEncrypted"} <= rules


def test_every_departure_has_a_reason(context: dict[str, Any]) -> None:
    app = cdk.App(context=context)
    departures = list(nag.departures(Tributary(app, Settings.from_context(app.node))))
    assert len(departures) > 50
    assert [(each.node.path, rule) for each, rule, reason in departures if len(reason) < 20] == []
    # The stack as a whole excuses nothing: a new resource is judged afresh.
    assert not any(isinstance(each, cdk.Stack) for each, _, _ in departures)
