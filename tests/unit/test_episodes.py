"""Several sources tell of one night: each is shown, one is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalogue import METRICS
from shared.episodes import JUDGED_BY, Told, judged, same_hours
from shared.model import HOUR, Document, Episode
from shared.providers.registry import providers
from shared.sections import Key, Section
from shared.values import replace

NIGHT = METRICS["sleep_duration"].prefer
BEST = min((p for p in providers() if p.kind in NIGHT), key=lambda p: NIGHT.index(p.kind)).id
OTHER = next(p.id for p in providers() if p.kind not in NIGHT)


def told(source: str, start: int = 0, hours: int = 8, id_: str = "n", manual: bool = False) -> Told:
    episode = Episode("sleep", start * HOUR, (start + hours) * HOUR)
    return Told(
        Section(Key("ada", "2026-11-02", source, "sleep")), Document(id_, episode=episode, manual=manual), episode, 60
    )


def preferred(found: list[Told]) -> list[str]:
    return [t.source for t in found if t.preferred]


def test_one_night_of_two_devices_is_two_and_one_is_preferred() -> None:
    found = judged([told(OTHER), told(BEST, 1, 7)])
    assert [(t.source, t.preferred) for t in found] == [(OTHER, False), (BEST, True)]


def test_whom_the_person_trusts_and_what_they_entered_comes_first() -> None:
    assert preferred(judged([told(OTHER), told(BEST)], [OTHER])) == [OTHER]
    assert preferred(judged([told(OTHER, manual=True), told(BEST)])) == [OTHER]
    assert preferred(judged([told(OTHER, manual=True), told(BEST)], [BEST])) == [BEST]


def test_a_nap_that_only_one_source_saw_stays() -> None:
    assert sorted(preferred(judged([told(BEST), told(OTHER), told(OTHER, 14, 1, "nap")]))) == sorted([BEST, OTHER])


def test_two_of_one_source_are_two() -> None:
    assert preferred(judged([told(BEST), told(BEST, 1, 2, "m")])) == [BEST, BEST]


episodes = st.builds(
    told,
    st.sampled_from([BEST, OTHER]),
    st.integers(0, 12),
    st.integers(0, 6),
    st.text("ab", max_size=2),
    st.booleans(),
)


@given(st.lists(episodes, max_size=6, unique_by=lambda t: (t.source, t.document.id)), st.randoms())
def test_the_order_of_arrival_decides_nothing_and_nothing_is_lost(found: list[Told], chance: st.DataObject) -> None:
    chance.shuffle(shuffled := [*found])  # type: ignore[attr-defined]

    def rows(told: list[Told]) -> list[tuple[str, str, bool]]:
        return sorted((t.source, t.document.id, t.preferred) for t in told)

    once = judged(found)
    assert rows(judged(shuffled)) == rows(once)
    assert rows([replace(t, preferred=True) for t in once]) == rows(found)
    best = [t for t in once if t.preferred]
    assert not [(a, b) for a in best for b in best if a.source < b.source and same_hours(a.episode, b.episode)]
    for lost in (t for t in once if not t.preferred):
        assert any(same_hours(lost.episode, t.episode) and t.source != lost.source for t in best)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [((0, 8), (4, 12), False), ((0, 8), (3, 11), True), ((0, 8), (6, 7), True), ((0, 8), (8, 9), False)],
)
def test_most_of_the_shorter_makes_the_same_hours(one: tuple[int, int], other: tuple[int, int], same: bool) -> None:
    assert same_hours(Episode("sleep", *one), Episode("nap", *other)) is same


def test_what_judges_is_a_metric() -> None:
    assert set(JUDGED_BY.values()) <= METRICS.keys()
