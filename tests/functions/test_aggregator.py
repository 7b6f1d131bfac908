"""People who connect through an aggregator: its page, its pushes, its words about them, and several sources at once."""

from __future__ import annotations

import json
import time
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest

from shared import connections, tokens
from shared.apps import App
from shared.connections import Connection
from shared.errors import ReconnectError, RetryLaterError, TokenRejectedError
from shared.providers import HmacSignature
from shared.providers.registry import provider
from shared.webhooks import sign
from tests.functions.aggregators import BERLIN, condition, connected, control, day_of, reference, today, truth
from tests.functions.standing import ask
from tests.functions.system import System, invoke

pytestmark = [pytest.mark.needs("terra"), pytest.mark.still]

HOUSE, WATCH, SENSOR = "terra", "terra.garmin", "terra.freestylelibre"
SECRET = "not-a-signing-secret-terra"
REFERENCE = reference(HOUSE)


def calls(system: System) -> int:
    """To the API's data."""
    requests = system.sandbox.get("/control/log").json()["requests"][HOUSE]
    return sum(count for label, count in requests.items() if label.startswith("GET /api/v2/"))


def api_headers(system: System) -> dict[str, str]:
    app = system.sandbox.get("/control/apps").json()[HOUSE]
    return {"dev-id": app["client_id"], "x-api-key": app["client_secret"]}


