"""Many workers and one vendor that enforces its limit and counts every rolling window.

    WORKERS=50 .venv/bin/pytest tests/functions/test_many_workers.py -n 0 -s

has fifty processes use up Withings' documented limit, for about five minutes. Without it there are a few, and a small
limit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared import jobs, progress
from shared.jobs import Job, now_ms
from shared.providers import Limit
from shared.providers.registry import provider
from tests.functions.standing import backend, vendors
from tests.functions.system import System
from tests.functions.workers import Workers

pytestmark = pytest.mark.needs("withings")

FEW = 4
WORKERS = int(os.environ.get("WORKERS", FEW))
LIMIT = Limit(12, seconds=2) if WORKERS == FEW else provider("withings").limits[0]
WINDOWS = 5
"""How many times the limit there is to do."""
ASKED = ("activity", "sleep")


@pytest.fixture
def system(aws: str) -> Iterator[System]:
    small = [{"calls": LIMIT.calls, "seconds": LIMIT.seconds, "whose": LIMIT.whose}]
    with vendors(datetime.now(UTC)) as sandbox, backend(aws, sandbox, {"withings": small}) as system:
        sandbox.post("/control/limits", json={"provider": "withings", "on": True, "limits": small})
        yield system


def test_all_of_the_limit_is_used_and_never_more(system: System) -> None:
    id_ = str(system.connect("withings")["connection"])
    for queue in ("fresh", "bulk"):
        system.messages(queue)
    parts = [str(n) for n in range(WINDOWS * LIMIT.calls // len(ASKED))]
    progress.open_job("all", "ada", "sync", parts)
    before = asked(system)
    jobs.send(system.env["FRESH_QUEUE"], [sync_job(id_, int(part), part) for part in parts])
    with Workers(system, WORKERS):
        while asked(system) == before:
            time.sleep(0.01)
        began = time.monotonic()
        while progress.report("all", "ada")["status"] == "running":
            time.sleep(0.2)
        took = time.monotonic() - began
    calls, dead = asked(system) - before, len(system.messages("dead"))
    [seen] = system.sandbox.get("/control/log").json()["limits"]["withings"]
    used = calls / LIMIT.calls / max(1, took / LIMIT.seconds)
    print(
        f"\n{WORKERS} workers, {calls} calls in {took:.0f} s where {LIMIT.calls} are allowed in {LIMIT.seconds} s: "
        f"{seen['above']} above it, {seen['most']} in the busiest window, {used:.1%} of it used, {dead} dead letters"
    )
    assert calls == WINDOWS * LIMIT.calls
    assert (seen["above"], dead, progress.report("all", "ada")["status"]) == (0, 0, "completed")
    assert WORKERS == FEW or used >= 0.9, "a busy machine is no reason, with minutes of time"


def sync_job(connection: str, back: int, part: str) -> Job:
    """Two calls, about a day of their own."""
    day = datetime.now(UTC).date() - timedelta(days=back)
    return Job(
        id=f"all.{part}", reason="sync", as_of=now_ms(), window=(f"{day}", f"{day}"), connection=connection,
        resources=ASKED, tracked="all", part=part,
    )  # fmt: skip


def asked(system: System) -> int:
    return sum(system.sandbox.get("/control/log").json()["requests"]["withings"].values())
