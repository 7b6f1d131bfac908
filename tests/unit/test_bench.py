"""The benches on tiny sizes: what holds whatever the figures are. First the day of polling that docs/reliability.md
quotes, for a few people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.__main__ import BENCHES
from bench.ring import Result, report, simulate
from bench.story import MONDAY, WAYS, story
from shared.model import HOUR
from shared.timetable import LOOK_MINUTES

PEOPLE, SHARDS = 400, 2
PERFORMANCE = Path(__file__).parents[2] / "docs" / "performance.md"


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


# ---------------------------------------------------------------- the counted story


@pytest.mark.parametrize("name", WAYS)
def test_the_story_is_the_same_whenever_it_is_told(name: str) -> None:
    """Over a midnight. The processor's time is another, and in the log how many digits a lag has, by random ids."""

    def told() -> dict[str, int]:
        with story(4, MONDAY + 20 * HOUR) as people:
            spent = people.count(WAYS[name], 8 * HOUR)
            return {what: much for what, much in spent.items() if what not in ("Lambda GB-s", "log bytes")}

    assert told() == told()


# ---------------------------------------------------------------- make bench


COUNTED = re.compile(r".*: (Queries|packed bytes a sample.*)")
"""Not timed."""


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_runs_and_is_in_the_documentation(name: str) -> None:
    """Once each: what is timed may be anything."""
    page = PERFORMANCE.read_text(encoding="utf-8")
    found = list(BENCHES[name](True))
    assert found
    assert [row.name for row in found if f"| {row.name} |" not in page] == []
    assert [row for row in found if COUNTED.match(row.name) and row.met is False] == []
