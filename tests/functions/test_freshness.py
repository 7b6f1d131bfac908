"""Fresh as promised, and at what price: what a poll is spared, what it costs, and webhooks that have gone silent."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bench import ring as bench
from shared import condition, connections, control, jobs
from shared.connections import Connection
from shared.jobs import Job, new_id, now_ms
from shared.log import logger
from shared.model import DAY, HOUR, MINUTE
from shared.providers.registry import provider
from shared.values import replace
from tests.functions.standing import backend, rested, vendors
from tests.functions.system import System
from tests.functions.wired import Asked, watched

pytestmark = pytest.mark.needs("dexcom", "oura")

BERLIN = ZoneInfo("Europe/Berlin")
USERS = count(1)


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    """With the webhooks of its apps asked for."""
    with vendors(datetime.now(UTC)) as sandbox, backend(aws, sandbox) as system:
        system.connect("oura", "first")
        asking = [m for m in system.messages("fresh") if jobs.read(m["Body"]).task == "subscribe"]
        assert system.deliver("fresh", asking) == []
        leave("first")
        yield system


@pytest.fixture
def system(standing: System) -> System:
    return rested(standing)


@pytest.fixture
def user(standing: System) -> Iterator[str]:
    """Gone afterwards, or the next one's webhooks would be theirs as well."""
    yield (name := f"user{next(USERS)}")
    leave(name)


def leave(user: str) -> None:
    for held in connections.of_user(user):
        connections.delete(held)


def connect(system: System, user: str, *resources: str, source: str = "oura") -> str:
    """A connection for which these resources are known since now."""
    id_ = str(system.connect(source, user)["connection"])
    for queue in ("fresh", "bulk"):
        system.messages(queue)
    if resources:
        poll(system, id_, *resources, forced=True)
    return id_


def held_as(id_: str) -> Connection:
    held = connections.load(id_)
    assert held
    return held


def poll(system: System, id_: str, *resources: str, look: int | None = None, forced: bool = False) -> Counter[str]:
    """What the vendor was asked for by one poll of that look: the last part of each path."""
    before = asked(system)
    at = now_ms() if look is None else look
    job = Job(id=new_id(), reason="poll", as_of=at, connection=id_, resources=resources, forced=forced)
    assert system.deliver("fresh", [{"MessageId": new_id(), "Body": jobs.write(job)}]) == []
    return asked(system) - before


def asked(system: System) -> Counter[str]:
    found: Counter[str] = Counter()
    for log in system.sandbox.get("/control/log").json()["requests"].values():
        for label, times in log.items():
            found[label.rsplit("/", 1)[-1]] += times
    return found


def tell(system: System, what: str, webhooks: bool = True, **body: Any) -> None:
    """Makes news at the vendor; without webhooks, nobody is told."""
    if not webhooks:
        system.sandbox.post("/control/faults", json={"provider": "oura", "kind": "drop_webhooks", "times": 100})
    assert system.sandbox.post(f"/control/{what}", json={"person": "ada", **body}).status_code == 200
    system.sandbox.delete("/control/faults")


def today() -> str:
    return f"{datetime.now(BERLIN).date()}"


def ago(days: int) -> str:
    return f"{datetime.now(BERLIN).date() - timedelta(days=days)}"


# ---------------------------------------------------------------- what a poll is spared


def test_what_a_webhook_has_just_brought_is_not_asked_for(system: System, user: str) -> None:
    id_ = connect(system, user)
    tell(system, "steps", day=today(), steps=10_001)
    system.work(("fresh",))
    assert poll(system, id_, "daily_activity") == Counter()
    assert poll(system, id_, "daily_activity", forced=True) == {"daily_activity": 1}
    assert poll(system, id_, "daily_activity", look=now_ms() + 31 * MINUTE) == {"daily_activity": 1}


def test_where_nobody_tells_us_everything_is_asked_for(system: System, user: str) -> None:
    id_ = connect(system, user, "egvs", source="dexcom")
    assert poll(system, id_, "egvs") == {"egvs": 1}


def test_a_night_that_is_here_is_not_asked_for_again(system: System, user: str) -> None:
    """At waking plus one hour, two and three; until it is here."""
    id_, night = connect(system, user), ("sleep", "daily_sleep")
    assert poll(system, id_, *night) == Counter(night)
    assert poll(system, id_, *night, look=now_ms() + HOUR) == Counter(night)
    tell(system, "night", day=today(), webhooks=False)
    assert poll(system, id_, *night, look=now_ms() + 2 * HOUR) == Counter(night)
    assert "sleep_duration" in system.days(today(), today(), user)[today()]["metrics"]
    assert poll(system, id_, *night, look=now_ms() + 3 * HOUR) == Counter()


