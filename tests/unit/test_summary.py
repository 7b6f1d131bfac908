"""What a day keeps of a section."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import Document, Episode, Reading, Series
from shared.summary import Stats, rows, summarise

beats = st.dictionaries(st.integers(0, 10**13), st.integers(30, 220), min_size=1, max_size=30)


def column(found: dict[int, int]) -> Document:
    """As it is kept: in order."""
    times = sorted(found)
    return Document(series=(Series("heart_rate", times, [found[at] for at in times]),))


@given(beats)
def test_samples_are_counted(found: dict[int, int]) -> None:
    stats = summarise([column(found)])["heart_rate"]
    values = found.values()
    assert (stats.n, stats.low, stats.high, stats.sum) == (len(found), min(values), max(values), sum(values))
    assert (stats.at, stats.last) == (max(found), found[max(found)])
    assert not stats.total


@given(beats, st.integers(0, 30))
def test_it_does_not_matter_how_they_are_cut_into_documents(found: dict[int, int], cut: int) -> None:
    items = [*found.items()]
    parts = [column(dict(part)) for part in (items[cut:], items[:cut]) if part]
    assert summarise(parts) == summarise([column(found)])


@given(beats, st.booleans())
def test_a_summary_survives_the_table(found: dict[int, int], manual: bool) -> None:
    stats = summarise([column(found), Document("d", readings=(Reading("distance", 1234.567),), manual=manual)])
    stored = orjson.loads(orjson.dumps(rows(stats)))
    assert {metric: Stats.read(row) for metric, row in stored.items()} == stats


def test_a_figure_for_the_day_beats_samples() -> None:
    samples = Document(readings=tuple(Reading("steps", 10, at) for at in range(5)))
    daily = Document(readings=(Reading("steps", 8000),))
    assert summarise([samples, daily])["steps"] == Stats(True, 1, 8000, 8000, 8000, 8000, None)


def test_what_the_person_entered_beats_what_a_device_measured() -> None:
    by_hand = Document("typed", readings=(Reading("weight", 70, 5),), manual=True)
    scale = Document("scale", readings=(Reading("weight", 71, 1), Reading("weight", 72, 9)))
    stats = summarise([scale, by_hand])["weight"]
    assert (stats.n, stats.last, stats.manual) == (1, 70, True)
    assert not summarise([scale])["weight"].manual


def test_an_implausible_figure_for_the_day_leaves_the_samples() -> None:
    samples = Document(readings=(Reading("steps", 10, 1),))
    assert summarise([samples, Document(readings=(Reading("steps", 500_000),))])["steps"].sum == 10


@pytest.mark.parametrize("value", [29, 221])
def test_flagged_values_are_left_out(value: int) -> None:
    assert summarise([column({1: 60, 2: value})])["heart_rate"].n == 1
    assert summarise([column({2: value})]) == {}


def test_what_belongs_to_a_sleep_is_not_the_days() -> None:
    inside = Episode("sleep", 0, 9, readings=(Reading("sleep_duration", 8),), series=(Series("heart_rate", [1], [50]),))
    assert summarise([Document("a", episode=inside, readings=(Reading("sleep_score", 80),))]).keys() == {"sleep_score"}
