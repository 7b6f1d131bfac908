"""The walker of catch-up polling, over a table of connections that nobody fetches for."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from shared import connections, control, ring, settings, tokens
from shared.jobs import Job, read
from shared.model import HOUR, MINUTE, instant
from shared.providers import OAuth2, Provider
from shared.providers.registry import providers
from shared.signed import AwsError
from tests.functions.standing import backend
from tests.functions.system import System, invoke

NOON = instant("2026-11-20T12:00Z")[0]
POLLED = [p for p in providers() if isinstance(p.auth, OAuth2) and p.timer_polling]
SEGMENTS = [f"{minute}#0" for minute in range(connections.RING_MINUTES)]


@pytest.fixture(scope="module")
def people(aws: str) -> Iterator[tuple[System, list[str]]]:
    """Two dozen people, each connected to one of the polled providers in turn."""
    with backend(aws) as system:
        yield system, [person(n, POLLED[n % len(POLLED)]) for n in range(24)]


def person(n: int, source: Provider) -> str:
    held = connections.establish(f"user{n}", source, f"account{n}", (), "UTC")
    tokens.keep_granted(source, held, {"access_token": "a", "refresh_token": "r"})
    return held.id


@pytest.fixture
def system(people: tuple[System, list[str]]) -> System:
    people[0].messages("fresh")
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


@pytest.mark.parametrize("outage", [30, 31, 240])
def test_after_an_outage_everybody_is_visited_once(system: System, ids: list[str], outage: int) -> None:
    ring.walk(NOON - outage * MINUTE)
    queued(system)
    assert ring.walk(NOON) == len(ids)
    assert polls(system) == Counter(ids)
    assert walked() == NOON // MINUTE


def test_thirty_walks_are_one_round(system: System, ids: list[str]) -> None:
    rounds = [ring.walk(NOON + n * MINUTE) for n in range(30)]
    assert sum(rounds) == len(ids)
    assert max(rounds) < len(ids) / 2
    jobs = queued(system)
    assert Counter(job.connection for job in jobs) == Counter(ids)
    assert len({job.id for job in jobs}) == len(ids)
    assert {job.reason for job in jobs} == {"poll"}


def test_the_same_minute_twice_is_walked_once_and_the_watermark_never_goes_back(system: System) -> None:
    """Two containers' clocks differ, and EventBridge delivers at least once."""
    ring.walk(NOON - 30 * MINUTE)
    ring.walk(NOON)
    assert ring.walk(NOON) == 0
    assert ring.walk(NOON - 5 * MINUTE) == 0
    assert walked() == NOON // MINUTE
    assert ring.walk(NOON) == 0


def test_what_could_not_be_queued_is_queued_by_the_next_walk(
    system: System, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ring.walk(NOON - 30 * MINUTE)
    queued(system)
    with monkeypatch.context() as broken:
        broken.setenv("FRESH_QUEUE", f"{system.env['FRESH_QUEUE']}-gone")
        settings.settings.cache_clear()
        with pytest.raises(AwsError):
            ring.walk(NOON)
    settings.settings.cache_clear()
    assert walked() == NOON // MINUTE - 30
    ring.walk(NOON)
    assert set(polls(system)) == set(ids)


def test_an_operators_now_asks_for_everything_at_any_hour(
    system: System, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At half past three in the morning nothing is due."""
    asleep = NOON + 15 * HOUR + 30 * MINUTE
    monkeypatch.setattr(time, "time_ns", lambda: asleep * 10**6)
    control.put({"pk": ring.WATERMARK[0], "sk": ring.WATERMARK[1], "walked": asleep // MINUTE - 1})
    assert invoke("poll", {}) == {"queued": 0}
    assert invoke("poll", {"segments": SEGMENTS}) == {"queued": len(ids)}
    asked = {job.connection: set(job.resources) for job in queued(system)}
    for n, id_ in enumerate(ids):
        assert asked[id_] == {r.name for r in POLLED[n % len(POLLED)].resources}


def test_subscriptions_are_renewed_once_a_day(system: System, ids: list[str]) -> None:
    midnight = NOON + 12 * HOUR
    control.put({"pk": ring.WATERMARK[0], "sk": ring.WATERMARK[1], "walked": midnight // MINUTE - 1})
    for minutes in (0, 29, 59, 89):
        ring.walk(midnight + minutes * MINUTE)
    renewed = [(job.provider, job.connection) for job in queued(system) if job.task == "subscribe"]
    wished = {p.id: p.subscriptions.per for p in providers() if p.subscriptions}
    by_person = [(POLLED[n % len(POLLED)].id, id_) for n, id_ in enumerate(ids)]
    expected = [(source, "") for source, per in wished.items() if per == "app"]
    expected += [(source, id_) for source, id_ in by_person if wished.get(source) == "connection"]
    assert sorted(renewed) == sorted(expected)


def test_who_must_consent_again_is_not_polled_until_then(system: System, ids: list[str]) -> None:
    assert connections.suspend(ids[0], "invalid_grant")
    ring.look(SEGMENTS, NOON)
    assert set(polls(system)) == set(ids[1:])
    held = connections.load(ids[0])
    assert held
    tokens.keep_granted(POLLED[0], held, {"access_token": "a", "refresh_token": "r"})
    ring.look(SEGMENTS, NOON)
    assert set(polls(system)) == set(ids)


def test_a_poll_says_nothing_but_identifiers(system: System) -> None:
    ring.look(SEGMENTS, NOON)
    bodies = [json.loads(message["Body"]) for message in system.messages("fresh")]
    assert {key for body in bodies for key in body} == {"id", "reason", "as_of", "connection", "resources", "run"}
