import hmac
import json
import time
from hashlib import sha256
from urllib.parse import parse_qs

import pytest

from sandbox import webhooks
from sandbox.clouds.oura.subscriptions import signed

DATA = "/oura/v2/usercollection"
TODAY = "2026-11-21"


@pytest.fixture
def listening(client, app, receiver):
    """Oura subscribed to everything it could say here."""
    headers = {f"x-{name.replace('_', '-')}": value for name, value in app("oura").items()}
    for event, data in [
        ("create", "sleep"),
        ("create", "daily_sleep"),
        ("create", "daily_readiness"),
        ("update", "daily_activity"),
        ("delete", "sleep"),
    ]:
        wanted = {"callback_url": receiver.url, "verification_token": "tok", "event_type": event, "data_type": data}
        assert client.post("/oura/v2/webhook/subscription", json=wanted, headers=headers).status_code == 201
    return receiver


def fault(client, kind: str, provider: str = "oura", **more) -> None:
    reply = client.post("/control/faults", json={"provider": provider, "kind": kind, **more})
    assert reply.status_code == 200, reply.text


def correct(client, steps: int = 5000) -> list:
    return client.post("/control/steps", json={"person": "ada", "day": "2026-11-18", "steps": steps}).json()["webhooks"]


# --- signatures


def test_the_signature_vector_of_the_fact_sheet():
    body = (
        b'{"event_type":"create","data_type":"daily_sleep","object_id":"11111111-2222-4333-8444-555555555555",'
        b'"event_time":"2026-11-20T06:31:00.000Z","user_id":"user-abc-1"}'
    )
    headers = signed("test-client-secret", 1763620260, body)
    assert headers["x-oura-signature"] == "6F2C3D14E6B3CC2EE2458238E075CFEEB17174479118753D1426C175B564B418"


def test_a_revealed_night_appears_everywhere_and_is_told(client, connect, listening):
    ada, mat = connect("oura"), connect("withings")
    mat.post("/notify", action="subscribe", callbackurl=listening.url, appli=44)
    window = {"start_date": "2026-11-20", "end_date": "2026-11-22"}
    collections = ("sleep", "daily_sleep", "daily_readiness", "daily_spo2")
    summary = {"action": "getsummary", "startdateymd": "2026-11-20", "enddateymd": TODAY}
    assert all(ada.get(f"/v2/usercollection/{name}", **window).json()["data"] == [] for name in collections)
    assert mat.post("/v2/sleep", **summary).json()["body"]["series"] == []

    told = client.post("/control/night", json={"person": "ada", "day": TODAY}).json()["webhooks"]

    assert [(line["provider"], line["status"]) for line in told] == [("oura", 204)] * 3 + [("withings", 204)]
    for name in collections:
        assert [d["day"] for d in ada.get(f"/v2/usercollection/{name}", **window).json()["data"]] == [TODAY]
    (night,) = mat.post("/v2/sleep", **summary).json()["body"]["series"]
    form = parse_qs(listening.bodies[-1].decode())
    assert form["appli"] == ["44"]
    assert int(form["startdate"][0]) <= night["startdate"] < night["enddate"] <= int(form["enddate"][0])
    assert form["userid"] == [mat.tokens["userid"]]
    event = json.loads(listening.bodies[0])
    assert ada.get(f"/v2/usercollection/{event['data_type']}/{event['object_id']}").json()["day"] == TODAY
    assert event["user_id"] == ada.get("/v2/usercollection/personal_info").json()["id"]


def test_an_event_is_signed_now_over_its_raw_bytes(client, connect, listening, app):
    connect("oura")
    correct(client)
    _, headers, body = listening.seen[-1]
    assert abs(int(headers["x-oura-timestamp"]) - time.time()) < 60
    message = headers["x-oura-timestamp"].encode() + body
    right = hmac.new(app("oura")["client_secret"].encode(), message, sha256).hexdigest().upper()
    assert headers["x-oura-signature"] == right


def test_nobody_is_told_of_a_person_who_is_not_connected(client, connect, listening):
    connect("oura", "ben")
    assert correct(client) == []


# --- things that happen


def test_a_late_correction_changes_both_clouds_and_the_truth(client, connect, receiver):
    ada, watch = connect("oura"), connect("withings")
    watch.post("/notify", action="subscribe", callbackurl=receiver.url, appli=16)
    window = {"start_date": "2026-11-18", "end_date": "2026-11-19"}
    (before,) = ada.get("/v2/usercollection/daily_activity", **window).json()["data"]
    correct(client, 4321)
    (after,) = ada.get("/v2/usercollection/daily_activity", **window).json()["data"]
    assert after["id"] == before["id"]
    assert after["steps"] == 4321 != before["steps"]
    assert after["meta"]["updated_at"] > before["meta"]["updated_at"]
    assert after["meta"]["version"] == before["meta"]["version"] + 1
    form = {"action": "getactivity", "startdateymd": "2026-11-18", "enddateymd": "2026-11-18"}
    assert watch.post("/v2/measure", **form).json()["body"]["activities"][0]["steps"] == 4321
    assert parse_qs(receiver.bodies[-1].decode())["date"] == ["2026-11-18"]
    query = {"person": "ada", "from": "2026-11-18", "to": "2026-11-18"}
    assert client.get("/control/truth", params=query).json()["days"][0]["steps"] == 4321


