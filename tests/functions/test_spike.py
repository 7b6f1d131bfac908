"""People whose sources come through Spike: a token for each, hints that hold nothing, and goodbyes among them."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest

from shared import connections, tokens
from shared.errors import RetryLaterError
from shared.providers.registry import provider
from shared.secret import apps
from shared.values import replace
from tests.functions.aggregators import condition, connected, control, day_of, reference, today, truth
from tests.functions.standing import ask
from tests.functions.system import System

pytestmark = [pytest.mark.needs("spike", "terra"), pytest.mark.still]

HOUSE, WATCH, SENSOR = "spike", "spike.garmin", "spike.freestyle_libre"
REFERENCE = reference(HOUSE)


def requests(system: System) -> dict[str, int]:
    asked: dict[str, int] = system.sandbox.get("/control/log").json()["requests"][HOUSE]
    return asked


def test_a_source_is_connected_filled_and_told_of(hooked: System) -> None:
    held = connected(hooked, WATCH)
    assert (held.provider, held.account, held.state) == (WATCH, f"{REFERENCE}/garmin", "active")
    day = today() - timedelta(days=3)
    found, really = day_of(hooked, day), truth(hooked, day)
    assert (found["steps"]["value"], found["steps"]["source"]) == (really["steps"], WATCH)
    assert found["deep_sleep"]["value"] >= round(really["deep_hours"], 2) - 0.01  # a nap adds to it
    assert "heart_rate" in found
    connected(hooked, SENSOR)
    assert day_of(hooked, day)["glucose"]["source"] == SENSOR
    assert [hook["status"] for hook in control(hooked, "night", person="ada", day=f"{today()}")] == [200]
    hooked.work(("fresh",))
    assert day_of(hooked, today())["deep_sleep"]["value"] == pytest.approx(
        truth(hooked, today())["deep_hours"], abs=0.01
    )
    control(hooked, "steps", person="ada", day=f"{day}", steps=4_321)
    hooked.work(("fresh",))
    assert day_of(hooked, day)["steps"]["value"] == 4_321
    hooked.messages("changes")
    before = hooked.items()
    control(hooked, "resend", provider=HOUSE, times=2)
    hooked.work(("fresh",))
    assert (hooked.items(), hooked.messages("changes")) == (before, [])
    assert hooked.failures == []


def test_who_comes_back_without_access_is_refused(hooked: System) -> None:
    assert ask(hooked, "POST", f"/v1/connect/{HOUSE}", json={}).status_code == 400
    for decision in ("deny", "allow"):
        page = ask(hooked, "POST", f"/v1/connect/{WATCH}", json={}).json()["authorize_url"]
        home = hooked.sandbox.post(page, data={"person": "ada", "decision": decision}).headers["location"]
        control(hooked, "revoke", provider=HOUSE, person="ada")
        assert httpx.get(home, headers={"accept": "application/json"}).status_code in (400, 403)
    assert connections.of_account(HOUSE, f"{REFERENCE}/garmin") == []


def test_a_token_that_died_is_had_again_and_goodbyes_come_from_either_side(hooked: System) -> None:
    held = connected(hooked, WATCH)
    had = requests(hooked)["POST /v3/auth/hmac"]
    control(hooked, "faults", provider=HOUSE, kind="expire_tokens", path="/sleeps")
    sync(hooked)
    # One for the job; of the questions asked at once, each that finds it dead has another.
    assert had + 2 <= requests(hooked)["POST /v3/auth/hmac"] <= had + 1 + len(provider(WATCH).resources)
    assert tokens.opened(held) == {}
    app = replace(apps().app(HOUSE), client_secret="another")
    with pytest.raises(RetryLaterError, match="our app's key"):
        tokens.access_token(provider(WATCH), app, held)
    assert condition(hooked) == ("active", "")
    control(hooked, "revoke", provider=HOUSE, person="ada")
    word = hooked.sandbox.get("/control/log").json()["last_webhook"][HOUSE]
    assert json.loads(word["body"])[0]["event_type"] == "provider_integration_deleted"
    hooked.work(("fresh",))
    ended = connections.load(held.id)
    assert ended
    assert (ended.state, ended.cause) == ("reconnect", "revoked_at_vendor")
    again = connected(hooked, WATCH)
    assert (again.id, again.state) == (held.id, "active")
    late = {"content": word["body"].encode(), "headers": word["headers"]}  # of the integration before
    assert ask(hooked, "POST", f"/v1/webhooks/{HOUSE}", "", **late).status_code == 200
    hooked.work(("fresh",))
    assert condition(hooked) == ("active", "")
    with hooked.api() as api:
        job = api.delete(f"/v1/connections/{held.id}").json()["job"]
        hooked.work(("fresh",))
        assert api.get(f"/v1/jobs/{job}").json()["told"] == {WATCH: "revoked"}
    assert control(hooked, "night", person="ada", day=f"{today()}") == []


def sync(system: System) -> None:
    with system.api() as api:
        assert api.post("/v1/sync", json={"action": "sync", "days": 1}).status_code == 202
    system.work(("fresh",))
    assert system.failures == []
