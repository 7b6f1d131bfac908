from datetime import UTC, datetime

import pytest

ME = "/fitness/v1/users/me"
SCOPE = "https://www.googleapis.com/auth/fitness.{}.read"
DAY_MS = 86_400_000


def millis(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def aggregated(person, name, first="2026-11-19T23:00", days=1, **buckets):
    """By default Berlin's 20 November as one bucket."""
    start = millis(first)
    wish = {"aggregateBy": [{"dataTypeName": f"com.google.{name}"}], **buckets}
    span = {"startTimeMillis": str(start), "endTimeMillis": str(start + days * DAY_MS)}
    return person.client.post(f"/google_fit{ME}/dataset:aggregate", json={**wish, **span}, headers=person.headers)


def points(reply):
    return [point for bucket in reply.json()["bucket"] for set_ in bucket["dataset"] for point in set_["point"]]


def test_a_scope_opens_its_own_and_the_person_is_known_by_sub(connect):
    ada = connect("google_fit", scope=f"openid {SCOPE.format('activity')}")
    assert ada.get("/v1/userinfo").json()["sub"].isdecimal()
    assert aggregated(ada, "step_count.delta").status_code == 200
    refused = aggregated(ada, "heart_rate.bpm")
    assert refused.status_code == 403
    assert refused.json()["error"]["message"] == "Cannot read data of type com.google.heart_rate.bpm"


def test_a_day_in_quarters_adds_up_to_the_true_steps(connect, client):
    query = {"person": "ada", "from": "2026-11-20", "to": "2026-11-20"}
    [truth] = client.get("/control/truth", params=query).json()["days"]
    ada = connect("google_fit")
    quarters = aggregated(ada, "step_count.delta", bucketByTime={"durationMillis": "900000"})
    assert len(quarters.json()["bucket"]) == 96, "empty ones, too"
    assert sum(point["value"][0]["intVal"] for point in points(quarters)) == truth["steps"]


def test_a_summary_tells_its_values_by_their_places(connect):
    ada = connect("google_fit")
    [pressure] = points(aggregated(ada, "blood_pressure", first="2026-10-20T23:00", days=30))
    assert (pressure["dataTypeName"], len(pressure["value"])) == ("com.google.blood_pressure.summary", 8)
    assert 60 < pressure["value"][3]["fpVal"] < pressure["value"][0]["fpVal"] - 20
    beats = points(aggregated(ada, "heart_rate.bpm"))[0]
    mean, most, least = (value["fpVal"] for value in beats["value"])
    assert least < mean < most


@pytest.mark.parametrize(
    ("name", "days", "said"),
    [
        ("body.temperature", 1, "no default datasource found for: com.google.body.temperature"),
        ("weight", 91, "aggregate duration too large"),
    ],
)
def test_what_is_refused(connect, name, days, said):
    refused = aggregated(connect("google_fit"), name, days=days)
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, said)


def test_a_night_is_told_by_two_apps_and_its_stages_without_buckets(connect):
    ada = connect("google_fit")
    span = {"startTime": "2026-11-18T12:00:00Z", "endTime": "2026-11-19T12:00:00Z", "activityType": "72"}
    told = ada.get(f"{ME}/sessions", **span).json()["session"]
    assert {s["application"]["packageName"] for s in told} >= {"com.example.sleep", "com.example.alarm"}
    night = next(s for s in told if s["application"]["packageName"] == "com.example.sleep")
    stages = points(aggregated(ada, "sleep.segment", first="2026-11-18T12:00"))
    assert min(int(p["startTimeNanos"]) for p in stages) <= int(night["startTimeMillis"]) * 10**6
    assert {p["value"][0]["intVal"] for p in stages} == {1, 4, 5, 6}


def test_workouts_come_as_buckets_with_what_was_done_in_them(connect):
    ada = connect("google_fit")
    reply = aggregated(
        ada, "calories.expended", first="2026-11-06T23:00", days=14, bucketBySession={"minDurationMillis": "1"}
    )
    for bucket in reply.json()["bucket"]:
        assert bucket["session"]["activityType"] in (1, 8)
        assert bucket["dataset"][0]["point"][0]["value"][0]["fpVal"] > 100
    assert reply.json()["bucket"]


def test_too_many_calls_are_a_403(connect, client):
    ada = connect("google_fit")
    one = [{"calls": 1, "seconds": 60, "whose": "user"}]
    client.post("/control/limits", json={"provider": "google_fit", "on": True, "limits": one})
    assert aggregated(ada, "weight").status_code == 200
    refused = aggregated(ada, "weight")
    assert (refused.status_code, refused.json()["error"]["errors"][0]["reason"]) == (403, "rateLimitExceeded")
