"""One person's time with a vendor, from the consent page to the goodbye, through the real handlers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared import connections
from shared.providers.registry import provider_ids
from tests.functions.system import System, invoke

pytestmark = pytest.mark.still

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = ("sleep_duration", "deep_sleep", "heart_rate_variability")


@dataclass(frozen=True)
class Vendor:
    """What differs between them. `by_night`: what news of a night brings; `nights`: how many of the last 30 it still
    tells; `by_hand`: the operator enters the webhook's address on its site."""

    id: str
    by_night: tuple[str, ...]
    nights: int
    by_hand: bool = False
    tells_deletions: bool = True
    refreshes: bool = True
    of_the_night: tuple[str, ...] = ("sleep_efficiency", "heart_rate_variability")  # gone with the night's record
    walked: str = "calories_burned"  # what a correction of the steps changes


VENDORS = [
    Vendor(
        "whoop",
        by_night=(*NIGHT, "recovery_score", "resting_heart_rate", "skin_temperature"),
        nights=28,  # all but the two that are held back
        by_hand=True,
    ),
    Vendor(
        "polar",
        by_night=(*NIGHT, "respiratory_rate", "nightly_recharge", "skin_temperature", "heart_rate"),
        nights=24,  # of the 26 that are believed
        tells_deletions=False,
        refreshes=False,
    ),
    Vendor(
        "google_health",
        by_night=(*NIGHT, "resting_heart_rate", "respiratory_rate", "spo2", "temperature_deviation"),
        nights=28,
        by_hand=True,
        walked="steps",
        of_the_night=("sleep_efficiency",),
    ),
    Vendor(
        "fitbit",
        by_night=(*NIGHT, "resting_heart_rate", "respiratory_rate", "spo2", "temperature_deviation"),
        nights=28,
        by_hand=True,
        walked="steps",
    ),
]
HERE = [pytest.param(v, id=v.id) for v in VENDORS if v.id in provider_ids()]


@dataclass
class Stay:
    """The person, connected."""

    system: System
    vendor: Vendor
    connection: str
    job: str
    today: date

    @property
    def yesterday(self) -> date:
        return self.today - timedelta(days=1)

    def days(self, back: int = 6) -> dict[str, Any]:
        return self.system.days(f"{self.today - timedelta(days=back)}", f"{self.today}")

    def day(self, day: date) -> dict[str, Any]:
        metrics: dict[str, Any] = self.days().get(f"{day}", {"metrics": {}})["metrics"]
        return metrics

    def truth(self, back: int = 6) -> dict[str, dict[str, Any]]:
        span = {"person": "ada", "from": f"{self.today - timedelta(days=back)}", "to": f"{self.today}"}
        days = self.system.sandbox.get("/control/truth", params=span).json()["days"]
        return {day["day"]: day for day in days}

    def control(self, switch: str, **body: Any) -> list[dict[str, Any]]:
        reply = self.system.sandbox.post(f"/control/{switch}", json=body)
        assert reply.status_code == 200, reply.text
        hooks: list[dict[str, Any]] = reply.json().get("webhooks", [])
        return hooks

    def night(self, day: date) -> list[dict[str, Any]]:
        return self.control("night", person="ada", day=f"{day}")

    def work(self, *queues: str) -> int:
        done = self.system.work(queues or ("fresh",))
        assert self.system.failures == []
        return done

    def poll(self) -> None:
        assert invoke("poll", {"segments": [f"{minute}#0" for minute in range(30)]}) == {"queued": 1}
        self.work()

    def sync(self, days: int) -> None:
        with self.system.api() as api:
            assert api.post("/v1/sync", json={"action": "sync", "days": days}).status_code == 202
        self.work()

    def how(self) -> dict[str, Any]:
        with self.system.api() as api:
            [connection] = api.get("/v1/connections").json()["connections"]
        return dict(connection)


@pytest.fixture(params=HERE)
def stay(system: System, request: pytest.FixtureRequest) -> Stay:
    vendor: Vendor = request.param
    if vendor.by_hand:
        address = f"{system.url}/v1/webhooks/{vendor.id}"
        system.sandbox.post("/control/dashboard", json={"provider": vendor.id, "url": address})
    told = system.connect(vendor.id)
    found = Stay(system, vendor, told["connection"], told["job"], datetime.now(BERLIN).date())
    found.work()
    return found


