"""Push from the phone, end to end: what is pushed is there to read, once, whatever a phone does with its batches."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.life import PEOPLE, Life
from sandbox.phone import Android, IPhone, Phone
from sandbox.world import World
from shared import connections, consents, handed, sections
from shared.connections import of_user
from shared.errors import ConflictError
from shared.providers.registry import provider
from tests.functions.standing import ask, backend
from tests.functions.system import System
from tests.functions.wired import Asked, watched

pytestmark = pytest.mark.needs("healthkit", "health_connect")

NOW = datetime(2026, 11, 19, 12, tzinfo=UTC)
ADA, LIFE = PEOPLE["ada"], Life(7, NOW)
DAY = date(2026, 11, 15)
USERS, KEYS = count(1), count(1)
STEPS, BEAT = "HKQuantityTypeIdentifierStepCount", "HKQuantityTypeIdentifierHeartRate"
WATCH = {"bundle_id": "com.apple.health.0F1D", "product_type": "Watch7,5"}
Record = dict[str, Any]


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    with backend(aws) as system:
        yield system


@pytest.fixture
def system(standing: System) -> System:
    standing.failures.clear()
    for queue in ("fresh", "bulk", "changes"):
        standing.messages(queue)
    return standing


@pytest.fixture
def user() -> str:
    return f"phone{next(USERS)}"


@pytest.fixture(params=[IPhone, Android])
def phone(request: pytest.FixtureRequest) -> Phone:
    made: Phone = request.param(World(LIFE, frozen=True), ADA)
    return made


def push(
    system: System, user: str, *upserts: Record, platform: str = "healthkit", key: str = "", **batch: Any
) -> httpx.Response:
    told = {"time_zone": "Europe/Berlin", "upserts": list(upserts), **batch}
    headers = {"idempotency-key": key or f"key-{next(KEYS)}"}
    return ask(system, "POST", f"/v1/push/{platform}", user, json=told, headers=headers)


def sample(n: int, at: str, value: float = 60, kind: str = BEAT, unit: str = "count/min", **said: Any) -> Record:
    named = {"source_id": f"8E0C1B7A-6B0B-4B43-9C6E-{n:012X}", "type": kind, "start": at, "end": at}
    return {**named, "value": value, "unit": unit, "source": WATCH, **said}


def work(system: System) -> None:
    system.work()
    assert system.failures == []


def stored(system: System, user: str) -> dict[str, Any]:
    """Sections by key: what is in them, not how it came."""
    work(system)
    return {sk: item["hash"]["B"] for (pk, sk), item in system.items().items() if pk == user and sk.startswith("P#")}


def samples(system: System, user: str, day: date = DAY) -> set[str]:
    work(system)
    found = sections.sections(user, day.isoformat(), day.isoformat(), consistent=True)
    return {document.id for section in found for document in section.documents()}


# ---------------------------------------------------------------- a life


def test_a_life_is_pushed_and_read(system: System, user: str, phone: Phone) -> None:
    for batch in phone.batches(DAY):
        reply = phone.push(lambda path, headers, body: sent(system, user, path, headers, body), f"k{next(KEYS)}", batch)
        assert (reply["status"], reply["accepted"], reply["rejected"]) == (202, len(batch["upserts"]), 0)
        assert reply["acknowledged"] == batch["cursors"]
    work(system)
    metrics = system.days(DAY.isoformat(), DAY.isoformat(), user)[DAY.isoformat()]["metrics"]
    night = phone.world.sleeps(ADA, DAY)[0]
    assert metrics["steps"]["value"] == sum(m.steps for m in phone.world.worn(ADA, DAY)), "the watch's, not the phone's"
    assert metrics["sleep_duration"]["value"] == pytest.approx(night.asleep / 3600, abs=0.001)
    assert metrics["deep_sleep"]["value"] == pytest.approx(night.seconds("1") / 3600, abs=0.001)
    efficiency = 100 * night.asleep / (night.end - night.start)
    assert metrics["sleep_efficiency"]["value"] == pytest.approx(efficiency, abs=0.1)
    with system.api(user) as api:
        span = {"from": DAY.isoformat(), "to": DAY.isoformat(), "fresh": "true"}
        sleeps = api.get("/v1/sleep", params=span).json()["sleep"]
        workouts = api.get("/v1/workouts", params=span).json()["workouts"]
        [column] = api.get("/v1/metrics/weight", params=span).json()["series"] or [{"values": []}]
    slept = [(iso(sleep.start), iso(sleep.end)) for sleep in phone.world.sleeps(ADA, DAY)]
    assert [(sleep["start"], sleep["end"]) for sleep in sleeps] == slept
    ran = phone.world.workout(ADA, DAY)
    assert ran
    assert [(w["start"], w["sport"]) for w in workouts] == [(iso(ran.start), label(phone, ran.activity))]
    weighed = [w.kg for w in phone.world.weighings(ADA) if local(w.at) == DAY]
    assert column["values"] == pytest.approx(weighed, abs=0.001)


def sent(system: System, user: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Record]:
    reply = ask(system, "POST", path, user, headers=headers, content=body)
    return reply.status_code, reply.json()


def iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def local(at: int) -> date:
    return datetime.fromtimestamp(at, ADA.zone).date()


def label(phone: Phone, activity: str) -> str:
    return "biking" if activity == "cycling" and isinstance(phone, Android) else activity


def test_batches_in_any_order_and_twice_leave_the_same(system: System) -> None:
    """Nights cut anywhere, deletions before and after what they delete."""
    records = list(IPhone(World(LIFE, frozen=True), ADA).records(DAY))[::7]
    gone = [{"source_id": r["source_id"]} for r in records[::9]]
    size = len(records) // 3 + 1
    parts = [(records[n : n + size], []) for n in range(0, len(records), size)] + [([], gone)]

    def left(order: list[int]) -> dict[str, Any]:
        user = f"order{next(USERS)}"
        for n in order:
            assert push(system, user, *parts[n][0], deletes=parts[n][1]).status_code == 202
        return stored(system, user)

    straight = left(list(range(len(parts))))
    assert len(straight) >= 4, "steps of the watch and of the phone, heart rate, sleep"

    @settings(max_examples=2, deadline=None, database=None)
    @given(st.randoms(use_true_random=False))
    def check(random: Random) -> None:
        order = [*range(len(parts)), *range(0, len(parts), 2)]
        random.shuffle(order)
        assert left(order) == straight

    check()


# ---------------------------------------------------------------- keys


def test_the_same_key_is_answered_the_same_and_done_once(system: System, user: str) -> None:
    first, again = (push(system, user, sample(1, f"{DAY}T08:00:00Z"), key="again") for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    work(system)
    announced = [json.loads(message["Body"])["id"] for message in system.messages("changes")]
    assert len(set(announced)) == 1
    once = stored(system, user)
    assert push(system, user, sample(1, f"{DAY}T08:00:00Z"), key="again").json() == first.json()
    assert stored(system, user) == once


def test_the_same_key_with_another_batch_is_refused(system: System, user: str) -> None:
    push(system, user, sample(1, f"{DAY}T08:00:00Z"), key="mine")
    refused = push(system, user, sample(1, f"{DAY}T08:00:01Z"), key="mine")
    assert (refused.status_code, refused.json()["error"]["param"]) == (409, "idempotency-key")
    assert push(system, f"{user}b", sample(1, f"{DAY}T08:00:01Z"), key="mine").status_code == 202, "keys are one's own"


# ---------------------------------------------------------------- items


BAD: list[tuple[Any, str]] = [
    ({**sample(1, f"{DAY}T08:00:00Z"), "type": "HKQuantityTypeIdentifierNoSuchThing"}, "type"),
    ({**sample(2, f"{DAY}T08:00:00Z"), "end": f"{DAY}T07:00:00Z"}, "end"),
    ({**sample(3, f"{DAY}T08:00:00Z"), "value": "57"}, "value"),
    ({**sample(4, f"{DAY}T08:00:00Z"), "unit": "stone"}, "unit"),
    ({**sample(5, f"{DAY}T08:00:00Z"), "unit": None}, "unit"),
    ({**sample(6, f"{DAY}T08:00:00")}, "start"),
    ({**sample(7, "2097-01-01T08:00:00Z")}, "end"),
    ({**sample(8, f"{DAY}T08:00:00Z"), "zone": "Mars/Olympus"}, "zone"),
    ({**sample(9, f"{DAY}T08:00:00Z"), "source_id": ""}, "source_id"),
    ({**sample(10, f"{DAY}T08:00:00Z", 97, "HKQuantityTypeIdentifierOxygenSaturation", "%")}, "value"),
    ({**sample(11, f"{DAY}T08:00:00Z"), "source": {"bundle_id": "a#b"}}, "source.bundle_id"),
    ({"source_id": "x"}, "type"),
    (None, "source_id"),
    ([1], "source_id"),
]


def test_a_bad_item_is_named_and_spoils_no_other(system: System, user: str) -> None:
    good = [sample(100 + n, f"{DAY}T09:00:{n:02}Z") for n in range(len(BAD))]
    mixed = [item for (bad, _), fine in zip(BAD, good, strict=True) for item in (bad, fine)]
    reply = push(system, user, *mixed, deletes=[{"source_id": "gone"}, {"type": BEAT}, 7]).json()
    wrong = [result["field"] for result in reply["upserts"] if result["status"] == "rejected"]
    assert wrong == [where for _, where in BAD]
    assert all(result["message"] for result in reply["upserts"] if result["status"] == "rejected")
    assert [result["status"] for result in reply["upserts"]] == ["rejected", "accepted"] * len(BAD)
    assert [result["status"] for result in reply["deletes"]] == ["accepted", "rejected", "rejected"]
    assert samples(system, user) == {record["source_id"] for record in good}


def test_a_message_never_says_what_was_sent(system: System, user: str) -> None:
    said = push(system, user, sample(1, f"{DAY}T08:00:00Z", 8123.5), {**sample(2, "x"), "value": "8123.5"}).text
    assert "8123" not in said


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("nokia", {"json": {"time_zone": "UTC"}}, 404, "provider"),
    ("dexcom", {"json": {"time_zone": "UTC"}}, 404, "platform"),
    ("healthkit", {"json": {"time_zone": "Mars"}}, 400, "time_zone"),
    ("healthkit", {"json": {"time_zone": "UTC", "stage": "soon"}}, 400, "stage"),
    ("healthkit", {"json": {"time_zone": "UTC", "surplus": 1}}, 400, "surplus"),
    ("healthkit", {"json": [1]}, 400, "body"),
    ("healthkit", {"content": b"\xff{"}, 400, "body"),
    ("healthkit", {"content": b'{"upserts": [%s1%s]}' % (b"[" * 300, b"]" * 300)}, 400, "body"),
    ("healthkit", {"content": b"not gzip", "headers": {"content-encoding": "gzip"}}, 400, "body"),
    ("healthkit", {"content": b"{}", "headers": {"content-encoding": "br"}}, 400, "content-encoding"),
    ("healthkit", {"json": {"time_zone": "UTC", "upserts": [1] * 2001}}, 413, "upserts"),
    ("healthkit", {"content": gzip.compress(b" " * 5_000_001), "headers": {"content-encoding": "gzip"}}, 413, "body"),
]


@pytest.mark.parametrize(("platform", "said", "status", "param"), REFUSED)
def test_a_batch_that_cannot_be_taken_says_why(
    system: System, user: str, platform: str, said: dict[str, Any], status: int, param: str
) -> None:
    headers = {"idempotency-key": "k", **said.pop("headers", {})}
    reply = ask(system, "POST", f"/v1/push/{platform}", user, headers=headers, **said)
    assert (reply.status_code, reply.json()["error"]["param"]) == (status, param)
    assert of_user(user) == []


def test_a_push_without_a_key_is_refused(system: System, user: str) -> None:
    reply = ask(system, "POST", "/v1/push/healthkit", user, json={"time_zone": "UTC"})
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "idempotency-key")


def test_gzip_and_history(system: System, user: str) -> None:
    batch = {"time_zone": "UTC", "stage": "historical", "upserts": [sample(1, f"{DAY}T08:00:00Z")]}
    headers = {"idempotency-key": "k", "content-encoding": "gzip", "content-type": "application/json"}
    raw = gzip.compress(json.dumps(batch).encode())
    reply = ask(system, "POST", "/v1/push/healthkit", user, headers={**headers, "content-type": "x/gzip"}, content=raw)
    assert (reply.status_code, reply.json()["accepted"]) == (202, 1)
    [message] = system.messages("bulk")
    assert json.loads(message["Body"])["reason"] == "push"


# ---------------------------------------------------------------- deletions and versions


def test_what_is_deleted_goes_and_does_not_come_back(system: System, user: str) -> None:
    beats = [sample(n, f"{DAY}T08:00:{n:02}Z") for n in range(30)]
    push(system, user, *beats)
    assert len(samples(system, user)) == 30
    push(system, user, deletes=[{"source_id": b["source_id"], "type": BEAT} for b in beats[:10]])
    assert samples(system, user) == {b["source_id"] for b in beats[10:]}
    push(system, user, *beats)
    assert samples(system, user) == {b["source_id"] for b in beats[10:]}, "a late retry brings nothing back"
    push(system, user, deletes=[{"source_id": "8E0C1B7A-6B0B-4B43-9C6E-0000000003E7"}])
    push(system, user, sample(999, f"{DAY}T09:00:00Z"))
    assert len(samples(system, user)) == 20, "deleted before it came"


def test_a_deletion_without_a_type_finds_its_record(system: System, user: str) -> None:
    phone = Android(World(LIFE, frozen=True), ADA)
    records = list(phone.records(DAY))
    push(system, user, *records, platform=phone.platform)
    one_of_each = {r["type"]: r["source_id"] for r in records}
    before = samples(system, user)
    push(system, user, platform=phone.platform, deletes=[{"source_id": id_} for id_ in one_of_each.values()])
    assert samples(system, user) == before - set(one_of_each.values())
    stones = [sk for pk, sk in system.items() if pk == user and sk.startswith("T#")]
    assert len(stones) == 7, "one for each resource, however many were deleted"


def version(minute: int, steps: int) -> Record:
    span = {"start": f"{DAY}T08:00:00Z", "end": f"{DAY}T08:15:00Z"}
    named = {"source_id": "0191c2b0-5f5e-7c1d-b0de-1a2b3c4d5e6f", "type": "StepsRecord"}
    return {**named, **span, "value": steps, "version": {"last_modified": f"{DAY}T09:{minute:02}:00Z"}}


def test_the_later_version_stands_whichever_comes_first(system: System, user: str) -> None:
    for minute, steps in ((20, 412), (10, 300), (30, 420), (20, 412)):
        push(system, user, version(minute, steps), platform="health_connect")
        work(system)
    metrics = system.days(DAY.isoformat(), DAY.isoformat(), user)[DAY.isoformat()]["metrics"]
    assert metrics["steps"]["value"] == 420


def test_a_clock_that_is_ahead_can_be_corrected(system: System, user: str) -> None:
    ahead = {**version(0, 412), "version": {"last_modified": "2099-01-01T00:00:00Z"}}
    push(system, user, ahead, platform="health_connect")
    work(system)
    push(system, user, platform="health_connect", deletes=[{"source_id": ahead["source_id"]}])
    assert samples(system, user) == set()


# ---------------------------------------------------------------- coming and going


def ledger(user: str) -> list[tuple[str, str, str]]:
    return [(entry["action"], entry["provider"], entry["text"]) for entry in consents.entries(user)]


def test_the_first_push_connects_and_a_disconnected_phone_is_refused(system: System, user: str) -> None:
    push(system, user, sample(1, f"{DAY}T08:00:00Z"), consent_text="v3")
    push(system, user, sample(2, f"{DAY}T08:00:01Z"), consent_text="v3")
    assert ledger(user) == [("granted", "healthkit", "v3")]
    with system.api(user) as api:
        [shown] = api.get("/v1/connections").json()["connections"]
        assert (shown["provider"], shown["state"]) == ("healthkit", "active")
        assert api.get("/v1/profile").json()["timezone"] == "Europe/Berlin"
        api.delete(f"/v1/connections/{shown['id']}")
    refused = push(system, user, sample(3, f"{DAY}T08:00:02Z"))
    assert (refused.status_code, refused.json()["error"]["param"]) == (409, "reconnect")
    work(system)
    assert push(system, user, sample(3, f"{DAY}T08:00:02Z")).status_code == 409
    assert push(system, user, sample(3, f"{DAY}T08:00:02Z"), reconnect=True, consent_text="v4").status_code == 202
    assert push(system, user, sample(4, f"{DAY}T08:00:03Z")).status_code == 202
    assert [action for action, *_ in ledger(user)] == ["granted", "withdrawn", "granted"]
    assert len(samples(system, user)) == 4


def test_a_purge_takes_everything_and_the_phone_is_still_refused(system: System, user: str) -> None:
    push(system, user, sample(1, f"{DAY}T08:00:00Z"), deletes=[{"source_id": "x"}])
    work(system)
    [held] = of_user(user)
    with system.api(user) as api:
        api.delete(f"/v1/connections/{held.id}", params={"purge": "true"})
    work(system)
    assert [sk for pk, sk in system.items() if pk == user and sk[:2] in ("P#", "T#")] == []
    assert push(system, user, sample(1, f"{DAY}T08:00:00Z")).status_code == 409


def test_an_erased_person_is_gone(system: System, user: str) -> None:
    push(system, user, sample(1, f"{DAY}T08:00:00Z"))
    work(system)
    with system.api(user) as api:
        assert api.delete("/v1/user").status_code == 202
    system.work()
    assert not [key for table in ("Data", "Control") for key in system.items(table) if key[0] in (user, f"U#{user}")]


# ---------------------------------------------------------------- many at once


def test_first_batches_side_by_side_connect_once(system: System, user: str) -> None:
    """Each has passed the look for a connection before any has made one."""
    source = provider("healthkit")
    one, other = (connections._create(user, source, "", (), "UTC"), handed.established(user, source))
    assert one.id == other.id
    with pytest.raises(ConflictError):
        connections._create(user, source, "", (), "UTC")
    assert push(system, user, sample(1, f"{DAY}T08:00:00Z")).status_code == 202


def test_two_thousand_items_cost_no_more_calls_than_two(system: System, user: str) -> None:
    calls: list[str] = []

    def note(call: Asked) -> None:
        """An erasure may still be waiting to sweep somebody else a second time."""
        if call.service == "s3" or (call.service == "dynamodb" and f'"{user}"' in json.dumps(call.told)):
            calls.append(call.operation)

    def pushed(*items: Record) -> tuple[int, int]:
        calls.clear()
        headers = {"authorization": f"Bearer {user}", "idempotency-key": f"key-{next(KEYS)}"}
        batch = {"time_zone": "UTC", "upserts": items}
        reply = httpx.post(f"{system.url}/v1/push/healthkit", headers=headers, json=batch, timeout=60)
        assert (reply.json()["accepted"], reply.json()["rejected"]) == (len(items), 0)
        door = len(calls)
        work(system)
        return door, len(calls) - door

    push(system, user, sample(0, f"{DAY}T00:00:00Z"))
    work(system)
    start = datetime.fromisoformat(f"{DAY}T06:00:00+00:00")
    with watched(before=note):
        few = pushed(sample(1, f"{DAY}T08:00:00Z"), sample(2, f"{DAY}T08:00:01Z"))
        many = pushed(*(sample(n, (start + timedelta(seconds=15 * n)).isoformat()) for n in range(10, 2010)))
    assert many[0] <= few[0] + 1, "the door puts a large batch to S3"
    assert many[1] <= few[1] + 4
