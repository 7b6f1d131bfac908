"""`tributary doctor`: looks at a deployment from outside, and says of each thing that is wrong what to do.

A check yields what it found. One that cannot look is itself a finding: a missing permission is not good health.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from ops.deployment import Deployment, operator_command
from ops.letters import queues, url
from shared import control, ring
from shared.apps import Apps
from shared.aws import kms
from shared.errors import TributaryError
from shared.jobs import now_ms
from shared.model import MINUTE
from shared.providers import HmacSignature, Provider, SecretPath, house
from shared.providers.registry import provider_ids, providers
from shared.secret import apps
from shared.settings import settings
from shared.signed import AwsError
from shared.subscriptions import our_side
from shared.vendor import ask

SKEW_S = 60
"""AWS refuses a signature that is five minutes off, and so do vendors' webhooks here."""
PATIENCE_S = {"fresh": 15 * 60, "segments": 15 * 60}
DAY_S = 86_400
BEHIND_MIN = 5
WAITING, WORKED_ON, DELAYED = (
    "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
)  # fmt: skip
UNREACHABLE = (ClientError, BotoCoreError, AwsError, TributaryError, httpx.TransportError)


@dataclass(frozen=True)
class Finding:
    """`advice` says what to do; without one, all is well."""

    text: str
    advice: str = ""


Found = Iterator[Finding]


def stack(at: Deployment) -> Found:
    [found] = at.client("cloudformation").describe_stacks(StackName=at.stack)["Stacks"]
    status = found["StackStatus"]
    sound = status.endswith("_COMPLETE") and "ROLLBACK" not in status and not status.startswith("DELETE")
    yield Finding(
        f"{status}, {len(at.outputs)} outputs", "" if sound else "look at the stack's events, and deploy again"
    )


def clock(at: Deployment) -> Found:
    """Whole seconds are all that the header tells."""
    reply = at.client("sqs").get_queue_attributes(QueueUrl=at.output("FreshQueue"), AttributeNames=["QueueArn"])
    theirs = parsedate_to_datetime(reply["ResponseMetadata"]["HTTPHeaders"]["date"])
    off = abs((datetime.now(UTC) - theirs).total_seconds())
    wrong = f"set this machine's clock: it is over {SKEW_S} s off" if off > SKEW_S else ""
    yield Finding(f"this machine's is within {max(1, round(off))} s of AWS", wrong)


def door(at: Deployment) -> Found:
    reply = httpx.get(f"{at.output('PublicUrl')}/v1/openapi.json", timeout=10, trust_env=at.endpoint is None)
    advice = "" if reply.is_success else "is PublicUrl where vendors and browsers reach the API? See its log group"
    yield Finding(f"{at.output('PublicUrl')} answers {reply.status_code}", advice)


def waiting(at: Deployment) -> Found:
    for queue in queues(at):
        depth = depths(at, url(at, queue, "Queue"))
        oldest = oldest_s(at, url(at, queue, "Queue"))
        text = f"{queue}: {depth[WAITING]} waiting, {depth[WORKED_ON]} being worked on, {depth[DELAYED]} delayed"
        late = oldest is not None and oldest > PATIENCE_S.get(queue, DAY_S)
        reader = "your app does not read" if queue == "changes" else "look at the workers' errors and throttles:"
        aged = "" if oldest is None else f", the oldest for {oldest:.0f} s"
        yield Finding(text + aged, f"{reader} messages are lost after four days" if late else "")


def dead_letters(at: Deployment) -> Found:
    for queue in queues(at):
        lying = sum(depths(at, url(at, queue, "Dlq")).values())
        yield Finding(f"{queue}: {lying}", f"tributary dlq list --queue {queue}" if lying else "")


def depths(at: Deployment, queue: str) -> dict[str, int]:
    names = [WAITING, WORKED_ON, DELAYED]
    found = at.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return {name: int(found[name]) for name in names}


def oldest_s(at: Deployment, queue: str) -> float | None:
    """CloudWatch knows, some minutes late; None where it says nothing (an idle queue, an emulator)."""
    now = datetime.now(UTC)
    figures = at.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SQS", MetricName="ApproximateAgeOfOldestMessage", Statistics=["Maximum"], Period=60,
        Dimensions=[{"Name": "QueueName", "Value": queue.rsplit("/", 1)[-1]}],
        StartTime=now - timedelta(minutes=10), EndTime=now,
    )["Datapoints"]  # fmt: skip
    return max(figures, key=lambda figure: figure["Timestamp"])["Maximum"] if figures else None


def alarms(at: Deployment) -> Found:
    pages = at.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{at.stack}-")
    known = [alarm for page in pages for alarm in page["MetricAlarms"]]
    for alarm in known:
        if alarm["StateValue"] == "ALARM":
            yield Finding(alarm["AlarmName"], alarm.get("AlarmDescription", "see docs/operations.md"))
    if known and not any(alarm.get("AlarmActions") for alarm in known):
        yield Finding(f"{len(known)} alarms tell nobody", "set alarm_topic_arn to an SNS topic that somebody reads")
    quiet = sum(alarm["StateValue"] != "ALARM" for alarm in known)
    yield Finding(f"{quiet} of {len(known)} are quiet")


