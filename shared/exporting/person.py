"""A person's data from the first day asked for to the last, a stretch at a time, as every format reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlencode

from shared import days, profiles, sections
from shared.days import Report
from shared.errors import TooLargeError
from shared.jobs import now_ms
from shared.local_time import Zones, midnight, offsets
from shared.model import Document, Episode, Reading
from shared.profiles import Profile
from shared.providers import Window
from shared.sections import Key, Section
from shared.settings import settings
from shared.values import dataclass, field

STRETCH = timedelta(days=92)
"""Day items held at once; each stretch reads the 60 days before it once more, for recovery."""
SYSTOLIC, DIASTOLIC = "blood_pressure_systolic", "blood_pressure_diastolic"


class Measured(NamedTuple):
    """What one document, or the episode in it, measured of one metric; `offsets` in minutes east of UTC."""

    key: Key
    document: Document
    episode: Episode | None
    metric: str
    times: Sequence[int]
    values: Sequence[float]
    offsets: Sequence[int]


class Pressure(NamedTuple):
    """Both blood pressures of one instant, in mmHg."""

    at: int
    offset: int
    systolic: float
    diastolic: float


@dataclass(frozen=True)
class Person:
    """Whose export, of which local days; `until` (milliseconds) is when the reading has to be over, 0 for whenever."""

    user: str
    first: date
    last: date
    profile: Profile = field(default_factory=Profile)
    until: int = 0

    @property
    def zones(self) -> Zones:
        return self.profile.zones

    def reports(self) -> Iterator[Report]:
        """Merged days that hold something, oldest first."""
        start = self.first
        while start <= self.last:
            end = min(start + STRETCH - timedelta(days=1), self.last)
            self._in_time()
            yield from days.reports(self.user, start, end, fresh=True, priority=self.profile.priority)
            start = end + timedelta(days=1)

    def sections(self) -> Iterator[Section]:
        """Every section, oldest day first: one Query, page by page. Raises TooLargeError past `until`."""
        if self.first > self.last:
            return
        for section in sections.sections(self.user, self.first.isoformat(), self.last.isoformat(), consistent=True):
            self._in_time()
            yield section

    def bounds(self, day: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """A local day's two midnights, each with its offset."""
        first = date.fromisoformat(day)
        ends = [midnight(d, self.zones) for d in (first, first + timedelta(days=1))]
        (start, end) = ((at, offsets([at], None, self.zones)[0]) for at in ends)
        return start, end

    def _in_time(self) -> None:
        if self.until and now_ms() > self.until:
            raise TooLargeError("more than one export can hold; ask for fewer days", "from")


def instant(at: int, offset: int) -> str:
    """ISO 8601 on the wearer's clock."""
    there = datetime.fromtimestamp(at / 1000, _east(offset))
    return there.isoformat(timespec="milliseconds" if at % 1000 else "seconds")


@lru_cache(maxsize=64)
def _east(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))


@lru_cache(maxsize=256)
def provenance(key: Key) -> str:
    """Where the API tells what a section was made of."""
    asked = urlencode({"day": key.day, "source": key.source, "resource": key.resource})
    return f"{settings().public_url}/v1/provenance?{asked}"


def person(user: str, wished: Window, until: int = 0) -> Person:
    """Of the days wished for, those there are."""
    first, last = max(wished.first, edge(user, newest=False)), min(wished.last, edge(user, newest=True))
    return Person(user, first, last, profiles.of(user), until)


def edge(user: str, newest: bool) -> date:
    """The first day that holds something, or the last; today where none does."""
    found = sections.query(user, "D#", "D$", newest_first=newest, projection="sk", consistent=True)
    return next((date.fromisoformat(item["sk"]["S"][2:]) for item in found), datetime.now(UTC).date())


# ---------------------------------------------------------------- what a section holds


def carriers(document: Document) -> tuple[Episode | None, ...]:
    """Who carries what was measured: the document itself, and the episode in it."""
    return (None, document.episode) if document.episode else (None,)


def measured(key: Key, document: Document, episode: Episode | None, zones: Zones) -> Iterator[Measured]:
    """One value an instant of each metric, sorted, however many series and single readings told it."""
    carrier = episode or document
    columns: dict[str, list[tuple[Sequence[int], Sequence[float]]]] = {}
    for reading in carrier.readings:
        if reading.at is not None:
            columns.setdefault(reading.metric, []).append(([reading.at], [reading.value]))
    for series in carrier.series:
        columns.setdefault(series.metric, []).append((series.times, series.values))
    for metric, found in columns.items():
        times, values = found[0] if len(found) == 1 else merged(found)
        yield Measured(key, document, episode, metric, times, values, offsets(times, document.offset, zones))


def merged(columns: Iterable[tuple[Sequence[int], Sequence[float]]]) -> tuple[list[int], list[float]]:
    points = {at: value for times, values in columns for at, value in zip(times, values, strict=True)}
    return sorted(points), [points[at] for at in sorted(points)]


def figures(document: Document) -> Iterator[tuple[Episode | None, Reading]]:
    """The vendor's own figures: for the whole day, or for the whole episode."""
    for episode in carriers(document):
        yield from ((episode, reading) for reading in (episode or document).readings if reading.at is None)


def pressures(found: Iterable[Measured]) -> tuple[list[Pressure], list[Measured]]:
    """The blood pressures that have both halves, and everything else."""
    held = list(found)
    halves: dict[str, dict[int, float]] = {SYSTOLIC: {}, DIASTOLIC: {}}
    offset: dict[int, int] = {}
    for each in held:
        if each.metric in halves:
            halves[each.metric].update(zip(each.times, each.values, strict=True))
            offset.update(zip(each.times, each.offsets, strict=True))
    both = sorted(halves[SYSTOLIC].keys() & halves[DIASTOLIC].keys())
    whole = [Pressure(at, offset[at], halves[SYSTOLIC][at], halves[DIASTOLIC][at]) for at in both]
    return whole, [left for each in held if (left := without(each, set(both))).times]


def without(found: Measured, instants: set[int]) -> Measured:
    if found.metric not in (SYSTOLIC, DIASTOLIC) or not instants:
        return found
    kept = [n for n, at in enumerate(found.times) if at not in instants]
    times, values, east = ([column[n] for n in kept] for column in (found.times, found.values, found.offsets))
    return found._replace(times=times, values=values, offsets=east)  # type: ignore[arg-type]
