"""Merged days: pure functions of day items, whatever the order in which those were filled."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalogue import METRICS
from shared.days import INPUTS, Day, Slot, merge, report
from shared.summary import Stats

TODAY = date(2026, 11, 20)
figures = st.integers(30, 100)


def stats(value: float, n: int = 1, total: bool = False) -> Stats:
    return Stats(total, n, value, value, value * n, value, None if total else 1)


def slot(source: str, kind: str = "ring", resource: str = "daily", **metrics: Stats) -> Slot:
    return Slot(source, resource, 1, 1, kind, metrics)


def day(ago: int, *slots: Slot) -> Day:
    return merge((TODAY - timedelta(days=ago)).isoformat(), slots)


all_stats = st.builds(lambda v, n, total: stats(v, n, total), figures, st.integers(1, 5), st.booleans())
all_slots = st.builds(
    Slot,
    st.sampled_from("abc"),
    st.sampled_from(["daily", "detail"]),
    st.just(1),
    st.just(1),
    st.sampled_from(["ring", "watch", "phone", "scale", "cgm"]),
    st.dictionaries(st.sampled_from(["steps", "heart_rate", "weight"]), all_stats, max_size=3),
)


@given(st.lists(all_slots, max_size=6, unique_by=lambda s: (s.source, s.resource)), st.randoms())
def test_the_order_of_arrival_decides_nothing(found: list[Slot], chance: st.DataObject) -> None:
    shuffled = [*found]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merge("2026-11-20", shuffled) == merge("2026-11-20", found)


@given(st.lists(all_slots, max_size=6, unique_by=lambda s: (s.source, s.resource)))
def test_every_source_is_shown_once(found: list[Slot]) -> None:
    for metric, choice in merge("2026-11-20", found).choices.items():
        shown = [value.slot.source for value in (choice.best, *choice.others)]
        assert sorted(shown) == sorted({s.source for s in found if metric in s.stats})


@pytest.mark.parametrize(
    ("metric", "found", "winner", "reason"),
    [
        ("steps", {"a ring": stats(1)}, "a", "only source"),
        ("steps", {"a phone": stats(1, 9), "b watch": stats(2)}, "b", "watch is preferred for steps"),
        ("steps", {"a scale": stats(1, 9), "b phone": stats(2)}, "b", "phone is preferred for steps"),
        ("sleep_score", {"a watch": stats(1), "b ring": stats(2)}, "b", "ring is preferred for sleep_score"),
        ("glucose", {"a file": stats(1, 9), "b cgm": stats(2)}, "b", "cgm is preferred for glucose"),
        ("steps", {"a ring": stats(1, 2), "b ring": stats(2, 3)}, "b", "most samples"),
        ("steps", {"b ring": stats(1), "a ring": stats(2)}, "a", "first by name"),
        ("body_temperature", {"b ring": stats(36), "a cuff": stats(37)}, "a", "first by name"),
    ],
)
def test_who_wins_and_why(metric: str, found: dict[str, Stats], winner: str, reason: str) -> None:
    sources = [slot(name[0], name[2:], "daily", **{metric: told}) for name, told in found.items()]
    choice = merge("2026-11-20", sources).choices[metric]
    assert choice.best.slot.source == winner
    assert choice.reason == reason


def typed(value: float) -> Stats:
    return stats(value, total=True)._replace(manual=True)


def test_a_manual_entry_beats_a_device_unless_the_person_says_otherwise() -> None:
    device, by_hand = slot("a", "scale", weight=stats(70, 9)), slot("b", "phone", weight=typed(71))
    choice = merge("2026-11-20", [device, by_hand]).choices["weight"]
    assert (choice.best.value, choice.reason) == (71, "entered by hand")
    choice = merge("2026-11-20", [device, by_hand], {"weight": ["a"]}).choices["weight"]
    assert (choice.best.value, choice.reason) == (70, "the person's own priority")


def test_a_manual_entry_beats_the_same_sources_own_figure() -> None:
    measured, by_hand = slot("a", resource="scale", weight=stats(70, 9, True)), slot("a", weight=typed(71))
    choice = merge("2026-11-20", [measured, by_hand]).choices["weight"]
    assert (choice.best.value, choice.others) == (71, ())


def test_the_vendors_figure_for_the_day_beats_its_own_samples_however_many() -> None:
    detail, daily = slot("a", resource="detail", steps=stats(1, 999)), slot("a", steps=stats(8000, total=True))
    assert merge("2026-11-20", [detail, daily]).choices["steps"].best.value == 8000


@pytest.mark.parametrize(
    ("metric", "value"),
    [("steps", 12), ("heart_rate", 4), ("resting_heart_rate", 3), ("weight", 5)],
)
def test_the_catalogue_says_how_samples_become_a_day(metric: str, value: float) -> None:
    found = merge("2026-11-20", [slot("a", "ring", "daily", **{metric: Stats(False, 3, 3, 6, 12, 5, 1)})])
    assert found.choices[metric].best.value == value


# ---------------------------------------------------------------- what the neighbours tell


def history(days: int, *slots: Slot) -> dict[str, Day]:
    return {d.day: d for d in (day(n, *slots) for n in range(1, days + 1))}


@pytest.mark.parametrize(("seen", "usual"), [(3, False), (4, True)])
def test_a_signal_is_missed_when_it_was_there_on_four_of_fourteen_days(seen: int, usual: bool) -> None:
    past = history(14, slot("a", steps=stats(1))) | history(seen, slot("a", steps=stats(1), weight=stats(70)))
    found = report(day(0, slot("a", steps=stats(1))), past)
    assert found.missing == (("weight",) if usual else ())
    assert set(found.expected) == {"steps"} | ({"weight"} if usual else set())


def test_what_was_last_seen_three_weeks_ago_is_no_longer_expected() -> None:
    past = {d.day: d for d in (day(n, slot("a", weight=stats(70))) for n in range(15, 60))}
    assert report(day(0, slot("a", steps=stats(1))), past).missing == ()


def night(source: str, hrv: float, rhr: float, hours: float = 8, efficiency: float = 90, kind: str = "ring") -> Slot:
    return slot(
        source,
        kind,
        heart_rate_variability=stats(hrv),
        resting_heart_rate=stats(rhr),
        sleep_duration=stats(hours),
        sleep_efficiency=stats(efficiency),
    )


def test_recovery_compares_a_night_with_the_nights_before() -> None:
    past = {d.day: d for d in (day(n, night("a", 50 + n % 5, 55 + n % 3)) for n in range(1, 41))}
    good = report(day(0, night("a", 60, 50)), past).recovery
    bad = report(day(0, night("a", 40, 62, 5, 75)), past).recovery
    assert (good.status, bad.status) == ("ok", "ok")
    assert good.score is not None
    assert bad.score is not None
    assert good.score > 60 > 30 > bad.score


@given(st.lists(st.tuples(figures, figures), min_size=20, max_size=20), figures, figures)
def test_two_devices_are_never_mixed_in_a_baseline(others: list[tuple[int, int]], hrv: int, rhr: int) -> None:
    """Another device's nights beside ours, or instead of them, change nothing."""
    mine = {n: night("a", 50 + n % 5, 55 + n % 3) for n in range(1, 21)}
    alone = {d.day: d for d in (day(n, mine[n]) for n in mine)}
    beside = [day(n, mine[n], night("b", *others[n - 1])) for n in mine]
    instead = [day(20 + n, night("b", *others[n - 1])) for n in mine]
    both = {d.day: d for d in (*beside, *instead)}
    today = day(0, night("a", hrv, rhr))
    assert report(today, both).recovery == report(today, alone).recovery


def test_a_new_device_calibrates_though_the_old_one_knew_the_person_well() -> None:
    past = {d.day: d for d in (day(n, night("old", 50 + n % 5, 55)) for n in range(1, 61))}
    assert report(day(0, night("new", 50, 55)), past).recovery.status == "calibrating"


def test_neither_today_nor_the_sixty_first_day_is_in_the_baseline() -> None:
    past = history(60, night("a", 50, 55))
    far = day(61, night("a", 399, 30))
    today = day(0, night("a", 60, 50))
    assert report(today, past | {far.day: far, today.day: today}).recovery == report(today, past).recovery


def test_the_inputs_of_recovery_are_metrics_of_ours() -> None:
    assert {metric for metric, _ in INPUTS.values()} <= METRICS.keys()
