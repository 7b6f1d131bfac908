"""`make chaos` in small: the same people, weather and counting, on the backend in one process and workers that die."""

from __future__ import annotations

from contextlib import closing

import pytest

from ops.chaos import Chaos, Ground, Plan, report
from ops.local import Local
from ops.stage import DEAD
from shared import connections, settings
from tests.functions.system import System, invoke
from tests.functions.workers import Workers, hurry

pytestmark = pytest.mark.needs("oura", "dexcom", "withings")


def ground(system: System, workers: Workers) -> Ground:
    """The system in one process, by the names that the stack gives things. Its gateway's tokens are plain names, and it
    serves one after another, as each Lambda does."""
    queues = {"FreshQueue": "FRESH", "BulkQueue": "BULK", **dict.fromkeys(DEAD, "DEAD")}
    outputs = {name: system.env[f"{queue}_QUEUE"] for name, queue in queues.items()}
    outputs |= {"PublicUrl": system.url, "DataTable": system.env["DATA_TABLE"]}
    local = Local("test", 0, [], system.endpoint, str(system.sandbox.base_url).rstrip("/"), outputs)

    def poll() -> int:
        """A day is over: what was put off has its time."""
        hurry()
        queued: int = invoke("poll", {"segments": connections.segments(1)})["queued"]
        return queued

    return Ground(
        local,
        lambda name: f"user-{name}",
        poll,
        lambda: int(invoke("poll", {"segments": connections.segments(1), "review": True})["queued"]),
        lambda: workers.killed,
        workers.spare,
        lambda: 0,  # hardly anything dies five times: if it does, it is counted
        at_once=1,
    )


def test_a_week_in_bad_weather_loses_and_doubles_nothing(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKFILL_DAYS", "3")  # newcomers have no older days
    settings.settings.cache_clear()
    plan = Plan(people=1, days=3, seed=1)
    with (
        Workers(system, 2, seed=1, deadly=0.12, soon_s=0.15) as workers,
        closing(Chaos(ground(system, workers), plan)) as chaos,
    ):
        outcome = chaos.run()
    said = report(outcome, plan)
    print(said)
    assert outcome.final.records > 5_000, said
    assert outcome.killed > 0, said
    assert outcome.failures == 0, said
