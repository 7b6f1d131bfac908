"""What a dashboard's commonest reads take, and an export: time in this process, calls to DynamoDB and read units.

    python -m bench.reads

The deployed handlers run, down to botocore, whose calls are answered from memory. So the time is ours alone (of the
processor, since nothing waits), and what AWS adds is one round trip for each call counted. The data is one person's
quarter of days with three sources, written by the product's own functions: 20 figures of every day, and one day of
heart rate every 15 seconds.
"""

from __future__ import annotations

import gc
import json
import os
import random
import statistics
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import ceil
from tempfile import TemporaryFile
from types import SimpleNamespace
from typing import Any

from bench import prices

USER, TODAY = "somebody", date(2026, 11, 20)
DAYS, SAMPLES, STEP_MS = 92, 5_760, 15_000
SOURCES = {
    "oura": ("resting_heart_rate", "heart_rate_variability", "sleep_duration", "sleep_efficiency", "readiness_score",
             "deep_sleep", "rem_sleep", "respiratory_rate"),
    "withings": ("weight", "body_fat", "steps", "distance", "active_calories"),
    "polar": ("steps", "distance", "active_calories", "active_minutes", "calories_burned", "cardio_load", "vo2_max"),
}  # fmt: skip
TIMES = 50
UNIT_BYTES = 4_096
ENVIRONMENT = {
    **dict.fromkeys(
        ("RAW_BUCKET", "VAULT_KEY", "APP_SECRET", "FRESH_QUEUE", "BULK_QUEUE", "SEGMENTS_QUEUE", "EXPORTS_QUEUE",
         "IMPORTS_QUEUE", "CHANGES_QUEUE", "EVENTS_LOG"), "none",
    ),
    "DATA_TABLE": "Data", "CONTROL_TABLE": "Control", "PUBLIC_URL": "https://api.example", "LONGEST_JOB_S": "1",
    "BACKUP_DAYS": "7", "RAW_DAYS": "30", "POWERTOOLS_SERVICE_NAME": "bench", "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none",
}  # fmt: skip
Item = dict[str, Any]


@dataclass
class Tables:
    """DynamoDB as far as the reads, and the writes before them, ask of it."""

    items: dict[str, dict[tuple[str, str], Item]] = field(default_factory=lambda: {"Data": {}, "Control": {}})
    calls: int = 0
    units: float = 0

    def answer(self, model: Any, params: Item, **_: Any) -> tuple[Any, Item]:
        told = json.loads(params["body"])
        return SimpleNamespace(status_code=200), getattr(self, model.name)(told)

    def GetItem(self, told: Item) -> Item:
        found = self.items[told["TableName"]].get(place(told["Key"]))
        self.read([found] if found else [], told.get("ConsistentRead", False))
        return {"Item": found} if found else {}

    def BatchGetItem(self, told: Item) -> Item:
        [(table, asked)] = told["RequestItems"].items()
        found = [self.items[table][place(key)] for key in asked["Keys"] if place(key) in self.items[table]]
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def Query(self, told: Item) -> Item:
        given = {name: value["S"] for name, value in told["ExpressionAttributeValues"].items()}
        low, high = given.get(":low", given.get(":sk", "")), given.get(":high", given.get(":sk", "") + "~")
        kept = sorted(self.items[told["TableName"]].items(), reverse=not told.get("ScanIndexForward", True))
        page = [item for (pk, sk), item in kept if pk == given[":pk"] and low <= sk <= high]
        self.read(page, told.get("ConsistentRead", False))
        wanted = [given[name] for name in given if name.startswith(":w")]
        return {"Items": [i for i in page if not wanted or set(wanted) & set(i.get("holds", {}).get("SS", wanted))]}

    def PutItem(self, told: Item) -> Item:
        self.items[told["TableName"]][place(told["Item"])] = decoded(told["Item"])
        return {}

    def UpdateItem(self, told: Item) -> Item:
        item = self.items[told["TableName"]].setdefault(place(told["Key"]), dict(told["Key"]))
        item[told["ExpressionAttributeNames"]["#slot"]] = told["ExpressionAttributeValues"][":slot"]
        return {}

    def read(self, page: list[Item], consistent: bool) -> None:
        self.calls += 1
        whole = max(1, ceil(sum(map(size, page)) / UNIT_BYTES))
        self.units += whole if consistent else whole / 2


