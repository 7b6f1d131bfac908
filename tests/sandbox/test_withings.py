import hmac
import time
from datetime import date, datetime
from hashlib import sha256

import pytest

from sandbox.clouds.withings import signature
from sandbox.life import PEOPLE


def all_pages(ada, path: str, name: str, **form) -> list[dict]:
    rows, offset = [], 0
    while True:
        body = ada.post(path, **form, offset=offset).json()["body"]
        rows += body[name]
        if not body["more"]:
            return rows
        offset = body["offset"]


def test_the_vectors_of_the_fact_sheet():
    nonce = "559c2cc9052628fcaa03c943535be542efb7c1f1da3970f40bc6ebbb7218482d"
    assert signature("test-secret", "getnonce", "test-client", "1767225600") == nonce
    revoke = "72dc3301b841af2e255221766fc24d7cbb061de0b6df89a4c5a023ddf725f1f5"
    assert signature("test-secret", "revoke", "test-client", "abc123nonce") == revoke


def test_measures_page_without_loss_and_carry_their_exponent(connect, world):
    ada = connect("withings")
    groups = all_pages(ada, "/measure", "measuregrps", action="getmeas", meastypes="1", category=1)
    assert len({group["grpid"] for group in groups}) == len(groups) > 50
    weights = [measure["value"] * 10 ** measure["unit"] for group in groups for measure in group["measures"]]
    truth = [w.kg for w in world.weighings(PEOPLE["ada"])]
    assert sorted(weights) == pytest.approx(sorted(truth))
    later = groups[10]["modified"]
    newer = all_pages(ada, "/measure", "measuregrps", action="getmeas", meastypes="1", lastupdate=later)
    assert [group["grpid"] for group in newer] == [group["grpid"] for group in groups[:11]]
    assert all_pages(ada, "/measure", "measuregrps", action="getmeas", meastypes="1", category=2) == []


def test_a_dead_token_and_a_missing_scope_speak_in_the_body(connect):
    ada = connect("withings", scope="user.metrics")
    reply = ada.post("/v2/sleep", action="getsummary", startdateymd="2026-11-01", enddateymd="2026-11-02")
    assert (reply.status_code, reply.json()["status"]) == (200, 277)
    ada.tokens["access_token"] = "dead"
    reply = ada.post("/measure", action="getmeas")
    assert (reply.status_code, reply.json()["status"], reply.json()["body"]) == (200, 401, {})


def test_only_the_first_day_of_a_long_range(connect):
    ada = connect("withings")
    start = int(datetime.fromisoformat("2026-11-10T12:00:00+00:00").timestamp())
    series = ada.post("/v2/measure", action="getintradayactivity", startdate=start, enddate=start + 9 * 86_400).json()
    assert start <= min(map(int, series["body"]["series"]))
    assert start + 80_000 < max(map(int, series["body"]["series"])) < start + 86_400
    runs = ada.post("/v2/sleep", action="get", startdate=start, enddate=start + 9 * 86_400).json()["body"]["series"]
    assert runs
    assert all(run["startdate"] < start + 86_400 for run in runs)


def test_the_stages_of_get_add_up_to_the_summary(connect):
    ada = connect("withings")
    form = {"startdateymd": "2026-11-12", "enddateymd": "2026-11-12", "data_fields": "deepsleepduration,sleep_score"}
    (night,) = ada.post("/v2/sleep", action="getsummary", **form).json()["body"]["series"]
    assert night["data"].keys() == {"deepsleepduration", "sleep_score"}
    window = {"startdate": night["startdate"], "enddate": night["enddate"], "data_fields": "hr"}
    runs = ada.post("/v2/sleep", action="get", **window).json()["body"]["series"]
    deep = sum(run["enddate"] - run["startdate"] for run in runs if run["state"] == 2)
    assert deep == night["data"]["deepsleepduration"]
    assert runs[0]["hr"]
    assert "rr" not in runs[0]


def test_scores_come_only_when_named(connect):
    form = {"startdateymd": "2026-11-12", "enddateymd": "2026-11-12"}
    (night,) = connect("withings").post("/v2/sleep", action="getsummary", **form).json()["body"]["series"]
    assert "total_sleep_time" in night["data"]
    assert "sleep_score" not in night["data"]


