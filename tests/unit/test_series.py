"""Columns: pages leave nothing out, stretches add up to the day, the order of documents decides nothing."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import cursor
from shared.catalogue import METRICS
from shared.errors import BadRequestError
from shared.local_time import Zones, midnight, offsets
from shared.model import DAY, HOUR, MINUTE, Document, Reading, Series, millis
from shared.packing import pack
from shared.sections import Key, Section
from shared.series import Asked, Row, paged, rolled, samples
from shared.summary import summarise

BERLIN = Zones(((0, "Europe/Berlin"),))
NIGHT = millis(datetime(2026, 11, 2, tzinfo=ZoneInfo("Europe/Berlin")))
ASKED = Asked("heart_rate", date(2026, 11, 1), date(2026, 11, 3))
RULES = {"sum": "steps", "mean": "heart_rate", "min": "resting_heart_rate", "last": "weight"}
points = st.dictionaries(
    st.integers(0, DAY - 1).map(lambda n: NIGHT + n), st.integers(20, 240), min_size=1, max_size=60
)


def section(*documents: Document) -> Section:
    packed = pack(documents).data
    return Section(Key("ada", "2026-11-02", "ring", "beats"), 1, data=packed)


def column(metric: str, found: dict[int, int], offset: int | None = None, id_: str = "") -> Document:
    return Document(id_, offset=offset, series=(Series(metric, [*found], [*found.values()]),))


# ---------------------------------------------------------------- samples and stretches


@given(points, st.integers(0, 60), st.randoms())
def test_the_order_of_documents_decides_nothing(found: dict[int, int], cut: int, chance: st.DataObject) -> None:
    items = sorted(found.items())
    parts = [column("heart_rate", dict(part), id_=str(n)) for n, part in enumerate((items[:cut], items[cut:])) if part]
    spot = Document("spot", readings=(Reading("heart_rate", 77, NIGHT + DAY), Reading("weight", 70, NIGHT)))
    chance.shuffle(shuffled := [*parts, spot])  # type: ignore[attr-defined]
    rows = samples(section(*shuffled), "heart_rate", BERLIN)
    assert [(row.at, row.value) for row in rows] == [*items, (NIGHT + DAY, 77)]


@given(points, st.sampled_from([MINUTE, HOUR]), st.sampled_from(sorted(RULES)))
def test_stretches_add_up_to_the_day(found: dict[int, int], width: int, rule: str) -> None:
    """By the catalogue's rule, and without what it flags: a day of stretches, of samples and of the table agree."""
    metric = RULES[rule]
    assert METRICS[metric].day == rule
    whole = section(column(metric, found))
    rows = samples(whole, metric, BERLIN)
    stretches = rolled(metric, rows, width)
    stats = summarise(whole.documents()).get(metric)
    assert sum(s.samples for s in stretches) == (stats.n if stats else 0)
    if stats is None:
        return
    plain = [row.value for row in rows if METRICS[metric].flag.holds(row.value)]
    values = [s.value for s in stretches]
    weighed = sum(s.value * s.samples for s in stretches) / stats.n
    again = {"sum": sum(values), "mean": weighed, "min": min(values), "last": values[-1]}[rule]
    raw = {"sum": sum(plain), "mean": sum(plain) / len(plain), "min": min(plain), "last": plain[-1]}[rule]
    assert stats.day_value(metric) == pytest.approx(again) == pytest.approx(raw)
    assert (min(s.low for s in stretches), max(s.high for s in stretches)) == (min(plain), max(plain))


@given(points, st.sampled_from([MINUTE, HOUR]), st.sampled_from([-570, 0, 60, 330, 345]))
def test_stretches_begin_when_the_wearers_clock_is_full(found: dict[int, int], width: int, offset: int) -> None:
    rows = rolled("heart_rate", samples(section(column("heart_rate", found, offset)), "heart_rate", BERLIN), width)
    assert all((row.at + offset * MINUTE) % width == 0 for row in rows)
    assert [row.at for row in rows] == sorted({row.at for row in rows})


