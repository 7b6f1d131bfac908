"""The demo's last step, on the backend in one process: the week through every read, each answer like the days'."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from ops.client import Api
from ops.readback import WEEK, read_back
from tests.functions.system import System

pytestmark = pytest.mark.needs("dexcom", "oura")


def test_a_week_is_read_back_through_every_read(system: System) -> None:
    for source in ("oura", "dexcom"):
        system.connect(source)
    with system.api() as asking:
        assert asking.post("/v1/sync", json={"action": "sync", "days": WEEK + 1}).status_code == 202
    system.work(("fresh",))
    today, api = datetime.now(ZoneInfo("Europe/Berlin")).date(), Api(system.url, "ada")
    lines = read_back(SimpleNamespace(api=api, ago=lambda days: today - timedelta(days=days))).split("\n")  # type: ignore[arg-type]
    api.close()
    assert [line.split()[0] for line in lines[1:]] == ["steps", "sleep", "workouts", "glucose", "summary"]
    assert lines[1].count("·") == WEEK - 1
