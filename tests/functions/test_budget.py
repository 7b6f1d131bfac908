"""The call budget over real tables, queues and vendors that enforce their limits. Without `turns` remembered, every
visit is a worker process of its own, which knows nothing of the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from random import Random
from typing import Any

import pytest

from shared import budget, connections, jobs, tokens
from shared.errors import OverBudgetError
from shared.jobs import Job, new_id, now_ms, write
from shared.pace import Step
from shared.providers.registry import provider
from shared.secret import apps
from tests.functions.standing import backend, rested, vendors
from tests.functions.system import System
from tests.functions.wired import Asked, watched

pytestmark = pytest.mark.needs("oura", "dexcom", "withings")

SMALL = [{"calls": 15, "seconds": 2, "whose": "app"}]
EACH = [{"calls": 4, "seconds": 60, "whose": "user"}]
TODAY = datetime.now(UTC).date()
USERS = count(1)
PAIR = ("daily_sleep", "daily_stress")


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    with vendors(datetime.now(UTC)) as sandbox, backend(aws, sandbox, {"oura": SMALL, "dexcom": EACH}) as system:
        yield system


@pytest.fixture
def system(standing: System, monkeypatch: pytest.MonkeyPatch) -> System:
    """Its clocks at rest, and every visit in a process of its own."""
    standing.aws("dynamodb").delete_item(TableName="Control", Key={"pk": {"S": "B#oura"}, "sk": {"S": "B"}})
    for name, small in (("oura", SMALL), ("dexcom", EACH)):
        standing.sandbox.post("/control/limits", json={"provider": name, "on": True, "limits": small})
    budget.turns.cache_clear()
    monkeypatch.setattr(budget, "turns", budget.turns.__wrapped__)
    return rested(standing)


@pytest.fixture(scope="module")
def people(standing: System) -> list[str]:
    """Three who were connected long ago."""
    return [connect(standing, person=person) for person in ("ada", "ben", "ada")]


def connect(system: System, source: str = "oura", person: str = "ada") -> str:
    """A connection, its first messages put aside."""
    told = system.connect(source, f"user{next(USERS)}", person)
    for queue in ("fresh", "bulk"):
        system.messages(queue)
    return str(told["connection"])


def sync_job(connection: str, *resources: str, days: int = 2, **more: Any) -> Job:
    window = (f"{TODAY - timedelta(days=days - 1)}", f"{TODAY}")
    return Job(**{"id": new_id(), "reason": "sync", "as_of": now_ms(), "window": window, "connection": connection,
                  "resources": resources, **more})  # fmt: skip


def deliver(system: System, *told: Job) -> list[str]:
    return system.deliver("fresh", [{"MessageId": job.id, "Body": write(job)} for job in told])


def limits(system: System, source: str = "oura") -> dict[str, int]:
    [seen] = system.sandbox.get("/control/log").json()["limits"][source]
    found: dict[str, int] = seen
    return found


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock: a busy machine does not make turns stale, or waits shorter."""
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    later = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: later() + round(seconds * 1e9))


def asked(system: System, source: str = "oura") -> int:
    return sum(system.sandbox.get("/control/log").json()["requests"][source].values())


# ---------------------------------------------------------------- what is written


def test_a_step_does_in_the_table_what_it_says(system: System) -> None:
    """Whatever it adds, puts and looks between; what is not there is 0."""
    random, item, outcomes = Random(11), dict[str, int](), set()
    names = ["t60", "pause", "line_bulk", "n86400_at", "n86400_7"]
    for _ in range(60):
        low = {name: random.randint(0, 6) for name in random.sample(names, 2)}
        between = {name: (least, least + random.randint(0, 20)) for name, least in low.items()}
        added, put = random.sample(names, 2)
        step = Step(between, {added: random.randint(1, 9)}, {put: random.randint(0, 9)})
        wanted = step.on(item)
        did, after = budget.attempt("B#any", "B", step, 60)
        item = {name: value for name, value in after.items() if name in names}
        assert did is (wanted is not None)
        assert item == (wanted or item)
        outcomes.add(did)
    assert outcomes == {True, False}


# ---------------------------------------------------------------- what it costs


@pytest.fixture
def written(system: System) -> Iterator[list[str]]:
    """The budget's writes: whose item."""
    seen: list[str] = []

    def note(call: Asked) -> None:
        if call.operation == "UpdateItem" and call.told["Key"]["sk"] == {"S": "B"}:
            seen.append(call.told["Key"]["pk"]["S"])

    with watched(before=note):
        yield seen


def test_the_calls_of_a_visit_are_leased_in_one_write(
    system: System, people: list[str], written: list[str], stopped: None
) -> None:
    assert deliver(system, sync_job(people[0], *PAIR, "daily_activity", "daily_readiness", "workout")) == []
    assert written == ["B#oura"]


def test_the_calls_of_a_batch_are_leased_in_one_write(
    system: System, people: list[str], written: list[str], stopped: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "turns", lru_cache(budget.turns))
    assert deliver(system, *(sync_job(one, *PAIR) for one in people)) == []
    assert written == ["B#oura"]


def test_a_vendor_without_limits_costs_no_write(system: System, written: list[str]) -> None:
    id_ = connect(system, "withings")
    fault(system, "rate_limit", source="withings")
    assert deliver(system, sync_job(id_, "activity")) == []
    assert written == []


# ---------------------------------------------------------------- pauses


