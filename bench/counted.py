"""What AWS charges for a million syncs, from the calls of a fixed story, counted.

People wear an Oura ring. Each syncs an hour and more after the last time, and of every four replies one says nothing
new. By webhook, the vendor tells of a day's readiness: one event through the door, the account's connections looked
up, then one visit, one document. By poll, the ring asks for what it asks a vendor with webhooks at noon. The handlers
run against AWS in memory, one container of each, in full batches.

Counted is what AWS bills by the call, by the unit and by the byte. Not in it are the time of the Lambdas, what is
stored, and the walker of the ring, which bench/ring.py has.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from math import ceil
from types import SimpleNamespace
from typing import Any

import httpx

from bench import door, memory, prices
from bench.memory import Memory
from bench.parallel import connected
from bench.row import Row, at_most, shown
from shared import jobs, log, vault, vendor
from shared.jobs import Job, now_ms
from shared.model import HOUR

PEOPLE, FEW = 1_000, 40
BATCH, AT_ONCE = 25, 10
"""Messages of one invocation, and of one request to SQS."""
ASKED = ("daily_activity", "workout", "heartrate")
"""Oura's steady resources, by the timetable."""
RUN = "2026-11-20T12:00#poll"
AMPLE = {"calls": 10_000_000, "seconds": 300}
"""The vendor's limit: turns are leased and paid for, and nobody waits for one."""
PRICES = {
    "API requests": prices.API_REQUEST,
    "Lambda requests": prices.LAMBDA_REQUEST,
    "SQS": prices.SQS_REQUEST,
    "read units": prices.DYNAMODB_READ_UNIT,
    "write units": prices.DYNAMODB_WRITE_UNIT,
    "index writes": prices.DYNAMODB_WRITE_UNIT,
    "S3 puts": prices.S3_PUT,
    "KMS": prices.KMS_REQUEST,
    "log bytes": prices.LOGS_BYTE,
}
CONTEXT: Any = SimpleNamespace(
    aws_request_id="r", function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:::f",
    get_remaining_time_in_millis=lambda: 60_000,
)  # fmt: skip


@dataclass
class Oura:
    """Each person's day as it knows it: its figure, by the number of the person in the token."""

    day: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())
    figures: dict[str, int] = field(default_factory=dict)

    def answer(self, request: httpx.Request) -> httpx.Response:
        person = request.headers["authorization"].removeprefix("Bearer ")
        figure = self.figures.setdefault(person, 70)
        path, label = request.url.path, f"{self.day}T06:00:00+00:00"
        if "/daily_readiness/" in path:
            document = {"id": f"r{person}", "day": self.day, "score": figure, "temperature_deviation": 0.1}
            return httpx.Response(200, json={**document, "timestamp": label})
        if path.endswith("/daily_activity"):
            document = {"id": f"a{person}", "day": self.day, "steps": 100 * figure, "total_calories": 2_100}
            return httpx.Response(200, json={"data": [{**document, "timestamp": label}], "next_token": None})
        return httpx.Response(200, json={"data": [], "next_token": None})


