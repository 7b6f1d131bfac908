"""Catch-up polling over whole days: how often each kind of signal is looked at, wherever the person lives."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import DAY, MINUTE, instant
from shared.providers import Cadence, FileUpload, Provider, Request, Resource, Upload
from shared.timetable import LOOK_MINUTES, due

CADENCES: tuple[Cadence, ...] = get_args(Cadence)
SOURCE = Provider(
    id="ring", name="Ring", docs="", kind="ring", base_url="",
    auth=FileUpload((), lambda body, media, zone: Upload({}, 0, ())),
    resources=(
        *(Resource(name=c, map=lambda page: (), fetch=lambda days: Request(url=""), cadence=c) for c in CADENCES),
        Resource(name="pushed", map=lambda page: ()),
    ),
)  # fmt: skip
EVERYTHING = [r.name for r in SOURCE.resources]
ZONES = ["Europe/Berlin", "Asia/Kathmandu", "America/Los_Angeles", "Pacific/Kiritimati"]


def looks(zone: str, day: str, minute: int, wake: int = 7) -> dict[str, list[float]]:
    """By resource, the local hours at which a connection with this hash minute is polled on this local day."""
    found: dict[str, list[float]] = defaultdict(list)
    start = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    first = round(start.timestamp() * 1000)
    for at in range(first, first + DAY, MINUTE):
        if at // MINUTE % LOOK_MINUTES == minute:
            local = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
            for name in due(SOURCE, EVERYTHING, zone, at, wake):
                found[name].append(local.hour + local.minute / 60)
    return found


@pytest.mark.parametrize("minute", [0, 17, 29])
@pytest.mark.parametrize("zone", ZONES)
def test_a_day_of_looks(zone: str, minute: int) -> None:
    found = looks(zone, "2026-11-20", minute)
    by_night = [hour for hour in found["steady"] if hour < 7 or hour >= 23]
    assert len(found["steady"]) - len(by_night) == 32
    assert len(by_night) in (3, 4)
    for cadence, hours in {"night": (8, 10), "daily": (9, 19), "rare": (11,)}.items():
        assert len(found[cadence]) == len(hours), cadence
        assert all(0 <= at - hour < 0.5 for at, hour in zip(found[cadence], hours, strict=True)), cadence
    assert "pushed" not in found


@given(st.sampled_from(ZONES), st.integers(0, 29), st.integers(0, 23))
def test_everything_is_looked_at_every_day_whenever_people_wake(zone: str, minute: int, wake: int) -> None:
    found = looks(zone, "2026-11-20", minute, wake)
    assert {name: len(hours) for name, hours in found.items() if name != "steady"} == {
        "night": 2,
        "daily": 2,
        "rare": 1,
    }


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_change_of_clocks_loses_no_look(day: str) -> None:
    found = looks("Europe/Berlin", day, 5)
    assert [len(found[c]) for c in ("night", "daily", "rare")] == [2, 2, 1]


def test_only_what_was_granted_is_due() -> None:
    at = instant("2026-11-20T12:00Z")[0]
    assert due(SOURCE, ["steady", "unheard-of"], "UTC", at) == ("steady",)
    assert due(SOURCE, [], "UTC", at) == ()


def test_steady_signals_are_never_left_alone_for_longer_than_the_night_allows() -> None:
    hours = sorted(looks("UTC", "2026-11-20", 3)["steady"])
    gaps = [timedelta(hours=b - a) for a, b in pairwise(hours)]
    assert max(gaps) <= timedelta(hours=2, minutes=30)
