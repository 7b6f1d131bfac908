"""What the tests of every aggregator do: its people connect, and their days are compared with their lives."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from shared import connections
from shared.apps import Hooks
from shared.connections import Connection
from tests.functions.system import System

BERLIN = ZoneInfo("Europe/Berlin")


def reference(house: str) -> str:
    """What the aggregator knows Ada by."""
    return Hooks(b"test-hook-key").reference(house, "ada")


def control(system: System, switch: str, **body: Any) -> list[dict[str, Any]]:
    reply = system.sandbox.post(f"/control/{switch}", json=body)
    assert reply.status_code == 200, reply.text
    hooks: list[dict[str, Any]] = reply.json().get("webhooks", [])
    return hooks


def connected(system: System, source: str, user: str = "ada") -> Connection:
    told = system.connect(source, user)
    system.work(("fresh",))
    assert system.failures == []
    found = connections.load(told["connection"])
    assert found
    return found


def today() -> date:
    return datetime.now(BERLIN).date()


def day_of(system: System, day: date) -> dict[str, Any]:
    metrics: dict[str, Any] = system.days(f"{day}", f"{day}").get(f"{day}", {"metrics": {}})["metrics"]
    return metrics


def truth(system: System, day: date) -> dict[str, Any]:
    span = {"person": "ada", "from": f"{day}", "to": f"{day}"}
    return dict(system.sandbox.get("/control/truth", params=span).json()["days"][0])


def condition(system: System) -> tuple[str, str]:
    with system.api() as api:
        [shown] = api.get("/v1/connections").json()["connections"]
    return shown["state"], shown["cause"]