def fault(system: System, kind: str, source: str = "oura", **more: Any) -> None:
    system.sandbox.post("/control/faults", json={"provider": source, "kind": kind, **more})


def delays(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Job, float]]:
    """The copies sent, and for how long: SQS itself would have to be waited for."""
    sent: list[tuple[Job, float]] = []
    send = jobs.send

    def noting(queue: str, told: Any, delay_s: float = 0) -> None:
        found = list(told)
        sent.extend((job, delay_s) for job in found)
        send(queue, found, delay_s)

    monkeypatch.setattr(jobs, "send", noting)
    return sent


def test_a_429_pauses_everybody_and_they_come_back_one_after_another(
    system: System, people: list[str], monkeypatch: pytest.MonkeyPatch, stopped: None
) -> None:
    sent = delays(monkeypatch)
    fault(system, "rate_limit", retry_after=100)
    assert deliver(system, sync_job(people[0], "daily_sleep")) == []
    before = asked(system)
    for id_ in people[1:]:
        assert deliver(system, sync_job(id_, *PAIR)) == []
    assert asked(system) == before
    waits = [delay for _, delay in sent]
    assert 99 < waits[0] < waits[1] < waits[2] < 102
    assert [job.waited > 0 for job, _ in sent] == [False, True, True]
    pass_time(monkeypatch, 102)
    assert deliver(system, *(job for job, _ in sent)) == []
    assert asked(system) == before + 5
    assert len(sent) == 3


def test_five_failures_in_a_row_pause_everybody_and_one_does_not(
    system: System, people: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "turns", lru_cache(budget.turns))  # failures are counted by process
    id_ = people[0]
    for times in (4, 1, 5):
        fault(system, "server_error", times=times)
        for _ in range(times):
            assert deliver(system, sync_job(id_, "daily_sleep")) == []
        if times < 5:
            assert deliver(system, sync_job(id_, "daily_sleep")) == []
    before = asked(system)
    assert deliver(system, sync_job(id_, "daily_sleep")) == []
    assert asked(system) == before
    pass_time(monkeypatch, 61)
    assert deliver(system, sync_job(id_, "daily_sleep")) == []
    assert asked(system) == before + 1


def test_a_poll_that_would_wait_past_its_next_look_is_left_to_it(
    system: System, people: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = people[0]
    before, sent = held(id_), delays(monkeypatch)
    poll = Job(id=new_id(), reason="poll", as_of=now_ms(), connection=id_, resources=("daily_activity",))
    fault(system, "rate_limit", retry_after=3 * 3600)
    assert deliver(system, poll) == []
    assert sent == []
    assert deliver(system, sync_job(id_, "daily_activity")) == []
    [(copy, delay)] = sent
    assert (delay > 3 * 3600 - 60, copy.not_before > now_ms() + 10_000_000) == (True, True)
    assert held(id_).cursors == before.cursors


def test_a_copy_that_comes_too_early_is_sent_on_untouched(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message waits fifteen minutes at most; who waits for longer hops."""
    sent = delays(monkeypatch)
    early = sync_job("c", "daily_sleep", not_before=now_ms() + 3_600_000, attempt=3)
    assert deliver(system, early) == []
    [(copy, delay)] = sent
    assert copy == early
    assert 3590 < delay <= 3600


# ---------------------------------------------------------------- other calls


def test_a_refresh_without_a_turn_takes_no_lease_on_the_token(
    system: System, people: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, app, id_ = provider("oura"), apps().app("oura"), people[2]
    connections.change(id_, token_expires=0)
    stuck = budget.Budget.of(source, app).app
    assert stuck
    stuck.pause(30)
    before = held(id_)
    with pytest.raises(OverBudgetError) as refused:
        tokens.access_token(source, app, before)
    assert 29 < refused.value.after <= 30
    assert held(id_) == before
    pass_time(monkeypatch, 31)
    assert tokens.access_token(source, app, before)


def test_a_person_who_is_connecting_does_not_wait_for_a_pause(system: System) -> None:
    found = budget.Budget.of(provider("oura"), apps().app("oura")).app
    assert found
    found.pause(300)
    assert connect(system)


def test_one_persons_limit_is_that_persons_alone(
    system: System, written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four calls a minute are theirs, and six to make: two wait, and nobody else does."""
    ada, ben = connect(system, "dexcom"), connect(system, "dexcom", "ben")
    pass_time(monkeypatch, 120)  # connecting asked for them, too
    written.clear()
    sent, before = delays(monkeypatch), asked(system, "dexcom")
    for _ in range(2):
        assert deliver(system, sync_job(ada, "egvs", "events", "devices")) == []
    assert set(written) == {f"C#{ada}"}
    assert len(written) == 3  # the second process tried to begin a count that had been begun
    [(copy, delay)] = sent
    assert (len(copy.resources), delay > 50) == (2, True)
    assert deliver(system, sync_job(ben, "egvs", "events", "devices")) == []
    assert asked(system, "dexcom") == before + 7
    assert limits(system, "dexcom")["above"] == 0
    pass_time(monkeypatch, 70)
    assert deliver(system, copy) == []
    assert asked(system, "dexcom") == before + 9
    assert ("C#" + ada, "B") in system.items("Control")
    connections.delete(held(ada))
    assert ("C#" + ada, "B") not in system.items("Control")


def held(id_: str) -> connections.Connection:
    found = connections.load(id_)
    assert found
    return found
