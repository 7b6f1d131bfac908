"""A day of catch-up polling for a million connections, beside the same day of a naive scan.

    python -m bench.ring [--connections N] [--shards N] [--seed N]

The timetable, the segments, and what a poll is spared are the product's own functions, called once for all connections
to which the same happens. The people and the vendors are a model, stated in bench/lives.py. What a poll costs is what
tests/functions/test_freshness.py counts on the real corridor; that the vendors' limits have been raised to what is
asked of them is assumed. Freshness is the time from when the vendor had the record
to when we had it: what the wearer's phone keeps back is no part of it.

The naive scan reads the whole table each half hour, asks everybody for everything, and notes that it did. It hears the
same webhooks.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from math import ceil
from typing import TypeVar
from zoneinfo import ZoneInfo

from bench import prices
from bench.lives import ANSWERED_MS, Group, Story, population, story
from shared import control
from shared.freshness import POLLS_NOTED
from shared.jobs import TOGETHER
from shared.judging import is_judged, spared
from shared.model import DAY, MINUTE
from shared.providers import Provider, Resource
from shared.providers.registry import provider
from shared.timetable import LOOK, LOOK_MINUTES, REVIEW_DAYS, due

TODAY = date(2026, 11, 20)
DAY_MINUTES = DAY // MINUTE
SIGNALS = ("steps", "heart_rate", "resting_heart_rate", "heart_rate_variability", "sleep_duration", "glucose", "weight")

Looks = tuple[tuple[int, tuple[str, ...]], ...]
"""The looks at which something is queued: milliseconds since the person's midnight, and the resources."""
Lags = Counter[int]
"""Seconds, and how often they were seen."""
Kind = TypeVar("Kind", bound=Hashable)


# ---------------------------------------------------------------- one person's day


@dataclass
class Day:
    """What came of a day: `polls` queued, `judged` where something might be spared, `made` where the vendor was asked
    anything: for so many resources (`questions`, by provider), of which some had news (`finds`). `notes` are what polls
    write on the connection. `lags` by resource or signal."""

    polls: int = 0
    judged: int = 0
    made: int = 0
    finds: int = 0
    notes: int = 0
    reviews: float = 0
    questions: Counter[str] = field(default_factory=Counter)
    lags: dict[str, Lags] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, other: Day, times: int) -> None:
        for name in ("polls", "judged", "made", "finds", "notes"):
            setattr(self, name, getattr(self, name) + times * getattr(other, name))
        for name, asked in other.questions.items():
            self.questions[name] += times * asked
        for name, lags in other.lags.items():
            for lag, count in lags.items():
                self.lags[name][lag] += times * count


