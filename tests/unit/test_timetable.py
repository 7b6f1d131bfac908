"""Catch-up polling over whole days: how often each kind of signal is looked at, wherever the person lives."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.looks import Turn, last_due, next_due
from shared.model import DAY, HOUR, MINUTE, instant
from shared.providers import Cadence, FileUpload, Provider, Request, Resource, SecretPath, Upload, Webhook, Window
from shared.timetable import LOOK, LOOK_MINUTES, due, is_reviewed, last_days
from shared.values import replace

CADENCES: tuple[Cadence, ...] = get_args(Cadence)
INTERVALS: tuple[Cadence, ...] = ("steady", "hourly")
RESOURCES = (
    *(Resource(name=c, map=lambda page: (), fetch=lambda days: Request(url=""), cadence=c) for c in CADENCES),
    *(
        Resource(name=f"told {c}", map=lambda page: (), fetch=lambda days: Request(url=""), cadence=c, topics=(c,))
        for c in INTERVALS
    ),
    Resource(name="pushed", map=lambda page: (), topics=("pushed",)),
)
SOURCE = Provider(
    id="ring", name="Ring", docs="", kind="ring", base_url="", resources=RESOURCES,
    auth=FileUpload((), lambda body, media, zone: Upload({}, 0, ())),
    webhook=Webhook(proof=SecretPath(), read=lambda body, now: ()),
)  # fmt: skip
EVERYTHING = [r.name for r in SOURCE.resources]
ZONES = ["Europe/Berlin", "Asia/Kathmandu", "America/Los_Angeles", "Pacific/Kiritimati"]
zones, minutes, wakes = st.sampled_from(ZONES), st.integers(0, 29), st.integers(0, 23)


def looks(
    zone: str, day: str, minute: int, wake: int = 7, silent: bool = False, days: int = 1, source: Provider = SOURCE
) -> dict[str, list[float]]:
    """By resource, the hours since the first local midnight at which a connection with this hash minute is polled."""
    found: dict[str, list[float]] = defaultdict(list)
    start = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    first = round(start.timestamp() * 1000)
    for at in range(first, first + days * DAY, MINUTE):
        if at // MINUTE % LOOK_MINUTES == minute:
            for name in due(source, EVERYTHING, zone, at, wake, silent):
                found[name].append((at - first) / HOUR)
    return found


def gaps(hours: list[float]) -> list[int]:
    """Minutes between one ask and the next."""
    return [round(60 * (after - before)) for before, after in pairwise(hours)]


@pytest.mark.parametrize("minute", [0, 17, 29])
@pytest.mark.parametrize("zone", ZONES)
def test_a_day_of_looks(zone: str, minute: int) -> None:
    found = looks(zone, "2026-11-20", minute)
    by_night = [hour for hour in found["steady"] if hour < 7 or hour >= 23]
    assert len(found["steady"]) - len(by_night) == 32
    assert len(by_night) in (3, 4)
    for cadence, hours in {"night": (8, 9, 10), "daily": (9, 19), "rare": (11,)}.items():
        assert len(found[cadence]) == len(hours), cadence
        assert all(0 <= at - hour < 0.5 for at, hour in zip(found[cadence], hours, strict=True)), cadence
    assert "pushed" not in found


@settings(max_examples=30)
@given(zones, minutes, wakes)
def test_everything_is_looked_at_every_day_whenever_people_wake(zone: str, minute: int, wake: int) -> None:
    found = looks(zone, "2026-11-20", minute, wake)
    assert {name: len(found[name]) for name in ("night", "daily", "rare")} == {"night": 3, "daily": 2, "rare": 1}


@settings(max_examples=30)
@given(zones, minutes, wakes)
def test_no_signal_is_left_alone_for_longer_than_it_may(zone: str, minute: int, wake: int) -> None:
    """Over midnights and wakings, too: steps 30 minutes by day and two hours and a half by night, a resting heart rate
    one to two hours (and once less, where day and night meet), and what webhooks tell of two hours."""
    found = looks(zone, "2026-11-18", minute, wake, days=3)
    assert set(gaps(found["steady"])) <= {30, 60, 90, 120, 150}
    assert set(gaps(found["hourly"])) <= {30, 60, 90, 120}
    assert gaps(found["hourly"]).count(30) <= 6
    assert set(gaps(found["told steady"])) == set(gaps(found["told hourly"])) == {120}


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_change_of_clocks_loses_no_look(day: str) -> None:
    found = looks("Europe/Berlin", day, 5)
    assert [len(found[c]) for c in ("night", "daily", "rare")] == [3, 2, 1]


def test_where_webhooks_are_silent_polling_is_at_full_cadence() -> None:
    told, silent = (looks("UTC", "2026-11-20", 3, silent=silent) for silent in (False, True))
    assert (len(told["told steady"]), len(silent["told steady"])) == (12, len(told["steady"]))
    assert silent["told steady"] == silent["steady"] == told["steady"]


def test_what_is_asked_seldom_is_spread_over_all_looks() -> None:
    """Everybody's every fourth look at once would be four times the load, and then none."""
    each = Counter(int(hour * 2) for minute in range(30) for hour in looks("UTC", "2026-11-20", minute)["told steady"])
    assert len(each) == 48
    assert max(each.values()) <= 8


