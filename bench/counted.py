"""What AWS charges for a million syncs, and for people by the month: from the calls of a fixed story, counted.

    python -m bench counted             as `make bench` does
    python -m bench.counted poll 1000   the week of so many people by poll, or by webhook, and nothing else

People wear an Oura ring, and of every four syncs one finds nothing new. By webhook, the vendor tells of a day's
readiness every hour: one event through the door, one visit, one document. By poll, its webhooks have fallen silent, and
the ring asks what the timetable says, look by look, and once for the fortnight. `FEW` people, who fill a batch, live a
week of it; and so that it is seen what more of them share, `PEOPLE` live some hours of a day: whatever is counted of
the week is the few's, but for the calls to KMS, which are the many's. A thousand who lived the week would take most of
an hour, and most of that our own functions.

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

import sys
from collections import Counter
from collections.abc import Iterator, Mapping

from bench import prices
from bench.memory import size
from bench.parallel import ZONE
from bench.row import Row, at_most, shown
from bench.story import MONDAY, WAYS, Story, Way, story
from shared.model import DAY, HOUR
from shared.providers.registry import provider
from shared.timetable import LOOK, due

FEW, PEOPLE = 40, 1_000
MORNING = MONDAY + 8 * HOUR
HOURS = {"webhook": 6 * HOUR, "poll": 3 * HOUR}
"""After which all notes on a connection were due once."""
MONTH_DAYS, WEEK = 30, 7 * DAY
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
TARGETS = {"webhook": 4.0, "poll": 2.5}
"""Dollars a million."""
VALUES = 2
"""In the news of a sync: score and temperature, or steps and calories. An hour of heart rate by the minute is 60 more,
and to us a section more."""
NAIVE_WORK = Counter[str]({
    "Lambda requests": 1, "Lambda GB-s": 0.512 * 0.3, "SQS": 3, "write units": VALUES + 2, "S3 puts": 1, "KMS": 1,
    "log bytes": 3_000, "traces": 1,
})  # fmt: skip
NAIVE_DOOR = Counter[str]({"API requests": 1, "Lambda requests": 1, "Lambda GB-s": 0.512 * 0.1})
NAIVE = {"webhook": NAIVE_DOOR + NAIVE_WORK, "poll": NAIVE_WORK}
Units = Mapping[str, float]
"""Of a sync."""


def units(told: Story, way: Way, lasts: int) -> Units:
    spent = told.count(way, lasts)
    return {what: spent[what] / spent["syncs"] for what in PRICES}


def week(name: str, people: int, lasts: int = WEEK) -> Units:
    """Of so many people, news coming this way."""
    with story(people, MONDAY) as told:
        return units(told, WAYS[name], lasts)


def dollars(spent: Units) -> dict[str, float]:
    """For a million."""
    return {what: price * prices.MILLION * spent[what] for what, price in PRICES.items()}


def total(spent: Units) -> float:
    return sum(dollars(spent).values())


def rows(tiny: bool = False) -> Iterator[Row]:
    people, few, lasts = (8, 4, DAY) if tiny else (PEOPLE, FEW, WEEK)
    alone = {name: week(name, few, lasts) for name in WAYS}
    with story(people, MORNING) as told:
        many = {name: units(told, way, HOURS[name]) for name, way in WAYS.items()}
        largest = max(size(item) for (_, sk), item in told.aws.items["Data"].items() if sk.startswith("D#"))
    yield Row("the day item of a ring's day, at most", f"{largest} B")
    found = {name: {**spent, "KMS": many[name]["KMS"]} for name, spent in alone.items()}
    for name, spent in found.items():
        yield from bill(name, spent)
        yield priced(f"by {name}: KMS, if forty people pay for it", "KMS", alone[name])
        yield at_most(f"by {name}: KMS calls for a thousand syncs", 1_000 * many[name]["KMS"], 1, "")
        yield at_most(f"by {name}: index writes for a thousand syncs", 1_000 * spent["index writes"], 0, "")
        hours = f"by {name}: a million syncs, of a thousand people's hours"
        yield at_most(hours, total(many[name]), TARGETS[name], "$")
        yield Row(f"by {name}: a million syncs of the naive design", f"{shown(total(NAIVE[name]))} $")
    yield from monthly({name: total(spent) for name, spent in found.items()})


def bill(name: str, spent: Units) -> Iterator[Row]:
    yield at_most(f"by {name}: a million syncs", total(spent), TARGETS[name], "$")
    for what in filter(spent.__getitem__, PRICES):
        yield priced(f"by {name}: {what}", what, spent)


def priced(name: str, what: str, spent: Units) -> Row:
    return Row(name, f"{shown(dollars(spent)[what])} $, {spent[what]:.3g} a sync")


# ---------------------------------------------------------------- by the month


def polls(silent: bool) -> int:
    """What the ring queues for one person at Oura in a week: the looks that ask for something, and a review."""
    oura = provider("oura")
    granted = [resource.name for resource in oura.resources]
    looks = (due(oura, granted, ZONE, at, silent=silent) for at in range(MONDAY, MONDAY + WEEK, LOOK))
    return sum(map(bool, looks)) + 1


def monthly(costs: Mapping[str, float]) -> Iterator[Row]:
    """A webhook an hour, with the polls that look behind it at the price of any; or all the polls of the timetable."""
    often = {"webhook": {"webhook": WEEK // HOUR, "poll": polls(silent=False)}, "poll": {"poll": polls(silent=True)}}
    naive = {name: total(spent) for name, spent in NAIVE.items()}
    for name, syncs in often.items():
        for users in (1_000, prices.MILLION):
            for whose, each in (("", costs), (" of the naive design", naive)):
                week = users * sum(n * each[kind] for kind, n in syncs.items()) / prices.MILLION
                yield Row(f"by {name}: {users:,} users a month{whose}", f"{shown(week * MONTH_DAYS / 7)} $")


if __name__ == "__main__":
    for row in bill(sys.argv[1], week(sys.argv[1], int(sys.argv[2]))):
        print(row.name, row.result, row.target, sep="; ")