def test_ring_and_mat_tell_of_the_same_nights(connect):
    ring = connect("oura").everything("/v2/usercollection/sleep", start_date="2026-10-25", end_date="2026-11-20")
    nights = {d["day"]: d for page in ring for d in page if d["type"] == "long_sleep"}
    form = {"startdateymd": "2026-10-25", "enddateymd": "2026-11-19", "action": "getsummary"}
    mat = {night["date"]: night for night in all_pages(connect("withings"), "/v2/sleep", "series", **form)}
    assert mat.keys() == nights.keys()
    for day, night in mat.items():
        assert night["data"]["total_sleep_time"] == pytest.approx(nights[day]["total_sleep_duration"], abs=600)
        assert night["enddate"] == pytest.approx(datetime.fromisoformat(nights[day]["bedtime_end"]).timestamp(), abs=90)
        assert date.fromisoformat(day)


def test_ring_and_watch_count_nearly_the_same_steps(connect):
    ring = connect("oura").everything(
        "/v2/usercollection/daily_activity", start_date="2026-10-25", end_date="2026-11-20"
    )
    finger = {d["day"]: d["steps"] for page in ring for d in page}
    form = {"startdateymd": "2026-10-25", "enddateymd": "2026-11-19", "action": "getactivity", "data_fields": "steps"}
    wrist = {d["date"]: d["steps"] for d in all_pages(connect("withings"), "/v2/measure", "activities", **form)}
    assert finger.keys() == wrist.keys()
    assert all(wrist[day] == pytest.approx(finger[day], rel=0.025) for day in finger)
    assert wrist != finger


def test_subscribing_needs_a_callback_that_answers_head(connect, receiver):
    ada = connect("withings")
    receiver.status = 405
    wanted = {"callbackurl": receiver.url, "appli": 44}
    assert ada.post("/notify", action="subscribe", **wanted).json()["status"] == 293
    receiver.status = 204
    assert ada.post("/notify", action="subscribe", **wanted).json()["status"] == 0
    (profile,) = ada.post("/notify", action="list").json()["body"]["profiles"]
    assert (profile["appli"], profile["callbackurl"]) == (44, receiver.url)
    assert ada.post("/notify", action="get", callbackurl=receiver.url).json()["status"] == 503  # appli defaults to 1
    assert connect("withings", "ben").post("/notify", action="list").json()["body"]["profiles"] == []
    assert ada.post("/notify", action="update", **wanted, new_appli=1).json()["status"] == 0
    assert ada.post("/notify", action="revoke", callbackurl=receiver.url, appli=1).json()["status"] == 0
    assert ada.post("/notify", action="list").json()["body"]["profiles"] == []


def test_revoking_is_signed_ends_tokens_and_notifications(connect, app, receiver):
    ada, pair = connect("withings"), app("withings")
    ada.post("/notify", action="subscribe", callbackurl=receiver.url, appli=1)

    def sign(*values: str) -> str:
        return hmac.new(pair["client_secret"].encode(), ",".join(values).encode(), sha256).hexdigest()

    client_id, now = pair["client_id"], str(int(time.time()))
    ask = {"client_id": client_id, "timestamp": now, "signature": sign("getnonce", client_id, now)}
    nonce = ada.post("/v2/signature", action="getnonce", **ask).json()["body"]["nonce"]
    revoke = {"client_id": client_id, "nonce": nonce, "userid": ada.tokens["userid"]}
    assert ada.post("/v2/oauth2", action="revoke", **revoke, signature="0" * 64).json()["status"] == 503
    signed = sign("revoke", client_id, nonce)
    assert ada.post("/v2/oauth2", action="revoke", **revoke, signature=signed).json()["status"] == 0
    assert ada.post("/v2/oauth2", action="revoke", **revoke, signature=signed).json()["status"] == 503
    assert ada.post("/v2/user", action="getdevice").json()["status"] == 401
    ada = connect("withings")
    assert ada.post("/notify", action="list").json()["body"]["profiles"] == []


def test_the_watch_keeps_a_held_back_night_too(connect, client, world):
    ada, night = connect("withings"), world.life.sleeps(PEOPLE["ada"], date(2026, 11, 21))[0]
    window = {"action": "getintradayactivity", "startdate": night.start, "enddate": night.end}
    assert ada.post("/v2/measure", **window).json()["body"]["series"] == {}
    client.post("/control/night", json={"person": "ada", "day": "2026-11-21"})
    assert len(ada.post("/v2/measure", **window).json()["body"]["series"]) > 30
