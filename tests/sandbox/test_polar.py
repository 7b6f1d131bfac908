import json
from datetime import date, datetime, timedelta

import pytest

from sandbox.clouds.polar import signed
from sandbox.life import PEOPLE

USERS, HOOKS = "/v3/users", "/v3/webhooks"
TODAY = "2026-11-21"
WEEK = {"from": "2026-11-14", "to": "2026-11-20"}


@pytest.fixture
def registered(connect, client):
    def one(person: str = "ada"):
        connected = connect("polar", person)
        reply = client.post(f"/polar{USERS}", json={"member-id": person}, headers=connected.headers)
        assert reply.status_code == 200, reply.text
        return connected

    return one


@pytest.fixture
def ours(client, app):
    """A call with the app's own credentials."""

    def call(method: str, path: str = "", **body: object):
        pair = app("polar")
        return client.request(
            method, f"/polar{HOOKS}{path}", json=body or None, auth=(pair["client_id"], pair["client_secret"])
        )

    return call


def test_the_signature_vector_of_the_fact_sheet():
    body = (
        b'{"event":"SLEEP","user_id":90210,"date":"2026-11-02","timestamp":"2026-11-02T06:31:07Z",'
        b'"url":"https://www.polaraccesslink.com/v3/users/sleep/2026-11-02"}'
    )
    headers = signed("11111111-2222-3333-4444-555555555555", "SLEEP", body)
    assert headers["polar-webhook-signature"] == "1571503db2f92b7f87307e3fb68ddc17d9c44fa050abd23a01f49f8114cbc54d"


# --- OAuth and registration


def test_only_basic_will_do_and_nothing_is_refreshed(client, app, authorize, connect, exchange):
    code = authorize("polar")["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": "http://127.0.0.1:9/callback"}
    refused = client.post("/polar/v2/oauth2/token", data={**app("polar"), **form})
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})
    tokens = connect("polar").tokens
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "x_user_id"}
    assert exchange("polar", grant_type="refresh_token", refresh_token="x").status_code == 400


def test_a_code_used_twice_takes_its_token_along(client, authorize, exchange):
    code = authorize("polar")["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": "http://127.0.0.1:9/callback"}
    headers = {"authorization": f"Bearer {exchange('polar', **form).json()['access_token']}"}
    assert client.post(f"/polar{USERS}", json={"member-id": "m"}, headers=headers).status_code == 200
    assert exchange("polar", **form).json() == {"error": "invalid_grant"}
    assert client.get(f"/polar{USERS}/sleep", headers=headers).status_code == 401


def test_nothing_is_told_of_who_is_not_registered(connect, client):
    ada = connect("polar")
    assert ada.get(f"{USERS}/sleep").status_code == 403
    url = f"/polar{USERS}"
    made = client.post(url, json={"member-id": "m1"}, headers=ada.headers)
    assert made.json()["polar-user-id"] == ada.tokens["x_user_id"]
    assert ada.get(f"{USERS}/sleep").status_code == 200
    assert client.post(url, json={"member-id": "m2"}, headers=ada.headers).status_code == 409
    assert client.post(url, json={"member-id": "m1"}, headers=connect("polar", "ben").headers).status_code == 409
    assert client.post(url, json={"member-id": "m3"}, headers={"authorization": "Bearer x"}).status_code == 401


def test_a_missing_consent_is_403(authorize, exchange, client):
    code = authorize("polar", ticked="1")["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": "http://127.0.0.1:9/callback"}
    headers = {"authorization": f"Bearer {exchange('polar', **form).json()['access_token']}"}
    reply = client.post(f"/polar{USERS}", json={"member-id": "m"}, headers=headers)
    assert (reply.status_code, reply.json()["status"]) == (403, 403)


def test_deregistering_ends_the_token(registered, client):
    ada, ben = registered(), registered("ben")
    url = f"/polar{USERS}/{ada.tokens['x_user_id']}"
    assert client.delete(url, headers=ben.headers).status_code == 403
    assert client.delete(url, headers=ada.headers).status_code == 204
    assert ada.get(f"{USERS}/sleep").status_code == 401
    assert ben.get(f"{USERS}/sleep").status_code == 200


# --- data


@pytest.mark.parametrize(("path", "name"), [("sleep", "nights"), ("nightly-recharge", "recharges")])
def test_the_last_28_days_without_those_held_back(registered, path, name):
    days = [record["date"] for record in registered().get(f"{USERS}/{path}").json()[name]]
    assert days == [str(date(2026, 10, 25) + timedelta(days=n)) for n in range(26)]


def test_a_night_agrees_with_itself(registered):
    for night in registered().get(f"{USERS}/sleep").json()["nights"]:
        start, end = (datetime.fromisoformat(night[f"sleep_{edge}_time"]) for edge in ("start", "end"))
        stages = ("light_sleep", "deep_sleep", "rem_sleep", "unrecognized_sleep_stage")
        awake = night["total_interruption_duration"]
        assert sum(night[stage] for stage in stages) + awake == (end - start).total_seconds()
        assert end.date().isoformat() == night["date"]
        assert next(iter(night["hypnogram"])) == f"{start:%H:%M}"


