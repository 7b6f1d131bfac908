"""The counting of `make chaos` must be able to fail."""

from __future__ import annotations

import pytest

from ops.reckoning import Held, Reckoning, Spot, reckon, shown

STEPS = Spot("oura", "daily_activity", "2026-11-18")
BEATS = Spot("oura", "heartrate", "2026-11-18")
NEXT = Spot("oura", "heartrate", "2026-11-19")
TRUE = {STEPS: {"a": 9000.0}, BEATS: {"1000": 50.0, "2000": 51.0}}
SEEN = {STEPS: [("a", 9000.0)], BEATS: [("1000", 50.0), ("2000", 51.0)]}
DAY = {"metrics": {"steps": {"source": "withings", "value": 1, "others": [{"source": "oura", "value": 9000.0}]}}}


def counted(records=SEEN, behind=frozenset()) -> tuple[int, int, int]:
    found = Reckoning()
    reckon(found, "newcomer-1", TRUE, Held(records, behind))
    assert (found.records, found.sections, found.days) == (3, 2, 1)
    return found.lost, found.doubled, found.wrong


def test_what_is_as_it_was_is_right():
    assert counted() == (0, 0, 0)


@pytest.mark.parametrize(
    ("records", "amiss"),
    [
        ({STEPS: SEEN[STEPS]}, (2, 0, 0)),
        ({**SEEN, STEPS: []}, (1, 0, 0)),
        ({**SEEN, STEPS: [("a", 8000.0)]}, (0, 0, 1)),
        ({**SEEN, STEPS: [("a", None)]}, (0, 0, 1)),
        ({**SEEN, STEPS: [("a", 9000.0), ("gone", 1.0)]}, (0, 0, 1)),
        ({**SEEN, BEATS: [*SEEN[BEATS], ("1000", 50.0)]}, (0, 1, 0)),
        ({**SEEN, NEXT: [("2000", 51.0)]}, (0, 1, 1)),
    ],
)
def test_what_is_not_is_told(records, amiss):
    assert counted(records) == amiss


def test_a_day_behind_its_section_is_wrong():
    assert counted(behind=frozenset({STEPS})) == (0, 0, 1)


@pytest.mark.parametrize(("days", "wrong"), [({STEPS.day: DAY}, 0), ({}, 1), ({STEPS.day: {"metrics": {}}}, 1)])
def test_the_days_the_api_answers_are_looked_at_too(days, wrong):
    found = Reckoning()
    shown(found, "newcomer-1", {STEPS: TRUE[STEPS]}, days)
    assert found.wrong == wrong
    assert all("9000" not in line for line in found.lines)
