"""One scheduled pass renews the tokens that have run out and syncs whoever is due, and its record counts both; shown of
a vendor that knows nothing but polling."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest

from ops.runs import HEADER, row
from shared import connections, ring, runs
from shared.jobs import now_ms
from shared.model import DAY, HOUR, millis
from shared.runs import Run
from tests.functions.system import System

pytestmark = [pytest.mark.needs("google_fit"), pytest.mark.still]

BERLIN = ZoneInfo("Europe/Berlin")
NOON = millis(datetime.combine(datetime.now(BERLIN).date(), time(12), BERLIN))
ASKED = "POST /fitness/v1/users/me/dataset:aggregate"


def passed(system: System, at: int) -> Run:
    """The scheduled pass of this minute, walked and worked."""
    for segment in connections.segments(1):
        ring.look(ring.clocked(segment, at))
    system.work(("fresh",))
    assert system.failures == []
    [run] = [run for run in runs.between(now_ms() - DAY, now_ms() + DAY) if run.kind == "poll"]
    return run


def test_those_whose_tokens_ran_out_are_refreshed_and_synced_in_one_pass(system: System) -> None:
    ids = [system.connect("google_fit", name, name)["connection"] for name in ("ada", "ben")]
    system.messages("fresh")  # the first fill, which no pass counts
    for id_ in ids:
        connections.change(id_, token_expires=now_ms() - HOUR)
    first = passed(system, NOON)
    assert (first.due, first.counts["refreshed"], first.counts["synced"], first.failed) == (2, 2, 2, {})
    assert first.counts["days"] >= 2
    log = system.sandbox.get("/control/log").json()
    assert log["refreshes"]["google_fit"] == {"ok": 2, "reused": 0}
    assert log["requests"]["google_fit"][ASKED] >= 2
    told = dict(zip(HEADER, row(first), strict=True))
    assert (told["due"], told["synced"], told["failed"], told["refreshed"]) == ("2", "2", "0", "2")
