"""`tributary replay`: maps kept replies again, on the bulk queue, and shows how far it has come.

What a hundred windows come to is one tracked job, so that noting a window stays cheap however many people there are.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count, takewhile
from typing import Any

from ops.deployment import Deployment, operator_command
from shared import connections, control, jobs, progress
from shared.errors import BadRequestError
from shared.jobs import Job, new_id, now_ms
from shared.providers import Window
from shared.providers.registry import provider
from shared.requests import EVERYONE
from shared.settings import settings

WINDOW_DAYS = 7
"""What a worker maps again within seconds, however often each day was fetched."""
PARTS = 100
LOOK_S = 2
OUTCOMES = {
    "sections": "looked at",
    "changed": "changed",
    "partly": "made only partly of the reply kept last",
    "expired": "whose reply is no longer kept",
    "unread": "whose reply this mapping does not understand",
}


def replay(at: Deployment, options: argparse.Namespace) -> int:
    if options.job:
        return follow(options.job)
    found = windows(options.first, options.last)
    ids = list(whose(at, options.user, options.provider))
    print(f"{len(ids)} connections, {options.first} to {options.last}: {len(ids) * len(found)} windows")
    if options.dry_run or not ids:
        print("nothing was queued")
        return 0
    id_ = start(options.user or EVERYONE, ids, found, tuple(options.resource))
    print(f"job {id_}")
    return 0 if options.detach else follow(id_)


def windows(first: date, last: date) -> list[Window]:
    if first > last:
        raise BadRequestError("--from is after --to", "from")
    return Window(first, last).split(WINDOW_DAYS)


def whose(at: Deployment, user: str, source: str) -> Iterator[str]:
    """The connections meant, living or not: what they brought is still here."""
    if not user and not source:
        raise BadRequestError("say whose: --user, --provider, or both", "user")
    if source:
        provider(source)
    if user:
        return (held.id for held in connections.of_user(user, source))
    found = at.scan("begins_with(pk, :c) AND provider = :source", "pk", c="C#", source=source)
    return (item["pk"]["S"].removeprefix("C#") for item in found)


def start(user: str, ids: list[str], found: list[Window], resources: tuple[str, ...]) -> str:
    """Queues a message for each connection and window; the id to follow them by."""
    id_, now = new_id(), now_ms()
    parts = [(connection, window) for connection in ids for window in found]
    for number, begin in enumerate(range(0, len(parts), PARTS)):
        tracked = f"{id_}.{number}"
        queued = [
            Job(
                id=f"{tracked}.{connection}.{window.first}", task="replay", reason="sync", as_of=now,
                connection=connection, resources=resources, tracked=tracked, part=f"{connection}:{window.first}",
                window=(window.first.isoformat(), window.last.isoformat()),
            )
            for connection, window in parts[begin : begin + PARTS]
        ]  # fmt: skip
        progress.open_job(tracked, user, "replay", [job.part for job in queued])
        jobs.send(settings().bulk_queue, queued)
    return id_


def follow(id_: str, sleep: Callable[[float], None] = time.sleep) -> int:
    """Until all is done. Whoever stops looking stops nothing."""
    reports = list(takewhile(bool, (look(f"{id_}.{number}") for number in count())))
    if not reports:
        raise BadRequestError("no such replay, or one of over 90 days ago", "job")
    while True:
        show(sum(report["done"] for report in reports), sum(report["windows"] for report in reports))
        if all(report["status"] != "running" for report in reports):
            return told(reports)
        sleep(LOOK_S)
        looked = [look(report["job"]) if report["status"] == "running" else report for report in reports]
        reports = [report for report in looked if report]  # an erased person's is gone


def look(tracked: str) -> dict[str, Any]:
    """Nothing, where there is no such job (any more)."""
    item = control.get(f"J#{tracked}", "J")
    return progress.report(tracked, item["user"]) if item else {}


def show(done: int, windows: int) -> None:
    if sys.stdout.isatty():
        print(f"\r\x1b[K{done} of {windows} windows", end="", flush=True)


def told(reports: list[dict[str, Any]]) -> int:
    counts: Counter[str] = Counter()
    for report in reports:
        for outcome in report["told"].values():
            counts.update({name: int(number) for name, number in outcome.items()})
    done, failed = sum(report["done"] for report in reports), sum(len(report["failed"]) for report in reports)
    clear = "\r\x1b[K" if sys.stdout.isatty() else ""
    print(f"{clear}{done} windows done, {failed} failed")
    for name, meaning in OUTCOMES.items():
        print(f"{counts[name]:>8} sections {meaning}")
    return 1 if failed else 0


def add(commands: Any) -> None:
    text = "Map the kept replies of these days again, and write what comes out differently."
    each = operator_command(commands, "replay", replay, text)
    today = datetime.now(UTC).date()
    each.add_argument("--user", default="", help="of this person")
    each.add_argument("--provider", default="", help="of this provider; without --user, of everybody connected to it")
    each.add_argument("--resource", action="append", default=[], help="only this resource; may be said again")
    each.add_argument(
        "--from", dest="first", type=date.fromisoformat, default=today - timedelta(days=30), metavar="DAY"
    )
    each.add_argument("--to", dest="last", type=date.fromisoformat, default=today, metavar="DAY")
    each.add_argument("--dry-run", action="store_true", help="say how much it is, and queue nothing")
    each.add_argument("--detach", action="store_true", help="queue it, and do not wait")
    each.add_argument("--job", default="", help="look at one that was started before")
