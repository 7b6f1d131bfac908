"""What AWS charges for a million syncs, and for people by the month: from the calls of a fixed story, counted.

People wear an Oura ring, and of every four replies one says nothing new. By webhook, the vendor tells of a day's
readiness every hour: one event through the door, one visit, one document. By poll, its webhooks have fallen silent, and
the ring asks by the timetable, which is each half hour of the day for what moves all day. The handlers run against AWS
in memory, one container of each, in full batches, each call signed. So many hours stand for the week and the month,
which would say the same again.

Counted is what AWS bills by the call, the unit, the byte, and the gigabyte-second. The time of a Lambda is the
processor's, measured, at the part of one that its memory buys it (a processor of this machine is taken for Lambda's);
and what it waits: `AWS_S` for each call to AWS, one after another, or for all messages of a batch at once where threads
make them, and `VENDOR_S` for the vendor, who is asked by so many threads at once. Not in it are starts from cold, what
is stored, TLS, what AWS itself asks of the key (a few calls in five minutes), and the walker of the ring, which
bench/idle.py and bench/ring.py have.

The naive design does the same with what comes first to mind: a message, a Lambda of 512 MB and an X-Ray trace for each
step, a KMS call for each token, an object for each reply, an item for each value, another to take each event only once,
and three kilobytes of log.
"""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from math import ceil
from types import SimpleNamespace
from typing import Any

import httpx

from bench import door, memory, prices
from bench.deployed import Deployed, functions
from bench.memory import Memory
from bench.parallel import connected
from bench.row import Row, at_most, shown
from shared import fetching, jobs, log, vault, vendor
from shared.jobs import Job, now_ms
from shared.model import DAY, HOUR
from shared.providers.registry import provider
from shared.timetable import LOOK, due

PEOPLE, FEW = 1_000, 40
AT_ONCE = 10
"""Messages of one request to SQS."""
AWS_S, VENDOR_S = 0.01, 0.3
ZONE, MONTH_DAYS, WEEK = "Europe/Berlin", 30, 7 * DAY
RUN = "2026-11-20T12:00#poll"
AMPLE = {"calls": 10_000_000, "seconds": 300}
"""The vendor's limit: turns are leased and paid for, and nobody waits for one."""
PRICES = {
    "API requests": prices.API_REQUEST,
    "Lambda requests": prices.LAMBDA_REQUEST,
    "Lambda GB-s": prices.LAMBDA_GB_S,
    "SQS": prices.SQS_REQUEST,
    "read units": prices.DYNAMODB_READ_UNIT,
    "write units": prices.DYNAMODB_WRITE_UNIT,
    "index writes": prices.DYNAMODB_WRITE_UNIT,
    "S3 puts": prices.S3_PUT,
    "KMS": prices.KMS_REQUEST,
    "log bytes": prices.LOGS_BYTE,
    "traces": prices.TRACE,
}
VALUES = 2
"""In the news of a sync: score and temperature, or steps and calories. An hour of heart rate by the minute is 60 more,
and to us a section more."""
NAIVE_WORK = Counter[str]({
    "Lambda requests": 1, "Lambda GB-s": 0.512 * 0.3, "SQS": 3, "write units": VALUES + 2, "S3 puts": 1, "KMS": 1,
    "log bytes": 3_000, "traces": 1,
})  # fmt: skip
NAIVE_DOOR = Counter[str]({"API requests": 1, "Lambda requests": 1, "Lambda GB-s": 0.512 * 0.1})
CONTEXT: Any = SimpleNamespace(
    aws_request_id="r", function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:::f",
    get_remaining_time_in_millis=lambda: 60_000,
)  # fmt: skip


@dataclass
class Oura:
    """Each person's day as it knows it: the figure of each document, by its id, which ends in the number of the person
    in the token. How often it was `asked`, and how long a processor was `busy` with that."""

    day: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())
    figures: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    busy: float = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        begun = time.thread_time()
        reply = httpx.Response(200, json=self.said(request))
        self.asked, self.busy = self.asked + 1, self.busy + time.thread_time() - begun
        return reply

    def said(self, request: httpx.Request) -> dict[str, Any]:
        person = request.headers["authorization"].removeprefix("Bearer ")
        path, label = request.url.path, f"{self.day}T06:00:00+00:00"
        if "/daily_readiness/" in path:
            figure = self.figures.setdefault(f"r{person}", 70)
            document = {"id": f"r{person}", "day": self.day, "score": figure, "temperature_deviation": 0.1}
            return {**document, "timestamp": label}
        if path.endswith("/daily_activity"):
            figure = self.figures.setdefault(f"a{person}", 70)
            document = {"id": f"a{person}", "day": self.day, "steps": 100 * figure, "total_calories": 2_100}
            return {"data": [{**document, "timestamp": label}], "next_token": None}
        return {"data": [], "next_token": None}


