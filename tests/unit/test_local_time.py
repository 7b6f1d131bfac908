"""Local days: a pure function of the instant and what is known about the clock then."""

from datetime import UTC, datetime
from itertools import chain
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.local_time import Zones, by_day, from_wall_clock, local_day
from shared.model import HOUR, MINUTE, instant, millis

NAMES = [
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago",
    "Africa/Cairo", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia",
]  # fmt: skip
START, END = instant("2010-01-01T00:00Z")[0], instant("2030-01-01T00:00Z")[0]
instants = st.integers(START, END)
offsets = st.none() | st.integers(-720, 840)


def at(text: str) -> int:
    return instant(text)[0]


@st.composite
def histories(draw: st.DrawFn) -> Zones:
    since = sorted(draw(st.sets(instants, min_size=1, max_size=4)))
    return Zones(tuple((s, draw(st.sampled_from(NAMES))) for s in since))


@st.composite
def times(draw: st.DrawFn) -> list[int]:
    """Sorted instants around one moment: some close together, some days apart."""
    start = draw(instants)
    steps = draw(st.lists(st.sampled_from([1, MINUTE, 29 * MINUTE, HOUR, 7 * HOUR, 49 * HOUR]), max_size=40))
    found = [start]
    for step in steps:
        found.append(found[-1] + step)
    return found


@settings(deadline=None)
@given(times(), offsets, histories())
@example([at("2011-12-30T09:59Z"), at("2011-12-30T10:00Z")], None, Zones(((0, "Pacific/Apia"),)))  # had no 30th
@example([at("2026-10-29T20:30Z"), at("2026-10-29T21:30Z")], None, Zones(((0, "Africa/Cairo"),)))  # 23:30 twice
def test_cutting_a_column_agrees_with_asking_for_each_instant(
    times: list[int], offset: int | None, zones: Zones
) -> None:
    runs = list(by_day(times, offset, zones))
    assert list(chain.from_iterable(times[part] for _, part in runs)) == times
    assert [day for day, part in runs for _ in times[part]] == [local_day(t, offset, zones) for t in times]


@given(instants, st.integers(-720, 840), histories())
def test_the_records_own_offset_wins_over_the_history(instant: int, offset: int, zones: Zones) -> None:
    shifted = datetime.fromtimestamp(instant // 1000 + offset * 60, UTC)
    assert local_day(instant, offset, zones) == shifted.date().isoformat()


@given(histories(), st.sampled_from(NAMES), instants, offsets)
def test_moving_later_never_files_the_past_anew(zones: Zones, name: str, when: int, offset: int | None) -> None:
    moved = max(when, zones.history[-1][0]) + 1
    longer = Zones((*zones.history, (moved, name)))
    before = min(when, moved - 1)
    assert local_day(before, offset, longer) == local_day(before, offset, zones)


def test_the_first_zone_told_also_covers_what_came_before() -> None:
    zones = Zones(((at("2026-06-01T00:00Z"), "Asia/Tokyo"),))
    assert local_day(at("2020-01-01T16:00Z"), None, zones) == "2020-01-02"


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)]
)
def test_days_in_berlin_are_as_long_as_their_clocks_say(day: str, hours: int) -> None:
    berlin = Zones(((0, "Europe/Berlin"),))
    noon = at(f"{day}T12:00Z")
    minutes = range(noon - 36 * HOUR, noon + 36 * HOUR, MINUTE)
    [mine] = [part for name, part in by_day(minutes, None, berlin) if name == day]
    assert len(minutes[mine]) == hours * 60


def test_a_flight_cuts_the_day_at_the_instant_of_moving() -> None:
    landed = at("2026-11-20T20:30Z")  # 21:30 in Berlin, already the 21st in Tokyo
    zones = Zones(((0, "Europe/Berlin"), (landed, "Asia/Tokyo")))
    runs = list(by_day([landed - MINUTE, landed, landed + MINUTE], None, zones))
    assert [(day, part.stop - part.start) for day, part in runs] == [("2026-11-20", 1), ("2026-11-21", 2)]


@settings(deadline=None)
@given(instants, st.lists(st.integers(1, 29), max_size=60), st.sampled_from(NAMES))
@example(at("2026-10-24T23:50Z"), [29] * 8, "Europe/Berlin")
@example(at("2026-03-29T00:40Z"), [29] * 4, "Europe/Berlin")
@example(at("2026-04-04T14:40Z"), [29] * 4, "Australia/Lord_Howe")  # half an hour comes twice
def test_a_clock_on_the_wall_tells_the_instants_of_what_was_sampled_often(
    start: int, minutes: list[int], name: str
) -> None:
    sampled = [start - start % MINUTE]
    for step in minutes:
        sampled.append(sampled[-1] + step * MINUTE)
    shown = [datetime.fromtimestamp(t / 1000, UTC).astimezone(ZoneInfo(name)).replace(tzinfo=UTC) for t in sampled]
    first, *rest = from_wall_clock([millis(wall) for wall in shown], Zones(((0, name),)))
    if first == sampled[0]:  # else it lies in the second of two equal hours, and nothing before it tells
        assert rest == sampled[1:]
