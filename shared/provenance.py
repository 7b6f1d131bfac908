"""Where a day's values came from: which vendor's answer, when it was learned and corrected, read by which mapping."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from shared import sections
from shared.commit import holds
from shared.model import Document
from shared.nights import joined
from shared.sections import Section
from shared.values import dataclass


@dataclass(frozen=True)
class Raw:
    """The sealed bytes of the vendor's answer: an S3 object, and where in it. They expire; the pointer stays."""

    object: str
    offset: int
    length: int


@dataclass(frozen=True)
class Origin:
    """One section, and the documents in it that say something about what was asked."""

    section: Section
    documents: tuple[Document, ...]

    @property
    def raw(self) -> Raw | None:
        if not self.section.raw:
            return None
        key, offset, length = self.section.raw.split(",")
        return Raw(key, int(offset), int(length))


def of_day(user: str, day: date, metric: str, source: str, resource: str, fresh: bool = False) -> Iterator[Origin]:
    """One Query, of one day. `metric` may also be a kind of episode; empty words ask for everything."""
    asked = day.isoformat()
    for section in sections.sections(user, asked, asked, fresh, holding=[metric] if metric else ()):
        documents = tuple(d for d in joined(section.documents()) if not metric or metric in holds([d]))
        if documents and source in ("", section.key.source) and resource in ("", section.key.resource):
            yield Origin(section, documents)


def said(document: Document) -> dict[str, str]:
    """The metrics a document brings, each with the vendor's own unit where it is not ours; its episode's among them."""
    inner = document.episode
    readings = (*document.readings, *(inner.readings if inner else ()))
    series = (*document.series, *(inner.series if inner else ()))
    return {r.metric: r.unit for r in readings} | {s.metric: s.unit for s in series}
