"""Who may see what, whose account is whose, and what a person tells about themselves."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from ops.openapi import description
from shared import condition, connections, ring
from shared.jobs import now_ms, read
from shared.model import DAY, millis
from shared.providers.registry import provider
from shared.values import replace
from tests.functions.system import System

pytestmark = pytest.mark.needs("dexcom", "file_import", "oura", "withings")

TODAY = datetime.now(ZoneInfo("Europe/Berlin")).date()
SPAN = {"from": str(TODAY - timedelta(days=6)), "to": str(TODAY), "day": str(TODAY), "fresh": "true"}
ROUTES = [
    (method.upper(), path)
    for path, methods in description()["paths"].items()
    for method, operation in methods.items()
    if operation["security"]
]


def test_no_route_shows_or_touches_another_persons_things(system: System) -> None:
    """Without a token, with somebody else's, and with a machine's that may not act for users."""
    told = system.connect("oura")
    system.work(("fresh",))
    before = {**system.items(), **system.items("Control")}
    ids = {"connection": told["connection"], "job": told["job"], "provider": "oura", "metric": "steps"}
    ids |= {"platform": "healthkit", "upload": told["job"]}
    assert len(ROUTES) > 12
    for method, path in ROUTES:
        url = path.format(**ids)
        with system.api("mallory") as api:
            assert api.request(method, url, headers={"authorization": ""}).status_code == 401, path
            seen = api.request(method, url, params=SPAN if method == "GET" else {})
            acting = api.request(method, url, params=SPAN if method == "GET" else {}, headers={"x-user-id": "ada"})
        for reply in (seen, acting):
            assert reply.status_code < 500, path
            assert told["connection"] not in reply.text, path
            assert '"oura"' not in reply.text, path
        names_one = any(name in path for name in ("{connection}", "{job}", "{upload}"))
        assert not names_one or seen.status_code == 404, path
    after = {**system.items(), **system.items("Control")}
    assert {key: after[key] for key in before} == before


def test_two_people_may_hold_one_account_and_both_are_served(system: System) -> None:
    for user in ("ada", "mum"):
        system.connect("oura", user, person="ada")
    system.work(("fresh",))
    system.sandbox.post("/control/night", json={"person": "ada", "day": str(TODAY)})
    system.work(("fresh",))
    assert system.failures == []
    for user in ("ada", "mum"):
        assert "sleep_duration" in system.days(str(TODAY), str(TODAY), user)[str(TODAY)]["metrics"]


def test_where_a_vendor_allows_one_grant_the_first_is_told(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.providers.oura import spec

    monkeypatch.setattr(spec, "PROVIDER", replace(spec.PROVIDER, exclusive_grant=True))
    provider.cache_clear()
    system.connect("oura", "ada", person="ada")
    system.connect("oura", "mum", person="ada")
    provider.cache_clear()
    with system.api("ada") as api:
        [held] = api.get("/v1/connections").json()["connections"]
    assert (held["state"], held["cause"]) == ("reconnect", "superseded")
    assert "somebody else" in held["advice"]


def test_a_connection_says_how_it_is(system: System) -> None:
    told = system.connect("dexcom")
    with system.api() as api:
        [shown] = api.get("/v1/connections").json()["connections"]
    assert (shown["state"], shown["cause"], shown["missing_scopes"]) == ("active", "", [])
    assert datetime.fromisoformat(shown["next_poll_at"]) < datetime.now(ZoneInfo("UTC")) + timedelta(hours=3)
    held, source = connections.load(told["connection"]), provider("dexcom")
    assert held
    quiet = condition.of(held, source, now_ms() + 3 * DAY)
    assert (quiet.state, quiet.cause) == ("degraded", "no_data")
    less = condition.of(replace(held, scopes=("something",)), source, now_ms())
    assert (less.state, less.cause) == ("degraded", "missing_scopes")
    assert all(found.advice for found in (quiet, less))


def test_a_profile_changes_what_is_answered(system: System) -> None:
    for source in ("oura", "withings", "dexcom"):
        system.connect(source)
    system.work(("fresh",))
    yesterday = str(TODAY - timedelta(days=1))
    plain = system.days(yesterday, yesterday)[yesterday]["metrics"]
    with system.api() as api:
        wish = {"priority": {"steps": ["withings"]}, "glucose_unit": "mmol/L", "wake_hour": 5}
        reply = api.put("/v1/profile", json=wish)
        assert reply.status_code == 200, reply.text
        assert api.get("/v1/profile").json() == {**wish, "timezone": "Europe/Berlin"}
        series = api.get("/v1/metrics/glucose", params={**SPAN, "from": yesterday}).json()
    wished = system.days(yesterday, yesterday)[yesterday]["metrics"]
    assert (plain["steps"]["source"], wished["steps"]["source"]) == ("oura", "withings")
    assert wished["steps"]["reason"] == "the person's own priority"
    assert (wished["glucose"]["unit"], series["unit"]) == ("mmol/L", "mmol/L")
    assert wished["glucose"]["value"] == pytest.approx(plain["glucose"]["value"] / 18.01559, abs=0.001)
    assert max(series["series"][0]["values"]) < 30
    rings = [item for (pk, _), item in system.items("Control").items() if pk.startswith("C#")]
    assert {item["wake"]["N"] for item in rings} == {"5"}
    with system.api() as api:
        bad = api.put("/v1/profile", json={"priority": {"charm": ["oura"]}})
    assert (bad.status_code, bad.json()["error"]["param"]) == (400, "priority")


def test_polling_keeps_to_the_hour_the_person_wakes(system: System) -> None:
    system.connect("oura")
    ten_past_six = millis(datetime.combine(TODAY, time(6, 10), ZoneInfo("Europe/Berlin")))

    def asked() -> set[str]:
        system.messages("fresh")
        for minute in range(30):
            ring.look(ring.clocked(f"{minute}#0", ten_past_six))
        return {name for message in system.messages("fresh") for name in read(message["Body"]).resources}

    assert "sleep" not in asked()
    with system.api() as api:
        api.put("/v1/profile", json={"wake_hour": 5})
    assert "sleep" in asked()


def test_where_a_person_lives_is_learned_from_a_provider(system: System) -> None:
    system.connect("withings", timezone="")
    system.work(("fresh",))
    with system.api() as api:
        assert api.get("/v1/profile").json()["timezone"] == "Europe/Berlin"
