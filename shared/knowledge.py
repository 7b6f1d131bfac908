"""What happens when two pieces of knowledge about one section meet. Pure: the heart of the write protocol.

A section is everything one resource of one source says about one local day. Knowledge is *whole* (the reply to a
question about that day: what it does not list does not exist) or a *part* (a document, a push, a deletion).
Every document and every merged sample carries `as_of`, and older knowledge never replaces newer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from shared.model import Document, Reading, Series


@dataclass(frozen=True)
class Known:
    """A section's documents by id, and how old the last whole answer about it is (0: there was none)."""

    documents: Mapping[str, Document] = field(default_factory=dict)
    as_of: int = 0


@dataclass(frozen=True)
class News:
    """What a job learned about one section at `as_of` (milliseconds)."""

    as_of: int
    documents: tuple[Document, ...] = ()
    whole: bool = False
    deleted: frozenset[str] = frozenset()
    moved: frozenset[tuple[str, int]] = frozenset()
    """Samples (metric, instant) that turned out to belong to a neighbouring day."""

    def dated(self) -> dict[str, Document]:
        return gather(replace(d, as_of=self.as_of if d.as_of is None else d.as_of) for d in self.documents)


def learn(known: Known, news: News) -> Known:
    """The section after the news. The order in which several news arrive does not matter."""
    fresh = news.dated()
    if news.whole:
        newer = {i: d for i, d in known.documents.items() if age(d) > news.as_of}
        return Known({**fresh, **{i: newest(fresh.get(i), d) for i, d in newer.items()}}, max(known.as_of, news.as_of))
    documents = {i: d for i, d in known.documents.items() if i not in news.deleted or age(d) > news.as_of}
    if news.moved:
        documents = {i: without(d, news) for i, d in documents.items()}
    for id_, document in fresh.items():
        if id_ in documents:
            documents[id_] = newest(documents[id_], document)
        elif age(document) >= known.as_of:
            documents[id_] = document
    return Known(documents, known.as_of)


def age(document: Document) -> int:
    return document.as_of or 0


def newest(old: Document | None, new: Document) -> Document:
    """Documents with an id are replaced whole; samples that stand for themselves are replaced one by one."""
    if old is None:
        return new
    if old.id:
        return new if age(new) >= age(old) else old
    return united(old, new)


def gather(documents: Iterable[Document]) -> dict[str, Document]:
    """By id. Two documents with the same id in one delivery are two halves only where they have none."""
    found: dict[str, Document] = {}
    for document in documents:
        found[document.id] = newest(found.get(document.id), document)
    return found


def united(old: Document, new: Document) -> Document:
    """Samples by (metric, instant), the newer of each; readings by metric and instant likewise."""
    columns: dict[tuple[str, str], Series] = {(s.metric, s.unit): dated(s, age(old)) for s in old.series}
    for series in new.series:
        key = (series.metric, series.unit)
        column = dated(series, age(new))
        columns[key] = merged(columns[key], column) if key in columns else column
    first, second = (new, old) if age(old) > age(new) else (old, new)
    readings: dict[tuple[str, int | None], Reading] = {(r.metric, r.at): r for r in (*first.readings, *second.readings)}
    return replace(
        new, as_of=max(age(old), age(new)), readings=tuple(readings.values()), series=tuple(columns.values())
    )


def dated(series: Series, as_of: int) -> Series:
    return series if series.as_of else replace(series, as_of=[as_of] * len(series.times))


def merged(old: Series, new: Series) -> Series:
    rows = {t: (v, a) for t, v, a in zip(old.times, old.values, old.as_of, strict=True)}
    for t, v, a in zip(new.times, new.values, new.as_of, strict=True):
        if t not in rows or a >= rows[t][1]:
            rows[t] = (v, a)
    times = sorted(rows)
    return Series(new.metric, times, [rows[t][0] for t in times], new.unit, [rows[t][1] for t in times])


def without(document: Document, news: News) -> Document:
    """The document less the samples that moved, unless it is newer than the news."""
    if age(document) > news.as_of or document.id:
        return document
    return replace(document, series=tuple(_kept(series, news.moved) for series in document.series))


def _kept(series: Series, moved: frozenset[tuple[str, int]]) -> Series:
    keep = [i for i, t in enumerate(series.times) if (series.metric, t) not in moved]
    if len(keep) == len(series.times):
        return series
    as_of = [series.as_of[i] for i in keep] if series.as_of else ()
    return replace(series, times=[series.times[i] for i in keep], values=[series.values[i] for i in keep], as_of=as_of)
