"""A job's report: its windows, what came of each resource, why something did not, and how it is asked for again."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import Any

import pytest

from shared import connections
from shared.jobs import RECEIVES, read
from shared.sync import Batch
from tests.functions.standing import ask, rested
from tests.functions.system import System

pytestmark = pytest.mark.needs("oura", "file_import")

Message = dict[str, Any]
LAST_TIME = {"receives": RECEIVES}


@pytest.fixture
def system(standing: System) -> System:
    return rested(standing)


def connect(system: System, user: str) -> str:
    """Two resources are enough; the messages of connecting are put aside."""
    id_ = str(system.connect("oura", user)["connection"])
    connections.change(id_, resources={"daily_activity", "daily_stress"})
    for queue in ("fresh", "bulk"):
        system.messages(queue)
    return id_


def start(system: System, user: str, **request: Any) -> tuple[str, list[Message]]:
    """A job and its messages, oldest days first."""
    reply = ask(system, "POST", "/v1/sync", user, json=request)
    assert reply.status_code == 202, reply.text
    found = system.messages("bulk") + system.messages("fresh")
    return reply.json()["job"], sorted(found, key=lambda m: read(m["Body"]).part)


def backfill(system: System, user: str) -> tuple[str, list[Message]]:
    """Seventeen days: windows of two and of fifteen."""
    return start(system, user, action="backfill", provider="oura", days=17)


def report(system: System, user: str, job: str) -> dict[str, Any]:
    reply = ask(system, "GET", f"/v1/jobs/{job}", user)
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return told


def resources(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["resource"]: row for row in told["resources"]}


def poison(system: System, path: str = "/daily_activity") -> None:
    """The vendor's next answer to this is nothing that anybody documented."""
    system.sandbox.post("/control/faults", json={"provider": "oura", "kind": "nonsense", "path": path})


def span(message: Message) -> dict[str, str]:
    window = read(message["Body"]).window
    assert window
    return {"first": window[0], "last": window[1]}


def test_a_job_says_what_came_and_saying_it_twice_counts_once(system: System, user: str) -> None:
    connect(system, user)
    job, windows = backfill(system, user)
    assert report(system, user, job)["status"] == "running"
    assert system.deliver("bulk", windows) == []
    told = report(system, user, job)
    assert (told["status"], told["windows"], told["done"], told["failed"]) == ("completed", 2, 2, [])
    assert (told["first"], told["last"]) == (span(windows[0])["first"], span(windows[1])["last"])
    assert date.fromisoformat(told["last"]) - date.fromisoformat(told["first"]) == timedelta(days=16)
    activity = resources(told)["daily_activity"]
    assert (activity["provider"], activity["days"], activity["documents"]) == ("oura", 17, 17)
    assert activity["samples"] > 17
    assert not any(row["missing"] for row in told["resources"])
    assert system.deliver("bulk", [*windows, windows[0]]) == []
    assert report(system, user, job) == told


def test_a_poisoned_window_holds_nobody_up_and_is_asked_for_again(system: System, user: str) -> None:
    connect(system, user)
    job, (old, new) = backfill(system, user)
    poison(system)
    assert system.deliver("bulk", [old]) == [old["MessageId"]]
    assert report(system, user, job)["status"] == "running"  # it will be tried again
    assert system.deliver("bulk", [new]) == []
    poison(system)
    assert system.deliver("bulk", [{**old, **LAST_TIME}]) == [old["MessageId"]]
    told = report(system, user, job)
    assert (told["status"], told["done"], told["failed"]) == ("partial", 1, [read(old["Body"]).part])
    missing = [{**span(old), "cause": "provider_changed"}]
    assert [(r, row["missing"]) for r, row in resources(told).items() if row["missing"]] == [
        ("daily_activity", missing)
    ]
    assert resources(told)["daily_activity"]["days"] == 15 < resources(told)["daily_stress"]["days"]
    again, messages = start(system, user, action="resume", job=job)
    assert again == job
    assert [read(m["Body"]).resources for m in messages] == [("daily_activity",)]
    assert report(system, user, job)["status"] == "running"
    assert system.deliver("bulk", messages) == []
    told = report(system, user, job)
    assert (told["status"], told["done"], told["failed"]) == ("completed", 2, [])
    assert (resources(told)["daily_activity"]["days"], resources(told)["daily_activity"]["missing"]) == (17, [])
    assert system.deliver("bulk", [{**old, **LAST_TIME}]) == []  # the dead letter, moved back by somebody
    poison(system)
    assert system.deliver("bulk", [{**old, **LAST_TIME}]) == [old["MessageId"]]
    assert report(system, user, job) == told  # what is done does not fail later
    assert start(system, user, action="resume", job=job) == (job, [])


