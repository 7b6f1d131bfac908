"""`tributary connections`: how each connection is, what its token is worth, and which expected signals are missing."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ops.deployment import Deployment, operator_command
from ops.table import age, aligned, shortened
from shared import condition, connections, days, sections, tokens
from shared.connections import Connection
from shared.days import Day, Value
from shared.jobs import now_ms
from shared.providers.registry import provider
from shared.slots import slots

HEADER = ("person", "connection", "provider", "state", "token", "last data", "signals", "missing")
DETAILS = ("signal", "provider", "last data", "yesterday")


@dataclass(frozen=True)
class Signal:
    """A metric that a person usually has, or has had lately: who gave it last, its last figure, and whether it is
    missing on the day that was looked at."""

    metric: str
    source: str
    day: str
    value: Value
    expected: bool
    missing: bool


def show(at: Deployment, options: argparse.Namespace) -> int:
    rows: list[list[str]] = []
    tally: Counter[str] = Counter()
    seen: dict[str, list[Signal]] = {}
    for held in found(at, options):
        if held.user not in seen:
            seen[held.user] = signals(held.user, yesterday(held))
        cells = row(held, [s for s in seen[held.user] if s.source == held.provider], options.show_ids)
        tally[cells[3].partition(" ")[0]] += 1
        if not options.missing or cells[-1] != "–":
            rows.append(cells)
    if rows:
        print(aligned([HEADER, *sorted(rows)]))
    if options.user and seen:
        print(f"\n{detailed(seen[options.user])}\n")
    print(f"{tally.total()} connections" + "".join(f", {n} {state}" for state, n in sorted(tally.items())))
    return 0


# ---------------------------------------------------------------- finding


def found(at: Deployment, options: argparse.Namespace) -> Iterator[Connection]:
    """One person's, or everybody's."""
    if options.user:
        yield from connections.of_user(options.user, options.provider)
        return
    for item in at.scan("sk = :connection", "pk", connection="C"):
        held = connections.load(item["pk"]["S"].removeprefix("C#"))
        if held and options.provider in ("", held.provider):
            yield held


def yesterday(held: Connection) -> date:
    """The last day that is over where the person lives."""
    return datetime.now(ZoneInfo(held.zone)).date() - timedelta(days=1)


def signals(user: str, last: date) -> list[Signal]:
    """By one Query. Completeness is that of `last`, even where nothing at all came that day; what came since counts as
    last data."""
    start, end = last - timedelta(days=days.EXPECTED_OF), last + timedelta(days=2)
    items = sections.query(user, f"D#{start}", f"D#{end}")
    known = {day.day: day for day in (days.merge(item["sk"]["S"][2:], slots(item)) for item in items)}
    looked_at = known.get(last.isoformat(), days.merge(last.isoformat(), ()))
    expected = days.expected(looked_at, known)
    newest = {metric: (day.day, choice.best) for day in in_order(known) for metric, choice in day.choices.items()}
    return [
        Signal(metric, value.slot.source, day, value, metric in expected, metric in missing(looked_at, expected))
        for metric, (day, value) in sorted(newest.items())
    ]


def in_order(known: Mapping[str, Day]) -> list[Day]:
    return [known[day] for day in sorted(known)]


def missing(day: Day, expected: Sequence[str]) -> set[str]:
    return set(expected) - day.choices.keys()


# ---------------------------------------------------------------- telling


def row(held: Connection, given: Sequence[Signal], show_ids: bool) -> list[str]:
    now = now_ms()
    how = condition.of(held, provider(held.provider), now)
    expected, gone = [s for s in given if s.expected], [s for s in given if s.missing]
    return [
        held.user if show_ids else shortened(held.user),
        held.id,
        held.provider,
        f"{how.state} ({how.cause})" if how.cause else how.state,
        tokens.state(held, now),
        since(held.last_data_at),
        f"{len(expected) - len(gone)} of {len(expected)}",
        ", ".join(signal.metric for signal in gone) or "–",
    ]


def detailed(given: Sequence[Signal]) -> str:
    rows = [[s.metric, s.source, last_data(s), completeness(s)] for s in given]
    return aligned([DETAILS, *rows])


def completeness(signal: Signal) -> str:
    return "missing" if signal.missing else "there" if signal.expected else "not expected"


def last_data(signal: Signal) -> str:
    """A figure for a day has no instant."""
    return since(signal.value.stats.at) if signal.value.stats.at else signal.day


def since(at: int) -> str:
    return age(datetime.fromtimestamp(at / 1000, UTC) if at else None, datetime.now(UTC))


def add(commands: Any) -> None:
    text = "Show how each connection is, what its token is worth, and which expected signals are missing."
    each = operator_command(commands, "connections", show, text)
    each.add_argument("--user", default="", help="of this person, with the last data of each signal")
    each.add_argument("--provider", default="", help="of this provider only")
    each.add_argument("--missing", action="store_true", help="only where an expected signal is missing")
    each.add_argument("--show-ids", action="store_true", help="user ids as they are")
