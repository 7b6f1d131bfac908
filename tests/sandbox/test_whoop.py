import json
import time

import pytest

from sandbox.clouds.whoop import signed

V2 = "/developer/v2"
SPAN = {"start": "2026-09-01T00:00:00Z", "end": "2026-11-22T12:00:00Z"}
TODAY = "2026-11-21"


def everything(member, path: str, **query: str) -> list[list[dict]]:
    pages, more = [], {}
    while True:
        reply = member.get(f"{V2}{path}", **query, **more).json()
        pages.append(reply["records"])
        if not reply.get("next_token"):
            return pages
        more = {"nextToken": reply["next_token"]}


def records(member, path: str, **query: str) -> list[dict]:
    return [record for page in everything(member, path, limit="25", **query) for record in page]


def test_the_signature_vector_of_the_fact_sheet():
    body = (
        b'{"user_id":4410072,"id":"0c9d2f6e-7a51-4b8e-9d33-5f1e2a7b6c04","type":"sleep.updated",'
        b'"trace_id":"5a7e1c90-2d3b-4f46-91c8-7b0e6d2f8a15"}'
    )
    headers = signed("test-client-secret", 1763620260123, body)
    assert headers["x-whoop-signature"] == "a72j0U6mbWqxCQT1v/8Mh1/nyy/SUCh6SQC5hxJExwU="


# --- OAuth


def test_without_offline_there_is_no_refresh_token(connect):
    assert "refresh_token" not in connect("whoop", scope="read:sleep").tokens
    assert connect("whoop", scope="offline read:sleep").tokens["scope"] == "offline read:sleep"


def test_a_refresh_says_offline_and_kills_the_access_token_before_it(connect, exchange):
    ada = connect("whoop")
    form = {"grant_type": "refresh_token", "refresh_token": ada.tokens["refresh_token"]}
    assert exchange("whoop", **form, scope="read:sleep").json() == {"error": "invalid_request"}
    assert ada.get(f"{V2}/user/profile/basic").status_code == 200
    fresh = exchange("whoop", **form).json()
    assert ada.get(f"{V2}/user/profile/basic").status_code == 401
    ada.tokens = fresh
    assert ada.get(f"{V2}/user/profile/basic").status_code == 200


def test_the_secret_goes_in_the_body(connect, client, app):
    refresh = {"grant_type": "refresh_token", "refresh_token": connect("whoop").tokens["refresh_token"]}
    pair = app("whoop")
    reply = client.post(
        "/whoop/oauth/oauth2/token",
        data={**refresh, "scope": "offline"},
        auth=(pair["client_id"], pair["client_secret"]),
    )
    assert (reply.status_code, reply.json()) == (401, {"error": "invalid_client"})


def test_a_short_state_is_refused(client, app):
    query = {"response_type": "code", "client_id": app("whoop")["client_id"], "redirect_uri": "http://127.0.0.1:9/"}
    assert client.get("/whoop/oauth/oauth2/auth", params={**query, "state": "seven77"}).status_code == 400
    assert client.get("/whoop/oauth/oauth2/auth", params={**query, "state": "eight888"}).status_code == 200


def test_access_ends_by_the_members_own_token(connect, client, receiver):
    ada = connect("whoop")
    client.post("/control/dashboard", json={"provider": "whoop", "url": receiver.url})
    ended = client.request("DELETE", f"/whoop{V2}/user/access", headers=ada.headers)
    assert (ended.status_code, ended.content) == (204, b"")
    assert ada.get(f"{V2}/cycle").status_code == 401
    assert client.post("/control/night", json={"person": "ada", "day": TODAY}).json()["webhooks"] == []


def test_a_scope_that_is_missing_is_refused_like_a_dead_token(connect):
    ada = connect("whoop", scope="offline read:sleep")
    assert ada.get(f"{V2}/activity/sleep").status_code == 200
    assert ada.get(f"{V2}/recovery").status_code == 401


# --- pages


@pytest.mark.parametrize("path", ["/activity/sleep", "/activity/workout", "/cycle", "/recovery"])
def test_pages_are_complete_disjoint_and_newest_first(connect, path):
    ada = connect("whoop")
    pages = everything(ada, path, **SPAN)
    assert len(pages) > 2
    assert {len(page) for page in pages[:-1]} == {10}
    found = [record for page in pages for record in page]
    assert len({json.dumps(record) for record in found}) == len(found)
    key = "created_at" if path == "/recovery" else "start"
    assert [record[key] for record in found] == sorted((record[key] for record in found), reverse=True)
    assert found == records(ada, path, **SPAN)


def test_the_start_counts_and_the_end_does_not(connect):
    ada = connect("whoop")
    newest, before = records(ada, "/cycle", **SPAN)[:2]
    assert records(ada, "/cycle", start=before["start"], end=newest["start"]) == [before]