@dataclass
class Known:
    """One resource as the day goes: the news that nobody here knows of yet, and how new the newest is that we know."""

    waiting: list[tuple[int, int | None]]
    as_of: int = 0

    def hear(self, now: int, lags: Lags) -> None:
        """The webhooks until now. Each brings its own news, and not what a lost one was to bring."""
        if self.waiting:
            for at, told in [pair for pair in self.waiting if pair[1] is not None and pair[1] <= now]:
                assert told is not None
                self.waiting.remove((at, told))
                self.as_of = max(self.as_of, told)
                lags[(told - at) // 1000] += 1

    def ask(self, now: int, lags: Lags) -> bool:
        """A poll brings all that the vendor has."""
        found = [at for at, _ in self.waiting if at <= now]
        if found:
            self.waiting = [pair for pair in self.waiting if pair[0] > now]
            self.as_of = now
            lags.update((now - at) // 1000 for at in found)
        return bool(found)


def live(source: Provider, schedule: Looks, life: Story) -> Day:
    """Looks and webhooks as they come. The next day's looks find what this one's left."""
    day, noted = Day(), -DAY
    known = {name: Known(list(news)) for name, news in life.news.items()}
    resources = {r.name: r for r in source.resources}
    for at, asked in schedule:
        for name in asked:
            known[name].hear(at, day.lags[name])
        wanted = [name for name in asked if not is_spared(source, resources[name], at, known[name].as_of)]
        day.polls += 1
        day.judged += any(is_judged(source, resources[name]) for name in asked)
        day.made += bool(wanted)
        day.questions[source.id] += len(wanted)
        day.finds += sum(known[name].ask(at + ANSWERED_MS, day.lags[name]) for name in wanted)
        if at - noted > POLLS_NOTED:
            day.notes, noted = day.notes + 1, at
    for at, asked in schedule:
        for name in asked:
            known[name].hear(at + DAY, day.lags[name])
            known[name].ask(at + DAY + ANSWERED_MS, day.lags[name])
    day.notes += len({name for _, asked in schedule for name in asked})  # each cursor moves once a day
    return day


def is_spared(source: Provider, resource: Resource, look: int, as_of: int) -> bool:
    return as_of > 0 and is_judged(source, resource) and spared(resource, look, as_of, True)


def live_scanned(source: Provider, minute: int, life: Story) -> Day:
    """Everything is asked for at every look, so each piece of news has to wait for the next one only."""
    asked = [r.name for r in source.resources if r.fetch]
    looks = DAY // LOOK
    day = Day(polls=looks, made=looks, questions=Counter({source.id: looks * len(asked)}), notes=looks + len(asked))
    for name in asked:
        finds = set()
        for at, told in life.news[name]:
            look = at - ANSWERED_MS - (at - ANSWERED_MS - minute * MINUTE) % -LOOK
            found = look + ANSWERED_MS
            if told is None or found < told:
                finds.add(look)
            day.lags[name][(min(found, told or found) - at) // 1000] += 1
        day.finds += len(finds)
    return day


# ---------------------------------------------------------------- everybody's


def looks(group: Group) -> Looks:
    """What the walker says at each look of the day."""
    source, start = provider(group.provider), midnight(group.zone)
    granted = [r.name for r in source.resources]
    first = start + (group.minute * MINUTE - start) % LOOK
    found = (
        (at - start, due(source, granted, group.zone, at, group.wake, group.silent))
        for at in range(first, start + DAY, LOOK)
    )
    return tuple((at, asked) for at, asked in found if asked)


def midnight(zone: str) -> int:
    local = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=ZoneInfo(zone))
    return round(local.astimezone(UTC).timestamp() * 1000)


def regrouped(people: Mapping[tuple[Group, int], int], kind: Callable[[Group, int], Kind]) -> Counter[Kind]:
    """How many there are of each kind."""
    found: Counter[Kind] = Counter()
    for (group, number), count in people.items():
        found[kind(group, number)] += count
    return found


def by_signal(source: Provider, day: Day) -> Day:
    """The day with the lags of those resources that bring a signal: its figure for the day rather than its samples."""
    found: dict[str, Lags] = {}
    for signal in SIGNALS:
        for kind in ("series", "spots", "totals"):
            for resource in source.resources:
                if signal in getattr(resource, kind) and resource.name in day.lags:
                    found[signal] = day.lags[resource.name]
    day.lags = found
    return day


# ---------------------------------------------------------------- the bill


@dataclass(frozen=True)
class Bill:
    sqs_requests: float = 0
    dynamodb_calls: float = 0
    read_units: float = 0
    write_units: float = 0
    index_writes: float = 0

    @property
    def dollars(self) -> float:
        written = self.write_units + self.index_writes
        stored = self.read_units * prices.DYNAMODB_READ_UNIT + written * prices.DYNAMODB_WRITE_UNIT
        return self.sqs_requests * prices.SQS_REQUEST + stored

    def __add__(self, other: Bill) -> Bill:
        return Bill(*(getattr(self, name) + getattr(other, name) for name in Bill.__dataclass_fields__))

    def __mul__(self, times: float) -> Bill:
        return Bill(*(getattr(self, name) * times for name in Bill.__dataclass_fields__))


SENT, TAKEN = Bill(sqs_requests=0.1), Bill(sqs_requests=0.2)
"""A message among ten: sent; received and deleted."""
OPENED = Bill(dynamodb_calls=2, read_units=1.5)
"""The connection, consistently, and the person."""
JUDGED = Bill(dynamodb_calls=1, read_units=1)
"""Two day items."""
QUESTION = Bill(dynamodb_calls=1, read_units=1)
"""The sections of the two days asked for, loosely, of up to 4 kB. Three resources asked at once cost what two do. A
document that was not there before costs two reads more, once."""
NEWS = Bill(dynamodb_calls=2, write_units=4, sqs_requests=0.1)
"""One put, of up to 2 kB, its slot in a day of up to 2 kB, and the announcement."""
LEASE = Bill(dynamodb_calls=1, write_units=1)
"""The turns of one visit, where nobody has to wait. A vendor without limits costs none, and is billed all the same."""
COUNTED = Bill(dynamodb_calls=1 / TOGETHER, write_units=1 / TOGETHER)
"""In its pass's record, once for a full batch."""
REVIEW = SENT + Bill(sqs_requests=2) + OPENED + LEASE + COUNTED
"""One message of the bulk queue, alone in its batch."""
REVIEWED = Bill(dynamodb_calls=1, read_units=15)
"""The sections of a resource's fortnight, and of its neighbours, each by itself."""
NOTE = Bill(dynamodb_calls=1, write_units=1)
"""A stamp or a cursor on the connection. Neither is on the index."""
RING_BYTES, CONNECTION_BYTES = 330, 1_500
"""Of a connection on the index, and in the table with its two pointers: what a look reads, and what a scan does."""


def walking(queued: Mapping[int, int], placed: Mapping[str, int], shards: int) -> Bill:
    """The walker, each minute, and the looks, each of which notes in the record of its pass how many were due. `queued`
    are polls by minute of the UTC day, here spread evenly over the shards and their pages; `placed` are the connections
    by segment."""
    bill = Bill()
    for minute in range(DAY_MINUTES):
        bill += Bill(sqs_requests=ceil(shards / 10), dynamodb_calls=2, read_units=1, write_units=1)
        for shard in range(shards):
            held = placed.get(f"{minute % LOOK_MINUTES}#{shard}", 0)
            pages = held // control.RING_PAGE + 1
            sends = pages * ceil(queued.get(minute, 0) / shards / pages / 10) + pages - 1
            read = max(pages / 2, held * RING_BYTES / 8192)
            bill += Bill(2 * pages + sends, dynamodb_calls=2 * pages, read_units=read, write_units=pages)
    return bill


def polling(day: Day) -> Bill:
    """What the worker does with the polls."""
    opened = (TAKEN + OPENED + COUNTED) * day.polls + JUDGED * day.judged + LEASE * day.made
    return opened + QUESTION * day.questions.total() + NEWS * day.finds + NOTE * day.notes


def reviewing(people: Mapping[tuple[Group, int], int]) -> tuple[float, Counter[str], Bill]:
    """The reviews of a day, a seventh of everybody's; what they ask, by provider; and what they cost. Their news is not
    counted: it is what webhooks lost."""
    asked, bill, made = Counter[str](), Bill(), 0.0
    for id_, count in regrouped(people, lambda group, _: group.provider).items():
        resources = [r for r in provider(id_).resources if r.fetch]
        made += count / 7
        asked[id_] = round(sum(ceil(REVIEW_DAYS / r.max_days) for r in resources) * count / 7)
        bill += (REVIEW + REVIEWED * len(resources)) * (count / 7)
    return made, asked, bill


def scanning(size: int) -> Bill:
    """Each half hour, a megabyte a call."""
    read = size * CONNECTION_BYTES
    return Bill(dynamodb_calls=ceil(read / 2**20), read_units=read / 8192) * (DAY // LOOK)


# ---------------------------------------------------------------- the whole


@dataclass(frozen=True)
class Design:
    """One way to poll. The lags of its day are by signal."""

    day: Day
    bill: Bill

    def lag(self, signal: str, quantile: float) -> int:
        """Seconds that this part of the signal's news was not slower than."""
        lags, left = self.day.lags[signal], quantile * self.day.lags[signal].total()
        for lag in sorted(lags):
            left -= lags[lag]
            if left <= 0:
                return lag
        raise ValueError(f"no news of {signal}")


@dataclass(frozen=True)
class Result:
    size: int
    segments: int
    fullest: int
    ring: Design
    scan: Design


def simulate(size: int, shards: int = 1, seed: int = 7) -> Result:
    people, placed = population(size, shards, seed)
    ring, queued = ringed(people, seed)
    scan = scanned(people, seed)
    reviews, asked, reviewed = reviewing(people)
    ring.questions.update(asked)
    ring.reviews = reviews
    return Result(
        size, LOOK_MINUTES * shards, max(placed.values()),
        Design(ring, walking(queued, placed, shards) + polling(ring) + reviewed),
        Design(scan, scanning(size) + SENT * scan.polls + polling(scan)),
    )  # fmt: skip


def ringed(people: Mapping[tuple[Group, int], int], seed: int) -> tuple[Day, Counter[int]]:
    """Everybody's day on the ring, and how many polls each minute of the UTC day queues."""
    groups = regrouped(people, lambda group, _: group)
    schedules = {group: looks(group) for group in groups}
    numbers = {schedule: n for n, schedule in enumerate(dict.fromkeys(schedules.values()))}
    numbered = {group: numbers[schedule] for group, schedule in schedules.items()}
    alike = regrouped(people, lambda g, number: (numbered[g], g.provider, g.wake, g.silent, number))
    found, total, queued = list(numbers), Day(), Counter[int]()
    for (schedule, id_, wake, silent, number), count in alike.items():
        source = provider(id_)
        total.add(by_signal(source, live(source, found[schedule], story(id_, wake, silent, number, seed))), count)
    for group, count in groups.items():
        for at, _ in schedules[group]:
            queued[(midnight(group.zone) + at) // MINUTE % DAY_MINUTES] += count
    return total, queued


def scanned(people: Mapping[tuple[Group, int], int], seed: int) -> Day:
    total = Day()
    alike = regrouped(people, lambda g, number: (g.provider, g.wake, g.silent, g.minute, number))
    for (id_, wake, silent, minute, number), count in alike.items():
        source = provider(id_)
        total.add(by_signal(source, live_scanned(source, minute, story(id_, wake, silent, number, seed))), count)
    return total


# ---------------------------------------------------------------- printed


def report(result: Result) -> Iterator[str]:
    ring, scan = result.ring, result.scan
    yield f"{result.size:,} connections, one day; {result.segments} segments, {result.fullest:,} people in the fullest"
    yield f"dollars are of SQS and DynamoDB alone, at the prices of {prices.AS_OF}"
    yield ""
    yield f"{'':30}{'ring':>16}{'naive scan':>16}"
    for name, key in (("polls queued", "polls"), ("polls made", "made")):
        yield row(name, getattr(ring.day, key), getattr(scan.day, key))
    yield row("weekly reviews made", ring.day.reviews, 0)
    yield row("resources asked for", ring.day.questions.total(), scan.day.questions.total())
    for key in ("index_writes", "sqs_requests", "dynamodb_calls", "read_units", "write_units"):
        yield row(key.replace("_", " "), getattr(ring.bill, key), getattr(scan.bill, key))
    yield row("dollars", ring.bill.dollars, scan.bill.dollars, digits=2)
    yield row("dollars a million polls made", *(d.bill.dollars / d.day.made * 1e6 for d in (ring, scan)), digits=2)
    yield ""
    yield "connections that the documented limit of one application has room for"
    polled = sorted(ring.day.questions)
    for id_ in (each for each in polled if allowed(provider(each))):
        theirs = allowed(provider(id_)) * result.size / len(polled)
        yield row(id_, *(theirs / design.day.questions[id_] for design in (ring, scan)))
    yield ""
    yield f"{'lag':30}{'p50':>8}{'p99':>8}{'p50':>8}{'p99':>8}"
    for signal in (signal for signal in SIGNALS if signal in ring.day.lags):
        yield f"{signal:30}" + "".join(f"{spelt(d.lag(signal, q)):>8}" for d in (ring, scan) for q in (0.5, 0.99))


def allowed(source: Provider) -> int:
    """Calls in a day to one application of ours, by the vendor's documents; 0 where they name no limit."""
    ours = (limit.calls * DAY // (limit.seconds * 1000) for limit in source.limits if limit.whose == "app")
    return min(ours, default=0)


def row(name: str, *figures: float, digits: int = 0) -> str:
    return f"{name:30}" + "".join(f"{figure:>16,.{digits}f}" for figure in figures)


def spelt(seconds: int) -> str:
    return (
        f"{seconds} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
    )


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    print("\n".join(report(simulate(options.connections, options.shards, options.seed))))


if __name__ == "__main__":
    main()
