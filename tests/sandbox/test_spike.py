import json
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox.clouds.spike import signed

API = "/spike/v3"


@pytest.fixture
def bearer(client):
    def one(user="ref-1"):
        app = client.get("/control/apps").json()["spike"]
        wish = {"application_id": int(app["client_id"]), "application_user_id": user}
        wish["signature"] = signed(app["client_secret"], user.encode())
        token = client.post(f"{API}/auth/hmac", json=wish).json()["access_token"]
        return {"authorization": f"Bearer {token}"}

    return one


@pytest.fixture
def integrate(client, bearer):
    def one(slug="garmin", person="ada", decision="allow", user="ref-1"):
        url = f"{API}/providers/{slug}/integration/init_url"
        page = client.get(url, params={"redirect_uri": "http://x/yes?state=s"}, headers=bearer(user)).json()["path"]
        page = page.replace("https://app-api.spikeapi.com", "/spike")
        assert client.get(page).status_code == 200
        done = client.post(page, data={"person": person, "decision": decision})
        assert client.get(page).status_code == 410
        return {name: value[0] for name, value in parse_qs(urlsplit(done.headers["location"]).query).items()}

    return one


@pytest.fixture
def ask(client, bearer):
    def one(path, user="ref-1", **query):
        span = {"from_timestamp": "2026-11-18T00:00:00Z", "to_timestamp": "2026-11-20T00:00:00Z"}
        return client.get(f"{API}/queries/{path}", params={**span, **query}, headers=bearer(user))

    return one


def test_a_name_must_be_signed(client, bearer):
    assert bearer()
    wish = {"application_id": 1000, "application_user_id": "ref-1", "signature": signed("another", b"ref-1")}
    assert client.post(f"{API}/auth/hmac", json=wish).status_code == 401
    assert client.get(f"{API}/userinfo", headers={"authorization": "Bearer x"}).status_code == 401


def test_a_source_is_integrated_and_deleted(client, bearer, integrate, ask):
    assert integrate(decision="deny") == {
        "state": "s", "error": "access_denied", "user_id": "ref-1", "provider_slug": "garmin",
    }  # fmt: skip
    assert integrate() == {"state": "s", "user_id": "ref-1", "provider_slug": "garmin"}
    info = client.get(f"{API}/userinfo", headers=bearer()).json()
    assert info["integrations"] == [{"provider_slug": "garmin"}]
    assert client.get(f"{API}/userinfo", headers=bearer("ref-2")).json()["integrations"] == []
    assert client.delete(f"{API}/providers/garmin/integration", headers=bearer()).status_code == 204
    assert client.delete(f"{API}/providers/garmin/integration", headers=bearer()).status_code == 404
    assert ask("sleeps").json() == {"sleeps": []}


def test_queries(integrate, ask):
    for slug in ("garmin", "withings", "freestyle_libre"):
        integrate(slug)
    assert {record["provider"] for record in ask("sleeps").json()["sleeps"]} == {"garmin"}
    assert all(record["metrics"]["weight"] > 0 for record in ask("provider_records").json()["records"])
    daily = ask("statistics/daily", from_date="2026-11-18", to_date="2026-11-19", types="steps,distance_total").json()
    assert [row["type"] for row in daily["statistics"]] == ["steps", "distance_total"] * 2
    sensor = ask("timeseries", metric="glucose").json()
    assert len(sensor["values"]) == len(sensor["offsets"]) == 2 * 288
    assert sensor["providers"] == ["freestyle_libre"]
    assert ask("timeseries", metric="spo2").json()["values"] == []


@pytest.mark.parametrize("wrong", [{"metric": "mystery"}, {"metric": "steps", "to_timestamp": "2026-11-18T00:00:00Z"}])
def test_bad_questions(ask, wrong):
    assert ask("timeseries", **wrong).status_code == 400


def test_one_call_tells_of_many_and_says_little(client, integrate, receiver):
    client.post("/control/dashboard", json={"provider": "spike", "url": receiver.url})
    integrate()
    integrate("freestyle_libre")
    integrate(user="ref-2")
    receiver.seen.clear()
    client.post("/control/night", json={"person": "ada", "day": "2026-11-21"})
    client.post("/control/revoke", json={"provider": "spike", "person": "ada"})
    first, second = (json.loads(body) for body in receiver.bodies)
    assert [(one["application_user_id"], one["provider_slug"]) for one in first] == [
        ("ref-1", "garmin"), ("ref-1", "freestyle_libre"), ("ref-2", "garmin"),
    ]  # fmt: skip
    assert first[1]["metrics"] == ["glucose"]
    assert {one["event_type"] for one in second} == {"provider_integration_deleted"}
    key = client.get("/control/apps").json()["spike"]["webhook_secret"]
    assert receiver.seen[0][1]["x-body-signature"] == signed(key, receiver.bodies[0])
