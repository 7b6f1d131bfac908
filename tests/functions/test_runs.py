"""The record of a scheduled pass: what was due, what came of it, and what a repetition does to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from shared import connections, control, ring, runs, settings
from shared.jobs import RECEIVES, now_ms
from shared.model import DAY, MINUTE
from shared.runs import Run
from shared.signed import AwsError
from tests.functions.standing import ask, backend, vendors
from tests.functions.system import System

pytestmark = pytest.mark.needs("oura", "withings")

NOW = now_ms()
MACHINE = "robot tributary/users:act"


@pytest.fixture(scope="module")
def people(aws: str) -> Iterator[tuple[System, list[str]]]:
    """Ada and Ben, connected, nothing fetched yet."""
    with vendors(datetime.now(UTC)) as sandbox, backend(aws, sandbox) as system:
        yield system, [str(system.connect("oura", name, name)["connection"]) for name in ("ada", "ben")]


@pytest.fixture
def system(people: tuple[System, list[str]]) -> System:
    system = people[0]
    system.sandbox.delete("/control/faults")
    for queue in ("fresh", "bulk"):
        system.messages(queue)
    return system


@pytest.fixture
def ids(people: tuple[System, list[str]]) -> list[str]:
    return people[1]


def look_at_all(at: int) -> None:
    for segment in connections.segments(1):
        ring.look(ring.clocked(segment, at, forced=True))


def passed(kind: str) -> Run:
    """The newest pass of a kind."""
    return [run for run in runs.between(now_ms() - DAY, now_ms() + DAY) if run.kind.startswith(kind)][-1]


def test_a_pass_says_what_was_due_and_what_came_of_it(system: System, ids: list[str]) -> None:
    look_at_all(NOW)
    waiting = passed("asked")
    assert (waiting.due, waiting.ended, waiting.counts) == (2, 0, {})
    system.work(("fresh",))
    first = passed("asked")
    assert (first.due, first.counts["synced"], first.failed) == (2, 2, {})
    assert first.counts["days"] >= 2
    assert first.ended > first.started
    look_at_all(NOW + MINUTE)
    system.work(("fresh",))
    quiet = passed("asked")
    assert (quiet.due, quiet.counts, quiet.failed) == (2, {"synced": 2}, {})


def test_it_counts_refreshes_failures_by_cause_and_what_will_come_again(system: System, ids: list[str]) -> None:
    look_at_all(NOW)
    system.work(("fresh",))  # all that is new is here
    for id_ in ids:
        connections.change(id_, token_expires=now_ms())
    look_at_all(NOW + 2 * MINUTE)
    connections.suspend(ids[0], "revoked_at_vendor")
    system.sandbox.post("/control/faults", json={"provider": "oura", "kind": "nonsense", "path": "/daily_sleep"})
    [odd, other] = system.messages("fresh")
    given_back = system.deliver("fresh", [odd, other])
    assert len(given_back) == 1
    run = passed("asked")
    assert (run.counts, run.failed) == ({"put off": 1, "refreshed": 1}, {"revoked_at_vendor": 1})
    [again] = [m for m in (odd, other) if m["MessageId"] in given_back]
    system.sandbox.post("/control/faults", json={"provider": "oura", "kind": "nonsense", "path": "/daily_sleep"})
    assert system.deliver("fresh", [{**again, "receives": RECEIVES}])
    assert passed("asked").failed == {"revoked_at_vendor": 1, "provider_changed": 1}


def test_what_was_due_is_said_once_however_often_the_walker_repeats_itself(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = NOW + 3 * MINUTE
    with monkeypatch.context() as broken:
        broken.setenv("FRESH_QUEUE", f"{system.env['FRESH_QUEUE']}-gone")
        settings.settings.cache_clear()
        with pytest.raises(AwsError):
            look_at_all(at)
    settings.settings.cache_clear()
    look_at_all(at)
    assert passed("asked").due == len(system.messages("fresh"))


def test_every_walk_leaves_a_record_even_where_nothing_is_due(system: System) -> None:
    ring.look(ring.clocked("0#0", 0))  # the first minute of 1970, a midnight
    found = [runs.run(item) for item in control.under("R#1970-01-01")]
    assert {(run.kind, run.ended) for run in found} == {("poll", 0), ("renew", 0)}


def test_a_maintenance_sync_is_a_pass_whose_parts_add_up(system: System, ids: list[str]) -> None:
    connections.suspend(ids[0], "revoked_at_vendor")
    reply = ask(
        system, "POST", "/v1/sync", MACHINE, json={"action": "sync", "everyone": True, "providers": ["oura"], "days": 2}
    )
    assert reply.status_code == 202, reply.text
    segments = system.messages("bulk")
    assert system.deliver("bulk", segments[:10]) == []
    assert system.deliver("bulk", segments[:10]) == []  # delivered twice: what was due is not doubled
    assert system.deliver("bulk", segments[10:20]) == []
    assert system.deliver("bulk", segments[20:]) == []
    run = passed("everyone")
    assert run.kind.endswith(reply.json()["job"][-6:])
    assert run.due == 1  # Ada must consent again