@dataclass
class Story:
    """Some people, all connected, and what AWS has counted of them."""

    aws: Memory
    oura: Oura
    out: io.StringIO
    functions: dict[str, Deployed]
    asked: tuple[str, ...]
    held: list[str] = field(default_factory=list)

    def later(self, way: Way, number: int) -> None:
        """Time has passed; three of four have news, each time others."""
        for item in self.aws.items["Control"].values():
            for stamp in ("last_push_at", "last_poll_at", "last_data_at"):
                if stamp in item:
                    item[stamp] = {"N": str(int(item[stamp]["N"]) - way.every)}
        slots = (value for item in self.aws.items["Data"].values() for value in item.values() if "M" in value)
        for slot in slots:
            slot["M"]["at"] = {"N": str(int(slot["M"]["at"]["N"]) - way.every)}
        for n, id_ in enumerate(sorted(id_ for id_ in self.oura.figures if id_.startswith(way.document))):
            self.oura.figures[id_] += (n + number) % 4 > 0

    def count(self, way: Way) -> Counter[str]:
        """What AWS bills for that many rounds of everybody. All the news are found, and nothing else."""
        for item in self.aws.items["Control"].values():
            item |= {"silent_since": {"N": str(now_ms() - DAY)}} if way.silent and item["sk"] == {"S": "C"} else {}
        self.aws.spent.clear()
        for number in range(way.rounds):
            self.later(way, number)
            if number * way.every % HOUR == 0:
                vault._kept.clear()  # kept for an hour
            self.out.seek(self.out.truncate(0))
            way.ask(self)
            self.work()
            news = sum((n + number) % 4 > 0 for n in range(len(self.held)))
            assert len(self.aws.queues.pop("changes")) == news
            lines = self.out.getvalue().splitlines()
            self.aws.spent["log bytes"] += sum(len(line) + prices.LOGS_OVERHEAD for line in lines)
        return self.aws.spent

    def told(self) -> None:
        """A webhook for each."""
        from functions.webhook.handler import handler

        for n in range(len(self.held)):
            event = {**door.single(), "user_id": f"account{n}", "object_id": f"r{n}"}
            assert self.invoke("webhook", handler, door.request("oura", event))["statusCode"] == 200
            self.aws.spent["API requests"] += 1

    def polled(self) -> None:
        """As the walker queues them."""
        made = (
            Job(id=jobs.new_id(), reason="poll", as_of=now_ms(), connection=one, resources=self.asked, run=RUN)
            for one in self.held
        )
        jobs.send(memory.ENVIRONMENT["FRESH_QUEUE"], made)

    def work(self) -> None:
        """Until nothing waits."""
        from functions.worker.handler import handler

        while waiting := self.aws.queues.pop("fresh", []):
            for start in range(0, len(waiting), jobs.TOGETHER):
                bodies = waiting[start : start + jobs.TOGETHER]
                event = {"Records": list(map(record, range(len(bodies)), bodies))}
                assert self.invoke("worker", handler, event, len(bodies)) == {"batchItemFailures": []}
                self.aws.spent["SQS"] += 2 * ceil(len(bodies) / AT_ONCE)

    def invoke(self, name: str, handler: Callable[[Any, Any], Any], event: dict[str, Any], messages: int = 1) -> Any:
        """Billed by the millisecond, and for the lines that Lambda writes about it."""
        aws, before, busy = self.aws, Counter(self.aws.spent), self.aws.busy + self.oura.busy
        asked, begun = self.oura.asked, time.process_time()
        reply = handler(event, CONTEXT)
        processor = time.process_time() - begun - (aws.busy + self.oura.busy - busy)
        in_turn, at_once = (aws.spent[trips] - before[trips] for trips in ("trips in turn", "trips at once"))
        vendor_s = VENDOR_S * ceil((self.oura.asked - asked) / fetching.PARALLEL)
        function = self.functions[name]
        wall = function.slowed(processor) + AWS_S * (in_turn + at_once / messages) + vendor_s
        gb_s = ceil(1_000 * wall) / 1_000 * function.memory_mb / 1_024
        aws.spent.update({"Lambda requests": 1, "log bytes": function.log_bytes})
        aws.spent["Lambda GB-s"] += gb_s  # type: ignore[assignment]
        return reply