def credentials(at: Deployment) -> Found:
    """Names only."""
    told = known()
    if not told.hooks.key:
        yield Finding("hook_key is empty", "see Provider credentials")
    for name, app in told.providers.items():
        empty = [field for field in needed(name) if not getattr(app, field)]
        if house(name) not in provider_ids():
            yield Finding(f"{name} is no provider here", "correct its name")
        elif empty:
            yield Finding(f"{name}: {' and '.join(empty)} empty", "fill in what the vendor's console shows")
        else:
            yield Finding(f"{name}: complete")
    named = set(map(house, told.providers))
    absent = [p.id for p in providers() if p.connects and p.id not in named]
    if absent:
        yield Finding(f"nobody can connect {', '.join(absent)}: no credentials")


def needed(name: str) -> list[str]:
    """What the operator has to enter of a provider's app."""
    if any(p.discover for p in providers() if p.id == house(name)):
        return ["client_id", "server"]  # without a secret the app is a public client
    hooks = [p.webhook for p in providers() if p.id == name and p.webhook]
    signed = any(isinstance(hook.proof, HmacSignature) and hook.proof.key == "webhook_secret" for hook in hooks)
    return ["client_id", "client_secret", *(["webhook_secret"] if signed else [])]


def subscriptions(at: Deployment) -> Found:
    """Asked of the vendor itself. Those of single connections are not: each is looked at by a worker once a day. Of one
    that the operator enters by hand, the address, where it holds what only we can derive."""
    told = known()
    for source in providers():
        if source.subscriptions and source.subscriptions.per == "app" and source.id in told.providers:
            try:
                yield alive(source, told)
            except UNREACHABLE as error:
                yield Finding(f"{source.id}: {said(error)}", "are the credentials right, and does the vendor answer?")
        elif by_hand(source) and source.id in told.providers:
            yield Finding(f"{source.id}: to be entered at the vendor, {our_side(source, told.app(source.id), '').url}")


def by_hand(source: Provider) -> bool:
    hook = source.webhook
    return bool(hook and not source.subscriptions and hook.path == "app" and isinstance(hook.proof, SecretPath))


class UnreadableError(TributaryError):
    """The app secret is not what the functions expect."""


def known() -> Apps:
    try:
        return apps()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        wrong = type(error).__name__
        raise UnreadableError(f"no function can read the app secret ({wrong}): see Provider credentials") from error


def alive(source: Provider, told: Apps) -> Finding:
    wished, app = source.subscriptions, told.app(source.id)
    assert wished is not None
    hook = our_side(source, app, "")
    listed = wished.read(ask(source, app, wished.listing(hook), "").json)
    living = {s.topic for s in listed if s.url == hook.url and (s.expires is None or s.expires > now_ms())}
    missing = [topic for topic in wished.topics if topic not in living]
    text = f"{source.id}: {len(wished.topics) - len(missing)} of {len(wished.topics)} topics"
    lacking = ", ".join(missing) if living else "all"
    advice = f"missing are {lacking}; connecting anybody asks for them at once, midnight UTC does too"
    return Finding(text, advice if missing else "")


def key(at: Deployment) -> Found:
    """What the vault does with it, as the operator."""
    context = {"purpose": "doctor"}
    made = kms().generate_data_key(KeyId=settings().vault_key, KeySpec="AES_256", EncryptionContext=context)
    sealed = made["CiphertextBlob"]
    opened = kms().decrypt(CiphertextBlob=sealed, KeyId=settings().vault_key, EncryptionContext=context)
    same = opened["Plaintext"] == made["Plaintext"]
    yield Finding(
        "wraps and unwraps", "" if same else "it does not unwrap what it wrapped: nothing sealed can be opened"
    )


def poller(at: Deployment) -> Found:
    mark = control.get(*ring.WATERMARK)
    if mark is None:
        yield Finding("has never walked", "is its rule enabled? See the log group of PollFunction")
        return
    behind = now_ms() // MINUTE - int(mark["walked"])
    advice = "is its rule enabled, and does it raise? See the log group of PollFunction" if behind > BEHIND_MIN else ""
    yield Finding(f"walked {behind} min ago", advice)


CHECKS: tuple[Callable[[Deployment], Found], ...] = (
    stack, clock, door, credentials, key, poller, subscriptions, waiting, dead_letters, alarms,
)  # fmt: skip


def said(error: Exception) -> str:
    """The code AWS gave, or our own words; another library's are left out."""
    if isinstance(error, ClientError):
        return f"{code(error)} at {error.operation_name}"
    return str(error) if isinstance(error, TributaryError | AwsError) else type(error).__name__


def code(error: Exception) -> str:
    """AWS's word for its refusal; empty for anything else."""
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return error.code if isinstance(error, AwsError) else ""


def findings(check: Callable[[Deployment], Found], at: Deployment) -> Found:
    try:
        yield from check(at)
    except UNREACHABLE as error:
        lacking = "Access" in code(error)
        advice = "your role lacks the policy of docs/operations.md" if lacking else "look at docs/operations.md"
        yield Finding(f"cannot be looked at: {said(error)}", advice)


def doctor(at: Deployment, options: argparse.Namespace) -> int:
    """1 where anything is wrong."""
    wrong = 0
    for check in CHECKS:
        for finding in findings(check, at):
            wrong += bool(finding.advice)
            print(f"{'✗' if finding.advice else '✓'} {check.__name__.replace('_', ' '):<14} {finding.text}")
            if finding.advice:
                print(f"{'':<17}→ {finding.advice}")
    print(f"wrong: {wrong}" if wrong else "all is well")
    return 1 if wrong else 0


def add(commands: Any) -> None:
    operator_command(commands, "doctor", doctor, "Check a deployment, and say what to do about what is wrong.")