def test_the_first_week_is_the_true_one_and_asking_again_changes_nothing(stay: Stay) -> None:
    assert (stay.how()["state"], stay.how()["provider"]) == ("active", stay.vendor.id)
    days, really = stay.days(), stay.truth()
    seen = [day for day in really if really[day]["sleep_visible"]]
    assert len(seen) == 5
    for day in seen:
        metrics = days[day]["metrics"]
        assert metrics["heart_rate_variability"]["value"] == really[day]["hrv"]
        if not really[day]["naps"]:
            assert metrics["sleep_duration"]["value"] == pytest.approx(really[day]["sleep_hours"], abs=0.01)
            assert metrics["deep_sleep"]["value"] == pytest.approx(really[day]["deep_hours"], abs=0.01)
    assert "sleep_duration" not in stay.day(stay.today)
    before = stay.system.items()
    stay.sync(6)
    assert stay.system.items() == before
    stay.sync(30)  # more than a page holds
    assert sum("sleep_duration" in day["metrics"] for day in stay.days(29).values()) >= stay.vendor.nights


def test_news_of_a_night_polling_a_correction_and_a_deletion(stay: Stay) -> None:
    assert {hook["status"] for hook in stay.night(stay.today)} <= {200, 204}
    stay.work()
    assert set(stay.vendor.by_night) <= stay.day(stay.today).keys()
    before = stay.system.items()
    stay.control("resend", provider=stay.vendor.id, times=3)
    assert stay.work() >= 3
    assert stay.system.items() == before

    stay.control("faults", provider=stay.vendor.id, kind="drop_webhooks", times=50)
    assert {hook["status"] for hook in stay.night(stay.yesterday)} == {"dropped"}
    assert "sleep_duration" not in stay.day(stay.yesterday)
    stay.poll()
    assert set(stay.vendor.by_night) <= stay.day(stay.yesterday).keys()

    before_it = stay.day(stay.yesterday)[stay.vendor.walked]["value"]
    stay.control("steps", person="ada", day=f"{stay.yesterday}", steps=40_000)
    stay.poll()
    assert stay.day(stay.yesterday)[stay.vendor.walked]["value"] > before_it

    stay.system.sandbox.delete("/control/faults")
    stay.control("delete", provider=stay.vendor.id, person="ada", kind="night", day=f"{stay.today}")
    if not stay.vendor.tells_deletions:
        stay.sync(1)
    stay.work()
    assert stay.day(stay.today).keys().isdisjoint(stay.vendor.of_the_night)


def test_a_goodbye_ends_the_grant_there_and_the_news_here(stay: Stay) -> None:
    """And a token that has run out is renewed before it, once."""
    if stay.vendor.refreshes:
        connections.change(stay.connection, token_expires=0)
        stay.sync(1)
    refreshes = stay.system.sandbox.get("/control/log").json()["refreshes"][stay.vendor.id]
    assert refreshes == {"ok": int(stay.vendor.refreshes), "reused": 0}
    with stay.system.api() as api:
        reply = api.delete(f"/v1/connections/{stay.connection}")
        stay.work()
        assert api.get(f"/v1/jobs/{reply.json()['job']}").json()["told"] == {stay.vendor.id: "revoked"}
    assert stay.how()["state"] == "disconnected"
    assert stay.night(stay.today) == []
    again = stay.system.connect(stay.vendor.id)
    assert again["connection"] == stay.connection
    stay.work()
    assert "sleep_duration" in stay.day(stay.today)


@pytest.mark.needs("fitbit", "google_fit", "google_health")
@pytest.mark.parametrize(
    ("provider", "path"),
    [("fitbit", "/1/user/-/"), ("fitbit", "/oauth2/token"), ("google_fit", "/fitness/v1/users/me")],
)
def test_a_service_that_has_ended_names_its_successor(system: System, provider: str, path: str) -> None:
    """Whatever it was asked: it is not asked again, and no message waits for it."""
    told = system.connect(provider)
    system.messages("fresh")  # the first fill, which is not asked for
    if path == "/oauth2/token":
        connections.change(told["connection"], token_expires=0)
    system.sandbox.post("/control/faults", json={"provider": provider, "kind": "gone", "times": 999, "path": path})
    with system.api() as api:
        assert api.post("/v1/sync", json={"action": "sync", "days": 2}).status_code == 202
        system.work(("fresh",))
        [found] = api.get("/v1/connections").json()["connections"]
        assert (found["state"], found["cause"]) == ("reconnect", "provider_retired")
        assert "Connect Google Health instead" in found["advice"]
        assert invoke("poll", {"segments": [f"{minute}#0" for minute in range(30)]}) == {"queued": 0}
        assert api.delete(f"/v1/connections/{told['connection']}").status_code == 202
        system.work(("fresh",))
    assert system.failures == []
    if path == "/oauth2/token":
        with pytest.raises(AssertionError, match="connect Google Health instead"):
            system.connect("fitbit")
