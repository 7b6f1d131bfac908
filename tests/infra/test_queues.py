from typing import Any

import pytest
from aws_cdk.assertions import Template

DAY = 24 * 60 * 60


@pytest.fixture(scope="module")
def queues(default: Template) -> dict[str, dict[str, Any]]:
    return {id: each["Properties"] for id, each in default.find_resources("AWS::SQS::Queue").items()}


@pytest.fixture(scope="module")
def dead_letters(queues: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Each working queue and where its failures go."""
    working = {id: each["RedrivePolicy"] for id, each in queues.items() if "RedrivePolicy" in each}
    assert {policy["maxReceiveCount"] for policy in working.values()} == {5}
    return {id: policy["deadLetterTargetArn"]["Fn::GetAtt"][0] for id, policy in working.items()}


def test_every_queue_has_its_own_dead_letters(queues: dict[str, dict[str, Any]], dead_letters: dict[str, str]) -> None:
    assert len(dead_letters) == 6
    assert len(set(dead_letters.values())) == 6
    assert set(queues) == set(dead_letters) | set(dead_letters.values())
    assert {queues[dead]["MessageRetentionPeriod"] for dead in dead_letters.values()} == {14 * DAY}
    assert {queues[id]["MessageRetentionPeriod"] for id in dead_letters} == {4 * DAY}


def test_one_dead_letter_raises_an_alarm(default: Template, dead_letters: dict[str, str]) -> None:
    alarms = [each["Properties"] for each in default.find_resources("AWS::CloudWatch::Alarm").values()]
    watched = {
        each["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for each in alarms
        if each["MetricName"] == "ApproximateNumberOfMessagesVisible" and each["Threshold"] == 1
    }
    assert watched == set(dead_letters.values())


def test_every_queue_is_sealed_and_refuses_plain_http(default: Template, queues: dict[str, dict[str, Any]]) -> None:
    (key,) = default.find_resources("AWS::KMS::Key")
    assert {each["KmsMasterKeyId"]["Fn::GetAtt"][0] for each in queues.values()} == {key}
    policies = [each["Properties"] for each in default.find_resources("AWS::SQS::QueuePolicy").values()]
    denied = {
        policy["Queues"][0]["Ref"]
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert denied == set(queues)


@pytest.mark.parametrize(("variant", "seconds"), [("default", 360), ("custom", 600)])
def test_a_message_stays_hidden_six_times_as_long_as_its_worker_runs(
    variant: str, seconds: int, request: pytest.FixtureRequest
) -> None:
    template: Template = request.getfixturevalue(variant)
    queues = template.find_resources("AWS::SQS::Queue")
    fed = template.find_resources("AWS::Lambda::EventSourceMapping").values()
    sources = [each["Properties"]["EventSourceArn"]["Fn::GetAtt"][0] for each in fed]
    hidden = {name(id): queues[id]["Properties"]["VisibilityTimeout"] for id in sources}
    assert hidden == {"Fresh": seconds, "Bulk": seconds, "Segments": 360, "Exports": 3600, "Imports": 5400}


def name(logical_id: str) -> str:
    """Without the hash that CDK puts behind it."""
    return logical_id[:-8]


def test_waiting_messages_raise_an_alarm(default: Template) -> None:
    alarms = [each["Properties"] for each in default.find_resources("AWS::CloudWatch::Alarm").values()]
    waits = [each for each in alarms if each["MetricName"] == "ApproximateAgeOfOldestMessage"]
    watched = {name(each["Dimensions"][0]["Value"]["Fn::GetAtt"][0]): each["Threshold"] for each in waits}
    assert watched == {"Fresh": 900, "Segments": 900}


def test_every_alarm_speaks_to_the_topic(custom: Template) -> None:
    alarms = custom.find_resources("AWS::CloudWatch::Alarm").values()
    freshness = [each for each in alarms if each["Properties"].get("Namespace") == "Wearables"]
    assert len(alarms) - len(freshness) == 29
    assert {tuple(each["Properties"]["AlarmActions"]) for each in alarms} == {
        ("arn:aws:sns:us-east-1:123456789012:ops",)
    }
