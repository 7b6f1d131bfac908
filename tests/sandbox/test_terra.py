import json
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox.clouds.terra import signed

API = "/terra/api/v2"


@pytest.fixture
def key(client):
    app = client.get("/control/apps").json()["terra"]
    return {"dev-id": app["client_id"], "x-api-key": app["client_secret"]}


@pytest.fixture
def join(client, key):
    """Through the widget; gives the query that the redirect carries."""

    def one(person="ada", provider="GARMIN", decision="allow", reference="ref-1"):
        wish = {"reference_id": reference, "providers": "GARMIN,WITHINGS,FREESTYLELIBRE"}
        wish |= {"auth_success_redirect_url": "http://x/yes?state=s", "auth_failure_redirect_url": "http://x/no"}
        session = client.post("/terra/api/widget/session", json=wish, headers=key)
        assert session.status_code == 201
        url = session.json()["url"].replace("https://widget.tryterra.co", "/terra")
        assert client.get(url).status_code == 200
        reply = client.post(url, data={"person": person, "provider": provider, "decision": decision})
        assert reply.status_code == 302
        assert client.get(url).status_code == 410
        return {name: value[0] for name, value in parse_qs(urlsplit(reply.headers["location"]).query).items()}

    return one


@pytest.fixture
def ask(client, key):
    def one(kind, user_id, start="2026-11-14", end="2026-11-21", **query):
        given = {"user_id": user_id, "start_date": start, "end_date": end, "to_webhook": "false"}
        return client.get(f"{API}/{kind}", params={**given, "with_samples": "true", **query}, headers=key)

    return one


def test_the_signature_vector_of_the_fact_sheet():
    headers = signed("terra-secret", 1793577600, b'{"type":"body","status":"success"}')
    told = "t=1793577600,v1=9f48735f2f5c542579735a06b1e0b122c05ad8df3170cace92a13ca11d24e75b"
    assert headers["terra-signature"] == told


def test_the_widget_leads_back(join):
    back = join()
    assert (back["state"], back["reference_id"], back["resource"]) == ("s", "ref-1", "GARMIN")
    assert join(decision="deny") == {"reason": "cancelled"}


def test_the_key_opens_and_no_other(client, join, ask):
    user = join()["user_id"]
    wrong = {"dev-id": "x", "x-api-key": "y"}
    assert client.post("/terra/api/widget/session", json={}, headers=wrong).status_code == 403
    assert client.get(f"{API}/userInfo", params={"user_id": user}, headers=wrong).status_code == 403
    assert ask("daily", user).status_code == 200
    assert ask("daily", "nobody").status_code == 404


@pytest.mark.parametrize("days", [("2026-11-21", "2026-11-21"), ("yesterday", "2026-11-21")])
def test_bad_ranges(join, ask, days):
    assert ask("daily", join()["user_id"], *days).status_code == 400


def test_a_week_of_a_watch_with_its_end_left_out(join, ask):
    user = join()["user_id"]
    found = ask("daily", user).json()
    assert [record["metadata"]["start_time"][:10] for record in found["data"]] == [
        f"2026-11-{n}" for n in range(14, 21)
    ]
    assert found["data"][0]["heart_rate_data"]["detailed"]["hr_samples"]
    bare = ask("daily", user, with_samples="false").json()["data"][0]
    assert bare["heart_rate_data"]["detailed"]["hr_samples"] == []
    assert all(night["sleep_durations_data"]["hypnogram_samples"] for night in ask("sleep", user).json()["data"])
    assert ask("body", user).json()["data"] == []


def test_a_scale_and_a_sensor_tell_bodies(join, ask):
    scale = ask("body", join(provider="WITHINGS")["user_id"]).json()["data"]
    assert all(record["measurements_data"]["measurements"] for record in scale)
    assert scale
    sensor = ask("body", join(provider="FREESTYLELIBRE")["user_id"]).json()["data"]
    assert [len(record["glucose_data"]["blood_glucose_samples"]) for record in sensor] == [288] * 7
    assert all(0 <= record["glucose_data"]["time_in_range"] <= 1 for record in sensor)


def test_words_about_a_user(client, key, join, receiver):
    client.post("/control/dashboard", json={"provider": "terra", "url": receiver.url})
    first, second = join()["user_id"], join()["user_id"]
    client.delete(f"{API}/auth/deauthenticateUser", params={"user_id": second}, headers=key)
    third = join()["user_id"]
    client.post("/control/revoke", json={"provider": "terra", "person": "ada"})
    told = [json.loads(body) for body in receiver.bodies]
    assert [event["type"] for event in told] == ["auth", "user_reauth", "deauth", "auth", "access_revoked"]
    assert (told[1]["old_user"]["user_id"], told[1]["new_user"]["user_id"]) == (first, second)
    assert (told[4]["user"]["user_id"], told[4]["user"]["active"]) == (third, False)
    stamps = [int(headers["x-terra-ordering-timestamp"]) for _, headers, _ in receiver.seen]
    assert stamps == sorted(set(stamps))


def test_over_a_month_comes_in_chunks(client, join, ask, receiver):
    client.post("/control/dashboard", json={"provider": "terra", "url": receiver.url})
    user = join()["user_id"]
    accepted = ask("daily", user, "2026-09-20", "2026-11-21").json()
    told = [json.loads(body) for body in receiver.bodies][1:]
    assert accepted["type"] == told[0]["type"] == "large_request_processing"
    assert (told[1]["type"], told[1]["expected_payloads"]) == ("large_request_sending", 7)
    assert [len(event["data"]) for event in told[2:]] == [10] * 6 + [2]
    traces = [headers["x-terra-trace-id"] for _, headers, _ in receiver.seen[3:]]
    assert traces == [f"{accepted['trace_id']}:chunk:{n}" for n in range(7)]


def test_what_happens_is_told_by_who_saw_it(client, join, receiver):
    client.post("/control/dashboard", json={"provider": "terra", "url": receiver.url})
    for source in ("GARMIN", "WITHINGS", "FREESTYLELIBRE"):
        join(provider=source)
    receiver.seen.clear()
    client.post("/control/night", json={"person": "ada", "day": "2026-11-21"})
    client.post("/control/weigh", json={"person": "ada", "kg": 64.0})
    told = [json.loads(body) for body in receiver.bodies]
    assert [(event["user"]["provider"], event["type"]) for event in told] == [
        ("GARMIN", "sleep"), ("GARMIN", "daily"), ("FREESTYLELIBRE", "body"),
        ("WITHINGS", "body"), ("FREESTYLELIBRE", "body"),
    ]  # fmt: skip