@pytest.mark.parametrize("query", [{"limit": "26"}, {"limit": "all"}, {"start": "soon"}, {"start": "2026-11-01"}])
def test_bad_questions(connect, query):
    assert connect("whoop").get(f"{V2}/cycle", **query).status_code == 400


def test_a_next_token_only_continues_its_own_query(connect):
    ada = connect("whoop")
    token = ada.get(f"{V2}/cycle", **SPAN).json()["next_token"]
    assert ada.get(f"{V2}/cycle", **{**SPAN, "limit": "5"}, nextToken=token).status_code == 400


# --- records


def test_a_sleep_agrees_with_itself_and_with_its_cycle_and_recovery(connect):
    ada = connect("whoop")
    cycles = {cycle["id"]: cycle for cycle in records(ada, "/cycle", **SPAN)}
    recoveries = {recovery["sleep_id"]: recovery for recovery in records(ada, "/recovery", **SPAN)}
    for sleep in records(ada, "/activity/sleep", **SPAN):
        stages = {name: each for name, each in sleep["score"]["stage_summary"].items() if name.endswith("milli")}
        in_bed = stages.pop("total_in_bed_time_milli")
        assert sum(stages.values()) == in_bed
        assert (sleep["id"] in recoveries) is not sleep["nap"]
        if not sleep["nap"]:
            assert cycles[sleep["cycle_id"]]["start"] == sleep["start"]
            assert recoveries[sleep["id"]]["cycle_id"] == sleep["cycle_id"]
            assert ada.get(f"{V2}/cycle/{sleep['cycle_id']}/recovery").json() == recoveries[sleep["id"]]
            break


def test_cycles_follow_one_another_and_the_last_one_runs(connect, client):
    ada = connect("whoop")
    newest, *older = records(ada, "/cycle", **SPAN)
    assert "end" not in newest
    assert [cycle["end"] for cycle in older] == [cycle["start"] for cycle in [newest, *older][:-1]]
    assert all(0 <= cycle["score"]["strain"] <= 21 for cycle in [newest, *older])
    client.post("/control/night", json={"person": "ada", "day": "2026-11-20"})
    following = records(ada, "/cycle", **SPAN)[0]
    assert ada.get(f"{V2}/cycle/{newest['id']}").json()["end"] == following["start"]


def test_some_workouts_could_not_be_scored(connect):
    found = records(connect("whoop"), "/activity/workout", **SPAN)
    assert {record["score_state"] for record in found} == {"SCORED", "UNSCORABLE"}
    assert all(("score" in record) == (record["score_state"] == "SCORED") for record in found)


def test_a_profile_is_of_now_and_bodies_have_no_date(connect):
    ada = connect("whoop")
    assert isinstance(ada.get(f"{V2}/user/profile/basic").json()["user_id"], int)
    assert ada.get(f"{V2}/user/measurement/body").json().keys() == {
        "height_meter",
        "weight_kilogram",
        "max_heart_rate",
    }


# --- webhooks


def test_a_night_is_told_twice_and_a_deleted_one_takes_its_recovery_along(connect, client, receiver):
    ada = connect("whoop")
    assert client.post("/control/night", json={"person": "ada", "day": "2026-11-20"}).json()["webhooks"] == []
    client.post("/control/dashboard", json={"provider": "whoop", "url": receiver.url})
    client.post("/control/night", json={"person": "ada", "day": TODAY})
    told = [json.loads(body) for body in receiver.bodies]
    assert [event["type"] for event in told] == ["sleep.updated", "recovery.updated"]
    assert told[0]["id"] == told[1]["id"]
    assert told[0]["user_id"] == ada.get(f"{V2}/user/profile/basic").json()["user_id"]
    assert ada.get(f"{V2}/activity/sleep/{told[0]['id']}").json()["id"] == told[0]["id"]
    _, headers, body = receiver.seen[-1]
    stamp = headers["x-whoop-signature-timestamp"]
    assert abs(int(stamp) / 1000 - time.time()) < 60
    secret = client.get("/control/apps").json()["whoop"]["client_secret"]
    assert signed(secret, int(stamp), body)["x-whoop-signature"] == headers["x-whoop-signature"]
    client.post("/control/delete", json={"provider": "whoop", "person": "ada", "kind": "night", "day": TODAY})
    assert [json.loads(body)["type"] for body in receiver.bodies[2:]] == ["sleep.deleted", "recovery.deleted"]
    assert ada.get(f"{V2}/activity/sleep/{told[0]['id']}").status_code == 404
    assert all(recovery["sleep_id"] != told[0]["id"] for recovery in records(ada, "/recovery", **SPAN))