def record(n: int, body: str) -> dict[str, Any]:
    return {
        "messageId": str(n), "body": body, "eventSourceARN": "arn:aws:sqs:us-east-1:1:fresh",
        "attributes": {"ApproximateReceiveCount": "1"},
    }  # fmt: skip


@dataclass(frozen=True)
class Way:
    """How news of a document come: every so many milliseconds, for so many rounds, after the webhooks were found
    `silent` or not; what that may cost, in dollars a million; and what the naive design spends on each."""

    ask: Callable[[Story], None]
    document: str
    every: int
    rounds: int
    target: float
    naive: Counter[str]
    silent: bool = False

    def dollars(self, spent: Counter[str], syncs: int = 1) -> dict[str, float]:
        """For a million."""
        return {what: price * prices.MILLION * spent[what] / syncs for what, price in PRICES.items()}


WAYS = {
    "webhook": Way(Story.told, "r", HOUR, 6, 4.0, NAIVE_DOOR + NAIVE_WORK),
    "poll": Way(Story.polled, "a", LOOK, 6, 2.5, NAIVE_WORK, silent=True),
}


def timetable(silent: bool) -> Counter[tuple[str, ...]]:
    """What the looks of a week at Oura ask for, and how often."""
    oura, monday = provider("oura"), round(datetime(2026, 11, 16, tzinfo=UTC).timestamp() * 1_000)
    granted = [resource.name for resource in oura.resources]
    looks = (due(oura, granted, ZONE, at, silent=silent) for at in range(monday, monday + WEEK, LOOK))
    return Counter(filter(None, looks))


@contextmanager
def story(people: int) -> Iterator[Story]:
    """With a first day of everybody's stored."""
    oura, out, client = Oura(), io.StringIO(), vendor.client
    deployed = functions()
    [(asked, _)] = timetable(silent=True).most_common(1)
    vendor.client = cache(lambda: httpx.Client(transport=httpx.MockTransport(oura.answer)))
    try:
        with memory.standing("below", counts=True) as aws, redirect_stdout(out), logged(out):
            aws.secret["providers"]["oura"]["limits"] = [AMPLE]
            made = Story(aws, oura, out, deployed, asked)
            made.held = [connected(f"person{n}", f"account{n}", str(n)) for n in range(people)]
            made.told()
            made.polled()
            made.work()
            aws.queues.clear()
            yield made
    finally:
        vendor.client = client


@contextmanager
def logged(out: io.StringIO) -> Iterator[None]:
    """What the functions log, kept."""
    handlers: Any = log.logger()._logger.handlers
    before = [handler.stream for handler in handlers]
    for handler in handlers:
        handler.stream = out
    yield
    for handler, stream in zip(handlers, before, strict=True):
        handler.stream = stream


def rows(tiny: bool = False) -> Iterator[Row]:
    people = FEW if tiny else PEOPLE
    with story(people) as told:
        found = {name: Counter(told.count(way)) for name, way in WAYS.items()}
    costs: dict[str, float] = {}
    for name, way in WAYS.items():
        spent, syncs = found[name], way.rounds * people
        dollars = way.dollars(spent, syncs)
        costs[name] = sum(dollars.values())
        yield at_most(f"by {name}: a million syncs", costs[name], way.target, "$")
        for what in filter(spent.__getitem__, PRICES):
            yield Row(f"by {name}: {what}", f"{shown(dollars[what])} $, {spent[what] / syncs:.3g} a sync")
        yield at_most(f"by {name}: KMS calls for a thousand syncs", 1_000 * spent["KMS"] / syncs, 1, "")
        yield at_most(f"by {name}: index writes for a thousand syncs", 1_000 * spent["index writes"] / syncs, 0, "")
        yield Row(f"by {name}: a million syncs of the naive design", f"{shown(sum(way.dollars(way.naive).values()))} $")
    yield from monthly(costs)


def monthly(costs: dict[str, float]) -> Iterator[Row]:
    """A webhook an hour, with the polls that look behind it at the price of any; or all the polls of the timetable."""
    silent, spoken = (timetable(silent=silent).total() / 7 for silent in (True, False))
    often = {"webhook": {"webhook": DAY / HOUR, "poll": spoken}, "poll": {"poll": silent}}
    naive = {name: sum(way.dollars(way.naive).values()) for name, way in WAYS.items()}
    for name, syncs in often.items():
        for users in (1_000, prices.MILLION):
            for whose, each in (("", costs), (" of the naive design", naive)):
                month = users * MONTH_DAYS * sum(n * each[kind] for kind, n in syncs.items()) / prices.MILLION
                yield Row(f"by {name}: {users:,} users a month{whose}", f"{shown(month)} $")