@pytest.mark.parametrize("path", ["activities", "cardio-load/date", "continuous-heart-rate"])
def test_a_range_of_days_both_included(registered, path):
    reply = registered().get(f"{USERS}/{path}", **WEEK).json()
    records = reply["heart_rates"] if path.startswith("cont") else reply
    days = [record.get("date") or record["start_time"][:10] for record in records]
    assert days == [str(date(2026, 11, 14) + timedelta(days=n)) for n in range(7)]


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-10-01", "to": "2026-10-30"},
        {"from": "2026-11-20", "to": "2026-11-19"},
        {"from": "2025-11-01", "to": "2025-11-02"},
        {"from": "yesterday", "to": "today"},
    ],
)
def test_bad_ranges(registered, query):
    reply = registered().get(f"{USERS}/activities", **query)
    assert reply.status_code == 400
    assert reply.json().keys() == {"timestamp", "status", "errorType", "message", "corrId"}


def test_a_load_that_cannot_be_calculated_and_a_temperature_that_is_not_there(registered):
    ada = registered()
    ahead = {"from": "2026-11-21", "to": "2026-11-22"}
    statuses = [load["cardio_load_status"] for load in ada.get(f"{USERS}/cardio-load/date", **ahead).json()]
    assert statuses == ["MAINTAINING", "LOAD_STATUS_NOT_AVAILABLE"]
    none = ada.get(f"{USERS}/biosensing/skintemperature", **ahead)
    assert (none.status_code, none.content) == (204, b"")


def test_exercises_from_before_the_registration_are_not_told(registered, world):
    ada = registered()
    done = [str(day) for day in world.days(PEOPLE["ada"], date(2026, 11, 1)) if world.workout(PEOPLE["ada"], day)]
    found = ada.get("/v3/exercises").json()
    assert [record["start_time"][:10] for record in found] == [day for day in done if day >= "2026-11-18"]
    assert 0 < len(found) < len(done)
    assert "samples" not in found[0]
    one = ada.get(f"/v3/exercises/{found[0]['id']}", samples="true").json()
    assert {sample["sample-type"] for sample in one["samples"]} == {"0", "1"}
    assert ada.get("/v3/exercises/NONE").status_code == 404


# --- the webhook


def test_one_webhook_pinged_and_its_secret_shown_once(ours, receiver):
    wanted = {"events": ["SLEEP"], "url": receiver.url}
    assert ours("POST", **wanted).status_code == 400  # it answers 204, which is not 200
    receiver.status = 200
    made = ours("POST", **wanted)
    assert made.status_code == 201
    assert json.loads(receiver.bodies[-1])["event"] == "PING"
    assert "polar-webhook-signature" not in receiver.seen[-1][1]
    assert ours("POST", **wanted).status_code == 409
    [shown] = ours("GET").json()["data"]
    assert shown == {"id": made.json()["data"]["id"], **wanted, "active": True}
    assert ours("PATCH", f"/{shown['id']}", events=["SLEEP", "EXERCISE"]).json()["data"][0]["events"][1] == "EXERCISE"
    assert ours("DELETE", f"/{shown['id']}").status_code == 204
    assert ours("DELETE", f"/{shown['id']}").status_code == 404
    assert (ours("GET").json(), ours("POST", "/activate").status_code) == ({"data": []}, 204)


@pytest.mark.parametrize("wrong", [{"events": []}, {"events": ["PARTY"]}, {"url": "http://127.0.0.1:9/"}])
def test_a_malformed_webhook(ours, receiver, wrong):
    receiver.status = 200
    assert ours("POST", **{"events": ["SLEEP"], "url": receiver.url, **wrong}).status_code == 400


def test_only_the_app_may_ask_about_webhooks(registered, client):
    assert client.get(f"/polar{HOOKS}", headers=registered().headers).status_code == 401


def test_events_are_signed_with_that_secret_and_end_when_switched_off(ours, registered, client, receiver):
    ada, receiver.status = registered(), 200
    made = ours("POST", events=["SLEEP", "ACTIVITY_SUMMARY"], url=receiver.url).json()["data"]
    told = client.post("/control/night", json={"person": "ada", "day": TODAY}).json()["webhooks"]
    assert [line["status"] for line in told] == [200]
    _, headers, body = receiver.seen[-1]
    event = json.loads(body)
    assert (event["event"], event["user_id"], event["date"]) == ("SLEEP", ada.tokens["x_user_id"], TODAY)
    assert signed(made["signature_secret_key"], "SLEEP", body).items() <= headers.items()
    assert ours("POST", "/deactivate").status_code == 200
    assert client.post("/control/night", json={"person": "ada", "day": "2026-11-20"}).json()["webhooks"] == []
    assert ours("GET").json()["data"][0]["active"] is False
    assert ours("POST", "/activate").status_code == 200
    assert client.post("/control/steps", json={"person": "ada", "day": TODAY, "steps": 9}).json()["webhooks"] != []
