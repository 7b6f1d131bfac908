"""Every route's bad input: told as the caller's mistake, with the field at fault, and nothing written of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import pytest

from shared.providers import OAuth2
from shared.providers.registry import providers
from tests.functions.standing import ask, backend
from tests.functions.system import System

MACHINE = "robot tributary/users:act"
SOURCE = next(p.id for p in providers() if isinstance(p.auth, OAuth2))
FILE = next(p.id for p in providers() if not isinstance(p.auth, OAuth2))
CSV = {"content-type": "text/csv"}
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    with backend(aws) as system:
        yield system


@cache
def client(name: Any, endpoint: str) -> Any:
    return boto3.client(name, endpoint_url=endpoint)


def kept(system: System) -> Any:
    """Everything an attempt could leave behind."""
    tables, queues = client("dynamodb", system.endpoint), client("sqs", system.endpoint)
    counts = [
        queues.get_queue_attributes(QueueUrl=system.env[f"{q}_QUEUE"], AttributeNames=["ApproximateNumberOfMessages"])
        for q in ("FRESH", "BULK", "CHANGES")
    ]
    rows = [tables.scan(TableName=table)["Items"] for table in ("Data", "Control")]
    return rows, [count["Attributes"] for count in counts]


def connect(**body: Any) -> dict[str, Any]:
    return {"method": "POST", "path": f"/v1/connect/{SOURCE}", "json": body}


def sync(**body: Any) -> dict[str, Any]:
    return {"method": "POST", "path": "/v1/sync", "json": body}


def days(first: str, last: str, path: str = "/v1/days", **more: str) -> dict[str, Any]:
    return {"method": "GET", "path": path, "params": {"from": first, "to": last, **more}}


def upload(content: bytes, path: str = "/v1/uploads", **headers: str) -> dict[str, Any]:
    return {"method": "POST", "path": path, "content": content, "headers": {**CSV, **headers}}


def post(path: str, content: bytes, headers: dict[str, str] = JSON) -> dict[str, Any]:
    return {"method": "POST", "path": path, "content": content, "headers": headers}


GOOD = b"glucose,timestamp\n100,2026-11-02T06:30:00Z"
CASES: list[tuple[dict[str, Any], int, str | None]] = [
    # connect
    ({"method": "POST", "path": "/v1/connect/nobody", "json": {}}, 404, "provider"),
    ({"method": "POST", "path": f"/v1/connect/{FILE}", "json": {}}, 400, "provider"),
    (connect(colour="red"), 400, "colour"),
    (connect(return_url=7), 400, "return_url"),
    *((connect(return_url=url, timezone="Europe/Berlin"), 400, "return_url") for url in (
        "https://evil.example/", "http://app.example/", "https://app.example.evil.example", "//app.example",
        "https://app.example@evil.example", "https://app.example:444/", "javascript:alert(1)", "/here", "app.example",
        "https://app.example/\r\nset-cookie: a=b",
    )),
    *((connect(timezone=zone), 400, "timezone") for zone in (
        "Mars/Olympus", "Europe", "Europe/", "../../etc/passwd", "/etc/localtime", "x" * 300, "\0", "Europe/Zürich",
    )),
    ({"method": "GET", "path": f"/v1/connect/{SOURCE}", "bearer": ""}, 400, "ticket"),
    ({"method": "GET", "path": f"/v1/connect/{SOURCE}?ticket=guess", "bearer": ""}, 410, "ticket"),
    # sync
    *((sync(action="sync", days=n), 400, "days") for n in (0, -1, 366, "many", 1.5)),
    (sync(action="dance"), 400, "action"),
    (sync(days=2), 400, "action"),
    (sync(action="sync", colour="red"), 400, "colour"),
    (sync(action="sync", provider="nobody"), 404, "provider"),
    (sync(action="sync", providers=["nobody"]), 404, "provider"),
    (sync(action="sync", providers=SOURCE), 400, "providers"),
    (sync(action="resume"), 400, "job"),
    (sync(action="sync", job="j"), 400, "job"),
    (sync(action="resume", job="nosuchjob"), 404, "job"),
    (sync(action="sync"), 400, "provider"),  # nothing is connected
    (sync(action="backfill", provider=SOURCE), 400, "provider"),
    (sync(action="sync", everyone=True), 403, "everyone"),
    ({**sync(action="backfill", everyone=True), "bearer": MACHINE}, 400, "action"),
    ({**sync(action="sync"), "bearer": MACHINE}, 400, "x-user-id"),
    # bodies
    *((post(path, body), 400, "body") for path in ("/v1/sync", f"/v1/connect/{SOURCE}") for body in (
        b"", b"not json", b'{"action": "sync"', b"[]", b"7", b"null", b'"sync"', b"\xff{}",
    )),
    (post("/v1/sync", b"\xff{}", {"content-type": ""}), 400, "body"),
    # reads
    (days("yesterday", "2026-11-20"), 400, "from"),
    (days("2026-11-20", "2026-02-30"), 400, "to"),
    ({"method": "GET", "path": "/v1/days", "params": {"to": "2026-11-20"}}, 400, "from"),
    ({"method": "GET", "path": "/v1/days", "params": {"from": "2026-11-20"}}, 400, "to"),
    (days("2026-11-20", "2026-11-19"), 400, "to"),
    (days("2025-11-19", "2026-11-20"), 400, "from"),
    (days("1969-12-31", "1970-01-02"), 400, "from"),
    (days("2999-12-31", "3000-01-01"), 400, "to"),
    (days("2026-11-19", "2026-11-20", fresh="perhaps"), 400, "fresh"),
    ({**days("2026-11-19", "2026-11-20"), "bearer": ""}, 401, None),
    ({**days("2026-11-19", "2026-11-20"), "bearer": MACHINE}, 400, "x-user-id"),
    (days("2026-11-19", "2026-11-20", "/v1/metrics/charm"), 404, "metric"),
    (days("2026-11-20", "2026-11-19", "/v1/metrics/glucose"), 400, "to"),
    (days("then", "2026-11-19", "/v1/metrics/glucose"), 400, "from"),
    *((days("2026-11-20", "2026-11-19", f"/v1/{path}"), 400, "to") for path in ("sleep", "workouts", "glucose")),
    (days("2026-11-19", "2026-11-20", "/v1/metrics/glucose", resolution="week"), 400, "resolution"),
    *((days("2026-11-19", "2026-11-20", f"/v1/{path}", cursor="x"), 400, "cursor")
      for path in ("metrics/glucose", "sleep", "workouts")),
    (days("2026-08-01", "2026-11-20", "/v1/glucose"), 400, "from"),
    (days("2026-11-19", "2026-11-20", "/v1/glucose", unit="stone"), 400, "unit"),
    ({"method": "GET", "path": "/v1/provenance"}, 400, "day"),
    ({"method": "GET", "path": "/v1/provenance", "params": {"day": "2026-11-20", "metric": "charm"}}, 400, "metric"),
    ({"method": "POST", "path": "/v1/refresh"}, 400, "provider"),  # nothing is connected
    (post("/v1/sync", b'{"action": "sync"}', {"content-type": "multipart/form-data"}), 400, "content-type"),
    *((days(first, "2026-11-20"), 400, "from") for first in (
        "0", "1700000000", "2026-11-20T00:00:00", "２０２６-11-20",
    )),
    (sync(action="sync", days=True), 400, "days"),
    (post("/v1/sync", b"<sync/>", {"content-type": "application/xml"}), 400, "content-type"),
    ({"method": "GET", "path": "/v1/jobs/nosuchjob"}, 404, "job"),
    ({"method": "GET", "path": "/v1/nowhere"}, 404, None),
    (days("2026-11-20", "2026-11-19", "/v1/events"), 400, "to"),
    (days("2026-11-19", "then", "/v1/events"), 400, "to"),
    (days("2025-11-18", "2026-11-20", "/v1/events"), 400, "from"),
    # uploads
    (upload(GOOD, **{"content-type": "application/pdf"}), 400, "content-type"),
    (upload(GOOD, **{"content-type": ""}), 400, "content-type"),
    (upload(b""), 400, "body"),
    (upload(b"100,2026-11-02T06:30:00Z"), 400, "body"),
    (upload(b"glucose,timestamp\n"), 400, "body"),
    (upload(b"[", **JSON), 400, "body"),
    (upload(b"x" * 4_600_000), 400, "body"),
    *((upload(GOOD, f"/v1/uploads?zone={zone}"), 400, "zone") for zone in ("Mars", "Europe", "x" * 300)),
]  # fmt: skip


def title(case: dict[str, Any]) -> str:
    told = case.get("json", case.get("params", case.get("content", b"")))
    return f"{case['method']} {case['path'][:40]} {str(told)[:50]}"


@pytest.mark.parametrize(("case", "status", "param"), [pytest.param(*c, id=title(c[0])) for c in CASES])
def test_bad_input_is_told_and_leaves_nothing(
    standing: System, case: dict[str, Any], status: int, param: str | None
) -> None:
    before = kept(standing)
    reply = ask(standing, **case)
    assert reply.status_code == status, reply.text
    if status != 401:  # API Gateway's own
        told = reply.json()
        assert told["request_id"] == "test-request"
        assert told["error"].keys() == {"type", "code", "message", "param"}
        assert (told["error"]["type"], told["error"]["param"]) == ("invalid_request", param)
        assert told["error"]["message"]
    assert kept(standing) == before


@pytest.mark.parametrize(("first", "last"), [("0001-01-01", "0001-01-02"), ("9999-12-30", "9999-12-31")])
def test_the_ends_of_the_calendar_are_only_empty(standing: System, first: str, last: str) -> None:
    for path in ("days", "metrics/glucose", "metrics/glucose?resolution=day", "sleep", "workouts", "glucose"):
        url = f"/v1/{path}{'&' if '?' in path else '?'}from={first}&to={last}"
        assert ask(standing, "GET", url).status_code in (200, 400)
    assert ask(standing, "GET", f"/v1/provenance?day={first}").status_code == 200


def test_a_file_without_one_good_row_is_refused_row_by_row(standing: System) -> None:
    before = kept(standing)
    reply = ask(standing, **upload(b"glucose,timestamp\n9999,2026-11-02T06:30:00Z\n100,never"))
    assert reply.status_code == 400
    assert [(e["line"], e["column"]) for e in reply.json()["errors"]] == [(2, "glucose"), (3, "timestamp")]
    assert (reply.json()["rows"], reply.json()["job"], reply.json()["error"]["param"]) == (0, "", "body")
    assert kept(standing) == before


# ---------------------------------------------------------------- whose


def start_job(system: System, token: str, **headers: str) -> str:
    reply = ask(system, "POST", "/v1/sync", token, json={"action": "aggregate"}, headers=headers)
    assert reply.status_code == 202, reply.text
    return str(reply.json()["job"])


def test_a_job_is_its_owners_alone(standing: System) -> None:
    job = start_job(standing, "ada")
    assert ask(standing, "GET", f"/v1/jobs/{job}", "ada").status_code == 200
    assert ask(standing, "GET", f"/v1/jobs/{job}", "bob").status_code == 404
    assert ask(standing, "GET", f"/v1/jobs/{job}", MACHINE).status_code == 404
    standing.messages("fresh")


def test_a_machine_acts_for_whom_it_names_and_a_person_only_for_themselves(standing: System) -> None:
    as_ada = {"x-user-id": "ada"}
    by_machine = start_job(standing, MACHINE, **as_ada)
    by_bob = start_job(standing, "bob", **as_ada)
    queued = [json.loads(m["Body"])["user"] for m in standing.messages("fresh")]
    assert sorted(queued) == ["ada", "bob"]
    assert ask(standing, "GET", f"/v1/jobs/{by_machine}", "ada").status_code == 200
    assert ask(standing, "GET", f"/v1/jobs/{by_bob}", "ada").status_code == 404
    assert ask(standing, "GET", f"/v1/jobs/{by_bob}", MACHINE, headers={"x-user-id": "bob"}).status_code == 200


@pytest.mark.parametrize("scope", ["tributary/users:act-not", "x-tributary/users:act", "admin"])
def test_another_scope_makes_no_machine(standing: System, scope: str) -> None:
    reply = ask(standing, "POST", "/v1/sync", f"eve {scope}", json={"action": "sync", "everyone": True})
    assert reply.status_code == 403


def test_a_machine_may_sync_everyone_and_follow_it(standing: System) -> None:
    reply = ask(standing, "POST", "/v1/sync", MACHINE, json={"action": "sync", "everyone": True})
    assert reply.status_code == 202
    job = ask(standing, "GET", f"/v1/jobs/{reply.json()['job']}", MACHINE).json()
    assert (job["status"], job["windows"]) == ("running", len(standing.messages("bulk")))
    assert ask(standing, "GET", f"/v1/jobs/{reply.json()['job']}", "ada").status_code == 404
