"""A vendor that may not be polled and signs nothing: what it tells by ping, by push, and asked for the past."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from shared import connections, secret
from shared.apps import EVERYBODY, Hooks
from shared.jobs import read
from shared.payloads import disclose
from shared.providers.registry import provider
from tests.functions.system import System, invoke

pytestmark = pytest.mark.needs("garmin")

ID = "garmin"
BERLIN = ZoneInfo("Europe/Berlin")
PERSON = "newcomer-8"  # of Berlin; lives of nine days are soon drawn
DOOR = f"/v1/webhooks/{ID}/" + Hooks(b"test-hook-key").path(ID, EVERYBODY)
NIGHT = {"sleep_duration", "deep_sleep", "heart_rate_variability", "respiratory_rate", "spo2", "resting_heart_rate"}


@pytest.fixture
def today() -> date:
    return datetime.now(BERLIN).date()


@pytest.fixture
def user(standing: System, user: str) -> Iterator[str]:
    """Somebody new, who leaves Garmin when the test ends."""
    enter(standing)
    control(standing, "permit", person=PERSON, scopes=["ACTIVITY_EXPORT", "HEALTH_EXPORT", "HISTORICAL_DATA_EXPORT"])
    drop(standing)
    yield user
    assert standing.failures == []
    for connection in connections.of_user(user):
        connections.delete(connection)
    control(standing, "revoke", person=PERSON)
    trusting(standing, False)


def enter(system: System, push: bool = False) -> None:
    control(system, "dashboard", url=system.url + DOOR, push=push)


def control(system: System, switch: str, **body: Any) -> list[dict[str, Any]]:
    reply = system.sandbox.post(f"/control/{switch}", json={"provider": ID, **body})
    assert reply.status_code == 200, reply.text
    hooks: list[dict[str, Any]] = reply.json().get("webhooks", [])
    return [hook for hook in hooks if hook["provider"] == ID]


def work(system: System) -> int:
    done = system.work()
    assert system.failures == []
    return done


def connect(system: System, user: str) -> dict[str, Any]:
    """Without the weeks before, which nobody asks for."""
    told = system.connect(ID, user, PERSON)
    assert drop(system) == [1, 2]
    return told


def drop(system: System) -> list[int]:
    return [len(system.messages(queue)) for queue in ("fresh", "bulk")]


def call(system: System, body: object, path: str = DOOR) -> int:
    reply = httpx.post(system.url + path, content=json.dumps(body), headers={"content-type": "application/json"})
    return reply.status_code


def requests(system: System) -> dict[str, int]:
    asked: dict[str, int] = system.sandbox.get("/control/log").json()["requests"][ID]
    return asked


def trusting(system: System, trusts: bool) -> None:
    """What the operator writes into the app secret."""
    client, name = system.aws("secretsmanager"), system.env["APP_SECRET"]
    told = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    told["providers"][ID]["accept_unsigned_data"] = trusts
    client.put_secret_value(SecretId=name, SecretString=json.dumps(told))
    secret._read = None


def metrics(system: System, user: str, day: date) -> dict[str, Any]:
    found: dict[str, Any] = system.days(f"{day}", f"{day}", user).get(f"{day}", {"metrics": {}})["metrics"]
    return found


def account(user: str) -> str:
    [held] = connections.of_user(user)
    return held.account


def report(system: System, user: str, job: str) -> dict[str, Any]:
    with system.api(user) as api:
        told: dict[str, Any] = api.get(f"/v1/jobs/{job}").json()
    return told


# ---------------------------------------------------------------- the past


def test_the_first_weeks_are_asked_for_and_come_by_ping(standing: System, user: str, today: date) -> None:
    """All but the last, which is the most of this short life, and would be more of the same."""
    told = standing.connect(ID, user, PERSON)
    assert len(standing.messages("fresh")) == 1
    work(standing)
    job = report(standing, user, told["job"])
    assert (job["status"], job["windows"], job["done"]) == ("running", 3, 2)
    names = {resource.name for resource in provider(ID).resources}
    assert {row["resource"] for row in job["resources"]} == names
    for row in job["resources"]:
        assert (len(row["asked"]), row["missing"], row["documents"]) == (2, [], 0), row
    span = {"person": PERSON, "from": f"{today - timedelta(days=28)}", "to": f"{today - timedelta(days=7)}"}
    truth = standing.sandbox.get("/control/truth", params=span).json()["days"]
    assert len(truth) == 3
    for day in truth:
        found = metrics(standing, user, date.fromisoformat(day["day"]))
        assert found.keys() >= NIGHT | {"steps", "calories_burned", "stress_level", "temperature_deviation"}
        assert found["steps"]["value"] == day["steps"]
        assert found["heart_rate_variability"]["value"] == day["hrv"]
        assert found["resting_heart_rate"]["value"] == day["resting_hr"]
        if not day["naps"]:
            assert found["sleep_duration"]["value"] == pytest.approx(day["sleep_hours"], abs=0.01)


def test_asked_again_it_is_asked_already_and_refused_it_is_not_granted(standing: System, user: str) -> None:
    connect(standing, user)
    with standing.api(user) as api:
        assert api.post("/v1/sync", json={"action": "sync", "provider": ID, "days": 1}).status_code == 202
        work(standing)
        before = standing.items()
        again = api.post("/v1/sync", json={"action": "sync", "provider": ID, "days": 1}).json()["job"]
        work(standing)
        told = report(standing, user, again)
        assert told["status"] == "completed"
        assert {(row["documents"], len(row["asked"])) for row in told["resources"]} == {(0, 1)}
        assert standing.items() == before
        assert api.get("/v1/events").json()["events"][0]["cause"] == "asked"
        control(standing, "permit", person=PERSON, scopes=["ACTIVITY_EXPORT", "HEALTH_EXPORT"])
        refused = api.post("/v1/sync", json={"action": "sync", "provider": ID, "days": 2}).json()["job"]
        work(standing)
    told = report(standing, user, refused)
    assert told["status"] == "completed"
    assert {row["missing"][0]["cause"] for row in told["resources"]} == {"not_granted"}


def test_a_ration_of_days_is_waited_for(standing: System, user: str) -> None:
    small = [{"calls": 40, "seconds": 60}]
    standing.sandbox.post("/control/limits", json={"provider": ID, "on": True, "limits": small})
    told = standing.connect(ID, user, PERSON)
    found = standing.messages("fresh")
    assert standing.deliver("fresh", found) == []
    standing.sandbox.post("/control/limits", json={"provider": ID, "on": False})
    job = report(standing, user, told["job"])
    assert job["status"] == "running"
    assert job["failed"] == []
    asked = sum(len(row["asked"]) for row in job["resources"])
    assert 0 < asked < len(provider(ID).resources)  # the rest waits in a copy of its message
    standing.aws("sqs").purge_queue(QueueUrl=standing.env["FRESH_QUEUE"])


# ---------------------------------------------------------------- pings


def test_a_ping_is_followed_and_its_token_is_nowhere_to_be_read(
    standing: System, user: str, today: date, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    connect(standing, user)
    assert "sleep_duration" not in metrics(standing, user, today)
    assert {hook["status"] for hook in control(standing, "night", person=PERSON, day=f"{today}")} == {200}
    messages = standing.messages("fresh")
    assert len(messages) >= 6
    tokens = standing.sandbox.get("/control/secrets").json()
    queued = "".join(message["Body"] for message in messages)
    assert not [token for token in tokens if token in queued]
    [held] = connections.of_user(user)
    job = read(messages[0]["Body"])
    assert (job.connection, job.account, job.payload) == (held.id, "", "")
    address = disclose(held, job.callback).decode()
    assert address.startswith("https://apis.garmin.com/wellness-api/rest/")
    assert any(token in address for token in tokens)
    assert standing.deliver("fresh", messages) == []
    work(standing)
    assert metrics(standing, user, today).keys() >= NIGHT
    everywhere = caplog.text + str(standing.items("Control"))
    assert not [token for token in tokens if token in everywhere]
    before = standing.items()
    control(standing, "resend", times=3)
    assert work(standing) >= 3
    assert standing.items() == before


def test_an_address_that_is_not_the_vendors_is_not_called(standing: System, user: str) -> None:
    connect(standing, user)
    before = requests(standing)
    for address in (
        "http://169.254.169.254/latest",
        f"{standing.url}/v1/profile",
        "https://apis.garmin.com.x.org/?t=1",
    ):
        assert call(standing, {"dailies": [{"userId": account(user), "callbackURL": address}]}) == 200
    stranger = "https://apis.garmin.com/wellness-api/rest/dailies?token=x"
    assert call(standing, {"dailies": [{"userId": "nobody-here", "callbackURL": stranger}]}) == 200
    assert work(standing) == 0
    assert requests(standing) == before


def test_a_ping_too_old_to_be_followed_ends_and_harms_nothing(standing: System, user: str) -> None:
    connect(standing, user)
    before = standing.items()
    stale = (
        "https://apis.garmin.com/wellness-api/rest/dailies?uploadStartTimeInSeconds=1&uploadEndTimeInSeconds=2&token=x"
    )
    assert call(standing, {"dailies": [{"userId": account(user), "callbackURL": stale}]}) == 200
    assert work(standing) == 1
    assert standing.items() == before
    with standing.api(user) as api:
        event = api.get("/v1/events").json()["events"][0]
    assert (event["outcome"], event["cause"]) == ("failed", "not_granted")


def test_nothing_is_polled_and_silence_is_seen(standing: System, user: str) -> None:
    connected = connect(standing, user)
    control(standing, "weigh", person=PERSON, kg=70)
    work(standing)
    before = requests(standing)
    segment = connections.segment(connected["connection"], 1)
    assert invoke("poll", {"segments": [segment]}) == {"queued": 1}
    work(standing)
    assert invoke("poll", {"segments": [segment], "review": True}) == {"queued": 0}
    assert requests(standing) == before
    with standing.api(user) as api:
        [how] = api.get("/v1/connections").json()["connections"]
    assert how["next_poll_at"] is None
    assert {(row["by"], row["expected_lag_minutes"]) for row in how["freshness"]} == {("webhook", None)}
    assert how["last_push_at"] is not None


# ---------------------------------------------------------------- data that nobody signed


def steps(user: str, day: date, seconds: int, count: int) -> dict[str, Any]:
    start = int(datetime(day.year, day.month, day.day, tzinfo=BERLIN).timestamp())
    frame = {"startTimeInSeconds": start, "startTimeOffsetInSeconds": 3600, "durationInSeconds": seconds}
    return {"dailies": [{"userId": account(user), "calendarDate": f"{day}", **frame, "steps": count}]}


def test_data_is_refused_until_the_operator_takes_it_and_is_then_marked(
    standing: System, user: str, today: date
) -> None:
    connect(standing, user)

    def weighed(kg: float) -> int:
        [hook] = control(standing, "weigh", person=PERSON, kg=kg)
        return int(hook["status"])

    def origin() -> tuple[float, bool]:
        with standing.api(user) as api:
            reply = api.get("/v1/provenance", params={"day": f"{today}", "metric": "weight"})
        [found] = reply.json()["origins"]
        return found["figures"]["weight"]["value"], found["unsigned"]

    assert (weighed(70.5), work(standing), origin()) == (200, 1, (70.5, False))
    enter(standing, push=True)
    assert (weighed(71.5), work(standing), origin()) == (401, 0, (70.5, False))
    trusting(standing, True)
    assert weighed(72.5) == 200
    messages = standing.messages("fresh")
    assert not [message for message in messages if "weightInGrams" in message["Body"]]
    assert (standing.deliver("fresh", messages), origin()) == ([], (72.5, True))


def test_a_longer_summary_replaces_a_shorter_one_in_whatever_order(standing: System, user: str, today: date) -> None:
    connect(standing, user)
    trusting(standing, True)
    tomorrow = today + timedelta(days=1)
    for seconds, count in ((3_600, 900), (14_400, 4_100), (7_200, 1_500)):
        shorter = steps(user, tomorrow, seconds - 60, count - 1)  # both in one delivery
        both = {"dailies": steps(user, tomorrow, seconds, count)["dailies"] + shorter["dailies"]}
        assert call(standing, both) == 200
        work(standing)
    assert metrics(standing, user, tomorrow)["steps"]["value"] == 4_100
    assert call(standing, steps(user, tomorrow, 14_400, 4_050)) == 200  # as long, and corrected
    work(standing)
    assert metrics(standing, user, tomorrow)["steps"]["value"] == 4_050


# ---------------------------------------------------------------- what the person changes at the vendor


def state(system: System, user: str) -> tuple[str, list[str], list[str]]:
    with system.api(user) as api:
        [how] = api.get("/v1/connections").json()["connections"]
    return how["state"], how["missing_scopes"], how["resources"]


def test_a_permission_is_taken_back_and_given_again(standing: System, user: str) -> None:
    connect(standing, user)
    names = [resource.name for resource in provider(ID).resources]
    assert sorted(state(standing, user)[2]) == sorted(names)
    [hook] = control(standing, "permit", person=PERSON, scopes=["ACTIVITY_EXPORT"])
    assert hook["status"] == 200
    work(standing)
    assert state(standing, user) == ("degraded", ["HEALTH_EXPORT", "HISTORICAL_DATA_EXPORT"], ["activities"])
    control(standing, "permit", person=PERSON, scopes=[])
    work(standing)
    assert state(standing, user)[2] == []
    control(standing, "permit", person=PERSON, scopes=["HEALTH_EXPORT", "ACTIVITY_EXPORT", "HISTORICAL_DATA_EXPORT"])
    work(standing)
    assert sorted(state(standing, user)[2]) == sorted(names)
    [ping] = control(standing, "weigh", person=PERSON, kg=71)
    assert ping["status"] == 200


def test_what_a_forged_event_says_of_permissions_is_not_believed(standing: System, user: str) -> None:
    connect(standing, user)
    before = state(standing, user)
    forged = {"userId": account(user), "permissions": [], "changeTimeInSeconds": 1}
    assert call(standing, {"userPermissionsChange": [forged]}) == 200
    assert call(standing, {"deregistrations": [{"userId": account(user)}]}) == 200
    work(standing)
    assert state(standing, user) == before


def test_a_registration_that_ended_asks_the_person_to_come_back(standing: System, user: str) -> None:
    told = connect(standing, user)
    [hook] = control(standing, "revoke", person=PERSON)
    assert hook["status"] == 200
    work(standing)
    held = connections.load(told["connection"])
    assert held
    assert held.suspect_since  # seen once; it is condemned a lease later
    connections.change(held.id, suspect_since=1, lease_until=0)
    assert call(standing, {"deregistrations": [{"userId": held.account}]}) == 200
    work(standing)
    assert state(standing, user)[0] == "reconnect"


def test_a_goodbye_of_ours_ends_the_registration_there(standing: System, user: str) -> None:
    told = connect(standing, user)
    with standing.api(user) as api:
        job = api.delete(f"/v1/connections/{told['connection']}").json()["job"]
        work(standing)
    assert report(standing, user, job)["told"] == {ID: "revoked"}
    assert requests(standing)["DELETE /wellness-api/rest/user/registration"] >= 1
    assert state(standing, user)[0] == "disconnected"
