"""Sleeps joined from their stretches."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.catalogue import METRICS
from shared.filing import at_home
from shared.local_time import Zones
from shared.model import HOUR, MINUTE, Document, Episode, Reading, millis
from shared.nights import joined
from shared.providers.stages import VAGUE_FIRST, flat
from shared.summary import summarise

BERLIN = Zones(((0, "Europe/Berlin"),))
START = millis(datetime.fromisoformat("2026-11-01T22:00:00+01:00"))


def stretch(id_: str, start: float, end: float, name: str, as_of: int = 1) -> Document:
    """In hours from ten in the evening."""
    episode = Episode("stage", START + round(start * HOUR), START + round(end * HOUR), name)
    return Document(id=id_, day="2026-11-02", offset=60, as_of=as_of, episode=episode)


NIGHT = [
    stretch("bed", 0, 8, "in_bed"),
    stretch("a", 0.25, 2, "light"),
    stretch("b", 2, 4, "deep", as_of=5),
    stretch("c", 4, 4.5, "awake"),
    stretch("d", 4.5, 7.5, "rem"),
]
NAP = [stretch("nap", 15, 15.5, "asleep")]


def values(document: Document) -> dict[str, float]:
    return {reading.metric: reading.value for reading in document.readings}


def test_a_night_and_a_nap() -> None:
    weight = Document(id="w", readings=(Reading("weight", 64, START),))
    kept, night, nap = joined([*NAP, weight, *reversed(NIGHT)])
    assert kept == weight
    assert (night.id, night.as_of, night.day, night.offset) == ("bed", 5, "2026-11-02", 60)
    assert night.episode
    assert (night.episode.kind, night.episode.start, night.episode.end) == ("sleep", START, START + 8 * HOUR)
    assert [name for *_, name in night.episode.stages] == ["light", "deep", "awake", "rem"]
    assert values(night) == {
        "sleep_duration": 6.75, "rem_sleep": 3, "deep_sleep": 2, "light_sleep": 1.75, "awake": 0.5,
        "sleep_efficiency": 84.375, "sleep_latency": 15,
    }  # fmt: skip
    assert nap.episode
    assert nap.episode.kind == "nap"
    assert values(nap) == {"sleep_duration": 0.5, "sleep_efficiency": 100}


def test_being_in_bed_alone_is_no_sleep() -> None:
    assert joined(NIGHT[:1]) == []


def test_what_says_most_is_believed() -> None:
    [night] = joined([stretch("all", 0, 8, "asleep"), stretch("x", 2, 3, "deep"), stretch("y", 2.5, 3.5, "awake")])
    assert night.episode
    hours = [((start - START) / HOUR, (end - START) / HOUR, name) for start, end, name in night.episode.stages]
    assert hours == [(0, 2, "asleep"), (2, 3, "deep"), (3, 3.5, "awake"), (3.5, 8, "asleep")]


def test_told_twice_is_slept_once() -> None:
    again = [stretch(f"{d.id}2", *hours(d)) for d in NIGHT]
    assert summarise(NIGHT) == summarise([*NIGHT, *again])


def hours(document: Document) -> tuple[float, float, str]:
    assert document.episode
    return (document.episode.start - START) / HOUR, (document.episode.end - START) / HOUR, document.episode.label


STRETCHES = st.lists(
    st.builds(
        lambda n, start, length, name: stretch(f"s{n}", start / 60, (start + length) / 60, name),
        st.integers(0, 10**6), st.integers(0, 900), st.integers(1, 120), st.sampled_from(VAGUE_FIRST),
    ),
    max_size=12, unique_by=lambda d: d.id,
)  # fmt: skip


@given(STRETCHES, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(parts: list[Document], random: object) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert joined(shuffled) == joined(parts)


@given(STRETCHES)
def test_stages_lie_one_behind_the_other_and_add_up(parts: list[Document]) -> None:
    for night in joined(parts):
        assert night.episode
        assert all(one[1] <= other[0] for one, other in pairwise(night.episode.stages))
        found = values(night)
        assert found["sleep_duration"] <= (night.episode.end - night.episode.start) / HOUR + 0.0005
        assert all(METRICS[metric].reject.holds(value) for metric, value in found.items())


def test_flat_joins_neighbours_of_one_name() -> None:
    assert flat([(0, MINUTE, "rem"), (MINUTE, 2 * MINUTE, "rem")]) == [(0, 2 * MINUTE, "rem")]


def test_an_evening_belongs_to_the_next_day() -> None:
    for text, day in (("17:59", "2026-11-01"), ("18:00", "2026-11-02"), ("23:30", "2026-11-02")):
        end = millis(datetime.fromisoformat(f"2026-11-01T{text}:00+01:00"))
        part = Document(id="x", episode=Episode("stage", end - HOUR, end, "light"))
        [(filed, _)] = at_home(part, BERLIN)
        assert filed == day
