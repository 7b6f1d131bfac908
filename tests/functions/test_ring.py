"""The walker of catch-up polling, over a table of connections that nobody fetches for."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared import connections, control, errands, progress, ring, settings, tokens
from shared.jobs import Job, read, write
from shared.model import DAY, HOUR, MINUTE, instant
from shared.providers import OAuth2, Provider, Window
from shared.providers.registry import providers
from shared.signed import AwsError
from shared.timetable import LOOK_MINUTES
from shared.values import replace
from tests.functions.standing import backend
from tests.functions.system import System, invoke

NOON = instant("2026-11-20T12:00Z")[0]
STEADY = [p for p in providers() if any(resource.rhythm.by_day for resource in p.resources)]
POLLED = [p for p in STEADY if isinstance(p.auth, OAuth2) and p.timer_polling]
SEGMENTS = [f"{minute}#0" for minute in range(LOOK_MINUTES)]


@pytest.fixture(scope="module")
def people(aws: str) -> Iterator[tuple[System, list[str]]]:
    """A dozen people, each connected to one of the polled providers in turn."""
    with backend(aws) as system:
        yield system, [person(n, POLLED[n % len(POLLED)]) for n in range(12)]


def person(n: int, source: Provider) -> str:
    held = connections.establish(f"user{n}", source, f"account{n}", (), "UTC")
    tokens.keep_granted(source, held, {"access_token": "a", "refresh_token": "r"})
    return held.id


@pytest.fixture
def system(people: tuple[System, list[str]]) -> System:
    for queue in ("fresh", "bulk", "segments"):
        people[0].messages(queue)
    control.take(*ring.WATERMARK)
    return people[0]


@pytest.fixture
def ids(people: tuple[System, list[str]]) -> list[str]:
    return people[1]


def queued(system: System) -> list[Job]:
    return [read(message["Body"]) for message in system.messages("fresh")]


def polls(system: System) -> Counter[str]:
    return Counter(job.connection for job in queued(system) if job.task == "sync")


def walked() -> int:
    mark = control.get(*ring.WATERMARK)
    assert mark
    return int(mark["walked"])


def places(system: System) -> set[str]:
    """The segments on which there is somebody."""
    return {item["ring"]["S"] for item in system.items("Control").values() if "ring" in item}


def walk_from(at: int) -> None:
    """As if the ring had been walked up to then."""
    control.put({"pk": ring.WATERMARK[0], "sk": ring.WATERMARK[1], "walked": at // MINUTE})


def renew_tokens(ids: list[str]) -> None:
    """Whoever holds new tokens has a new place."""
    for n, id_ in enumerate(ids):
        held = connections.load(id_)
        assert held
        tokens.keep(POLLED[n % len(POLLED)], held, {"access_token": "a2", "refresh_token": "r2"})


def set_shards(patch: pytest.MonkeyPatch, shards: int) -> None:
    patch.setenv("RING_SHARDS", str(shards))
    settings.settings.cache_clear()


@pytest.fixture
def shards(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    settings.settings.cache_clear()


# ---------------------------------------------------------------- the walk


@pytest.mark.parametrize("outage", [30, 31, 240])
def test_after_an_outage_everybody_is_visited_once(system: System, ids: list[str], outage: int) -> None:
    walk_from(NOON - outage * MINUTE)
    assert ring.walk(NOON) == LOOK_MINUTES
    assert system.look() == LOOK_MINUTES
    assert set(polls(system).values()) == {1}
    assert walked() == NOON // MINUTE


def test_each_minute_is_one_message(system: System) -> None:
    assert [ring.walk(NOON + n * MINUTE) for n in range(5)] == [1] * 5
    looks = [read(message["Body"]) for message in system.messages("segments")]
    assert {(job.segment, job.as_of) for job in looks} == {(f"{n}#0", NOON + n * MINUTE) for n in range(5)}


def test_two_hours_of_looks(system: System, ids: list[str]) -> None:
    """Four times where only polling brings news, once where webhooks do."""
    for segment in places(system):
        minute = int(segment.split("#")[0])
        for half_hour in range(4):
            ring.look(ring.clocked(segment, NOON + (30 * half_hour + minute) * MINUTE))
    jobs = queued(system)
    told = {id_: POLLED[n % len(POLLED)].pushes for n, id_ in enumerate(ids)}
    assert Counter(job.connection for job in jobs) == Counter({id_: 1 if told[id_] else 4 for id_ in ids})
    assert len({job.id for job in jobs}) == len(jobs)
    assert {job.reason for job in jobs} == {"poll"}


def test_the_same_minute_twice_is_walked_once_and_the_watermark_never_goes_back(system: System) -> None:
    """Two containers' clocks differ, and EventBridge delivers at least once."""
    ring.walk(NOON - 30 * MINUTE)
    ring.walk(NOON)
    assert ring.walk(NOON) == 0
    assert ring.walk(NOON - 5 * MINUTE) == 0
    assert walked() == NOON // MINUTE
    assert ring.walk(NOON) == 0


