"""What happens when two pieces of knowledge about one section meet. Pure: the heart of the write protocol.

A section is everything one resource of one source says about one local day. Knowledge is *whole* (the reply to a
question about that day: what it does not list does not exist) or a *part* (a document, a push, a deletion).
Every document and every merged sample carries `as_of`, and older knowledge never replaces newer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from shared.model import Document, Series
from shared.values import dataclass, field, replace


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
        aged = (replace(d, as_of=self.as_of) if d.as_of is None else d for d in self.documents)
        return gather(d if d.id else columnar(d) for d in aged)


def learn(known: Known, news: News) -> Known:
    """The section after the news. The order in which several news arrive does not matter."""
    fresh = news.dated()
    if news.whole:
        younger = {i: part for i, d in known.documents.items() if (part := since(d, news.as_of + 1))}
        joined = {i: newest(fresh.get(i), part) for i, part in younger.items()}
        return Known({**fresh, **joined}, max(known.as_of, news.as_of))
    documents = {i: d for i, d in known.documents.items() if i not in news.deleted or age(d) > news.as_of}
    if news.moved:
        documents = {i: d if i else without(d, news) for i, d in documents.items()}
    for id_, document in fresh.items():
        if id_ and id_ in documents:
            documents[id_] = newest(documents[id_], document)
        elif part := since(document, known.as_of):  # what the last whole answer did not list, and is older, is no more
            documents[id_] = newest(documents.get(id_), part)
    return Known(documents, known.as_of)


def since(document: Document, instant: int) -> Document | None:
    """What of the document is known from `instant` on: all or nothing of a record, single ones of samples."""
    if document.id or all(not series.as_of for series in document.series):
        return document if age(document) >= instant else None
    if all(s.as_of and min(s.as_of) >= instant for s in document.series):
        return document
    series = tuple(picked(s, [i for i, a in enumerate(s.as_of) if a >= instant]) for s in document.series)
    kept = tuple(s for s in series if s.times)
    return replace(document, series=kept) if kept else None


def columnar(document: Document) -> Document:
    """Samples that stand for themselves are columns, each sample with its own date."""
    alone = [Series(r.metric, [r.at], [r.value], r.unit) for r in document.readings if r.at is not None]
    if not alone:
        return document
    found = columns(replace(document, series=(*document.series, *alone)))
    return replace(document, readings=(), series=tuple(found[key] for key in sorted(found)))


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
    """Samples by (metric, instant), the newer of each, in the newer of the two documents."""
    found = columns(old)
    for key, column in columns(new).items():
        found[key] = merged(found[key], column) if key in found else column
    newer = new if age(new) >= age(old) else old
    return replace(newer, series=tuple(found[key] for key in sorted(found)))


def columns(document: Document) -> dict[tuple[str, str], Series]:
    """One dated column for each metric and vendor's unit."""
    found: dict[tuple[str, str], Series] = {}
    for series in document.series:
        key, column = (series.metric, series.unit), dated(series, age(document))
        found[key] = merged(found[key], column) if key in found else column
    return found


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
    """The samples less those that moved, unless they are known from later than the news."""
    return replace(document, series=tuple(_kept(dated(s, age(document)), news) for s in document.series))


def _kept(series: Series, news: News) -> Series:
    rows = zip(series.times, series.as_of, strict=True)
    keep = [i for i, (t, a) in enumerate(rows) if (series.metric, t) not in news.moved or a > news.as_of]
    return series if len(keep) == len(series.times) else picked(series, keep)


def picked(series: Series, keep: Sequence[int]) -> Series:
    as_of = [series.as_of[i] for i in keep] if series.as_of else ()
    return replace(series, times=[series.times[i] for i in keep], values=[series.values[i] for i in keep], as_of=as_of)
