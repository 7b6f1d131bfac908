"""What the deployed stack costs in a month in which nobody is connected: its template, priced.

    python -m bench idle

Queues are asked by Lambda's pollers: two of them, or five where the number of workers is limited, each a long poll of
20 s. The ring's walker comes by every minute, notes that it did, and looks at its empty segments; an invocation of it
is taken for `TICK_S`. AWS itself asks the key for what it keeps five minutes: once for a table, twice for a queue that
carries messages. Tables, objects and logs that hold next to nothing cost next to nothing, and the gateway, the user
pool and the rule are paid by the call or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench import deployed, prices
from bench.deployed import resources
from bench.ring import walking
from bench.row import Row, shown
from shared import log
from shared.timetable import LOOK_MINUTES

DAYS = 30
MINUTES = DAYS * 24 * 60
POLLS = 3 * MINUTES
"""Of one poller. That an idle one asks no oftener than its long poll lasts is nowhere promised."""
POLLERS, POLLERS_LIMITED = 2, 5
TICK_S = 0.1
KEY_KEPT_MINUTES = 5


def units() -> dict[str, float]:
    """What is billed by how much of it."""
    shards = int(next(resources("Lambda::Function"))["Environment"]["Variables"]["RING_SHARDS"])
    walked = walking({}, {f"{minute}#{n}": 0 for minute in range(LOOK_MINUTES) for n in range(shards)}, shards) * DAYS
    walker = deployed.functions()["poll"]
    invocations = MINUTES * (1 + shards)
    return {
        "keys": count("KMS::Key"),
        "secrets": count("SecretsManager::Secret"),
        "alarms": sum(watched(alarm) for alarm in resources("CloudWatch::Alarm")),
        "dashboards": count("CloudWatch::Dashboard"),
        "SQS": POLLS * sum(map(pollers, resources("Lambda::EventSourceMapping"))) + walked.sqs_requests,
        "read units": walked.read_units,
        "write units": walked.write_units,
        "Lambda requests": invocations,
        "GB-s": invocations * TICK_S * walker.memory_mb / 1_024,
        "log bytes": invocations * walker.log_bytes,
        "KMS": (count("DynamoDB::Table") + 2) * MINUTES / KEY_KEPT_MINUTES,
    }


PRICES: Mapping[str, float] = {
    "keys": prices.KMS_KEY,
    "secrets": prices.SECRET,
    "alarms": prices.ALARM,
    "dashboards": prices.DASHBOARD,
    "SQS": prices.SQS_REQUEST,
    "read units": prices.DYNAMODB_READ_UNIT,
    "write units": prices.DYNAMODB_WRITE_UNIT,
    "Lambda requests": prices.LAMBDA_REQUEST,
    "GB-s": prices.LAMBDA_GB_S,
    "log bytes": prices.LOGS_BYTE,
    "KMS": prices.KMS_REQUEST,
}


def count(kind: str) -> int:
    return len(list(resources(kind)))


def watched(alarm: Mapping[str, Any]) -> int:
    """An alarm on a sum of metrics is billed for each."""
    return sum("MetricStat" in metric for metric in alarm.get("Metrics", ())) or 1


def pollers(mapping: Mapping[str, Any]) -> int:
    return POLLERS_LIMITED if mapping.get("ScalingConfig", {}).get("MaximumConcurrency") else POLLERS


def dollars(free: bool = False) -> dict[str, float]:
    """By what is billed. `free`: an account that uses nothing else of AWS's free tier."""
    less = prices.FREE if free else {}
    return {what: PRICES[what] * max(0, much - less.get(what, 0)) for what, much in units().items()}


def rows(tiny: bool = False) -> Iterator[Row]:
    much, paid = units(), dollars()
    yield Row("idle: the stack in a month", f"{shown(sum(paid.values()))} $")
    yield Row(
        "idle: the same, in an account with AWS's free tier to itself", f"{shown(sum(dollars(free=True).values()))} $"
    )
    for what, each in sorted(paid.items(), key=lambda pair: -pair[1]):
        yield Row(f"idle: {what}", f"{shown(each)} $, {shown(much[what])} a month")
    used = prices.METRIC * len(log.UNITS)
    yield Row("no longer idle: metrics of each provider in use", f"{shown(used)} $, {len(log.UNITS)} a month")
