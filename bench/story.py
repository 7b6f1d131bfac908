"""People with an Oura ring, who live by the hour on a clock of their own, and what AWS counts of it.

The handlers run against AWS in memory, below the wire, one container of each, in full batches. The clock stands still
while they work, so that the story is the same whenever it is told; the processor's time is the true one.
"""

from __future__ import annotations

import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from math import ceil
from threading import Lock
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import httpx

from bench import door, memory, prices, replies
from bench.deployed import Deployed, functions
from bench.memory import Memory
from bench.parallel import ZONE, connected
from shared import connections, control, fetching, jobs, log, ring, vault, vendor
from shared.jobs import now_ms
from shared.model import DAY, HOUR
from shared.timetable import LOOK

AT_ONCE = 10
"""Messages of one request to SQS."""
AWS_S, VENDOR_S = 0.01, 0.3
MONDAY = round(datetime(2026, 11, 16, tzinfo=ZoneInfo(ZONE)).timestamp() * 1_000)
LIVED = {"L": [{"M": {"since": {"N": "0"}, "zone": {"S": ZONE}}}]}
QUARTER = 4
"""One in so many syncs finds nothing new."""
AMPLE = {"calls": 10_000_000, "seconds": 300}
"""The vendor's limit: turns are leased and paid for, and nobody waits for one."""
News = tuple[str, str, str]
"""Whose, of which day and resource."""
CONTEXT: Any = SimpleNamespace(
    aws_request_id="r", function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:::f",
    get_remaining_time_in_millis=lambda: 60_000,
)  # fmt: skip


# ---------------------------------------------------------------- the vendor


def asleep(day: str, figure: int) -> dict[str, Any]:
    night, start = replies.night(), f"{day}T00:00:00Z"
    sampled = {name: {**night[name], "timestamp": start} for name in ("heart_rate", "hrv")}
    return {**night, **sampled, "bedtime_start": start, "bedtime_end": f"{day}T08:00:00Z", "efficiency": figure}


DOCUMENTS: dict[str, Callable[[str, int], dict[str, Any]]] = {
    "daily_activity": lambda day, figure: {"steps": 100 * figure, "total_calories": 2_100},
    "daily_sleep": lambda day, figure: {"score": figure},
    "daily_readiness": lambda day, figure: {"score": figure, "temperature_deviation": 0.1},
    "daily_spo2": lambda day, figure: {"spo2_percentage": {"average": 90 + figure / 10}},
    "daily_stress": lambda day, figure: {"stress_high": 60 * figure},
    "vo2_max": lambda day, figure: {"vo2_max": figure - 30},
    "sleep": asleep,
}
"""One of each a day. Nobody trains, and of the heart rate by day there is no news: it would be a section more of each
sync's."""