def test_who_forbids_polling_is_only_watched() -> None:
    forbids = replace(SOURCE, timer_polling=False)
    found = looks("UTC", "2026-11-20", 3, source=forbids)
    assert {name: len(hours) for name, hours in found.items()} == dict.fromkeys(EVERYTHING, 1)
    assert next_due(forbids, EVERYTHING, Turn(3), 0) is last_due(forbids, "steady", Turn(3), DAY) is None


@settings(max_examples=30)
@given(zones, minutes, wakes, st.integers(0, 6))
def test_every_connection_is_reviewed_once_a_week(zone: str, minute: int, wake: int, weekday: int) -> None:
    start = instant("2026-11-02T00:00Z")[0] + minute * MINUTE
    found = [at for at in range(start, start + 14 * DAY, LOOK) if is_reviewed(SOURCE, weekday, zone, at, wake)]
    assert len(found) == 2
    assert found[1] - found[0] == 7 * DAY
    assert not any(is_reviewed(replace(SOURCE, timer_polling=False), weekday, zone, at, wake) for at in found)


def test_a_fortnight_ends_with_the_persons_own_day() -> None:
    at = instant("2026-11-20T23:30Z")[0]
    assert last_days(14, "Europe/Berlin", at) == Window(date(2026, 11, 8), date(2026, 11, 21))


def test_only_what_was_granted_is_due() -> None:
    at = instant("2026-11-20T12:00Z")[0]
    assert due(SOURCE, ["steady", "unheard-of"], "UTC", at) == ("steady",)
    assert due(SOURCE, [], "UTC", at) == ()


@settings(max_examples=50)
@given(zones, minutes, wakes, st.booleans(), st.sampled_from(EVERYTHING[:-1]), st.integers(0, 2880))
def test_the_next_look_and_the_last_are_the_walkers_own(
    zone: str, minute: int, wake: int, silent: bool, name: str, minutes_on: int
) -> None:
    now, turn = instant("2026-11-20T00:00Z")[0] + minutes_on * MINUTE, Turn(minute, zone, wake, silent)
    walked = range(now - now % DAY - 2 * DAY + minute * MINUTE, now + 3 * DAY, LOOK)
    asked = [at for at in walked if due(SOURCE, (name,), zone, at, wake, silent)]
    assert last_due(SOURCE, name, turn, now) == max(at for at in asked if at < now)
    assert next_due(SOURCE, (name,), turn, now) == min(at for at in asked if at > now)