def test_a_new_weighing_is_measured_now_and_told(client, connect, receiver):
    ada = connect("withings")
    ada.post("/notify", action="subscribe", callbackurl=receiver.url, appli=1)
    client.post("/control/weigh", json={"person": "ada", "kg": 61.35})
    form = parse_qs(receiver.bodies[-1].decode())
    asked = {"action": "getmeas", "meastypes": "1", "startdate": form["startdate"][0], "enddate": form["enddate"][0]}
    (group,) = ada.post("/measure", **asked).json()["body"]["measuregrps"]
    assert group["measures"][0]["value"] * 10 ** group["measures"][0]["unit"] == pytest.approx(61.35)
    query = {"person": "ada", "from": TODAY, "to": TODAY}
    assert client.get("/control/truth", params=query).json()["days"][0]["weight"] == 61.35


def test_a_deleted_nap_is_gone_and_told(client, connect, listening):
    ada = connect("oura")
    pages = ada.everything("/v2/usercollection/sleep", start_date="2026-10-01", end_date="2026-11-19")
    nap = next(document for page in pages for document in page if document["type"] == "late_nap")
    wanted = {"provider": "oura", "person": "ada", "kind": "nap", "day": nap["day"]}
    (line,) = client.post("/control/delete", json=wanted).json()["webhooks"]
    assert line["status"] == 204
    event = json.loads(listening.bodies[-1])
    assert (event["event_type"], event["object_id"]) == ("delete", nap["id"])
    assert ada.get(f"/v2/usercollection/sleep/{nap['id']}").status_code == 404
    assert client.post("/control/delete", json={**wanted, "kind": "cat"}).status_code == 400


def test_the_relay_is_signed_with_the_given_secret(client, receiver):
    wanted = {"url": receiver.url, "secret": "shared", "person": "ada", "minutes": 30}
    client.post("/control/relay", json=wanted)
    _, headers, body = receiver.seen[-1]
    assert headers["x-dexcom-signature"] == hmac.new(b"shared", body, sha256).hexdigest()
    records = json.loads(body)["records"]
    assert len(records) == 6
    assert records[0].keys() == {"value", "unit", "trend", "systemTime", "transmitterId", "displayDevice"}


def test_resending_repeats_every_byte(client, connect, listening):
    connect("oura")
    correct(client)
    client.post("/control/resend", json={"provider": "oura", "times": 2})
    assert len(listening.seen) == 3
    assert listening.seen[0] == listening.seen[1] == listening.seen[2]
    last = client.get("/control/log").json()["last_webhook"]["oura"]
    assert (last["url"], last["status"]) == (listening.url, 204)


def test_a_deleted_weighing_is_gone_and_told(client, connect, receiver):
    ada = connect("withings")
    ada.post("/notify", action="subscribe", callbackurl=receiver.url, appli=1)
    client.post("/control/weigh", json={"person": "ada", "kg": 61.0})
    form = parse_qs(receiver.bodies[-1].decode())
    asked = {"action": "getmeas", "meastypes": "1", "startdate": form["startdate"][0], "enddate": form["enddate"][0]}
    assert len(ada.post("/measure", **asked).json()["body"]["measuregrps"]) == 1
    gone = {"provider": "withings", "person": "ada", "kind": "weight", "day": TODAY}
    (line,) = client.post("/control/delete", json=gone).json()["webhooks"]
    assert line["status"] == 204
    assert ada.post("/measure", **asked).json()["body"]["measuregrps"] == []


# --- faults


