"""People whose sources come through Rook: each authorized by itself, told of by hints that prove little."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from shared import connections
from tests.functions.aggregators import connected, control, day_of, reference, today, truth
from tests.functions.standing import ask
from tests.functions.system import System

pytestmark = [pytest.mark.needs("rook", "terra"), pytest.mark.still]

HOUSE, WATCH, SENSOR = "rook", "rook.garmin", "rook.dexcom"
REFERENCE = reference(HOUSE)


def calls(system: System) -> int:
    requests = system.sandbox.get("/control/log").json()["requests"][HOUSE]
    return sum(count for label, count in requests.items() if "/processed_data/" in label)


def last_webhook(system: System) -> dict[str, Any]:
    told: dict[str, Any] = system.sandbox.get("/control/log").json()["last_webhook"][HOUSE]
    return told


def test_a_source_is_filled_and_hints_of_it_are_fetched_and_not_believed(hooked: System) -> None:
    held = connected(hooked, WATCH)
    assert (held.provider, held.account, held.state) == (WATCH, f"{REFERENCE}/garmin", "active")
    day = today() - timedelta(days=3)
    found, really = day_of(hooked, day), truth(hooked, day)
    assert (found["steps"]["value"], found["steps"]["source"]) == (really["steps"], WATCH)
    assert found["deep_sleep"]["value"] == pytest.approx(really["deep_hours"], abs=0.01)
    assert found["heart_rate_variability"]["value"] == really["hrv"]
    with hooked.api() as api:
        [shown] = api.get("/v1/connections").json()["connections"]
        assert (shown["provider"], shown["name"]) == (WATCH, "Garmin (Rook)")
        assert shown["next_poll_at"]
    hooked.work()
    asked = hooked.sandbox.get("/control/log").json()["requests"][HOUSE]
    assert asked["GET /v2/processed_data/sleep_health/summary"] == 10  # it keeps no more
    before = hooked.items()
    sync(hooked, 2)
    assert hooked.items() == before
    asked, day = calls(hooked), today()
    assert [hook["status"] for hook in control(hooked, "night", person="ada", day=f"{day}")] == [200, 200]
    hooked.work(("fresh",))
    assert day_of(hooked, day)["deep_sleep"]["value"] == pytest.approx(truth(hooked, day)["deep_hours"], abs=0.01)
    assert calls(hooked) == asked + 2  # the two documents, and nothing beside them
    control(hooked, "steps", person="ada", day=f"{day}", steps=7_654)
    told = last_webhook(hooked)
    assert '"steps_int":7654' in told["body"]
    forged = told["body"].replace('"steps_int":7654', '"steps_int":99999').replace('version":3', 'version":9')
    path = f"/v1/webhooks/{HOUSE}"
    for body in (forged, told["body"]):
        assert ask(hooked, "POST", path, "", content=body.encode(), headers=told["headers"]).status_code == 200
    hooked.work(("fresh",))
    assert day_of(hooked, day)["steps"]["value"] == 7_654
    hooked.messages("changes")
    before = hooked.items()
    control(hooked, "resend", provider=HOUSE, times=3)
    hooked.work(("fresh",))
    assert (hooked.items(), hooked.messages("changes")) == (before, [])
    other = json.dumps({**json.loads(told["body"]), "user_id": "somebody-else"}).encode()
    for body, headers in ((other, told["headers"]), (told["body"].encode(), {})):
        assert ask(hooked, "POST", path, "", content=body, headers=headers).status_code == 401


def sync(system: System, days: int) -> None:
    with system.api() as api:
        reply = api.post("/v1/sync", json={"action": "sync", "days": days})
        assert reply.status_code == 202, reply.text
    system.work(("fresh",))
    assert system.failures == []


def test_rook_has_no_page_of_its_own(hooked: System) -> None:
    reply = ask(hooked, "POST", f"/v1/connect/{HOUSE}", json={})
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "provider")
    assert ask(hooked, "POST", f"/v1/connect/{HOUSE}.abacus", json={}).status_code == 404


def test_who_comes_back_without_access_is_refused(hooked: System) -> None:
    page = ask(hooked, "POST", f"/v1/connect/{WATCH}", json={}).json()["authorize_url"]
    assert "Nothing" in hooked.sandbox.post(page, data={"person": "ada", "decision": "deny"}).text
    page = ask(hooked, "POST", f"/v1/connect/{WATCH}", json={}).json()["authorize_url"]
    home = hooked.sandbox.post(page, data={"person": "ada", "decision": "allow"}).headers["location"]
    control(hooked, "revoke", provider=HOUSE, person="ada")
    assert httpx.get(home, headers={"accept": "application/json"}).status_code == 403
    assert connections.of_account(HOUSE, f"{REFERENCE}/garmin") == []


def test_each_source_keeps_what_is_its_own_and_is_revoked_alone(hooked: System) -> None:
    """Rook answers for all of a person's sources at once."""
    watch, sensor = (connected(hooked, source) for source in (WATCH, SENSOR))
    day = today() - timedelta(days=1)
    assert day_of(hooked, day)["glucose"]["source"] == SENSOR
    assert sources(hooked, day) == {"body": {SENSOR}, "physical": {WATCH}}
    with hooked.api() as api:
        job = api.delete(f"/v1/connections/{watch.id}").json()["job"]
        hooked.work(("fresh",))
        assert api.get(f"/v1/jobs/{job}").json()["told"] == {WATCH: "revoked"}
    told = control(hooked, "night", person="ada", day=f"{today()}")
    assert {json.loads(hook["body"])["data_structure"] for hook in told} <= {"blood_glucose_event"}
    hooked.work(("fresh",))
    assert "sleep" not in sources(hooked, today())
    left = connections.load(sensor.id)
    assert left
    assert left.state == "active"
    assert hooked.failures == []


def sources(system: System, day: date) -> dict[str, set[str]]:
    """By resource, who has a section of that day."""
    found: dict[str, set[str]] = {}
    for _, sk in list(system.items()):
        if sk.startswith(f"P#{day}#"):
            _, _, source, resource = sk.split("#")
            if resource != "activity":  # she may have worked out by now, or not
                found.setdefault(resource, set()).add(source)
    return found
