from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Annotations, Match, Template

from infra.function import code

ROOT = Path(__file__).parents[2]
PLAN = {
    "connect": (256, 30),
    "callback": (512, 30),
    "webhook": (256, 10),
    "upload": (512, 30),
    "push": (512, 30),
    "sync": (256, 10),
    "profile": (256, 10),
    "disconnect": (256, 10),
    "erase": (256, 10),
    "export": (256, 10),
    "events": (256, 10),
    "api": (512, 15),
    "readings": (512, 15),
    "periods": (512, 15),
    "poll": (256, 60),
    "worker": (512, 60),
    "worker-bulk": (512, 60),
    "exporter": (1769, 600),
    "importer": (1769, 900),
}
READS_HEALTH = {"readings", "periods"}
"""They may read what was measured, and no connection, token or salt."""


@pytest.fixture(scope="module")
def functions(default: Template) -> dict[str, dict[str, Any]]:
    made = (each["Properties"] for each in default.find_resources("AWS::Lambda::Function").values())
    return {each["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]: each for each in made}


@pytest.fixture(scope="module")
def permissions(default: Template, functions: dict[str, dict[str, Any]]) -> dict[str, set[tuple[str, str]]]:
    """What each function may do: (action, resource), the resource by the name it has in the stack."""
    roles = default.find_resources("AWS::IAM::Role")
    return {name: set(allowed(roles[role(each)]["Properties"])) for name, each in functions.items()}


def role(function: dict[str, Any]) -> str:
    id: str = function["Role"]["Fn::GetAtt"][0]
    return id


def allowed(role: dict[str, Any]) -> list[tuple[str, str]]:
    statements = [each for policy in role["Policies"] for each in policy["PolicyDocument"]["Statement"]]
    assert {each["Effect"] for each in statements} == {"Allow"}
    return [
        (action, resource(each["Resource"]))
        for each in statements
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    ]


def resource(arn: Any) -> str:
    if "Ref" in arn:
        return str(arn["Ref"])
    if "Fn::GetAtt" in arn:
        return str(arn["Fn::GetAtt"][0])
    return "".join(part if isinstance(part, str) else resource(part) for part in arn["Fn::Join"][1])


def test_each_function_is_a_folder(functions: dict[str, dict[str, Any]]) -> None:
    assert {name: (each["MemorySize"], each["Timeout"]) for name, each in functions.items()} == PLAN
    for name, each in functions.items():
        assert each["Handler"] == f"functions.{name.partition('-')[0]}.handler.handler"
        assert each["Runtime"] == "python3.13"
        assert each["Architectures"] == ["arm64"]


def test_every_folder_is_deployed(functions: dict[str, dict[str, Any]]) -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    assert folders == {each["Handler"].split(".")[1] for each in functions.values()}


def test_each_function_has_its_own_role_log_group_and_alarm(
    default: Template, functions: dict[str, dict[str, Any]]
) -> None:
    assert len({role(each) for each in functions.values()}) == len(functions)
    roles = default.find_resources("AWS::IAM::Role")
    assert all("ManagedPolicyArns" not in roles[role(each)]["Properties"] for each in functions.values())

    groups = default.find_resources("AWS::Logs::LogGroup")
    used = {each["LoggingConfig"]["LogGroup"]["Ref"] for each in functions.values()}
    assert len(used) == len(functions)
    for id in used:
        assert groups[id]["Properties"]["RetentionInDays"] == 90
        assert "KmsKeyId" in groups[id]["Properties"]

    alarms = [each["Properties"] for each in default.find_resources("AWS::CloudWatch::Alarm").values()]
    watched = {each["Dimensions"][0]["Value"]["Ref"] for each in alarms if each["MetricName"] == "Errors"}
    assert watched == set(default.find_resources("AWS::Lambda::Function"))


def test_every_function_knows_where_things_are(functions: dict[str, dict[str, Any]]) -> None:
    names = "DATA_TABLE CONTROL_TABLE RAW_BUCKET VAULT_KEY APP_SECRET EVENTS_LOG"
    queues = "FRESH_QUEUE BULK_QUEUE SEGMENTS_QUEUE EXPORTS_QUEUE IMPORTS_QUEUE CHANGES_QUEUE"
    rest = {"PUBLIC_URL", "RETURN_ORIGINS", "LOG_LEVEL", "POWERTOOLS_SERVICE_NAME"}
    rest |= {"DEAD_LETTER_QUEUES", "LONGEST_JOB_S", "BACKUP_DAYS", "RAW_DAYS", "BACKFILL_DAYS", "KEEP_CONSENT_PROOF"}
    rest |= {"RING_SHARDS", "METRICS_NAMESPACE", "AWS_CA_BUNDLE"}
    for each in functions.values():
        assert set(each["Environment"]["Variables"]) == {*names.split(), *queues.split(), *rest}


def test_an_operator_chooses_how_much_is_fetched_on_connecting(default: Template, custom: Template) -> None:
    def days(template: Template) -> set[str]:
        found = template.find_resources("AWS::Lambda::Function").values()
        return {each["Properties"]["Environment"]["Variables"]["BACKFILL_DAYS"] for each in found}

    assert (days(default), days(custom)) == ({"90"}, {"30"})


def test_no_action_and_no_resource_is_a_wildcard(default: Template) -> None:
    default.resource_count_is("AWS::IAM::Policy", 0)
    for each in default.find_resources("AWS::IAM::Role").values():
        for action, target in allowed(each["Properties"]):
            assert "*" not in action
            assert "*" not in target or target.endswith(("/raw/*", "/inbox/*", "/exports/*", "/uploads/*"))


def may(permissions: dict[str, set[tuple[str, str]]], action: str, *parts: str) -> set[str]:
    """Which functions may do `action` on a resource named with all of `parts`."""
    return {
        name
        for name, pairs in permissions.items()
        if any(act == action and all(part in target for part in parts) for act, target in pairs)
    }


@pytest.mark.parametrize(
    ("action", "parts", "who"),
    [
        ("sqs:ReceiveMessage", ("Fresh",), "worker"),
        ("sqs:ReceiveMessage", ("Bulk",), "worker worker-bulk"),
        ("sqs:ReceiveMessage", ("Dead",), "worker"),
        ("sqs:ReceiveMessage", ("Segments",), "poll"),
        ("sqs:SendMessage", ("Segments",), "poll"),
        ("sqs:SendMessage", ("Fresh",), "callback webhook upload push sync poll disconnect erase worker worker-bulk"),
        ("sqs:SendMessage", ("Bulk",), "callback poll push sync worker worker-bulk importer"),
        ("sqs:SendMessage", ("Changes",), "worker worker-bulk"),
        ("s3:GetObject", ("raw/*",), "worker worker-bulk"),
        ("s3:PutObject", ("raw/*",), "worker worker-bulk"),
        ("s3:PutObject", ("inbox/*",), "webhook push upload worker worker-bulk importer"),
        ("s3:GetObject", ("inbox/*",), "worker worker-bulk"),
        ("s3:DeleteObject", ("inbox/*",), "worker worker-bulk"),
        ("s3:DeleteObject", ("raw/*",), ""),
        ("s3:PutObject", ("exports/*",), "exporter"),
        ("s3:GetObject", ("exports/*",), "api"),
        ("s3:DeleteObject", ("exports/*",), "worker exporter"),
        ("sqs:SendMessage", ("Exports",), "export"),
        ("s3:PutObject", ("uploads/*",), "upload"),
        ("s3:GetObject", ("uploads/*",), "upload importer"),
        ("s3:DeleteObject", ("uploads/*",), "worker importer"),
        ("sqs:SendMessage", ("Imports",), "upload importer"),
        ("sqs:ReceiveMessage", ("Imports",), "worker importer"),
        ("sqs:ReceiveMessage", ("Exports",), "worker exporter"),
        ("s3:ListBucket", ("Raw",), "worker worker-bulk upload importer"),
        ("dynamodb:Query", ("Control", "/index/ring"), "poll worker worker-bulk"),
        (
            "dynamodb:GetItem",
            ("Data",),
            "connect callback push upload sync readings periods profile worker worker-bulk exporter",
        ),
        ("dynamodb:Query", ("Data",), "callback upload sync api readings periods worker worker-bulk exporter"),
        (
            "dynamodb:GetItem",
            ("Control",),
            " ".join(sorted(PLAN.keys() - READS_HEALTH - {"erase", "export", "events"})),
        ),
        ("dynamodb:PutItem", ("Data",), "callback upload worker worker-bulk"),
        ("dynamodb:DeleteItem", ("Data",), "worker worker-bulk"),
        (
            "dynamodb:PutItem",
            ("Control",),
            " ".join(sorted(PLAN.keys() - READS_HEALTH - {"api", "events", "profile", "poll"})),
        ),
        ("dynamodb:DeleteItem", ("Control",), "connect callback upload worker worker-bulk"),
        ("dynamodb:ConditionCheckItem", ("Control",), "callback worker worker-bulk"),
        ("secretsmanager:GetSecretValue", ("App",), "connect callback webhook push upload sync worker worker-bulk"),
        ("kms:GenerateDataKey", ("Key",), " ".join(sorted(PLAN.keys() - READS_HEALTH - {"api", "events"}))),
        ("kms:Decrypt", ("Key",), " ".join(PLAN)),
        ("logs:GetLogEvents", ("Events",), "events"),
        ("logs:DeleteLogStream", ("StorageEvents",), "worker worker-bulk"),
        ("logs:PutLogEvents", ("StorageEvents",), "worker worker-bulk"),
        ("dynamodb:Scan", (), ""),
    ],
)
def test_who_may_do_what(
    permissions: dict[str, set[tuple[str, str]]], action: str, parts: tuple[str, ...], who: str
) -> None:
    assert may(permissions, action, *parts) == set(who.split())


def test_workers_are_fed_in_batches_that_may_fail_in_part(default: Template) -> None:
    fed = [each["Properties"] for each in default.find_resources("AWS::Lambda::EventSourceMapping").values()]
    workers = [each for each in fed if "MaximumBatchingWindowInSeconds" in each]
    assert sorted(each["BatchSize"] for each in workers) == [1, 40]
    for each in workers:
        assert each["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert each["MaximumBatchingWindowInSeconds"] == 1
    # A segment comes alone, and so do an export and a large file.
    assert [each["BatchSize"] for each in fed if each not in workers] == [1, 1, 1]
    # It would keep five pollers awake on an idle queue.
    assert not any("ScalingConfig" in each for each in fed)


def test_an_operator_limits_how_many_workers_run(custom: Template) -> None:
    fed = [each["Properties"] for each in custom.find_resources("AWS::Lambda::EventSourceMapping").values()]
    limited = {each["BatchSize"]: each["ScalingConfig"] for each in fed if "ScalingConfig" in each}
    assert limited == {size: {"MaximumConcurrency": 2} for size in (1, 40)}


def test_the_poll_ticks_every_minute_and_is_never_retried(default: Template) -> None:
    default.has_resource_properties(
        "AWS::Events::Rule",
        {
            "ScheduleExpression": "rate(1 minute)",
            "Targets": [
                Match.object_like({"RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}})
            ],
        },
    )
    default.has_resource_properties(
        "AWS::Lambda::EventInvokeConfig", {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    )


def test_every_function_carries_its_own_bundle(functions: dict[str, dict[str, Any]]) -> None:
    """The workers of the two queues have the same."""
    carried = {name: each["Code"]["S3Key"] for name, each in functions.items()}
    assert carried.pop("worker-bulk") == carried["worker"]
    assert len(set(carried.values())) == len(carried) == len(PLAN) - 1


def test_a_bundle_trusts_whom_aws_is_certified_by(functions: dict[str, dict[str, Any]]) -> None:
    assert {each["Environment"]["Variables"]["AWS_CA_BUNDLE"] for each in functions.values()} == {
        "/var/task/amazon.pem"
    }


def test_what_is_not_built_is_a_warning() -> None:
    stack = cdk.Stack()
    assert "worker" in code(stack, "nowhere")
    Annotations.from_stack(stack).has_warning("*", Match.string_like_regexp("run `make build` before deploying"))


def test_without_its_python_there_is_no_bytecode_and_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    stack = cdk.Stack()
    code(stack, "nowhere")
    Annotations.from_stack(stack).has_warning("*", Match.string_like_regexp("There is no python3.13 here"))


def test_here_libraries_and_python_are_at_hand() -> None:
    stack = cdk.Stack()
    assert "worker" in code(stack, "")
    Annotations.from_stack(stack).has_no_warning("*", Match.any_value())