def test_the_hour_that_comes_twice_is_two() -> None:
    """Berlin, 2026-10-25: 02:30 summer time, and 02:30 an hour later."""
    twice = millis(datetime(2026, 10, 25, 0, 30, tzinfo=ZoneInfo("UTC")))
    rows = rolled("steps", samples(section(column("steps", {twice: 5, twice + HOUR: 7})), "steps", BERLIN), HOUR)
    assert [(row.value, row.offset) for row in rows] == [(5, 120), (7, 60)]


# ---------------------------------------------------------------- offsets


@given(
    st.lists(st.integers(0, 26 * 60), max_size=40, unique=True),
    st.sampled_from(["2026-10-25", "2026-03-29", "2026-07-01"]),
)
def test_offsets_are_those_of_the_wearers_clock(minutes: list[int], day: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    times = [midnight(date.fromisoformat(day), BERLIN) + m * MINUTE for m in sorted(minutes)]
    there = [datetime.fromtimestamp(t / 1000, zone).utcoffset() or timedelta() for t in times]
    assert offsets(times, None, BERLIN) == [round(o.total_seconds() / 60) for o in there]
    assert offsets(times, 330, BERLIN) == [330] * len(times)


def test_a_day_begins_at_the_wearers_midnight() -> None:
    assert midnight(date(2026, 11, 2), BERLIN) == NIGHT
    moved = Zones(((0, "Europe/Berlin"), (NIGHT, "Asia/Kolkata")))
    assert midnight(date(2026, 11, 5), moved) == millis(datetime(2026, 11, 5, tzinfo=ZoneInfo("Asia/Kolkata")))


# ---------------------------------------------------------------- pages

keys = st.builds(
    Key, st.just("ada"), st.sampled_from(["2026-11-01", "2026-11-02", "2026-11-03"]), st.sampled_from(["a", "b"]),
    st.sampled_from(["x", "y"]),
)  # fmt: skip
sections = st.dictionaries(keys, st.lists(st.integers(0, 100), max_size=8, unique=True).map(sorted), max_size=8)


@given(sections, st.integers(1, 9))
def test_pages_leave_nothing_out_and_say_nothing_twice(given: dict[Key, list[int]], room: int) -> None:
    stored = [(key, [Row(at, 0, at, 1, at, at) for at in given[key]]) for key in sorted(given)]
    whole = paged(ASKED, stored, cursor.START, room=10_000)
    parts, place = [], cursor.START
    while True:
        page = paged(ASKED, stored, place, room)
        parts.append(page)
        assert sum(len(c.rows) for c in page.columns) <= room
        if not page.next_cursor:
            break
        place = cursor.read(ASKED, page.next_cursor)
    assert len(parts) <= sum(map(len, given.values())) + 1
    for column in whole.columns:
        same = [c for p in parts for c in p.columns if (c.source, c.resource) == (column.source, column.resource)]
        assert [row for c in same for row in c.rows] == column.rows
        runs = [(run.day, run.rows) for c in same for run in c.runs]
        joined = [(day, sum(n for _, n in part)) for day, part in groupby(runs, key=lambda run: run[0])]
        assert joined == [(run.day, run.rows) for run in column.runs]
        assert sum(run.rows for run in column.runs) == len(column.rows)


@given(st.text("abc#", max_size=5), st.integers(0, 2**50))
def test_a_cursor_comes_back_as_it_was(name: str, at: int) -> None:
    place = cursor.Place("2026-11-02", name, "beats", at)
    assert cursor.read(ASKED, cursor.write(ASKED, place)) == place
    assert cursor.read(ASKED, "") == cursor.START


@given(st.one_of(st.text(min_size=1, max_size=40), st.integers(0, 60)))
def test_a_cursor_that_was_touched_is_refused(touch: str | int) -> None:
    good = cursor.write(ASKED, cursor.Place("2026-11-02", "ring", "beats", NIGHT))
    if isinstance(touch, int):
        place = touch % (len(good) - 1)  # the last letter may hold bits that mean nothing
        touch = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
    with pytest.raises(BadRequestError) as caught:
        cursor.read(ASKED, touch)
    assert caught.value.param == "cursor"


def test_a_cursor_goes_on_with_its_own_question_only() -> None:
    good = cursor.write(ASKED, cursor.Place("2026-11-02", "ring", "beats", NIGHT))
    with pytest.raises(BadRequestError):
        cursor.read(Asked("steps", ASKED.first, ASKED.last), good)
