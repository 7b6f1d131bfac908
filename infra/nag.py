"""cdk-nag's AWS Solutions and HIPAA rules hold at every synthesis; whatever departs from one says why, here."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks
from constructs import IConstruct

if TYPE_CHECKING:
    from infra.stack import Tributary

Departure = tuple[IConstruct, str, str]
WORKERS = ("worker", "worker-bulk", "exporter", "importer")


def check(app: cdk.App) -> None:
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), HIPAASecurityChecks(app))


def acknowledge(stack: "Tributary") -> None:
    for construct, rule, reason in departures(stack):
        cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))


def departures(stack: "Tributary") -> Iterator[Departure]:
    for part in (_functions, _roles, _routes, _storage, _sign_in, _alarms):
        yield from part(stack)


def _functions(stack: "Tributary") -> Iterator[Departure]:
    for name, function in stack.functions.items():
        yield (
            function,
            "AwsSolutions-L1",
            "`make build` picks wheels and compiles bytecode for python3.13: they move together",
        )
        yield (
            function,
            "HIPAA.Security-LambdaInsideVPC",
            "It talks only to public AWS and provider endpoints over TLS; a VPC would add a NAT gateway and no barrier",
        )
        yield function, "HIPAA.Security-LambdaConcurrency", _limit(name)
        yield function, "HIPAA.Security-LambdaDLQ", _failure(name)


def _limit(name: str) -> str:
    if name in WORKERS:
        return "Bounded by what its queue holds; reserved concurrency would burn the receives of throttled batches"
    if name == "poll":
        return "A scheduled event a minute, and a message for each segment of that minute, are all that invoke it"
    return "Bounded by the API stage's throttle of 500 requests a second"


def _failure(name: str) -> str:
    if name in WORKERS:
        return "Its event source is a queue with its own dead-letter queue and alarm"
    if name == "poll":
        return (
            "A tick carries nothing: the next minute's tick starts from the same watermark, and errors raise an alarm; "
            "segments come from a queue with its own dead-letter queue"
        )
    return "API Gateway invokes it synchronously: the caller gets the error, Lambda never queues the event"


def _roles(stack: "Tributary") -> Iterator[Departure]:
    # The rule's id contains the bucket's logical id, so it is asked for, not written down.
    raw = stack.get_logical_id(cast(cdk.CfnElement, stack.store.raw.node.default_child))
    prefixes = dict.fromkeys(("webhook", "push"), ("inbox",)) | {
        "worker": ("inbox", "raw", "exports", "uploads"), "worker-bulk": ("inbox", "raw"), "exporter": ("exports",),
        "api": ("exports",), "upload": ("inbox", "uploads"), "importer": ("inbox", "uploads"),
    }  # fmt: skip
    for name, function in stack.functions.items():
        yield (
            function.own_role,
            "HIPAA.Security-IAMNoInlinePolicy",
            "The policy is one function's alone, lists exact actions, and is made and removed with its role",
        )
        for prefix in prefixes.get(name, ()):
            rule = f"AwsSolutions-IAM5[Resource::<{raw}.Arn>/{prefix}/*]"
            yield function.own_role, rule, f"Object keys under {prefix}/ are not known before they are written"


def _routes(stack: "Tributary") -> Iterator[Departure]:
    for route, made in stack.routes.items():
        if route.proof:
            yield made, "AwsSolutions-APIG4", route.proof


def _storage(stack: "Tributary") -> Iterator[Departure]:
    store = stack.store
    rotation = "Providers issue these credentials and rotate them on their own consoles: see docs/operations.md"
    yield store.secret, "AwsSolutions-SMG4", rotation
    yield store.secret, "HIPAA.Security-SecretsManagerRotationEnabled", rotation
    for table in (store.data, store.control):
        yield (
            table,
            "HIPAA.Security-DynamoDBInBackupPlan",
            "Point-in-time recovery keeps backup_days; a longer plan would keep people who asked to be erased",
        )
    replication = "HIPAA.Security-S3BucketReplicationEnabled"
    versioning = "HIPAA.Security-S3BucketVersioningEnabled"
    yield store.raw, replication, "Raw replies live for days and can be fetched again; health data stays in one region"
    yield store.raw, versioning, "Objects are written once; an old version would outlive a person's erasure"
    yield store.raw_access, replication, "Access logs are an aid to investigation, not a record others depend on"
    yield store.raw_access, versioning, "S3 writes each access log once and nobody else may write here"
    yield store.raw_access, "HIPAA.Security-S3DefaultEncryptionKMS", "S3 delivers access logs only to SSE-S3 buckets"


def _sign_in(stack: "Tributary") -> Iterator[Departure]:
    if stack.pool:
        yield (
            stack.pool,
            "AwsSolutions-COG2",
            "People may turn on an authenticator app; the health app decides who must",
        )
        yield stack.pool, "AwsSolutions-COG8", "The Plus plan is charged per person and month: the operator's choice"


def _alarms(stack: "Tributary") -> Iterator[Departure]:
    if not stack.settings.alarm_topic_arn:
        for construct in stack.node.find_all():
            if isinstance(construct, cloudwatch.Alarm):
                yield construct, "HIPAA.Security-CloudWatchAlarmAction", "No topic was chosen: set alarm_topic_arn"