def test_a_gap_of_nights_is_asked_for_whole(system: System, user: str) -> None:
    """Days without the phone, and webhooks lost: the cursor has passed them, and no night says that they came."""
    id_ = connect(system, user)
    connections.change(id_, **{"cursor#sleep": today()})
    assert poll(system, id_, "sleep") == {"sleep": 1}
    nights = {sk.split("#")[1] for pk, sk in system.items() if pk == user and sk.endswith("#sleep")}
    assert nights >= {ago(days) for days in range(2, 6)}


def test_a_provider_that_forbids_polling_is_not_asked(
    system: System, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.providers.oura import spec

    id_ = connect(system, user)
    assert poll(system, id_, "workout", look=now_ms()) == {"workout": 1}
    monkeypatch.setattr(spec, "PROVIDER", replace(spec.PROVIDER, timer_polling=False))
    provider.cache_clear()
    with measured() as lines:
        assert poll(system, id_, "workout") == Counter()
    monkeypatch.undo()
    provider.cache_clear()
    assert [line["Silent"] for line in lines if "Silent" in line] == [[0.0]]


# ---------------------------------------------------------------- what it costs


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """DynamoDB's calls, by operation, and the items named in those that name some."""
    calls: Counter[str] = Counter()

    def seen(call: Asked) -> None:
        if call.service == "dynamodb":
            calls[call.operation] += 1
            calls["items"] += sum(len(table["Keys"]) for table in call.told.get("RequestItems", {}).values())

    with watched(before=seen):
        yield calls


def test_a_poll_that_is_spared_reads_four_items_and_writes_nothing(system: System, user: str) -> None:
    id_ = connect(system, user, "daily_activity", "heartrate")
    before = system.items(), system.items("Control")
    with counted() as calls:
        assert poll(system, id_, "daily_activity", "heartrate") == Counter()
    assert calls == {"GetItem": 2, "BatchGetItem": 1, "items": 2}
    assert (system.items(), system.items("Control")) == before


def test_the_simulation_bills_what_a_poll_does(system: System, user: str) -> None:
    """bench/ring.py, call by call, for a vendor without limits: nothing new, and then news."""
    id_ = connect(system, user, "daily_activity")
    unchanged = bench.OPENED + bench.JUDGED + bench.QUESTION
    for news, bill in ((False, unchanged), (True, unchanged + bench.NEWS)):
        if news:
            tell(system, "steps", day=today(), steps=10_777, webhooks=False)
        with counted() as calls:
            assert poll(system, id_, "daily_activity", look=now_ms() + HOUR) == {"daily_activity": 1}
        assert calls.total() - calls["items"] == bill.dynamodb_calls
        assert calls["PutItem"] + calls["UpdateItem"] <= bill.write_units


def index(id_: str) -> list[control.Item]:
    """What the ring holds of a connection."""
    segment = connections.segment(id_, 1)
    return [item for item in control.on_ring(segment)[0] if item["pk"] == f"C#{id_}"]


def test_no_poll_writes_the_index(system: System, user: str) -> None:
    """Neither one that brings news, nor one that brings none, though both write the connection."""
    id_ = connect(system, user)
    before, table = index(id_), held_as(id_)
    tell(system, "night", day=today(), webhooks=False)
    for hours in range(2):
        poll(system, id_, "workout", "sleep", look=now_ms() + hours * HOUR)
    assert held_as(id_) != table
    assert index(id_) == before


# ---------------------------------------------------------------- webhooks gone silent


def long_unheard(id_: str) -> None:
    yesterday = now_ms() - DAY - HOUR
    connections.change(id_, last_push_at=yesterday, since=yesterday)


def state(system: System, user: str) -> tuple[str, str]:
    with system.api(user) as api:
        [shown] = api.get("/v1/connections").json()["connections"]
    return shown["state"], shown["cause"]


def test_webhooks_that_tell_nothing_are_trusted_no_longer_until_they_do(system: System, user: str) -> None:
    id_ = connect(system, user, "daily_activity")
    long_unheard(id_)
    assert poll(system, id_, "daily_activity", look=now_ms() + HOUR) == {"daily_activity": 1}
    assert state(system, user) == ("active", "")  # nothing new was found that anybody could have told
    tell(system, "steps", day=today(), steps=12_345, webhooks=False)
    poll(system, id_, "daily_activity", look=now_ms() + HOUR)
    assert state(system, user) == ("degraded", "push_silent")
    assert condition.of(held_as(id_), provider("oura"), now_ms()).advice
    assert [bool(item["silent_since"]) for item in index(id_)] == [True]  # from now on the walker knows
    tell(system, "steps", day=today(), steps=12_999)
    system.work(("fresh",))
    assert state(system, user) == ("active", "")
    assert [bool(item["silent_since"]) for item in index(id_)] == [False]


def test_a_webhook_lost_now_and_then_is_no_silence(system: System, user: str) -> None:
    id_ = connect(system, user, "daily_activity")
    connections.change(id_, since=now_ms() - 2 * DAY)
    tell(system, "steps", day=today(), steps=11_111)
    system.work(("fresh",))
    tell(system, "steps", day=today(), steps=11_222, webhooks=False)
    poll(system, id_, "daily_activity", look=now_ms() + HOUR)
    assert state(system, user) == ("active", "")


# ---------------------------------------------------------------- shown, and measured


def test_each_resource_says_how_fresh_it_is_and_should_be(system: System, user: str) -> None:
    id_ = connect(system, user, "daily_activity")
    with system.api(user) as api:
        [shown] = api.get("/v1/connections").json()["connections"]
    fresh = {each["resource"]: each for each in shown["freshness"]}
    assert set(fresh) == set(shown["resources"])
    steps = fresh["daily_activity"]
    assert steps["by"] == "webhook"
    assert steps["actual_lag_minutes"] <= 1 < 30 <= steps["expected_lag_minutes"] <= 150
    assert datetime.fromisoformat(steps["as_of"]) > datetime.now(UTC) - timedelta(minutes=2)
    connections.change(id_, silent_since=1)
    with system.api(user) as api:
        [shown] = api.get("/v1/connections").json()["connections"]
    assert {each["by"] for each in shown["freshness"]} == {"polling"}


@contextmanager
def measured() -> Iterator[list[dict[str, Any]]]:
    """The lines that CloudWatch counts, as they are logged."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logger().registered_formatter)
    log = logging.getLogger(logger().name)
    log.addHandler(handler)
    found: list[dict[str, Any]] = []
    yield found
    log.removeHandler(handler)
    found += [line for line in map(json.loads, stream.getvalue().splitlines()) if "_aws" in line]


def test_the_lag_of_news_is_measured_by_provider_alone(system: System, user: str) -> None:
    id_ = connect(system, user)
    tell(system, "night", day=today(), webhooks=False)  # what the life of this person has told may be of any age
    with measured() as lines:
        poll(system, id_, "sleep")
        tell(system, "steps", day=today(), steps=9_876)
        system.work(("fresh",))
    values: dict[str, list[float]] = {"Lag": [], "PromiseUsed": [], "Silent": []}
    for line in lines:
        [told] = line["_aws"]["CloudWatchMetrics"]
        assert told["Namespace"] == "Tributary"
        assert (told["Dimensions"], line["provider"]) == ([["provider"]], "oura")
        [metric] = told["Metrics"]
        values[metric["Name"]] += line[metric["Name"]]
        assert not any(secret in json.dumps(line) for secret in (id_, user, "9876"))
    assert values["Silent"] == [0.0]
    assert len(values["Lag"]) == len(values["PromiseUsed"]) >= 2
    assert min(values["Lag"]) < 60
    assert all(0 <= used < 1 for used in values["PromiseUsed"])


def test_a_repeat_is_no_news_and_measures_nothing(system: System, user: str) -> None:
    id_ = connect(system, user, "workout")
    with measured() as lines:
        poll(system, id_, "workout", forced=True)
    assert [set(line) & {"Lag", "PromiseUsed"} for line in lines] == [set()]


def test_polling_goes_on_where_all_that_was_asked_failed(system: System, user: str) -> None:
    """The connection says when polls last ran; one that was refused did not."""
    id_ = connect(system, user)
    fault = {"provider": "oura", "kind": "rate_limit", "path": "/workout", "retry_after": 600, "times": 1}
    system.sandbox.post("/control/faults", json=fault)
    poll(system, id_, "workout", forced=True)
    assert held_as(id_).last_poll_at == 0
    system.sandbox.delete("/control/faults")
    poll(system, id_, "workout", forced=True)
    assert held_as(id_).last_poll_at > 0
