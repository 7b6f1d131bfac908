"""What a dashboard's commonest reads take, and an export: time in this process, calls to DynamoDB and read units.

    python -m bench.reads

The deployed handlers run, down to the socket to AWS: its calls are answered from memory. So the time is ours alone
(of the processor, since nothing waits), and what AWS adds is one round trip for each call counted. The data is one
person's quarter of days with three sources, written by the product's own functions: 20 figures of every day, and one
day of heart rate every 15 seconds.
"""

from __future__ import annotations

import gc
import os
import random
import statistics
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from tempfile import TemporaryFile
from types import SimpleNamespace
from typing import Any

from bench import memory, prices
from bench.memory import Memory
from bench.row import Row, at_most, plain, rate

USER, TODAY = "somebody", date(2026, 11, 20)
DAYS, SAMPLES, STEP_MS = 92, 5_760, 15_000
SOURCES = {
    "oura": ("resting_heart_rate", "heart_rate_variability", "sleep_duration", "sleep_efficiency", "readiness_score",
             "deep_sleep", "rem_sleep", "respiratory_rate"),
    "withings": ("weight", "body_fat", "steps", "distance", "active_calories"),
    "polar": ("steps", "distance", "active_calories", "active_minutes", "calories_burned", "cardio_load", "vo2_max"),
}  # fmt: skip
TIMES = 50
Item = dict[str, Any]


# ---------------------------------------------------------------- the person


@contextmanager
def person() -> Iterator[Memory]:
    """The tables with the person in them, and everything that asks for them answered from there."""
    with memory.standing("below", counts=True) as tables:
        live()
        yield tables


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
    queries: int
    units: float
    bytes: int

    @property
    def dollars(self) -> float:
        return self.units * prices.DYNAMODB_READ_UNIT * prices.MILLION


def request(path: str, **query: str) -> Item:
    """As API Gateway hands it over."""
    return {
        "version": "2.0", "routeKey": f"GET {path}", "rawPath": path, "queryStringParameters": query,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in query.items()),
        "headers": {"accept-encoding": "gzip"}, "body": None, "isBase64Encoded": False, "pathParameters": {},
        "requestContext": {
            "requestId": "r", "stage": "$default", "http": {"method": "GET", "path": path},
            "authorizer": {"jwt": {"claims": {"sub": USER}}},
        },
    }  # fmt: skip


def get(path: str, **query: str) -> Callable[[], Item]:
    from functions.readings.handler import handler

    event = request(path, **query)

    def ask() -> Item:
        reply = handler(event, SimpleNamespace(aws_request_id="r", function_name="readings"))
        assert reply["statusCode"] == 200, reply
        return reply

    return ask


def took(tables: Memory, what: str, ask: Callable[[], Item], times: int) -> Took:
    ask()  # what is made once is made
    tables.spent.clear()
    found = []
    for _ in range(times):
        begun = time.process_time()
        reply = ask()
        found.append((time.process_time() - begun) * 1000)
    found.sort()
    bytes_ = len(b64decode(reply["body"]) if reply["isBase64Encoded"] else reply["body"].encode())
    median, p99 = statistics.median(found), found[int(len(found) * 0.99)]
    calls, queries, units = (tables.spent[name] / times for name in ("calls", "queries", "read units"))
    return Took(what, median, p99, round(calls), round(queries), units, bytes_)


def reads(tables: Memory, times: int = TIMES) -> list[Took]:
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


def rows(tiny: bool = False) -> Iterator[Row]:
    """The reads for the one table, and the reading of a section by itself."""
    what = "that day's section, read and unpacked"
    with person() as tables:
        for each in reads(tables, 1 if tiny else TIMES):
            yield at_most(f"{each.what}, read by its function: Queries", each.queries, 1, "")
            yield plain(f"{each.what}, read by its function: median", each.median, "ms")
        yield plain(f"{what}, below the wire", rate(unpacked, tiny), "/s")
    with memory.standing():
        live()
        yield plain(f"{what}, above the wire", rate(unpacked, tiny), "/s")


def unpacked() -> None:
    from shared import sections
    from shared.sections import Key

    [held] = sections.read([Key(USER, str(TODAY), "oura", "heartrate")]).values()
    assert held.documents()


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