def test_a_window_that_takes_its_worker_with_it_is_not_running_for_ever(system: System, user: str) -> None:
    """The last attempt dies before it can say anything."""
    connect(system, user)
    job, [window] = start(system, user, action="sync", provider="oura", days=2)
    id_ = window["MessageId"]
    batch = Batch(system.env["FRESH_QUEUE"], receives={id_: RECEIVES})
    batch.open([(id_, window["Body"])])
    batch.keep_raw()  # and no further
    told = report(system, user, job)
    whole = {"provider": "oura", "resource": "", "days": 0, "documents": 0, "samples": 0, "skipped": 0, "asked": []}
    assert told["status"] == "failed"
    assert told["resources"] == [{**whole, "missing": [{**span(window), "cause": "interrupted"}]}]
    _, [again] = start(system, user, action="resume", job=job)
    assert read(again["Body"]).resources == ()  # all of them
    assert system.deliver("fresh", [again]) == []
    told = report(system, user, job)
    assert (told["status"], [row["missing"] for row in told["resources"] if row["missing"]]) == ("completed", [])


def test_what_came_before_the_wait_is_counted_with_what_came_after(system: System, user: str) -> None:
    connect(system, user)
    job, [window] = start(system, user, action="sync", provider="oura", days=3)
    fault = {"provider": "oura", "kind": "rate_limit", "path": "/daily_stress", "retry_after": 1}
    system.sandbox.post("/control/faults", json=fault)
    assert system.deliver("fresh", [window]) == []
    told = report(system, user, job)
    assert (told["status"], resources(told)["daily_activity"]["days"]) == ("running", 3)
    assert "daily_stress" not in resources(told)
    time.sleep(1.2)
    [copy] = system.messages("fresh")
    assert system.deliver("fresh", [copy]) == []
    told = report(system, user, job)
    assert (told["status"], resources(told)["daily_activity"]["days"]) == ("completed", 3)
    assert "daily_stress" in resources(told)


def test_where_the_grant_has_ended_the_job_failed_and_says_why(system: System, user: str) -> None:
    id_ = connect(system, user)
    job, [window] = start(system, user, action="sync", provider="oura", days=2)
    connections.suspend(id_, "invalid_grant")
    assert system.deliver("fresh", [window]) == []
    told = report(system, user, job)
    assert told["status"] == "failed"
    assert {row["missing"][0]["cause"] for row in told["resources"]} == {"invalid_grant"}
    refused = ask(system, "POST", "/v1/sync", user, json={"action": "resume", "job": job})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "job")


def test_where_the_connection_is_gone_nobody_waits_for_it(system: System, user: str) -> None:
    id_ = connect(system, user)
    job, [window] = start(system, user, action="sync", provider="oura", days=2)
    held = connections.load(id_)
    assert held
    connections.delete(held)
    assert system.deliver("fresh", [window]) == []
    told = report(system, user, job)
    assert (told["status"], told["resources"][0]["missing"][0]["cause"]) == ("failed", "no_connection")


def test_an_upload_is_a_job_of_one_window_without_days(system: System, user: str) -> None:
    file = b"timestamp,glucose\n2026-11-02T06:30:00Z,100\n2026-11-02T06:35:00Z,101\n"
    reply = ask(system, "POST", "/v1/uploads", user, content=file, headers={"content-type": "text/csv"})
    system.work(("fresh",))
    told = report(system, user, reply.json()["job"])
    assert (told["status"], told["first"], told["last"]) == ("completed", None, None)
    [row] = told["resources"]
    assert (row["provider"], row["days"], row["samples"]) == ("file_import", 1, 2)
    refused = ask(system, "POST", "/v1/sync", user, json={"action": "resume", "job": reply.json()["job"]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "job")


def test_nobody_resumes_another_persons_job(system: System, user: str) -> None:
    connect(system, user)
    job, _ = backfill(system, user)
    refused = ask(system, "POST", "/v1/sync", "mallory", json={"action": "resume", "job": job})
    assert refused.status_code == 404
    assert system.messages("bulk") == []
