import json

import pytest

from sandbox.clouds.rook import hashed

DATA = "/rook/v2/processed_data"


@pytest.fixture
def key(client):
    app = client.get("/control/apps").json()["rook"]
    return (app["client_id"], app["client_secret"])


@pytest.fixture
def authorize(client, key):
    def one(source="Garmin", person="ada", decision="allow", user="ref-1"):
        url = f"/rook/api/v1/user_id/{user}/data_source/{source}/authorizer"
        reply = client.get(url, params={"redirect_url": "http://x/yes?state=s"}, auth=key).json()
        assert reply["authorized"] is False
        page = reply["authorization_url"].replace("https://api.rook-connect.com", "/rook")
        assert client.get(page).status_code == 200
        done = client.post(page, data={"person": person, "decision": decision})
        assert client.get(page).status_code == 410
        assert client.get(url, auth=key).json()["authorized"] is (decision == "allow")
        return done.headers.get("location")

    return one


@pytest.fixture
def ask(client, key):
    def one(address, day="2026-11-19", user="ref-1"):
        return client.get(f"{DATA}/{address}", params={"user_id": user, "date": day}, auth=key)

    return one


def test_the_vector_that_rook_publishes():
    assert (
        hashed("ROOK_Secret_Key", "R", "O", "OK") == "382da6381717a0fdfeba9ef922041df3ea8db97bbd2d20af21e216bdd1e6096b"
    )


def test_a_source_is_authorized_and_revoked(client, key, authorize, ask):
    assert authorize(decision="deny") is None
    assert authorize() == "http://x/yes?state=s"
    told = client.get("/rook/api/v1/user_id/ref-1/data_sources/authorized", auth=key).json()
    assert told["sources"] == {"garmin": True, "withings": False, "dexcom": False}
    assert ask("physical_health/summary").status_code == 200
    revoke = "/rook/api/v1/user_id/ref-1/data_sources/revoke_auth"
    assert client.post(revoke, json={"data_source": "Abacus"}, auth=key).status_code == 422
    assert client.post(revoke, json={"data_source": "Garmin"}, auth=key).status_code == 200
    assert ask("physical_health/summary").status_code == 204


def test_who_has_no_key_or_names_no_date_is_refused(client, authorize, ask):
    authorize()
    reply = client.get(
        f"{DATA}/sleep_health/summary", params={"user_id": "ref-1", "date": "2026-11-19"}, auth=("a", "b")
    )
    assert (reply.status_code, reply.json()["error"]) == (401, "Unauthorized")
    assert ask("sleep_health/summary", "yesterday").status_code == 400


def test_a_day_in_documents_and_nothing_where_there_is_none(authorize, ask):
    for source in ("Garmin", "Withings", "Dexcom"):
        authorize(source)
    day = ask("physical_health/summary").json()
    assert (day["data_structure"], day["document_version"], day["user_id"]) == ("physical_summary", 1, "ref-1")
    assert day["physical_health"]["summary"]["physical_summary"]["distance"]["steps_int"] > 0
    night = ask("sleep_health/summary").json()["sleep_health"]["summary"]["sleep_summary"]
    assert night["duration"]["sleep_date_string"] == "2026-11-19"
    sensor = ask("body_health/events/blood_glucose").json()["body_health"]["events"]["blood_glucose_event"]
    assert len(sensor[0]["blood_glucose"]["blood_glucose_granular_data_array"]) == 288
    assert ask("body_health/events/mood").status_code == 204
    assert ask("physical_health/summary", "2026-12-19").status_code == 204
    assert ask("physical_health/summary", user="ref-2").status_code == 204


def test_a_correction_is_another_version_and_is_told(client, authorize, ask, receiver):
    client.post("/control/dashboard", json={"provider": "rook", "url": receiver.url})
    authorize()
    client.post("/control/steps", json={"person": "ada", "day": "2026-11-19", "steps": 4321})
    (body,) = receiver.bodies
    assert json.loads(body) == ask("physical_health/summary").json()
    assert json.loads(body)["document_version"] == 2
    known = client.get("/control/apps").json()["rook"]
    made = hashed(known["webhook_secret"], known["client_id"], "ref-1", "2026-11-19T00:00:00.000000Z")
    assert receiver.seen[0][1]["x-rook-hash"] == made


def test_each_source_tells_its_own(client, authorize, receiver):
    client.post("/control/dashboard", json={"provider": "rook", "url": receiver.url})
    for source in ("Garmin", "Withings", "Dexcom"):
        authorize(source)
    client.post("/control/night", json={"person": "ada", "day": "2026-11-21"})
    client.post("/control/weigh", json={"person": "ada", "kg": 64.0})
    assert [json.loads(body)["data_structure"] for body in receiver.bodies] == [
        "sleep_summary", "physical_summary", "blood_glucose_event",
        "body_metrics_event", "body_summary", "blood_glucose_event",
    ]  # fmt: skip
