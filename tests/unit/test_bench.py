"""The day of polling that docs/reliability.md quotes, for a few people: what holds whatever the figures are."""

from __future__ import annotations

import pytest

from bench.ring import Result, report, simulate
from shared.timetable import LOOK_MINUTES

PEOPLE, SHARDS = 400, 2


@pytest.fixture(scope="module")
def result() -> Result:
    return simulate(PEOPLE, SHARDS)


def test_both_ways_hear_of_all_the_news(result: Result) -> None:
    """Each piece once, of the same lives."""
    ring, scan = ({s: lags.total() for s, lags in way.day.lags.items()} for way in (result.ring, result.scan))
    assert ring == scan
    assert min(ring.values()) > 0


def test_the_ring_asks_for_less_and_nothing_of_it_writes_an_index(result: Result) -> None:
    assert result.ring.day.made <= result.ring.day.polls < result.scan.day.polls == PEOPLE * 48
    assert result.ring.day.questions.total() < result.scan.day.questions.total() / 5
    assert result.ring.bill.dollars < result.scan.bill.dollars
    assert result.ring.bill.index_writes == 0


def test_the_same_seed_says_the_same(result: Result) -> None:
    assert list(report(result)) == list(report(simulate(PEOPLE, SHARDS)))
    assert result.segments == SHARDS * LOOK_MINUTES
