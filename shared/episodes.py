"""Sleeps and workouts as each source tells them, and which of several that tell of the same hours is to be believed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby

from shared import cursor, sections
from shared.catalogue import METRICS
from shared.cursor import Place
from shared.local_time import Zones, offsets
from shared.model import Document, Episode
from shared.nights import joined
from shared.providers.registry import provider
from shared.sections import Section
from shared.values import dataclass, replace

PAGE = 20_000
"""Stages, laps and samples after which an answer ends with its day."""

Kinds = tuple[str, ...]
SLEEP: Kinds = ("sleep", "nap")
WORKOUT: Kinds = ("workout",)
MEDICATION: Kinds = ("medication",)
JUDGED_BY = {"sleep": "sleep_duration", "nap": "sleep_duration", "workout": "active_minutes"}
"""The metric whose order of devices, and whose priority of the person's, says which source is believed. All are, of
other kinds."""


@dataclass(frozen=True)
class Asked:
    kinds: Kinds
    first: date
    last: date
    source: str = ""
    samples: bool = False


@dataclass(frozen=True)
class Told:
    """One episode. `offset` is the wearer's minutes east of UTC at its end; `preferred` is false where another source's
    is believed for these hours."""

    section: Section
    document: Document
    episode: Episode
    offset: int
    preferred: bool = True

    @property
    def source(self) -> str:
        return self.section.key.source

    @property
    def teller(self) -> tuple[str, str]:
        """The source, or one of several apps in it."""
        return self.source, self.section.key.resource.partition("@")[2]

    @property
    def weight(self) -> int:
        return 1 + len(self.episode.stages) + sum(len(series.times) for series in self.episode.series)


@dataclass(frozen=True)
class Page:
    episodes: list[Told]
    next_cursor: str = ""


def page(user: str, asked: Asked, zones: Zones, trusted: Sequence[str], given: str = "", fresh: bool = False) -> Page:
    """One Query; whole days, until there is enough."""
    place = cursor.read(asked, given)
    start = place.day or asked.first.isoformat()
    found = sections.sections(user, start, asked.last.isoformat(), fresh, holding=asked.kinds)
    episodes: list[Told] = []
    for day, of_day in groupby(found, key=lambda section: section.key.day):
        if sum(told.weight for told in episodes) >= PAGE:
            return Page(episodes, cursor.write(asked, Place(day, "", "", 0)))
        told = [told for section in of_day for told in told_in(section, asked, zones)]
        episodes += [t for t in judged(told, trusted) if asked.source in ("", t.source)]
    return Page(episodes)


def told_in(section: Section, asked: Asked, zones: Zones) -> Iterator[Told]:
    for document in joined(section.documents()):
        episode = document.episode
        if episode and episode.kind in asked.kinds:
            [offset] = offsets([episode.end], document.offset, zones)
            shown = episode if asked.samples else replace(episode, series=())
            yield Told(section, document, shown, offset)


def judged(told: Iterable[Told], trusted: Sequence[str] = ()) -> list[Told]:
    """By start. Pure: the episodes of one day in any order are judged the same. Two that one source, or one app in it,
    tells of are two."""
    best: list[Told] = []
    rest: list[Told] = []
    for candidate in sorted(told, key=lambda t: standing(t, trusted)):
        rivals = (t for t in best if t.teller != candidate.teller)
        (rest if any(same_hours(candidate.episode, t.episode) for t in rivals) else best).append(candidate)
    return sorted([*best, *(replace(t, preferred=False) for t in rest)], key=lambda t: (t.episode.start, t.source))


def standing(told: Told, trusted: Sequence[str]) -> tuple[int, bool, int, int, str, str]:
    """As a day's figures are judged: whom the person trusts, what they entered, the kind of device;
    then the longest."""
    source, metric = told.source, JUDGED_BY.get(told.episode.kind)
    prefer = METRICS[metric].prefer if metric else ()
    kind = provider(source).kind_of(told.section.key.resource)
    return (
        trusted.index(source) if source in trusted else len(trusted),
        not told.document.manual,
        prefer.index(kind) if kind in prefer else len(prefer),
        told.episode.start - told.episode.end,
        source,
        told.document.id,
    )


def same_hours(one: Episode, other: Episode) -> bool:
    """More than half of the shorter lies within the other."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    return 2 * shared > min(one.end - one.start, other.end - other.start)
