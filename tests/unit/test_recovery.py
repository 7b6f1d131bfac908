"""The published vectors of recovery-v1."""

import pytest

from shared.recovery import Recovery, hrv_trend, recovery

HISTORY = {
    "hrv": [52, 44, 58, 63, 47, 41, 55, 66, 49, 57, 39, 54, 46, 61, 70, 50, 43, 56, 48, 53],
    "rhr": [54, 56, 52, 51, 57, 59, 53, 50, 55, 52, 58, 54, 56, 51, 50, 55, 57, 53, 55, 54],
    "sleep_duration": [
        430, 455, 410, 470, 440, 390, 460, 435, 450, 415, 445, 478, 452, 428, 447, 433, 401, 456, 422, 449,
    ],
    "sleep_efficiency": [90, 92, 88, 93, 91, 86, 92, 90, 91, 89, 87, 93, 90, 88, 91, 92, 85, 90, 89, 91],
}  # fmt: skip
NAMES = ("hrv", "rhr", "sleep_duration", "sleep_efficiency")
USUAL, BAD = (52, 54, 440, 90), (41, 59, 330, 78)


@pytest.mark.parametrize(
    ("today", "days", "score", "status", "coverage"),
    [
        (USUAL, 20, 52, "ok", 1.0),
        (BAD, 20, 1, "ok", 1.0),
        ((64, 51, 470, 93), 20, 98, "ok", 1.0),
        ((None, 54, 440, 90), 20, 53, "ok", 0.6),
        ((52, None, None, None), 20, None, "missing_inputs", 0.4),
        ((None, 54, 440, None), 20, None, "missing_inputs", 0.45),
        (BAD, 9, 1, "provisional", 1.0),
        (BAD, 5, None, "calibrating", 0.35),
        ((41, 59, None, None), 20, 1, "ok", 0.65),
    ],
)
def test_vectors(today: tuple[float | None, ...], days: int, score: int | None, status: str, coverage: float) -> None:
    known = {name: value for name, value in zip(NAMES, today, strict=True) if value is not None}
    found = recovery(known, {name: values[:days] for name, values in HISTORY.items()})
    assert (found.score, found.status, found.coverage) == (score, status, coverage)


def test_who_sleeps_too_little_every_night_is_not_at_their_usual() -> None:
    today = dict(zip(NAMES, (52, 54, 350, 90), strict=True))
    assert recovery(today, {**HISTORY, "sleep_duration": [350] * 20}).score == 34


@pytest.mark.parametrize(
    ("score", "band"),
    [(1, "low"), (33, "low"), (34, "normal"), (66, "normal"), (67, "high"), (99, "high"), (None, None)],
)
def test_bands(score: int | None, band: str | None) -> None:
    assert Recovery(score, "ok", 1, {}).band == band


@pytest.mark.parametrize(
    ("week", "days", "trend"),
    [([52, 53, 51], 20, "within"), ([70, 66, 68], 20, "above"), ([40, 39, 41], 20, "below"), ([70, 66], 20, None),
     ([70, 66, 68], 6, None)],
)  # fmt: skip
def test_a_week_of_hrv_against_two_months(week: list[float], days: int, trend: str | None) -> None:
    assert hrv_trend(week, HISTORY["hrv"][:days]) == trend


def test_component_z_of_a_bad_night() -> None:
    found = recovery(dict(zip(NAMES, BAD, strict=True)), HISTORY)
    assert {name: round(c.z, 3) for name, c in found.components.items()} == {
        "hrv": -1.495,
        "rhr": -1.875,
        "sleep_duration": -2.5,
        "sleep_efficiency": -2.5,
    }
