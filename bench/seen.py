"""What it costs to know what became of everything: events, passes, and the reports of jobs.

    python -m bench.seen

Lines and rows are made by the product's own functions, from outcomes as Oura's are.
"""

from __future__ import annotations

import json
from math import ceil

import orjson

from bench import prices
from shared import events, progress
from shared.connections import Connection
from shared.errands import for_person
from shared.jobs import TOGETHER, Job, new_id, now_ms
from shared.outcomes import Outcome, Result
from shared.providers.registry import provider

KB = 1024
MONTH_MINUTES = 30 * 24 * 60
DAYS = tuple(f"2026-11-{day:02}" for day in range(1, 16))
RESOURCES = [resource.name for resource in provider("oura").resources]
WINDOWS = [f"oura:2026-11-{day:02}:2026-11-{day + 14}" for day in range(1, 8)]
"""As many as a first fill of 97 days has."""
FULL = Result(days=15, documents=15, samples=4321, skipped=0, written=DAYS)


def event(resources: list[str], days: tuple[str, ...]) -> int:
    """Bytes that CloudWatch Logs bills for one line."""
    told = Job(id=new_id(), reason="webhook", as_of=now_ms())
    job = for_person(told, new_id())
    held = Connection(job.connection, "user", "oura", "active", b"")
    outcome = Outcome(job, "written", "", held, {r: Result(written=days) for r in resources}, now_ms())
    return len(orjson.dumps(events.line(outcome))) + prices.LOGS_OVERHEAD


def receipt() -> int:
    """What naming the ids adds to the line that the door prints anyway."""
    return len(json.dumps({"ids": [new_id()]}))


def report() -> int:
    """Write units of a whole backfill's report: each window's update is billed by all that the item then holds."""
    size, units = sum(map(len, WINDOWS)) + 200, 0
    for window in WINDOWS:
        for resource in RESOURCES:
            size += len(f"r#{window}#{resource}") + len(json.dumps(progress.row(FULL)))
        size += len(window)
        units += ceil(size / KB)
    return units


def rows() -> list[tuple[str, str, float]]:
    """What, how much of it, and dollars for a million of them."""
    one, many, named = event(RESOURCES[:1], DAYS[:1]), event(RESOURCES, DAYS), receipt()
    units = report()
    unit, byte = prices.DYNAMODB_WRITE_UNIT, prices.LOGS_BYTE
    return [
        ("a webhook's receipt, named", f"{named} bytes of log", named * byte),
        ("a webhook that wrote a section", f"{one} bytes of log", one * byte),
        ("a window that wrote all resources", f"{many} bytes of log", many * byte),
        ("a poll that found nothing", "nothing", 0.0),
        ("a poll, counted in its pass", f"1/{TOGETHER} write unit", unit / TOGETHER),
        (f"a report of {len(WINDOWS)} windows", f"{units} write units", units * unit),
        ("beside it: an event as an item", "1 write unit", unit),
    ]


def text() -> str:
    lines = [f"{what:<36}{how:<22}{dollars * prices.MILLION:>8.3f} $ per million" for what, how, dollars in rows()]
    walker = MONTH_MINUTES * prices.DYNAMODB_WRITE_UNIT
    lines.append(f"{'the record of each minute, a month':<36}{f'{MONTH_MINUTES} write units':<22}{walker:>8.3f} $")
    return "\n".join(lines)


if __name__ == "__main__":
    print(text())