def push(system: System, held: Connection, kind: str, records: list[Any], sent: int = 0) -> httpx.Response:
    """A webhook, signed; `sent` is when the vendor sent it first, in milliseconds."""
    user = {"user_id": held.account, "provider": "GARMIN", "reference_id": REFERENCE, "active": True}
    body = json.dumps({"type": kind, "status": "success", "user": user, "data": records}).encode()
    hook = provider(HOUSE).webhook
    assert hook
    assert isinstance(hook.proof, HmacSignature)
    headers = {
        "content-type": "application/json",
        hook.proof.header: sign(hook.proof, SECRET, body, str(int(time.time()))),
        hook.sent_header: str(sent or time.time_ns() // 1_000_000),
    }
    return ask(system, "POST", f"/v1/webhooks/{HOUSE}", "", content=body, headers=headers)


def steps(day: date, count: int) -> dict[str, Any]:
    midnight = f"{day}T00:00:00.000000+01:00"
    return {"metadata": {"start_time": midnight, "end_time": midnight}, "distance_data": {"steps": count}}


# ---------------------------------------------------------------- connecting


def test_whatever_is_chosen_on_the_page_is_a_source_of_its_own(hooked: System) -> None:
    """Without a source in the address the page offers all of them."""
    held = connected(hooked, HOUSE)
    assert (held.provider, held.state, held.scopes) == (WATCH, "active", ("ACTIVITY_EXPORT", "HEALTH_EXPORT"))
    yesterday = today() - timedelta(days=3)
    found, really = day_of(hooked, yesterday), truth(hooked, yesterday)
    assert (found["steps"]["value"], found["steps"]["source"]) == (really["steps"], WATCH)
    assert found["deep_sleep"]["value"] >= round(really["deep_hours"], 2) - 0.01
    with hooked.api() as api:
        [shown] = api.get("/v1/connections").json()["connections"]
        assert (shown["provider"], shown["name"], shown["state"]) == (WATCH, "Garmin (Terra)", "active")
        assert shown["next_poll_at"]
        [consent] = api.get("/v1/consents").json()["consents"]
        assert (consent["provider"], consent["action"]) == (WATCH, "granted")
    before = hooked.items()
    assert invoke("poll", {"segments": [f"{minute}#0" for minute in range(30)]}) == {"queued": 1}
    hooked.work(("fresh",))
    assert hooked.items() == before


def test_a_watch_and_a_sensor_of_the_same_person_stand_side_by_side(hooked: System) -> None:
    connected(hooked, WATCH)
    held = connected(hooked, SENSOR)
    with hooked.api() as api:
        assert [c["provider"] for c in api.get("/v1/connections").json()["connections"]] == [SENSOR, WATCH]
        day = today() - timedelta(days=2)
        read = api.get("/v1/glucose", params={"from": f"{day}", "to": f"{day}"}).json()
    really, found = truth(hooked, day), day_of(hooked, day)
    assert found["glucose"]["source"] == SENSOR
    assert found["steps"]["source"] == WATCH
    assert found["glucose"]["value"] == pytest.approx(really["mean_glucose"], abs=3)
    params = {"user_id": held.account, "start_date": f"{day}", "end_date": f"{day + timedelta(days=1)}"}
    told = hooked.sandbox.get(
        "/terra/api/v2/body", params={**params, "to_webhook": "false"}, headers=api_headers(hooked)
    ).json()["data"][0]["glucose_data"]
    in_range = next(r["percent"] for r in read["figures"]["ranges"] if r["name"] == "in_range")
    assert (read["source"], read["figures"]["readings"]) == (SENSOR, really["glucose_readings"])
    assert in_range / 100 == pytest.approx(told["time_in_range"], abs=0.005)
    assert control(hooked, "steps", person="ada", day=f"{day}", steps=4_000)[-1]["status"] == 200
    asked = calls(hooked)
    hooked.work(("fresh",))
    assert day_of(hooked, day)["steps"]["value"] == 4_000
    assert calls(hooked) == asked
    assert held.account != next(c.account for c in connections.of_user("ada", WATCH))


def test_who_comes_back_with_another_persons_id_is_refused(hooked: System) -> None:
    """The address passes through the browser: anything in it may be made up. The state is spent all the same."""
    ada = connected(hooked, WATCH)
    started = ask(hooked, "POST", f"/v1/connect/{WATCH}", "ben", json={}).json()
    page = hooked.sandbox.post(started["authorize_url"], data={"person": "ben", "decision": "allow"})
    theirs = httpx.URL(page.headers["location"])
    forged = theirs.copy_merge_params({"user_id": ada.account})
    accept = {"accept": "application/json"}
    for _ in range(2):
        reply = httpx.get(str(forged), headers=accept)
        assert reply.status_code in (403, 410)
    assert httpx.get(str(theirs), headers=accept).status_code == 410
    assert connections.of_user("ben") == []
    assert connections.load(ada.id) == ada


def test_who_says_no_is_sent_home_and_a_source_nobody_knows_is_none(hooked: System) -> None:
    wish = {"return_url": "https://app.example/home"}
    started = ask(hooked, "POST", f"/v1/connect/{WATCH}", json=wish).json()
    page = hooked.sandbox.post(started["authorize_url"], data={"person": "ada", "decision": "deny"})
    back = httpx.get(page.headers["location"])
    assert back.headers["location"] == f"https://app.example/home?error=access_denied&provider={WATCH}"
    assert ask(hooked, "POST", f"/v1/connect/{HOUSE}.abacus", json={}).status_code == 404
    assert ask(hooked, "POST", "/v1/connect/oura.garmin", json={}).status_code == 404


def test_a_key_that_is_refused_condemns_nobody(hooked: System) -> None:
    held, source = connected(hooked, WATCH), provider(WATCH)

    def refuse(token: str) -> str:
        raise TokenRejectedError("no")

    app = App("id", "key")
    with pytest.raises(RetryLaterError):
        tokens.outliving(source, app, held, tokens.access_token(source, app, held), refuse)
    assert connections.load(held.id) == held
    connections.close(held)
    closed = connections.load(held.id)
    assert closed
    with pytest.raises(ReconnectError):
        tokens.access_token(source, app, closed)
    assert tokens.access_token(source, app, closed, parting=True) == "key"


# ---------------------------------------------------------------- what is pushed


def test_a_push_is_the_data_and_a_repeated_or_late_one_is_no_news(hooked: System) -> None:
    held, asked = connected(hooked, WATCH), calls(hooked)
    assert [hook["status"] for hook in control(hooked, "night", person="ada", day=f"{today()}")] == [200, 200]
    hooked.work(("fresh",))
    found = day_of(hooked, today())
    assert found["deep_sleep"]["value"] == pytest.approx(truth(hooked, today())["deep_hours"], abs=0.01)
    assert calls(hooked) == asked
    now = time.time_ns() // 1_000_000
    for sent, count in ((now, 9_000), (now - 60_000, 5_000)):
        assert push(hooked, held, "daily", [steps(today(), count)], sent).status_code == 200
        hooked.work(("fresh",))
    assert day_of(hooked, today())["steps"]["value"] == 9_000
    hooked.messages("changes")
    before = hooked.items()
    assert push(hooked, held, "daily", [steps(today(), 9_000)], now).status_code == 200
    control(hooked, "resend", provider=HOUSE, times=2)
    hooked.work(("fresh",))
    assert (hooked.items(), hooked.messages("changes")) == (before, [])


def test_a_large_push_goes_by_way_of_the_bucket_and_a_bad_neighbour_is_left_out(hooked: System) -> None:
    held, day = connected(hooked, WATCH), today() - timedelta(days=20)
    begun = datetime(day.year, day.month, day.day, tzinfo=BERLIN)
    beats = [
        {"timestamp": (begun + timedelta(seconds=15 * n)).isoformat(timespec="microseconds"), "bpm": 60 + n % 7}
        for n in range(5_000)
    ]
    large = {**steps(day, 77), "heart_rate_data": {"detailed": {"hr_samples": beats}}}
    unreadable = {"metadata": {"start_time": None}, "distance_data": []}
    assert push(hooked, held, "daily", [{}, unreadable, large, None]).status_code == 200
    kept = hooked.aws("s3").list_objects_v2(Bucket="raw", Prefix="inbox/")
    assert kept["KeyCount"] == 1
    sealed = hooked.aws("s3").get_object(Bucket="raw", Key=kept["Contents"][0]["Key"])["Body"].read()
    assert b"bpm" not in sealed
    hooked.work(("fresh",))
    assert len(hooked.failures) == 1  # the unreadable one alone
    found = day_of(hooked, day)
    assert found["steps"]["value"] == 77
    assert found["heart_rate"]["value"] == pytest.approx(63, abs=0.01)  # of all of them


def test_a_large_request_comes_in_chunks(hooked: System) -> None:
    """Whoever asked for it: each chunk is a push like any other."""
    held = connected(hooked, WATCH)
    first = today() - timedelta(days=60)
    params = {"user_id": held.account, "start_date": f"{first}", "end_date": f"{today()}", "with_samples": "true"}
    reply = hooked.sandbox.get("/terra/api/v2/daily", params=params, headers=api_headers(hooked))
    assert reply.json()["type"] == "large_request_processing"
    hooked.work(("fresh",))
    assert hooked.failures == []
    found = hooked.days(f"{first}", f"{first + timedelta(days=40)}")
    assert sum("steps" in day["metrics"] for day in found.values()) == 41


def test_a_workout_deleted_at_the_source_goes(hooked: System) -> None:
    connected(hooked, WATCH)
    with hooked.api() as api:
        span = {"from": f"{today() - timedelta(days=6)}", "to": f"{today()}"}
        workouts = api.get("/v1/workouts", params=span).json()["workouts"]
        if not workouts:
            pytest.skip("a week without a workout")
        control(hooked, "delete", provider=HOUSE, person="ada", kind="workout", day=workouts[0]["day"])
        hooked.work(("fresh",))
        assert len(api.get("/v1/workouts", params=span).json()["workouts"]) == len(workouts) - 1


# ---------------------------------------------------------------- words about the connection


def test_connected_again_is_the_same_connection_under_its_new_id(hooked: System) -> None:
    """Whether we hear of it in the callback, or by webhook alone."""
    held = connected(hooked, WATCH)
    again = connected(hooked, WATCH)
    assert (again.id, again.state) == (held.id, "active")
    assert again.account != held.account
    session = {"reference_id": REFERENCE, "providers": "GARMIN", "auth_success_redirect_url": "http://x/"}
    made = hooked.sandbox.post("/terra/api/widget/session", json=session, headers=api_headers(hooked)).json()
    hooked.sandbox.post(f"/terra/session/{made['session_id']}", data={"person": "ada", "decision": "allow"})
    hooked.work(("fresh",))
    third = connections.load(held.id)
    assert third
    assert third.account not in (held.account, again.account)
    named = {pk for pk, _ in hooked.items("Control") if pk.startswith("X#")}
    assert named == {f"X#{HOUSE}#{third.account}"}
    control(hooked, "resend", provider=HOUSE, times=1)  # the same word, late
    control(hooked, "night", person="ada", day=f"{today()}")
    hooked.work(("fresh",))
    last = connections.load(held.id)
    assert last
    assert (last.account, last.state) == (third.account, "active")
    assert "deep_sleep" in day_of(hooked, today())


def test_access_that_was_revoked_at_the_source_ends_and_a_late_word_of_it_ends_nothing(hooked: System) -> None:
    held = connected(hooked, WATCH)
    control(hooked, "revoke", provider=HOUSE, person="ada")
    hooked.work(("fresh",))
    ended = connections.load(held.id)
    assert ended
    assert (ended.state, ended.cause) == ("reconnect", "revoked_at_vendor")
    word = hooked.sandbox.get("/control/log").json()["last_webhook"][HOUSE]
    again = connected(hooked, WATCH)
    assert (again.id, again.state) == (held.id, "active")
    # The vendor tries again, and signs anew; it still speaks of then.
    proof = provider(HOUSE).webhook.proof  # type: ignore[union-attr]
    assert isinstance(proof, HmacSignature)
    renamed = word["body"].replace(held.account, again.account).encode()
    headers = {**word["headers"], "terra-signature": sign(proof, SECRET, renamed, str(int(time.time())))}
    assert ask(hooked, "POST", f"/v1/webhooks/{HOUSE}", "", content=renamed, headers=headers).status_code == 200
    hooked.work(("fresh",))
    assert connections.load(held.id) == again


def test_a_source_that_refuses_the_aggregator_is_told_until_it_brings_news(hooked: System) -> None:
    held = connected(hooked, WATCH)
    assert push(hooked, held, "connection_error", []).status_code == 200
    hooked.work(("fresh",))
    assert condition(hooked) == ("degraded", "source_refuses")
    now = time.time_ns() // 1_000_000
    push(hooked, held, "daily", [steps(today(), 1)], now - 60_000)  # from before the trouble
    hooked.work(("fresh",))
    assert condition(hooked) == ("degraded", "source_refuses")
    push(hooked, held, "daily", [steps(today(), 2)], now)
    hooked.work(("fresh",))
    assert condition(hooked) == ("active", "")
    push(hooked, held, "connection_error", [], now - 60_000)  # late
    hooked.work(("fresh",))
    assert condition(hooked) == ("active", "")


def test_a_goodbye_deletes_what_the_vendor_holds_and_takes_no_more_of_it(hooked: System) -> None:
    held = connected(hooked, WATCH)
    before = hooked.items()
    with hooked.api() as api:
        job = api.delete(f"/v1/connections/{held.id}").json()["job"]
        assert push(hooked, held, "daily", [steps(today(), 1)]).status_code == 200  # on its way meanwhile
        hooked.work(("fresh",))
        assert api.get(f"/v1/jobs/{job}").json()["told"] == {WATCH: "revoked"}
    assert hooked.items() == before
    told = hooked.sandbox.get("/control/log").json()["last_webhook"][HOUSE]
    assert json.loads(told["body"])["type"] == "deauth"
    url = f"/terra/api/v2/userInfo?user_id={held.account}"
    assert hooked.sandbox.get(url, headers=api_headers(hooked)).status_code == 404
    again = connected(hooked, WATCH)
    assert (again.id, again.state) == (held.id, "active")
