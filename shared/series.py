"""One metric over days, column by column, as each source measured it, or in minutes, hours or days; page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Literal, NamedTuple

from shared import cursor, sections
from shared.cursor import Place
from shared.days import of_user
from shared.local_time import Zones, midnight, offsets
from shared.model import HOUR, MINUTE
from shared.sections import Key, Section
from shared.summary import statistics
from shared.values import dataclass, field

PAGE = 50_000
"""Rows of one answer: about 1 MB before gzip, and nine days of a sample every 15 seconds."""

Resolution = Literal["raw", "minute", "hour", "day"]
WIDTHS: dict[Resolution, int] = {"minute": MINUTE, "hour": HOUR}


@dataclass(frozen=True)
class Asked:
    """Which column; with the same words a cursor goes on."""

    metric: str
    first: date
    last: date
    resolution: Resolution = "raw"
    source: str = ""


class Row(NamedTuple):
    """A sample, or what a stretch of them comes to. `at` in milliseconds, where it begins; `offset` in minutes."""

    at: int
    offset: int
    value: float
    samples: int
    low: float
    high: float


@dataclass
class Run:
    """Rows in a row of one local day, and the wearer's minutes east of UTC in it."""

    day: str
    offset: int
    rows: int = 0


def count(runs: list[Run], day: str, offset: int) -> None:
    """One more row, of this day and offset."""
    if not runs or (runs[-1].day, runs[-1].offset) != (day, offset):
        runs.append(Run(day, offset))
    runs[-1].rows += 1


@dataclass
class Column:
    source: str
    resource: str
    rows: list[Row] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def extend(self, day: str, rows: Iterable[Row]) -> None:
        for row in rows:
            count(self.runs, day, row.offset)
            self.rows.append(row)


@dataclass(frozen=True)
class Page:
    columns: list[Column]
    next_cursor: str = ""


def page(user: str, asked: Asked, zones: Zones, given: str = "", fresh: bool = False) -> Page:
    """One Query, however many sources and days. What belongs to a sleep or a workout is served with it, not here."""
    place = cursor.read(asked, given)
    read = day_rows if asked.resolution == "day" else sample_rows
    return paged(asked, read(user, asked, zones, place, fresh), place)


def paged(asked: Asked, found: Iterable[tuple[Key, list[Row]]], place: Place, room: int = PAGE) -> Page:
    """The rows after `place`, as many as there is room for."""
    columns: dict[tuple[str, str], Column] = {}
    last = place
    for key, rows in found:
        section = (key.day, key.source, key.resource)
        left = rows if section > place.section else [row for row in rows if row.at > place.at]
        if section < place.section or not left:
            continue
        if not room:
            return Page(ordered(columns), cursor.write(asked, last))
        given = left[:room]
        columns.setdefault(section[1:], Column(*section[1:])).extend(key.day, given)
        last, room = Place(*section, given[-1].at), room - len(given)
        if len(given) < len(left):
            return Page(ordered(columns), cursor.write(asked, last))
    return Page(ordered(columns))


def ordered(columns: dict[tuple[str, str], Column]) -> list[Column]:
    return [columns[key] for key in sorted(columns)]


def sample_rows(user: str, asked: Asked, zones: Zones, place: Place, fresh: bool) -> Iterator[tuple[Key, list[Row]]]:
    start = "#".join(place.section) if place.day else asked.first.isoformat()
    for section in sections.sections(user, start, asked.last.isoformat(), fresh, holding=[asked.metric]):
        if asked.source in ("", section.key.source):
            rows = samples(section, asked.metric, zones)
            width = WIDTHS.get(asked.resolution)
            yield section.key, rolled(asked.metric, rows, width) if width else rows


def day_rows(user: str, asked: Asked, zones: Zones, place: Place, fresh: bool) -> Iterator[tuple[Key, list[Row]]]:
    """What each source says of each day: its own figure, or what its samples come to."""
    start = date.fromisoformat(place.day) if place.day else asked.first
    for day in of_user(user, start, asked.last, fresh):
        choice = day.choices.get(asked.metric)
        values = (choice.best, *choice.others) if choice else ()
        for value in sorted(values, key=lambda v: v.slot.source):
            if asked.source in ("", value.slot.source):
                at = midnight(date.fromisoformat(day.day), zones)
                [offset] = offsets([at], None, zones)
                row = Row(at, offset, value.value, value.stats.n, value.stats.low, value.stats.high)
                yield Key(user, day.day, value.slot.source, value.slot.resource), [row]


def samples(section: Section, metric: str, zones: Zones) -> list[Row]:
    """One value an instant, sorted."""
    found: dict[int, Row] = {}
    for document in section.documents():
        points = {r.at: r.value for r in document.readings if r.metric == metric and r.at is not None}
        for series in document.series:
            if series.metric == metric:
                points |= dict(zip(series.times, series.values, strict=True))
        times = sorted(points)
        for at, offset in zip(times, offsets(times, document.offset, zones), strict=True):
            found[at] = Row(at, offset, points[at], 1, points[at], points[at])
    return [found[at] for at in sorted(found)]


def rolled(metric: str, rows: Iterable[Row], width: int) -> list[Row]:
    """Cut at the wearer's own full minutes or hours, so never across their midnight; each stretch is summarised as the
    catalogue summarises a day, without what it flags."""
    stretches: dict[int, list[Row]] = {}
    for row in rows:
        start = row.at - (row.at + row.offset * MINUTE) % width
        stretches.setdefault(start, []).append(row)
    found = []
    for start, part in sorted(stretches.items()):
        if stats := statistics(metric, [row.at for row in part], [row.value for row in part]):
            value = stats.day_value(metric)
            found.append(Row(start, part[0].offset, value, stats.n, stats.low, stats.high))
    return found