@dataclass
class Story:
    """`syncs` people, all connected, and what AWS has counted since `begin`."""

    aws: Memory
    oura: Oura
    syncs: int
    out: io.StringIO
    held: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """An hour and more later, in new containers; three of four have news."""
        for item in self.aws.items["Control"].values():
            for stamp in ("last_push_at", "last_poll_at", "last_data_at"):
                if stamp in item:
                    item[stamp] = {"N": str(now_ms() - 2 * HOUR)}
        slots = (value for item in self.aws.items["Data"].values() for value in item.values() if "M" in value)
        for slot in slots:
            slot["M"]["at"] = {"N": str(now_ms() - 2 * HOUR)}
        self.aws.queues.clear()
        for n, person in enumerate(sorted(self.oura.figures)):
            self.oura.figures[person] += n % 4 > 0
        vault._kept.clear()
        self.aws.spent.clear()
        self.out.seek(self.out.truncate(0))

    def end(self) -> Counter[str]:
        """With the lines that were logged. All the news were found, and nothing else."""
        assert len(self.aws.queues["changes"]) == sum(n % 4 > 0 for n in range(self.syncs))
        lines = self.out.getvalue().splitlines()
        self.aws.spent["log bytes"] += sum(len(line) + prices.LOGS_OVERHEAD for line in lines)
        return self.aws.spent

    def told(self) -> None:
        """A webhook for each."""
        from functions.webhook.handler import handler

        for n in range(self.syncs):
            event = {**door.single(), "user_id": f"account{n}", "object_id": f"r{n}"}
            assert handler(door.request("oura", event), None)["statusCode"] == 200
            self.aws.spent.update({"API requests": 1, "Lambda requests": 1})

    def polled(self) -> None:
        """As the walker queues them."""
        made = (
            Job(id=jobs.new_id(), reason="poll", as_of=now_ms(), connection=one, resources=ASKED, run=RUN)
            for one in self.held
        )
        jobs.send(memory.ENVIRONMENT["FRESH_QUEUE"], made)

    def work(self) -> None:
        """Until nothing waits."""
        from functions.worker.handler import handler

        while waiting := self.aws.queues.pop("fresh", []):
            for start in range(0, len(waiting), BATCH):
                bodies = waiting[start : start + BATCH]
                reply = handler({"Records": list(map(record, range(len(bodies)), bodies))}, CONTEXT)
                assert reply == {"batchItemFailures": []}
                self.aws.spent.update({"Lambda requests": 1, "SQS": 2 * ceil(len(bodies) / AT_ONCE)})


def record(n: int, body: str) -> dict[str, Any]:
    return {
        "messageId": str(n), "body": body, "eventSourceARN": "arn:aws:sqs:us-east-1:1:fresh",
        "attributes": {"ApproximateReceiveCount": "1"},
    }  # fmt: skip


@contextmanager
def story(people: int) -> Iterator[Story]:
    """With a first day of everybody's stored."""
    oura, out, client = Oura(), io.StringIO(), vendor.client
    vendor.client = cache(lambda: httpx.Client(transport=httpx.MockTransport(oura.answer)))
    try:
        with memory.standing(counts=True) as aws, redirect_stdout(out), logged(out):
            aws.secret["providers"]["oura"]["limits"] = [AMPLE]
            made = Story(aws, oura, people, out)
            made.held = [connected(f"person{n}", f"account{n}", str(n)) for n in range(people)]
            made.told()
            made.polled()
            made.work()
            yield made
    finally:
        vendor.client = client


@contextmanager
def logged(out: io.StringIO) -> Iterator[None]:
    """What the functions log, kept."""
    handlers: Any = log.logger()._logger.handlers
    before = [handler.setStream(out) for handler in handlers]
    yield
    for handler, stream in zip(handlers, before, strict=True):
        handler.setStream(stream)


def counted(ways: Iterable[tuple[str, Callable[[Story], None]]], people: int) -> Iterator[tuple[str, Counter[str]]]:
    for name, ask in ways:
        with story(people) as told:
            told.begin()
            ask(told)
            told.work()
            yield name, told.end()


TARGETS = {"webhook": 4.0, "poll": 2.5}


def rows(tiny: bool = False) -> Iterator[Row]:
    people = FEW if tiny else PEOPLE
    for name, spent in counted((("webhook", Story.told), ("poll", Story.polled)), people):
        dollars = {what: price * prices.MILLION * spent[what] / people for what, price in PRICES.items()}
        yield at_most(f"by {name}: AWS's calls for a million syncs", sum(dollars.values()), TARGETS[name], "$")
        for what in filter(spent.__getitem__, PRICES):
            each = f"{spent[what] / people:.3g} a sync"
            yield Row(f"by {name}: {what}", f"{shown(dollars[what])} $, {each}")
        yield at_most(f"by {name}: KMS calls for a thousand syncs", 1_000 * spent["KMS"] / people, 1, "")
        yield at_most(f"by {name}: index writes for a thousand syncs", 1_000 * spent["index writes"] / people, 0, "")