def test_what_could_not_be_queued_is_queued_by_the_next_walk(system: System, shards: pytest.MonkeyPatch) -> None:
    walk_from(NOON - 30 * MINUTE)
    with pytest.MonkeyPatch.context() as broken:
        broken.setenv("SEGMENTS_QUEUE", f"{system.env['SEGMENTS_QUEUE']}-gone")
        settings.settings.cache_clear()
        with pytest.raises(AwsError):
            ring.walk(NOON)
    settings.settings.cache_clear()
    assert walked() == NOON // MINUTE - 30
    assert ring.walk(NOON) == LOOK_MINUTES


# ---------------------------------------------------------------- a look at a segment


def test_a_look_that_could_not_queue_is_given_back(system: System, ids: list[str], shards: pytest.MonkeyPatch) -> None:
    look = write(ring.clocked(connections.segment(ids[0], 1), NOON, forced=True))
    shards.setenv("FRESH_QUEUE", f"{system.env['FRESH_QUEUE']}-gone")
    settings.settings.cache_clear()
    with pytest.raises(AwsError):
        invoke("poll", {"Records": [{"body": look}]})


@pytest.fixture
def crowd(system: System, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Everybody on one segment, of which a message stands for two."""
    monkeypatch.setattr(control, "RING_PAGE", 2)
    for id_ in ids:
        connections.change(id_, ring="17#0")
    yield "17#0"
    for id_ in ids:
        connections.change(id_, ring=connections.segment(id_, 1))


def test_a_segment_is_read_page_by_page(system: System, ids: list[str], crowd: str) -> None:
    """However many people share a minute, one invocation has a page of them."""
    assert invoke("poll", {"segments": [crowd]}) == {"queued": 2}
    pages = 1
    while found := system.messages("segments"):
        assert len(found) == 1
        assert invoke("poll", {"Records": [{"body": found[0]["Body"]}]})["queued"] <= 2
        pages += 1
    assert polls(system) == Counter(ids)
    assert pages in (6, 7)  # full to the brim, a page does not say that it is the last


def test_more_shards_lose_nobody(system: System, ids: list[str], shards: pytest.MonkeyPatch) -> None:
    """Who is connected stays where they are until their tokens are renewed; the old place is walked as well."""
    set_shards(shards, 3)
    assert set(SEGMENTS) < set(connections.segments(3))

    def looked_at() -> Counter[str]:
        walk_from(NOON - 30 * MINUTE)
        assert ring.walk(NOON) == 3 * LOOK_MINUTES
        looks = {job.segment: job for job in (read(message["Body"]) for message in system.messages("segments"))}
        for segment in places(system):
            ring.look(replace(looks[segment], forced=True))
        return polls(system)

    assert looked_at() == Counter(ids)
    renew_tokens(ids)
    assert len({place.split("#")[1] for place in places(system)}) > 1
    assert looked_at() == Counter(ids)
    set_shards(shards, 1)
    renew_tokens(ids)


def test_everyone_is_synced_page_by_page_and_the_job_then_ends(system: System, ids: list[str], crowd: str) -> None:
    progress.open_job("all", "everyone", "sync", [crowd])
    todo = [Job(id="all", task="everyone", reason="sync", as_of=1, segment=crowd, tracked="all", part=crowd)]
    asked: Counter[str] = Counter()
    while todo:
        assert progress.report("all", "everyone")["status"] == "running"
        errands.everyone(todo.pop())
        for job in (read(message["Body"]) for message in system.messages("bulk")):
            if job.task == "everyone":
                todo.append(job)
            else:
                asked[job.connection] += 1
    assert asked == Counter(ids)
    assert progress.report("all", "everyone")["status"] == "completed"


def test_an_operators_now_asks_for_everything_at_any_hour(
    system: System, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At half past three in the morning hardly anything is due."""
    asleep = NOON + 15 * HOUR + 30 * MINUTE
    monkeypatch.setattr(time, "time_ns", lambda: asleep * 10**6)
    walk_from(asleep - MINUTE)
    assert invoke("poll", {}) == {"segments": 1}
    assert invoke("poll", {"segments": SEGMENTS}) == {"queued": len(ids)}
    jobs = queued(system)
    assert all(job.forced for job in jobs)
    asked = {job.connection: set(job.resources) for job in jobs}
    for n, id_ in enumerate(ids):
        assert asked[id_] == {r.name for r in POLLED[n % len(POLLED)].resources}


def test_each_connection_is_reviewed_once_a_week_behind_everything_else(system: System, ids: list[str]) -> None:
    """At eleven, for who wakes at seven; each on a day of their own."""
    for day in range(7):
        for segment in places(system):
            ring.look(ring.clocked(segment, NOON - HOUR + day * DAY + int(segment.split("#")[0]) * MINUTE))
    found = [read(message["Body"]) for message in system.messages("bulk")]
    assert Counter(job.connection for job in found) == Counter(ids)
    assert {(job.reason, job.resources) for job in found} == {("review", ())}
    for job in found:
        today = datetime.fromtimestamp(job.as_of / 1000, UTC).date()
        assert job.days() == Window(today - timedelta(days=13), today)


def test_an_operator_has_all_of_them_reviewed(system: System, ids: list[str]) -> None:
    assert invoke("poll", {"segments": SEGMENTS, "review": True}) == {"queued": len(ids)}
    assert queued(system) == []
    assert {read(message["Body"]).connection for message in system.messages("bulk")} == set(ids)


def test_subscriptions_are_renewed_once_a_day(system: System, ids: list[str]) -> None:
    midnight = NOON + 12 * HOUR
    walk_from(midnight - MINUTE)
    for minutes in (0, 29, 59):
        ring.walk(midnight + minutes * MINUTE)
    system.look()
    renewed = [(job.provider, job.connection) for job in queued(system) if job.task == "subscribe"]
    wished = {p.id: p.subscriptions.per for p in providers() if p.subscriptions}
    by_person = [(POLLED[n % len(POLLED)].id, id_) for n, id_ in enumerate(ids)]
    expected = [(source, "") for source, per in wished.items() if per == "app"]
    expected += [(source, id_) for source, id_ in by_person if wished.get(source) == "connection"]
    assert sorted(renewed) == sorted(expected)


def test_who_must_consent_again_is_not_polled_until_then(system: System, ids: list[str]) -> None:
    assert connections.suspend(ids[0], "invalid_grant")
    invoke("poll", {"segments": SEGMENTS})
    assert set(polls(system)) == set(ids[1:])
    held = connections.load(ids[0])
    assert held
    tokens.keep_granted(POLLED[0], held, {"access_token": "a", "refresh_token": "r"})
    invoke("poll", {"segments": SEGMENTS})
    assert set(polls(system)) == set(ids)


def test_a_poll_says_nothing_but_identifiers(system: System) -> None:
    walk_from(NOON - 30 * MINUTE)
    ring.walk(NOON)
    system.look()
    bodies = [json.loads(message["Body"]) for message in system.messages("fresh")]
    assert {key for body in bodies for key in body} == {"id", "reason", "as_of", "connection", "resources", "run"}
