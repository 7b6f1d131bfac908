"""The main flows through the real handlers: connect, backfill, webhooks, polls, uploads, reads."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared import settings
from shared.jobs import read
from tests.functions.system import System, invoke

pytestmark = pytest.mark.needs("dexcom", "file_import", "oura", "withings")

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def today() -> date:
    return datetime.now(BERLIN).date()


def week(today: date) -> tuple[str, str]:
    return (today - timedelta(days=6)).isoformat(), today.isoformat()


def truth(system: System, first: str, last: str, person: str = "ada") -> dict[str, dict[str, float]]:
    reply = system.sandbox.get("/control/truth", params={"person": person, "from": first, "to": last}).json()
    return {day["day"]: day for day in (reply["days"] if isinstance(reply, dict) else reply)}


def test_the_first_week_is_there_as_soon_as_fresh_is_worked(system: System, today: date) -> None:
    told = system.connect("oura")
    system.work(("fresh",))
    assert system.failures == []
    days = system.days(*week(today))
    really = truth(system, *week(today))
    yesterday = (today - timedelta(days=1)).isoformat()
    assert days[yesterday]["metrics"]["steps"]["value"] == really[yesterday]["steps"]
    with system.api() as api:
        [connection] = api.get("/v1/connections").json()["connections"]
    assert (connection["state"], connection["provider"]) == ("active", "oura")
    assert connection["backfill"] == told["job"]


def test_a_repeated_sync_writes_nothing(system: System, today: date) -> None:
    system.connect("oura")
    system.work(("fresh",))
    before = system.items()
    with system.api() as api:
        job = api.post("/v1/sync", json={"action": "sync", "days": 3})
        assert job.status_code == 202
        system.messages("changes")
        system.work(("fresh",))
        assert api.get(f"/v1/jobs/{job.json()['job']}").json()["status"] == "completed"
    changed = {key for key, item in system.items().items() if before.get(key) != item}
    assert {sk.split("#")[-1] for _, sk in changed} <= {"daily_activity", "heartrate"} | {f"{today}"}


def test_a_refresh_asks_each_source_for_what_it_lacks(system: System, today: date) -> None:
    for provider in ("oura", "withings"):
        system.connect(provider)
    system.work(("fresh",))
    aws = system.aws("dynamodb")
    for _, sk in list(system.items()):
        if sk.startswith("D#") and sk >= f"D#{today - timedelta(days=1)}":
            aws.delete_item(TableName="Data", Key={"pk": {"S": "ada"}, "sk": {"S": sk}})
    with system.api() as api:
        assert {s["source"] for s in api.get("/v1/recent").json()["sources"]} == {"oura", "withings"}
        assert api.get("/v1/recent").json()["days"] == 7
        first = api.post("/v1/refresh").json()
        assert first["days"] == {"oura": 7, "withings": 7}
        asked = [read(m["Body"]) for m in system.messages("fresh")]
        assert {job.window for job in asked} == {week(today)}
        api.post("/v1/sync", json={"action": "aggregate", "days": 3})
        system.work(("fresh",))
        again = api.post("/v1/refresh")
        assert (again.status_code, again.json()["days"]) == (202, {"oura": 2, "withings": 2})
        system.work(("fresh",))
        assert api.get(f"/v1/jobs/{again.json()['job']}").json()["status"] == "completed"
    assert system.failures == []


def test_a_webhook_tells_of_a_night_and_five_copies_change_nothing(system: System, today: date) -> None:
    system.connect("oura")
    system.work(("fresh",))
    assert "sleep_duration" not in system.days(*week(today)).get(today.isoformat(), {"metrics": {}})["metrics"]
    sent = system.sandbox.post("/control/night", json={"person": "ada", "day": today.isoformat()})
    assert sent.status_code == 200
    system.work(("fresh",))
    assert system.failures == []
    night = system.days(*week(today))[today.isoformat()]["metrics"]
    assert night["sleep_duration"]["source"] == "oura"
    before = system.items()
    system.messages("changes")
    system.sandbox.post("/control/resend", json={"provider": "oura", "times": 5})
    assert system.work(("fresh",)) >= 5
    assert system.items() == before
    assert system.messages("changes") == []


def test_three_sources_make_one_day_that_names_them(system: System, today: date) -> None:
    for provider in ("oura", "withings", "dexcom"):
        system.connect(provider)
    system.work(("fresh",))
    assert system.failures == []
    yesterday = system.days(*week(today))[(today - timedelta(days=1)).isoformat()]["metrics"]
    assert {yesterday[m]["source"] for m in ("steps", "glucose")} == {"oura", "dexcom"}
    assert {other["source"] for other in yesterday["steps"]["others"]} == {"withings"}
    assert any("weight" in day["metrics"] for day in system.days(*week(today)).values())


def test_an_upload_keeps_the_good_rows_and_names_the_bad(system: System, today: date) -> None:
    yesterday = today - timedelta(days=1)
    rows = [
        "timestamp,glucose,unit",
        f"{yesterday}T08:00:00+01:00,101,mg/dL",
        f"{yesterday}T08:05:00+01:00,5.8,mmol/L",
        f"{yesterday}T08:10:00+01:00,9999,mg/dL",
        "yesterday,100,mg/dL",
        f"{yesterday}T08:15:00+01:00,100,stone",
    ]
    with system.api() as api:
        reply = api.post("/v1/uploads", content="\n".join(rows).encode(), headers={"content-type": "text/csv"})
    assert reply.status_code == 202, reply.text
    assert reply.json()["rows"] == 2
    assert [(e["line"], e["column"]) for e in reply.json()["errors"]] == [(4, "glucose"), (5, "timestamp"), (6, "unit")]
    system.work(("fresh",))
    assert system.failures == []
    glucose = system.days(*week(today))[yesterday.isoformat()]["metrics"]["glucose"]
    assert (glucose["samples"], glucose["unit"]) == (2, "mg/dL")
    with system.api() as api:
        span = {"from": yesterday.isoformat(), "to": yesterday.isoformat(), "fresh": "1"}
        [column] = api.get("/v1/metrics/glucose", params=span).json()["series"]
    assert column["values"] == [101, pytest.approx(104.49, abs=0.01)]


def test_a_poll_brings_what_a_dropped_webhook_did_not(system: System, today: date) -> None:
    system.connect("oura")
    system.work(("fresh",))
    system.sandbox.post("/control/faults", json={"provider": "oura", "kind": "drop_webhooks", "times": 50})
    system.sandbox.post("/control/night", json={"person": "ada", "day": today.isoformat()})
    assert system.work(("fresh",)) == 0
    assert invoke("poll", {"segments": [f"{minute}#0" for minute in range(30)]}) == {"queued": 1}
    system.work(("fresh",))
    assert system.failures == []
    assert "sleep_duration" in system.days(*week(today))[today.isoformat()]["metrics"]


def test_a_dead_token_is_refreshed_once_by_two_jobs(system: System, today: date) -> None:
    system.connect("oura")
    system.work(("fresh",))
    system.sandbox.post("/control/faults", json={"provider": "oura", "kind": "expire_tokens", "times": 1})
    with system.api() as api:
        jobs = [api.post("/v1/sync", json={"action": "sync", "days": 2}).json()["job"] for _ in range(2)]
        for _ in range(8):
            system.work(("fresh",))
            if all(api.get(f"/v1/jobs/{job}").json()["status"] == "completed" for job in jobs):
                break
    refreshes = system.sandbox.get("/control/log").json()["refreshes"]["oura"]
    assert refreshes["ok"] == 1
    assert refreshes.get("reused", 0) == 0


def test_connecting_brings_what_lies_behind_the_first_week(
    system: System, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month here, as an operator may choose; the demo has the quarter."""
    monkeypatch.setenv("BACKFILL_DAYS", "30")
    settings.settings.cache_clear()
    told = system.connect("oura")
    system.work()
    assert system.failures == []
    with system.api() as api:
        job = api.get(f"/v1/jobs/{told['job']}").json()
    assert (job["status"], job["done"]) == ("completed", job["windows"])
    long_ago = (today - timedelta(days=96)).isoformat()
    assert len(system.days(long_ago, today.isoformat())) == 30 + 7


def test_a_forged_unsigned_or_stale_webhook_is_refused(system: System, today: date) -> None:
    system.connect("oura")
    system.work(("fresh",))
    system.sandbox.post("/control/steps", json={"person": "ada", "day": str(today - timedelta(days=1)), "steps": 4321})
    system.work(("fresh",))
    assert system.days(*week(today))[str(today - timedelta(days=1))]["metrics"]["steps"]["value"] == 4321
    last = system.sandbox.get("/control/log").json()["last_webhook"]["oura"]
    body = last["body"].encode()
    headers = {k.lower(): v for k, v in last["headers"].items() if k.lower().startswith(("x-", "content-type"))}
    with system.api() as api:
        forged = api.post(last["url"], content=body.replace(b"update", b"delete"), headers=headers)
        unsigned = api.post(last["url"], content=body, headers={"content-type": "application/json"})
        old = {**headers, "x-oura-timestamp": "1700000000"}
        stale = api.post(last["url"], content=body, headers=old)
    assert [r.status_code for r in (forged, unsigned, stale)] == [401, 401, 401]
    assert system.work(("fresh",)) == 0