@dataclass
class Oura:
    """What it has `said`: the figure of each document by its id, which names resource, day and person (who is their
    token). A day's first answer is news, and each later one, unless it is the same moment's or the person keeps
    `still`. `news` are those since anybody looked. `asked` and `renewed` are calls for data and for tokens, and `busy`
    the seconds of a processor that they took."""

    said: dict[str, int] = field(default_factory=dict)
    still: frozenset[str] = frozenset()
    news: list[News] = field(default_factory=list)
    asked: int = 0
    renewed: int = 0
    busy: float = 0
    _moved: dict[str, float] = field(default_factory=dict)
    _one: Lock = field(default_factory=Lock)

    def answer(self, request: httpx.Request) -> httpx.Response:
        with self._one:
            begun = time.thread_time()
            told = self.token(request) if request.method == "POST" else self.data(request)
            reply = httpx.Response(200, json=told)
            self.busy += time.thread_time() - begun
            return reply

    def token(self, request: httpx.Request) -> dict[str, Any]:
        self.renewed += 1
        [person] = parse_qs(request.content.decode())["refresh_token"]
        return {"access_token": person, "refresh_token": person, "expires_in": DAY // 1_000}

    def data(self, request: httpx.Request) -> dict[str, Any]:
        """A document by its id, or those of a resource's days."""
        self.asked += 1
        person = request.headers["authorization"].removeprefix("Bearer ")
        name, _, id_ = request.url.path.removeprefix("/v2/usercollection/").lower().partition("/")
        if id_:
            return self.document(name, id_.split(".")[1], person)
        asked, now = request.url.params, today()
        days = between(asked["start_date"], min(asked["end_date"], now)) if name in DOCUMENTS else ()
        known = (day for day in days if day == now or named(name, day, person) in self.said)
        return {"data": [self.document(name, day, person) for day in known], "next_token": None}

    def document(self, name: str, day: str, person: str) -> dict[str, Any]:
        id_ = named(name, day, person)
        if id_ not in self.said or (day == today() and person not in self.still and self._moved[id_] != time.time()):
            self.said[id_], self._moved[id_] = self.said.get(id_, 69) + 1, time.time()
            self.news.append((user(person), day, name))
        label = {"id": id_, "day": day, "timestamp": f"{day}T06:00:00+00:00"}
        return DOCUMENTS[name](day, self.said[id_]) | label

    def look(self) -> list[News]:
        """What was new since the last time."""
        news, self.news = self.news, []
        return sorted(news)


def today() -> str:
    return datetime.fromtimestamp(time.time(), ZoneInfo(ZONE)).date().isoformat()


def between(first: str, last: str) -> list[str]:
    start = date.fromisoformat(first)
    return [str(start + timedelta(days=n)) for n in range((date.fromisoformat(last) - start).days + 1)]


def named(resource: str, day: str, person: object) -> str:
    return f"{resource}.{day}.{person}"


def user(person: object) -> str:
    return f"person{person}"


# ---------------------------------------------------------------- the people


@dataclass
class Story:
    """Some people, all connected, and what AWS has counted of them. `now` in milliseconds."""

    aws: Memory
    oura: Oura
    out: io.StringIO
    functions: dict[str, Deployed]
    now: int
    held: list[str] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    """By person: one more for each sync, and four fewer for one that found nothing new."""

    def count(self, way: Way, lasts: int) -> Counter[str]:
        """What AWS bills for that many milliseconds of everybody, and how many `syncs` these were. One of four finds
        nothing new, each time other people's; where something must be new, as when a day begins, the next one does."""
        if way.silent:
            for one in self.held:
                connections.change(one, silent_since=now_ms() - DAY)
        self.turns = [n % QUARTER for n in range(len(self.held))]
        self.aws.spent.clear()
        ends, turns = self.now + lasts, sum(self.turns)
        while self.now < ends:
            self.play(way)
            self.now += way.every
        assert sum(self.turns) == turns, "more or fewer than a quarter found nothing new"
        return self.aws.spent

    def play(self, way: Way) -> None:
        """Everything new is announced once, and nothing else."""
        if self.now % HOUR == 0:
            vault._kept.clear()  # kept for an hour
        self.out.seek(self.out.truncate(0))
        self.oura.still = frozenset(str(n) for n, turn in enumerate(self.turns) if turn >= QUARTER - 1)
        way.ask(self)
        if self.work():
            self.take_turns()
        lines = self.out.getvalue().splitlines()
        self.aws.spent["log bytes"] += sum(len(line) + prices.LOGS_OVERHEAD for line in lines)

    def take_turns(self) -> None:
        news, said = self.oura.look(), map(json.loads, self.aws.queues.pop("changes", []))
        assert news == sorted((one["user"], one["day"], one["resource"]) for one in said)
        found = {who for who, *_ in news}
        self.turns = [turn + 1 - QUARTER * (user(n) not in found) for n, turn in enumerate(self.turns)]

    def told(self) -> None:
        """A webhook for each."""
        from functions.webhook.handler import handler

        for n in range(len(self.held)):
            event = {**door.single(), "user_id": f"account{n}", "object_id": named("daily_readiness", today(), n)}
            assert self.invoke("webhook", handler, door.request("oura", event))["statusCode"] == 200
            self.aws.spent["API requests"] += 1

    def polled(self, forced: bool = False) -> None:
        """As the ring queues them, if all had the same minute of it."""
        look = ring.clocked("0#0", self.now, forced)
        page = [control.plain(item) for item in self.aws.items["Control"].values() if "ring" in item]
        jobs.send(memory.ENVIRONMENT["FRESH_QUEUE"], ring.polls(look, page))
        jobs.send(memory.ENVIRONMENT["BULK_QUEUE"], ring.reviews(look, page))

    def work(self) -> bool:
        """All that waits, if anything does."""
        from functions.worker.handler import handler

        before = self.aws.spent["syncs"]
        for queue in ("fresh", "bulk"):
            waiting = self.aws.queues.pop(queue, [])
            for start in range(0, len(waiting), jobs.TOGETHER):
                bodies = waiting[start : start + jobs.TOGETHER]
                event = {"Records": [record(n, body, queue) for n, body in enumerate(bodies)]}
                assert self.invoke("worker", handler, event, len(bodies)) == {"batchItemFailures": []}
                self.aws.spent.update({"SQS": 2 * ceil(len(bodies) / AT_ONCE), "syncs": len(bodies)})
        assert not self.aws.queues.keys() & {"fresh", "bulk"}
        return self.aws.spent["syncs"] > before

    def invoke(self, name: str, handler: Callable[[Any, Any], Any], event: dict[str, Any], messages: int = 1) -> Any:
        """Billed by the millisecond, and for the lines that Lambda writes about it."""
        aws, before, busy = self.aws, Counter(self.aws.spent), self.aws.busy + self.oura.busy
        asked, renewed, begun = self.oura.asked, self.oura.renewed, time.process_time()
        reply = handler(event, CONTEXT)
        processor = time.process_time() - begun - (aws.busy + self.oura.busy - busy)
        in_turn, at_once = (aws.spent[trips] - before[trips] for trips in ("trips in turn", "trips at once"))
        tokens, questions = self.oura.renewed - renewed, self.oura.asked - asked
        vendor_s = VENDOR_S * (ceil(tokens / jobs.TOGETHER) + ceil(questions / fetching.PARALLEL))
        function = self.functions[name]
        wall = function.slowed(processor) + AWS_S * (in_turn + at_once / messages) + vendor_s
        gb_s = ceil(1_000 * wall) / 1_000 * function.memory_mb / 1_024
        aws.spent.update({"Lambda requests": 1, "log bytes": function.log_bytes})
        aws.spent["Lambda GB-s"] += gb_s  # type: ignore[assignment]
        return reply


def record(n: int, body: str, queue: str = "fresh") -> dict[str, Any]:
    return {
        "messageId": str(n), "body": body, "eventSourceARN": f"arn:aws:sqs:us-east-1:1:{queue}",
        "attributes": {"ApproximateReceiveCount": "1"},
    }  # fmt: skip


@dataclass(frozen=True)
class Way:
    """How news come: what is done every so many milliseconds, after the webhooks were found `silent` or not."""

    ask: Callable[[Story], None]
    every: int
    silent: bool = False


WAYS = {
    "webhook": Way(Story.told, HOUR),
    "poll": Way(Story.polled, LOOK, silent=True),
}


@contextmanager
def story(people: int, begins: int) -> Iterator[Story]:
    """Everybody was connected an hour before, and asked for everything of that day."""
    oura, out = Oura(), io.StringIO()
    client = cache(lambda: httpx.Client(transport=httpx.MockTransport(oura.answer)))
    with memory.standing("below", counts=True) as aws, redirect_stdout(out), logged(out):
        made = Story(aws, oura, out, functions(), begins - HOUR)
        aws.secret["providers"]["oura"]["limits"] = [AMPLE]
        with (
            patch.object(vendor, "client", client),
            patch("time.time_ns", lambda: made.now * 1_000_000),
            patch("time.time", lambda: made.now / 1_000),
        ):
            for n in range(people):
                aws.write("Data", {"pk": {"S": user(n)}, "sk": {"S": "Z"}, "history": LIVED})
                made.held.append(connected(user(n), f"account{n}", str(n)))
            made.polled(forced=True)
            made.work()
            aws.queues.clear()
            oura.look()
            made.now = begins
            yield made


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