def place(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def decoded(item: Item) -> Item:
    """Binaries as botocore reads them."""
    return {n: {"B": b64decode(v["B"])} if "B" in v else v for n, v in item.items()}


def size(value: Any) -> int:
    """As DynamoDB counts: names and text by the byte, numbers by two digits, three more for a map or a list.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    if "S" in value or "B" in value or "N" in value:
        [(kind, held)] = value.items()
        return len(held) // 2 + 2 if kind == "N" else len(held.encode() if kind == "S" else held)
    if "SS" in value:
        return 3 + sum(len(word) + 1 for word in value["SS"])
    if "M" in value:
        return 3 + sum(len(name) + 1 + size(inner) for name, inner in value["M"].items())
    return sum(len(name) + size(inner) for name, inner in value.items())


# ---------------------------------------------------------------- the person


@contextmanager
def person() -> Iterator[Tables]:
    """The tables with the person in them, and everything that asks for them answered from there."""
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT)
    from shared import aws
    from shared.settings import settings

    tables = Tables()
    for kept in (settings, aws.dynamodb, aws._session):
        kept.cache_clear()
    # What a handler returns is the reply, and nothing is sent; the types know of handlers that only look.
    aws.dynamodb().meta.events.register("before-call", tables.answer)  # type: ignore[arg-type]
    try:
        live()
        yield tables
    finally:
        for kept in (settings, aws.dynamodb, aws._session):
            kept.cache_clear()
        os.environ.clear()
        os.environ.update(before)


def live() -> None:
    from shared import sections
    from shared.catalogue import METRICS
    from shared.commit import Change, commit
    from shared.knowledge import News
    from shared.model import Document, Reading, Series
    from shared.providers.registry import provider
    from shared.sections import Key

    def learn(source: str, resource: str, day: date, document: Document) -> None:
        news = News(1_000_000, (document,), whole=True)
        commit(sections, Change(Key(USER, str(day), source, resource), news, provider(source).kind), "job")

    for number in range(DAYS):
        day = TODAY - timedelta(days=number)
        for source, metrics in SOURCES.items():
            middle = {metric: sum(METRICS[metric].flag) / 2 + number % 7 for metric in metrics}
            learn(source, "day", day, Document("d", str(day), readings=tuple(Reading(m, v) for m, v in middle.items())))
    midnight = round(time.mktime(TODAY.timetuple())) * 1000
    times = [midnight + n * STEP_MS for n in range(SAMPLES)]
    draw, beats = random.Random(1), [60]
    while len(beats) < SAMPLES:
        beats.append(min(180, max(45, beats[-1] + round(draw.gauss(0, 2)))))
    learn("oura", "heartrate", TODAY, Document(day=str(TODAY), series=(Series("heart_rate", times, beats),)))


# ---------------------------------------------------------------- the reads


@dataclass(frozen=True)
class Took:
    """Milliseconds of one request; calls, read units and bytes are the same each time."""

    what: str
    median: float
    p99: float
    calls: int
    units: float
    bytes: int

    @property
    def dollars(self) -> float:
        return self.units * prices.DYNAMODB_READ_UNIT * prices.MILLION


def get(path: str, **query: str) -> Callable[[], Item]:
    """A request as API Gateway hands it over."""
    from functions.readings.handler import handler

    event = {
        "version": "2.0", "routeKey": f"GET {path}", "rawPath": path, "queryStringParameters": query,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in query.items()),
        "headers": {"accept-encoding": "gzip"}, "body": None, "isBase64Encoded": False, "pathParameters": {},
        "requestContext": {
            "requestId": "r", "stage": "$default", "http": {"method": "GET", "path": path},
            "authorizer": {"jwt": {"claims": {"sub": USER}}},
        },
    }  # fmt: skip

    def ask() -> Item:
        reply = handler(event, SimpleNamespace(aws_request_id="r", function_name="readings"))
        assert reply["statusCode"] == 200, reply
        return reply

    return ask


def took(tables: Tables, what: str, ask: Callable[[], Item], times: int) -> Took:
    ask()  # what is made once is made
    tables.calls, tables.units, found = 0, 0.0, []
    for _ in range(times):
        begun = time.process_time()
        reply = ask()
        found.append((time.process_time() - begun) * 1000)
    found.sort()
    bytes_ = len(b64decode(reply["body"]) if reply["isBase64Encoded"] else reply["body"].encode())
    median, p99 = statistics.median(found), found[int(len(found) * 0.99)]
    return Took(what, median, p99, tables.calls // times, tables.units / times, bytes_)


def reads(tables: Tables, times: int = TIMES) -> list[Took]:
    day, start = str(TODAY), str(TODAY - timedelta(days=29))
    asked = {
        "a day of heart rate, 15 s": get("/v1/metrics/heart_rate", **{"from": day, "to": day}),
        "the same, by minute": get("/v1/metrics/heart_rate", **{"from": day, "to": day, "resolution": "minute"}),
        "30 merged days": get("/v1/days", **{"from": start, "to": day}),
    }
    return [took(tables, what, ask, times) for what, ask in asked.items()]


def exports(days: int = 10) -> Iterator[tuple[str, int, float, int]]:
    """Format, samples, seconds and bytes of so many such days of heart rate, read and written."""
    from shared import sections
    from shared.exporting.formats import WRITERS
    from shared.exporting.person import Person
    from shared.sections import Key, Section

    [held] = sections.read([Key(USER, str(TODAY), "oura", "heartrate")]).values()

    class Long(Person):
        def sections(self) -> Iterator[Section]:
            return (held for _ in range(days))

    for name, write in WRITERS.items():
        gc.collect()
        with TemporaryFile() as file:
            begun = time.process_time()
            write(Long(USER, TODAY, TODAY), file)
            yield name, days * SAMPLES, time.process_time() - begun, file.seek(0, os.SEEK_END)


def text(found: list[Took]) -> str:
    lines = [f"{'':<28}{'median':>10}{'p99':>10}{'requests':>10}{'RRU':>7}{'gzip':>10}{'a million':>12}"]
    for each in found:
        took = f"{each.median:>7.2f} ms{each.p99:>7.2f} ms{each.calls:>10}{each.units:>7.1f}"
        lines.append(f"{each.what:<28}{took}{each.bytes:>7} B{each.dollars:>10.2f} $")
    return "\n".join(lines)


if __name__ == "__main__":
    with person() as tables:
        print(text(reads(tables)))
        for name, samples, seconds, bytes_ in exports():
            each = f"{samples / seconds:>12,.0f} samples/s{bytes_ / samples:>8.2f} bytes a sample"
            print(f"{f'ten such days as {name}':<28}{seconds:>8.1f} s {each}")
