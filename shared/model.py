"""What a mapping yields: vendor documents, holding readings, series and episodes.

Instants are integer milliseconds since 1970 UTC. Offsets are minutes east of UTC. Days are ISO dates of the wearer's
own calendar. Values are in the canonical unit of `shared.catalogue`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeAlias, get_args, overload

from shared.values import dataclass

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Kind = Literal["file", "cgm", "scale", "cuff", "ring", "watch", "phone", "mat", "record"]
"""What a person wears, steps on or hands us."""
KINDS = frozenset(get_args(Kind))


@dataclass(frozen=True)
class Reading:
    """One value: a spot measurement `at` an instant or, without one, the vendor's figure for the whole day."""

    metric: str
    value: float
    at: int | None = None
    unit: str = ""
    """The vendor's own unit, where it is not ours."""


@dataclass(frozen=True)
class Ticks(Sequence[int]):
    """Instants told by counting: `counts` times `each` milliseconds after `start`. It reads as a list of them and
    saves making one: thousands of large numbers, where it is mostly asked how far they are apart."""

    start: int
    each: int
    counts: Sequence[int]

    def __len__(self) -> int:
        return len(self.counts)

    def __iter__(self) -> Iterator[int]:
        start, each = self.start, self.each
        return iter([start + each * count for count in self.counts])

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Ticks: ...
    def __getitem__(self, place: int | slice) -> int | Ticks:
        if isinstance(place, slice):
            return Ticks(self.start, self.each, self.counts[place])
        return self.start + self.each * self.counts[place]


@dataclass(frozen=True)
class Series:
    """Columns: `values[i]` was measured at `times[i]`. Times need not be sorted; identity is (metric, instant). Where
    they are as far apart each, a `range` says them; where they are told by counting, `Ticks`.

    `as_of` dates single samples where several deliveries were merged (empty: the document's own `as_of`).
    """

    metric: str
    times: Sequence[int]
    values: Sequence[float]
    unit: str = ""
    as_of: Sequence[int] = ()


Stage: TypeAlias = tuple[int, int, str]
"""(start, end, name); sleep stages are named awake, light, deep, rem or asleep, those of a workout are its laps."""

Note: TypeAlias = tuple[str, str]
"""(what it is, what the record says): what of a record is no figure, in the words of the record."""

Zone: TypeAlias = tuple[str, float]
"""(the vendor's name for it, minutes in it): the heart rate zones of a workout, lightest first."""


@dataclass(frozen=True)
class Episode:
    """A sleep, a workout, an event, or a device when last heard of. What it carries belongs to it: none of it counts
    towards the day by itself. A `stage`, its name the label, is a stretch of a sleep that is told in stretches, each a
    record of its own: they are joined when they are read (`shared/nights.py`). A `medication` is a prescription, or
    what somebody says they take, when it was written down; dosage and status are in its `notes`."""

    kind: Literal["sleep", "nap", "stage", "workout", "event", "device", "medication"]
    start: int
    end: int
    label: str = ""
    stages: tuple[Stage, ...] = ()
    readings: tuple[Reading, ...] = ()
    series: tuple[Series, ...] = ()
    zones: tuple[Zone, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Document:
    """One vendor record, the unit that newer knowledge replaces.

    `id` is the vendor's; "" means the samples stand for themselves. `day` is the vendor's own naming of the day and
    wins where given; else each instant's day follows from `offset` or the person's zone history. `as_of` is the
    vendor's version of this record (updated_at, modified), where it has one. `manual` says that the person entered
    it by hand; only a document with an id can say so. `floating`: its times are the wearer's wall clock read as if it
    were UTC, and the person's zone history says when that was; lengths are real. `app` is whose record it is where the
    provider only passes on what other apps and devices measured, as `<kind>:<name>`; each has sections of its own.
    `sources` are the ids of those it comes from where an aggregator answers for all of a person's at once: it is for
    their connections alone. None named: it is for whoever asked.
    """

    id: str = ""
    day: str | None = None
    offset: int | None = None
    as_of: int | None = None
    readings: tuple[Reading, ...] = ()
    series: tuple[Series, ...] = ()
    episode: Episode | None = None
    manual: bool = False
    floating: bool = False
    app: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deletion:
    """The vendor says this document is no more."""

    id: str


@dataclass(frozen=True)
class Skipped:
    """A record that could not be mapped: where it stood and why, never what it held."""

    index: int
    reason: str
    field: str = ""


Item: TypeAlias = Document | Deletion | Skipped


def millis(at: datetime) -> int:
    """An aware datetime as milliseconds since 1970 UTC."""
    return round(at.timestamp() * 1000)


def instant(text: str) -> tuple[int, int | None]:
    """An ISO 8601 time as (milliseconds, offset in minutes). Without an offset it is read as UTC, offset None."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is UTC:  # as nearly everybody writes it
        return millis(at), 0
    if at.tzinfo is None:
        return millis(at.replace(tzinfo=UTC)), None
    offset = at.utcoffset()
    assert offset is not None  # an aware datetime has one
    return millis(at), round(offset.total_seconds() / 60)
