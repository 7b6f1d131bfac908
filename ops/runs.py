"""`tributary runs`: what each scheduled pass had to do, and what came of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ops.deployment import Deployment, operator_command
from ops.table import aligned
from shared import runs
from shared.jobs import now_ms
from shared.model import HOUR
from shared.runs import Run

HEADER = ("began", "pass", "due", "synced", "failed", "put off", "refreshed", "days", "sleeps", "workouts", "took")


def show(at: Deployment, options: argparse.Namespace) -> int:
    now = now_ms()
    found = runs.between(now - options.hours * HOUR, now)
    told = [run for run in found if options.all or run.due]
    if told:
        print(aligned([HEADER, *map(row, told)]))
    print(summary(found))
    return 0


def row(run: Run) -> list[str]:
    counts = (run.counts.get(what, 0) for what in ("put off", "refreshed", "days", "sleeps", "workouts"))
    began = f"{datetime.fromtimestamp(run.started / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    took = f"{(run.ended - run.started) / 1000:.1f} s" if run.ended else "–"
    synced = str(run.counts.get("synced", 0))
    return [began, run.kind, str(run.due), synced, causes(run.failed), *map(str, counts), took]


def causes(failed: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {cause}" for cause, n in sorted(failed.items())) or "0"


def summary(found: Iterable[Run]) -> str:
    listed = list(found)
    idle = sum(not run.due for run in listed)
    open_ = sum(run.due > run.counts.get("synced", 0) + sum(run.failed.values()) for run in listed)
    return f"{len(listed)} passes: {idle} had nothing to do, {open_} are not over"


def add(commands: Any) -> None:
    each = operator_command(commands, "runs", show, "Show what each scheduled pass had to do, and what came of it.")
    each.add_argument("--hours", type=float, default=1, help="that began within so many hours (1); kept for 30 days")
    each.add_argument("--all", action="store_true", help="also passes for which nothing was due")
