"""Time in range and its company: against iglu-python's own numbers, at the edges in both units, and by their laws."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalogue import MG_DL_PER_MMOL_L
from shared.glucose import (
    DAYS_ENOUGH,
    LEVELS,
    Analysis,
    Reading,
    analyse,
    by_source,
    chosen,
    level,
    thinned,
    tight,
    trend,
    trending,
)
from shared.local_time import Zones
from shared.model import DAY, MINUTE, Document, Series
from shared.packing import pack
from shared.sections import Key, Section
from shared.values import replace

IGLU = json.loads((Path(__file__).parent / "glucose_by_iglu.json").read_text(encoding="utf-8"))["cases"]
START = 1_793_577_600_000
FIVE = 5 * MINUTE


def column(values: list[float], step: int = FIVE, unit: str = "") -> list[Reading]:
    return [Reading("2026-11-02", START + n * step, 0, value, unit) for n, value in enumerate(values)]


def analysed(values: list[float], days: int = 14, unit: str = "") -> Analysis:
    found = analyse(column(values, unit=unit), days, days * DAY)
    assert found
    return found


# ---------------------------------------------------------------- figures


@pytest.mark.parametrize("name", IGLU)
def test_an_independent_package_counts_the_same(name: str) -> None:
    """glucose_by_iglu.py says which, and makes the numbers again."""
    values, theirs = IGLU[name]["values"], IGLU[name]["figures"]
    ours = analysed(values)
    percent = {level: 100 * ours.levels[level] / ours.readings for level in LEVELS}
    percent |= {"tight": 100 * ours.tight / ours.readings}
    figures = {"mean": ours.mean, "sd": ours.sd, "cv": ours.cv, "gmi": ours.gmi, **percent}
    assert figures == pytest.approx(theirs, rel=1e-9, abs=1e-9)


EDGES = {
    "": {
        "very_low": [53, 53.9],
        "low": [54, 69, 69.9],
        "in_range": [70, 180],
        "high": [180.1, 250],
        "very_high": [251],
    },
    "mmol/L": {
        "very_low": [2.9],
        "low": [3.0, 3.8],
        "in_range": [3.9, 10.0],
        "high": [10.1, 13.9],
        "very_high": [14.0],
    },
}


@pytest.mark.parametrize("unit", EDGES)
def test_every_edge_is_where_the_consensus_has_it(unit: str) -> None:
    per = MG_DL_PER_MMOL_L if unit else 1
    for name, values in EDGES[unit].items():
        for value in values:
            assert level(Reading("", 0, 0, round(value * per, 3), unit)) == name, value


def test_a_reading_in_mmol_is_not_judged_by_its_conversion() -> None:
    """10.0 and 7.8 mmol/L are 180.16 and 140.52 mg/dL, which are beyond 180 and 140."""
    ten, seven = (Reading("", 0, 0, round(v * MG_DL_PER_MMOL_L, 3), "mmol/L") for v in (10.0, 7.8))
    assert (level(ten), level(replace(ten, unit=""))) == ("in_range", "high")
    assert (tight(seven), tight(replace(seven, unit=""))) == (True, False)


@given(st.lists(st.integers(20, 600), min_size=1, max_size=80), st.sampled_from(["", "mmol/L"]))
def test_the_levels_share_nothing_and_leave_nothing_out(values: list[float], unit: str) -> None:
    found = analysed(values, unit=unit)
    assert sum(found.levels.values()) == found.readings == len(values)
    assert found.tight <= found.levels["in_range"]
    assert min(values) <= found.mean <= max(values) or found.mean == pytest.approx(values[0])
    assert 0 < found.active <= 100


def test_what_the_sensor_could_not_measure_is_counted() -> None:
    found = analysed([39, 39, 40, 100, 400, 401])
    assert (found.clamped, found.levels["very_low"], found.levels["very_high"]) == (3, 3, 2)


def test_one_reading_has_no_spread_and_none_has_nothing() -> None:
    found = analysed([100])
    assert (found.sd, found.cv, found.gmi) == (None, None, pytest.approx(5.702))
    assert analyse([], 14, 14 * DAY) is None
    assert analyse(column([5, 700]), 14, 14 * DAY) is None, "what the catalogue flags is left out of averages"


@pytest.mark.parametrize(
    ("days", "share", "enough"), [(14, 0.701, True), (14, 0.699, False), (13, 1.0, False), (30, 0.8, True)]
)
def test_fourteen_days_and_seventy_percent_are_enough(days: int, share: float, enough: bool) -> None:
    found = analyse(column([100.0] * round(288 * days * share)), days, days * DAY)
    assert found
    assert (found.enough, found.active) == (enough, pytest.approx(100 * share, abs=0.1))
    assert DAYS_ENOUGH == 14


def test_a_sensor_that_keeps_a_reading_a_quarter_of_an_hour_is_as_active() -> None:
    found = analyse(column([100.0] * 96 * 14, step=15 * MINUTE), 14, 14 * DAY)
    assert found
    assert (found.readings, found.active, found.enough) == (96 * 14, 100, True)


@given(st.lists(st.integers(-20_000, 20_000), min_size=2, max_size=50))
def test_a_clock_that_trembles_loses_no_reading(tremble: list[int]) -> None:
    at = [START + n * FIVE + shift // 2 for n, shift in enumerate(tremble)]
    found = [Reading("", t, 0, 100) for t in at]
    assert thinned(found, FIVE) == found


def test_a_reading_a_minute_is_one_in_five() -> None:
    assert len(thinned(column([100.0] * 1440, step=MINUTE), FIVE)) == 288


# ---------------------------------------------------------------- trend


@pytest.mark.parametrize(
    ("rate", "word"),
    [(3.1, "rising_fast"), (3, "rising_fast"), (2.9, "rising"), (2, "rising"), (1.9, "rising_slowly"),
     (1, "rising_slowly"), (0.9, "steady"), (0, "steady"), (-0.9, "steady"), (-1, "falling_slowly"), (-2, "falling"),
     (-3, "falling_fast"), (-8, "falling_fast"), (None, "unknown")],
)  # fmt: skip
def test_a_rate_in_words(rate: float | None, word: str) -> None:
    assert trend(rate) == word


@given(st.integers(-8, 8), st.integers(60, 300), st.sampled_from([5, 15]))
def test_a_rate_nobody_told_is_that_of_the_last_quarter_of_an_hour(slope: int, first: int, step: int) -> None:
    values = [first + slope * step * n for n in range(5)]
    _, *rest = trending(column([*map(float, values)], step=step * MINUTE))
    if not {39, 401} & set(values):
        assert [r.rate for r in rest] == [pytest.approx(slope)] * 4


def test_the_sensors_own_rate_stands() -> None:
    first, second = column([100, 150])
    assert [r.rate for r in trending([first, replace(second, rate=0.5)])] == [None, 0.5]


def test_no_rate_over_a_gap_a_blink_or_what_could_not_be_measured() -> None:
    for step in (16 * MINUTE, 1_000):
        assert [r.rate for r in trending(column([100, 120, 140], step=step))] == [None] * 3
    assert [r.rate for r in trending(column([60, 39, 60]))] == [None] * 3


# ---------------------------------------------------------------- whose


def section(source: str, series: tuple[Series, ...], resource: str = "r") -> Section:
    packed = pack([Document(series=series, offset=60)]).data
    return Section(Key("ada", "2026-11-02", source, resource), 1, data=packed)


def test_a_sensor_and_a_meter_are_never_mixed() -> None:
    times = [START, START + FIVE]
    sensor = section("sensor", (Series("glucose", times, [100, 110]), Series("glucose_rate", times, [1, 2.5])))
    meter = section("meter", (Series("glucose", [START], [99.086], "mmol/L"),))
    found = by_source([sensor, meter], Zones())
    assert [(r.value, r.rate, r.offset) for r in found["sensor", "r"]] == [(100, 1, 60), (110, 2.5, 60)]
    assert [(r.value, r.unit) for r in found["meter", "r"]] == [(99.086, "mmol/L")]
    kinds = {"sensor": "cgm", "meter": "file"}
    assert chosen(found, kinds, ()) == ("sensor", "r")
    assert chosen(found, kinds, ["meter"]) == ("meter", "r")
    assert chosen(found, dict.fromkeys(kinds, "cgm"), ()) == ("sensor", "r"), "the most readings"
