"""From a vendor's pages to changes of sections: mapped, checked against the catalogue, filed under local days. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache, partial
from itertools import chain
from typing import Any, TypeVar

from shared.catalogue import METRICS
from shared.commit import Change
from shared.errors import ProviderChangedError
from shared.knowledge import News
from shared.local_time import Zones, by_day, from_wall_clock, local_day
from shared.model import DAY, HOUR, Deletion, Document, Episode, Reading, Series, Skipped
from shared.packing import normal
from shared.providers import Provider, Resource, Window
from shared.sections import Key
from shared.values import dataclass, replace

T = TypeVar("T", Document, Episode)
EVENING = 18 * HOUR


@dataclass(frozen=True)
class Answer:
    """What one question brought: its pages, and when the fetch began. `window` are the days it answers for, padding
    excluded; None for a document, a push or a file, which speak only of what they hold."""

    user: str
    provider: Provider
    resource: Resource
    pages: Sequence[Any]
    as_of: int
    zones: Zones
    window: Window | None = None
    unsigned: bool = False

    @property
    def whole(self) -> bool:
        return self.window is not None and self.resource.mode == "replace"


@dataclass(frozen=True)
class Filed:
    changes: list[Change]
    deletions: list[str]
    skipped: list[Skipped]


def file(answer: Answer) -> Filed:
    """Raises ProviderChangedError where not one of the records could be read."""
    apps: dict[str, dict[str, list[Document]]] = defaultdict(partial(defaultdict, list), {"": defaultdict(list)})
    deletions, skipped, unread, seen = [], [], 0, 0
    for item in (item for page in answer.resource.joined(answer.pages) for item in answer.resource.map(page)):
        seen += 1
        if isinstance(item, Skipped):
            skipped.append(item)
            unread += 1
        elif isinstance(item, Deletion):
            deletions.append(item.id)
        elif not item.sources or answer.provider.upstream in ("", *item.sources):
            kept, dropped = in_range(grounded(item, answer.zones))
            skipped.extend(dropped)
            days = apps[item.app]
            for day, document in at_home(standing(kept, answer), answer.zones):
                days[day].append(document)
    if seen and unread == seen:
        raise ProviderChangedError(
            f"{answer.provider.name} {answer.resource.name}: no record could be read ({skipped[0].reason})"
        )
    gone = frozenset(deletions)
    found = chain.from_iterable(changes(answer, app, days, gone) for app, days in apps.items())
    return Filed([*found], deletions, skipped)


def changes(answer: Answer, app: str, days: Mapping[str, list[Document]], deleted: frozenset[str]) -> Iterator[Change]:
    """One per day the answer speaks of, and one per day that something may have left for its neighbour. `app` is whose
    records these are, where the provider passes on those of several."""
    owned = [d.isoformat() for d in answer.window.days()] if answer.window else sorted(days)
    gone = deleted if answer.window else frozenset()
    change = changing(answer, app)
    left = departures(answer, {day: days.get(day, []) for day in owned})
    for day in owned:
        if answer.whole:
            yield change(day, News(answer.as_of, tuple(days.get(day, ())), whole=True))
        elif day in days or day in left or gone:
            ids, samples = left.pop(day, NOTHING)
            news = News(answer.as_of, tuple(days.get(day, ())), deleted=gone | ids, moved=samples)
            yield change(day, news)
    for day in left.keys() - set(owned):
        ids, samples = left[day]
        yield change(day, News(answer.as_of, deleted=ids, moved=samples))


Departed = tuple[frozenset[str], frozenset[tuple[str, int]]]
NOTHING: Departed = (frozenset(), frozenset())


def departures(answer: Answer, days: Mapping[str, list[Document]]) -> dict[str, Departed]:
    """By day, the ids and samples that now live next door and may have lived here: a record may be edited past
    midnight; a sample's day only changes where the person's zone has."""
    found: dict[str, Departed] = {}
    for day, documents in days.items():
        ids = frozenset(d.id for d in documents if d.id)
        samples = samples_of(documents) if len(answer.zones.history) > 1 else frozenset()
        if ids or samples:
            for neighbour in neighbours(day):
                before = found.get(neighbour, NOTHING)
                found[neighbour] = (before[0] | ids, before[1] | samples)
    return found


@lru_cache(maxsize=1024)
def neighbours(day: str) -> tuple[str, str]:
    """The days before and after."""
    here, step = date.fromisoformat(day), timedelta(days=1)
    return (here - step).isoformat(), (here + step).isoformat()


def samples_of(documents: Iterable[Document]) -> frozenset[tuple[str, int]]:
    alone = (d for d in documents if not d.id)
    return frozenset((series.metric, at) for d in alone for series in d.series for at in series.times)


def changing(answer: Answer, app: str) -> Callable[[str, News], Change]:
    """The news of a day, as a change of its section."""
    user, source, resource = answer.user, answer.provider, answer.resource
    name = f"{resource.name}@{app}" if app else resource.name
    kind = source.kind_of(name)
    return lambda day, news: Change(
        Key(user, day, source.id, name), news, kind, version=resource.version, unsigned=answer.unsigned
    )


def in_range(document: Document) -> tuple[Document, list[Skipped]]:
    """The document without values no device can mean; each is counted by metric, never by value."""
    if _all_possible(document) and (document.episode is None or _all_possible(document.episode)):
        return document, []
    dropped: list[Skipped] = []

    def possible(metric: str, value: float) -> bool:
        if METRICS[metric].reject.holds(value):
            return True
        dropped.append(Skipped(-1, "outside the possible range", metric))
        return False

    def kept(part: T) -> T:
        readings = tuple(r for r in part.readings if possible(r.metric, r.value))
        return replace(part, readings=readings, series=tuple(_possible_samples(s, possible) for s in part.series))

    return replace(kept(document), episode=kept(document.episode) if document.episode else None), dropped


def _all_possible(part: Document | Episode) -> bool:
    for reading in part.readings:
        low, high = METRICS[reading.metric].reject
        if not low <= reading.value <= high:
            return False
    return all(METRICS[series.metric].reject.hold(series.values) for series in part.series)


def _possible_samples(series: Series, possible: Any) -> Series:
    kept = [i for i, value in enumerate(series.values) if possible(series.metric, value)]
    return replace(series, times=[series.times[i] for i in kept], values=[series.values[i] for i in kept])


def at_home(document: Document, zones: Zones) -> Iterator[tuple[str, Document]]:
    """The document under its local day. The vendor's naming wins; a record lives on one day, that of its end (a sleep
    belongs to its wake day); samples that stand for themselves are cut at the wearer's midnights. A stage does not
    know when its sleep ends: from the evening on it is of the day after."""
    if document.day:
        yield document.day, document
    elif document.id:
        evening = EVENING if document.episode and document.episode.kind == "stage" else DAY
        yield local_day(last_instant(document) + DAY - evening, document.offset, zones), document
    else:
        yield from cut(document, zones)


def grounded(document: Document, zones: Zones) -> Document:
    """The document with instants for floating times. An episode and its stages begin when the clock showed it, and last
    as long as they last."""
    if not document.floating:
        return document

    def ground(part: T) -> T:
        readings = tuple(r if r.at is None else replace(r, at=from_wall_clock([r.at], zones)[0]) for r in part.readings)
        series = tuple(replace(s, times=from_wall_clock(s.times, zones)) for s in part.series)
        return replace(part, readings=readings, series=series)

    episode = document.episode
    if episode:
        [start], length = from_wall_clock([episode.start], zones), episode.end - episode.start
        begun = from_wall_clock([stage[0] for stage in episode.stages], zones)
        stages = tuple((at, at + b - a, name) for at, (a, b, name) in zip(begun, episode.stages, strict=True))
        episode = replace(ground(episode), start=start, end=start + length, stages=stages)
    return replace(ground(document), episode=episode, floating=False)


def standing(document: Document, answer: Answer) -> Document:
    """What a resource says of now and dates in no way is of the day it was asked; that day is its id, so that
    yesterday's stays."""
    if not answer.resource.current or document.day or all(reading.at is not None for reading in document.readings):
        return document
    day = local_day(answer.as_of, None, answer.zones)
    return replace(document, id=day, day=day)


def last_instant(document: Document) -> int:
    if document.episode:
        return document.episode.end
    times = [r.at for r in document.readings if r.at is not None]
    times += [max(s.times) for s in document.series if s.times]
    if not times:
        raise ProviderChangedError("a document names neither its day nor an instant")
    return max(times)


def cut(document: Document, zones: Zones) -> Iterator[tuple[str, Document]]:
    for series in map(normal, document.series):
        for day, part in by_day(series.times, document.offset, zones):
            piece = replace(series, times=series.times[part], values=series.values[part])
            yield day, replace(document, day=day, readings=(), series=(piece,))
    for reading in document.readings:
        day = local_day(_instant(reading), document.offset, zones)
        yield day, replace(document, day=day, readings=(reading,), series=())


def _instant(reading: Reading) -> int:
    if reading.at is None:
        raise ProviderChangedError("a figure for a whole day names no day")
    return reading.at
