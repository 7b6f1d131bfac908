"""A period against the one before it, and how far the data reaches."""

from __future__ import annotations

from datetime import date, timedelta
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import reach
from shared.days import Day, Slot, merge
from shared.period import before, listed, overview, trend
from shared.summary import Stats

FIRST, LAST = date(2026, 11, 8), date(2026, 11, 14)
DAYS = [str(date(2026, 11, 1) + timedelta(days=n)) for n in range(14)]


def slot(source: str, value: float | None = None, metric: str = "steps", as_of: int = 1) -> Slot:
    stats = {} if value is None else {metric: Stats(True, 1, value, value, value, value, None)}
    return Slot(source, "daily", 1, as_of, "ring", stats)


def known(values: dict[str, float], source: str = "a") -> dict[str, Day]:
    return {day: merge(day, [slot(source, value)]) for day, value in values.items()}


@given(st.dictionaries(st.sampled_from(DAYS), st.integers(0, 20_000)))
def test_each_day_counts_once_and_for_one_period(values: dict[str, int]) -> None:
    found = overview("steps", FIRST, LAST, known({**values}))
    now = [value for day, value in sorted(values.items()) if day >= str(FIRST)]
    earlier = [value for day, value in sorted(values.items()) if day < str(FIRST)]
    assert found.values == now
    assert found.mean == (fmean(now) if now else None)
    assert found.previous == (fmean(earlier) if earlier else None)
    assert sorted([*found.missing, *(day for day, _ in found.figures)]) == listed(FIRST, LAST)
    assert sum(found.sources.values()) == len(now)


@given(st.integers(0, 400))
def test_the_period_before_is_as_long_and_ends_the_day_before(length: int) -> None:
    first, last = before(FIRST, FIRST + timedelta(days=length))
    assert (last - first).days == length
    assert last == FIRST - timedelta(days=1)


def test_the_best_source_stands_most_often() -> None:
    days = known(dict.fromkeys(DAYS[7:10], 1), "b") | known(dict.fromkeys(DAYS[10:], 1), "a")
    assert overview("steps", FIRST, LAST, days).sources == {"a": 4, "b": 3}


@pytest.mark.parametrize(
    ("now", "earlier", "word"),
    [([10, 11, 12], [1, 2, 3], "rising"), ([1, 2, 3], [10, 11, 12], "falling"), ([1, 2, 3], [1, 2, 3.1], "steady"),
     ([5, 5, 5], [5, 5, 5], "steady"), ([5, 5, 5], [4, 4, 4], "rising"), ([1, 2], [10, 11, 12], "unknown")],
)  # fmt: skip
def test_a_trend_is_more_than_a_fifth_of_the_spread(now: list[float], earlier: list[float], word: str) -> None:
    assert trend(now, earlier) == word


# ---------------------------------------------------------------- how far the data reaches


@pytest.mark.parametrize(("last", "days"), [(0, 2), (1, 2), (2, 7), (6, 7)])
def test_a_refresh_leaves_no_gap(last: int, days: int) -> None:
    found = reach.reaches([merge(str(LAST - timedelta(days=last)), [slot("a", 1, as_of=5)])])
    assert (found["a"].day, found["a"].as_of) == (str(LAST - timedelta(days=last)), 5)
    assert reach.refresh_days("a", found, LAST) == days
    assert reach.refresh_days("never seen", found, LAST) == 7


def test_a_day_about_which_a_source_says_nothing_does_not_count() -> None:
    days = [merge(DAYS[0], [slot("a", 1)]), merge(DAYS[1], [slot("a"), slot("b", 1)])]
    found = reach.reaches(days)
    assert {name: each.day for name, each in found.items()} == {"a": DAYS[0], "b": DAYS[1]}