def test_a_rate_limit_is_used_up(client, connect):
    ada = connect("oura")
    fault(client, "rate_limit", times=2, retry_after=7, path="daily_sleep")
    assert ada.get("/v2/usercollection/sleep").status_code == 200
    replies = [ada.get("/v2/usercollection/daily_sleep") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [429, 429, 200]
    assert replies[0].headers["retry-after"] == "7"
    assert client.get("/control/log").json()["requests"]["oura"]["GET /v2/usercollection/daily_sleep"] == 3


@pytest.mark.parametrize(("kind", "status"), [("rate_limit", 601), ("server_error", 522), ("expire_tokens", 401)])
def test_withings_fails_inside_a_200(client, connect, kind, status):
    ada = connect("withings")
    fault(client, kind, "withings", path="getdevice")
    replies = [ada.post("/v2/user", action="getdevice") for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert [reply.json()["status"] for reply in replies] == [status, 401 if kind == "expire_tokens" else 0]


def test_server_errors_and_expiry_at_oura(client, connect, exchange):
    ada = connect("oura")
    fault(client, "server_error")
    assert ada.get("/v2/usercollection/sleep").status_code == 503
    fault(client, "expire_tokens")
    assert ada.get("/v2/usercollection/sleep").status_code == 401
    form = {"grant_type": "refresh_token", "refresh_token": ada.tokens["refresh_token"]}
    ada.tokens = exchange("oura", **form).json()
    assert ada.get("/v2/usercollection/sleep").status_code == 200


def test_slow_waits_and_then_answers(client, connect):
    ada = connect("dexcom")
    fault(client, "slow", "dexcom", seconds=0.4)
    begun = time.monotonic()
    assert ada.get("/v3/users/self/devices").status_code == 200
    assert time.monotonic() - begun >= 0.4


def test_dropped_duplicated_and_reordered_webhooks(client, connect, listening):
    connect("oura")
    fault(client, "drop_webhooks")
    assert [line["status"] for line in correct(client)] == ["dropped"]
    assert listening.seen == []
    fault(client, "duplicate_webhooks")
    assert [line["status"] for line in correct(client)] == [204, 204]
    assert listening.seen[0] == listening.seen[1]
    fault(client, "reorder_webhooks", times=3)
    listening.seen.clear()
    client.post("/control/night", json={"person": "ada", "day": TODAY})
    kinds = [json.loads(body)["data_type"] for body in listening.bodies]
    assert kinds == ["daily_readiness", "daily_sleep", "sleep"]
    assert client.get("/control/log").json()["webhooks"]["oura"] == {"sent": 5, "refused": 0, "dropped": 1}


def test_clearing_faults_releases_what_was_held(client, connect, listening):
    connect("oura")
    fault(client, "reorder_webhooks", times=5)
    assert [line["status"] for line in correct(client)] == ["held"]
    assert [line["status"] for line in client.delete("/control/faults").json()["webhooks"]] == [204]
    assert not any(client.get("/control/faults").json().values())


def test_a_refused_webhook_is_tried_again_and_given_up(client, connect, listening, monkeypatch):
    monkeypatch.setattr(webhooks, "PAUSE", 0.01)
    connect("oura")
    listening.status = 500
    assert [line["status"] for line in correct(client)] == [500]
    assert len(listening.seen) == webhooks.ATTEMPTS
    assert client.get("/control/log").json()["webhooks"]["oura"]["refused"] == 1


def test_410_drops_the_subscription(client, connect, listening):
    connect("oura")
    listening.status = 410
    correct(client)
    assert len(listening.seen) == 1
    assert correct(client) == []


def test_the_documented_limit_holds_only_when_asked(client, connect):
    ada = connect("withings")
    assert {ada.post("/v2/user", action="getdevice").json()["status"] for _ in range(125)} == {0}
    told = client.post("/control/limits", json={"provider": "withings", "on": True}).json()
    assert told["limits"] == [{"calls": 120, "seconds": 60, "whose": "app"}]
    statuses = [ada.post("/v2/user", action="getdevice").json()["status"] for _ in range(122)]
    assert (set(statuses[:120]), statuses[120:]) == ({0}, [601, 601])
    [seen] = client.get("/control/log").json()["limits"]["withings"]
    assert (seen["most"], seen["above"]) == (122, 2)


def test_a_small_limit_for_a_test_rolls_and_says_when_to_come_again(client, connect, monkeypatch):
    now = time.time_ns()
    passed = [0.0]
    monkeypatch.setattr(time, "time_ns", lambda: now + round(passed[0] * 1e9))
    ada, ben = connect("oura"), connect("oura", "ben")
    small = [{"calls": 2, "seconds": 10}, {"calls": 1, "seconds": 4, "whose": "user"}]
    client.post("/control/limits", json={"provider": "oura", "on": True, "limits": small})

    def asked(who, at: float) -> tuple[int, str | None]:
        passed[0] = at
        reply = who.get("/v2/usercollection/sleep")
        return reply.status_code, reply.headers.get("retry-after")

    assert asked(ada, 0) == (200, None)
    assert asked(ada, 1) == (429, "4")  # her own, though refused calls count too
    assert asked(ben, 9) == (429, "2")  # everybody's
    assert asked(ben, 14) == (200, None)


def test_dexcom_does_not_say_when_to_come_again(client, connect):
    ada = connect("dexcom")
    fault(client, "rate_limit", "dexcom", retry_after=7)
    reply = ada.get("/v3/users/self/devices")
    assert (reply.status_code, reply.headers.get("retry-after")) == (429, None)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("night", {"person": "ada", "day": "2026-11-10"}),
        ("night", {"person": "eve", "day": TODAY}),
        ("weigh", {"person": "ada"}),
        ("weigh", {"person": "ada", "kg": "heavy"}),
        ("faults", {"provider": "oura", "kind": "flood"}),
        ("faults", {"provider": "oura", "kind": "slow", "second": 3}),
        ("resend", {"provider": "nobody"}),
    ],
)
def test_a_wrong_switch_says_so(client, path, body):
    reply = client.post(f"/control/{path}", json=body)
    assert reply.status_code == 400
    assert "error" in reply.json()
