"""Which days of a window a vendor is asked about."""

from __future__ import annotations

import time
from datetime import date

import pytest

from shared.local_time import Zones
from shared.model import instant
from shared.providers import Resource, Window
from shared.visits import within_reach

AUCKLAND = Zones(((0, "Pacific/Auckland"),))  # where it is the 21st already


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: instant("2026-11-20T12:00Z")[0] * 1_000_000)


def days(first: int, last: int) -> Window:
    return Window(date(2026, 11, first), date(2026, 11, last))


def asked(window: Window, reach: int | None = None, current: bool = False) -> Window | None:
    resource = Resource(name="data", map=lambda page: (), reach_days=reach, current=current)
    return within_reach(window, resource, AUCKLAND)


@pytest.mark.parametrize(
    ("reach", "window", "expected"),
    [
        (None, days(1, 21), days(1, 21)),
        (3, days(1, 21), days(19, 21)),
        (3, days(20, 22), days(20, 22)),
        (3, days(10, 19), days(19, 19)),
        (3, days(10, 18), None),
    ],
)
def test_nothing_older_than_the_vendor_answers_for(reach: int | None, window: Window, expected: Window | None) -> None:
    assert asked(window, reach) == expected


def test_how_things_stand_is_only_asked_of_today() -> None:
    assert asked(days(1, 21), current=True) == days(21, 21)
    assert asked(days(20, 22), current=True) == days(21, 22)
    assert asked(days(1, 20), current=True) is None
