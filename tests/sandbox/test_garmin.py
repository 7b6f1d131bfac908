import json
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from sandbox.clouds.garmin.records import between
from sandbox.life import PEOPLE

REST = "/wellness-api/rest"
CALLBACK = "http://127.0.0.1:9/callback"
NOON = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp())
WEEK = {"summaryStartTimeInSeconds": NOON - 6 * 86_400, "summaryEndTimeInSeconds": NOON}


@pytest.fixture
def portal(client, receiver):
    """The operator entered the receiver's address, for pings or for data."""

    def enter(push: bool = False) -> None:
        receiver.status = 200
        told = client.post("/control/dashboard", json={"provider": "garmin", "url": receiver.url, "push": push})
        assert told.status_code == 200

    return enter


def followed(ada, callback: str) -> httpx.Response:
    """The address on the real host, called where that host lives here."""
    url = urlsplit(callback)
    assert (url.scheme, url.netloc) == ("https", "apis.garmin.com")
    return ada.get(url.path, **dict(parse_qsl(url.query)))


# --- OAuth


def test_without_pkce_nobody_gets_in(client, app, authorize, exchange):
    pair = app("garmin")
    asked = {"client_id": pair["client_id"], "redirect_uri": CALLBACK, "response_type": "code"}
    page = client.post("/garmin/oauth2Confirm", params=asked, data={"person": "ada", "decision": "allow"})
    assert page.status_code == 400
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": "x" * 43}
    assert exchange("garmin", code=authorize("garmin")["code"], **form).json() == {"error": "invalid_grant"}


def test_who_it_is_and_what_they_allow(connect, client):
    ada = connect("garmin")
    assert ada.tokens["scope"] == "PARTNER_WRITE PARTNER_READ CONNECT_READ CONNECT_WRITE"
    assert len(ada.get(f"{REST}/user/id").json()["userId"]) == 32
    assert set(ada.get(f"{REST}/user/permissions").json()) >= {"HEALTH_EXPORT", "HISTORICAL_DATA_EXPORT"}
    assert client.get(f"/garmin{REST}/user/id").json() == {"errorMessage": "Token is not active"}


# --- pings, pushes, and the past


def test_a_ping_leads_to_what_it_is_about_and_to_nothing_else(connect, client, receiver, portal):
    portal()
    ada, ben = connect("garmin"), connect("garmin", "ben")
    client.post("/control/weigh", json={"person": "ada", "kg": 63.4})
    [body] = receiver.bodies
    [entry] = json.loads(body)["bodyComps"]
    assert entry.keys() == {"userId", "callbackURL"}
    found = followed(ada, entry["callbackURL"]).json()
    assert found[-1]["weightInGrams"] == 63_400
    for reply in (
        followed(ben, entry["callbackURL"]),
        followed(ada, entry["callbackURL"] + "x"),
        ada.get(f"{REST}/dailies", uploadStartTimeInSeconds=NOON - 86_400, uploadEndTimeInSeconds=NOON),
    ):
        assert (reply.status_code, reply.json()) == (400, {"errorMessage": "InvalidPullTokenException failure"})
    token = dict(parse_qsl(urlsplit(entry["callbackURL"]).query))["token"]
    assert token in client.get("/control/secrets").json()


def test_a_push_is_the_data(connect, client, receiver, portal):
    portal(push=True)
    connect("garmin")
    client.post("/control/night", json={"person": "ada", "day": "2026-11-21"})
    told = {name: entries for body in receiver.bodies for name, entries in json.loads(body).items()}
    assert told.keys() == {"sleeps", "hrv", "pulseox", "allDayRespiration", "skinTemp", "dailies"}
    assert told["sleeps"][0]["calendarDate"] == "2026-11-21"
    _, headers, _ = receiver.seen[0]
    assert headers["garmin-client-id"] == "sandbox-garmin-client"
    assert not [name for name in headers if "signature" in name]


def test_the_past_is_asked_for_once_and_told_by_ping(connect, receiver, portal):
    ada = connect("garmin")
    assert ada.get(f"{REST}/backfill/dailies", **WEEK).status_code == 400  # no address is entered
    portal()
    reply = ada.get(f"{REST}/backfill/dailies", **WEEK)
    assert (reply.status_code, reply.content) == (202, b"")
    [entry] = json.loads(receiver.bodies[0])["dailies"]
    assert len(followed(ada, entry["callbackURL"]).json()) == 6
    assert ada.get(f"{REST}/backfill/dailies", **WEEK).status_code == 409
    older = {name: at - 40 * 86_400 for name, at in WEEK.items()}
    assert "before min start time" in ada.get(f"{REST}/backfill/dailies", **older).json()["errorMessage"]
    millis = {name: at * 1000 for name, at in WEEK.items()}
    assert ada.get(f"{REST}/backfill/hrv", **millis).status_code == 400


def test_the_past_is_rationed_by_days_of_data(connect, client, receiver, portal):
    portal()
    ada = connect("garmin")
    client.post("/control/limits", json={"provider": "garmin", "on": True, "limits": [{"calls": 10, "seconds": 60}]})
    assert ada.get(f"{REST}/backfill/sleeps", **WEEK).status_code == 202
    assert ada.get(f"{REST}/user/id").status_code == 200
    assert ada.get(f"{REST}/backfill/hrv", **WEEK).status_code == 429


def test_a_permission_that_is_switched_off_and_a_registration_that_ends(connect, client, receiver, portal):
    portal()
    ada = connect("garmin")
    switch = {"provider": "garmin", "person": "ada"}
    client.post("/control/permit", json={**switch, "scopes": ["HEALTH_EXPORT"]})
    [entry] = json.loads(receiver.bodies[-1])["userPermissionsChange"]
    assert entry["permissions"] == ["HEALTH_EXPORT"]
    assert ada.get(f"{REST}/backfill/dailies", **WEEK).status_code == 412
    assert client.delete(f"/garmin{REST}/user/registration", headers=ada.headers).status_code == 204
    assert json.loads(receiver.bodies[-1]) == {"deregistrations": [{"userId": entry["userId"]}]}
    assert ada.get(f"{REST}/user/id").status_code == 401
    connect("garmin")
    client.post("/control/revoke", json=switch)
    assert "deregistrations" in json.loads(receiver.bodies[-1])


def test_a_life_in_its_words(world):
    ada, start = PEOPLE["ada"], NOON - 10 * 86_400
    nights = between(world, ada, "sleeps", start, NOON)
    assert len(nights) >= 8
    for night in nights:
        parts = ("deepSleepDurationInSeconds", "lightSleepDurationInSeconds", "remSleepInSeconds")
        assert sum(night[part] for part in parts) == night["durationInSeconds"]
    quarters = between(world, ada, "epochs", NOON - 86_400, NOON)
    assert {quarter["durationInSeconds"] for quarter in quarters} == {900}
    assert not [quarter for quarter in quarters if quarter["startTimeInSeconds"] % 900]
    for name in ("stressDetails", "bodyComps", "activities", "userMetrics", "bloodPressures"):
        assert between(world, ada, name, start, NOON), name
