"""One metric over days, column by column, as each source measured it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from shared import sections
from shared.sections import Section


@dataclass
class Column:
    """`times` in milliseconds, sorted; one value an instant."""

    source: str
    resource: str
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


def columns(user: str, metric: str, first: date, last: date, source: str = "", fresh: bool = False) -> list[Column]:
    """One Query, however many sources and days. What belongs to a sleep or a workout is served with it, not here."""
    found: dict[tuple[str, str], Column] = {}
    for section in sections.sections(user, first.isoformat(), last.isoformat(), consistent=fresh):
        if source in ("", section.key.source):
            for at, value in samples(section, metric):
                key = (section.key.source, section.key.resource)
                column = found.setdefault(key, Column(*key))
                column.times.append(at)
                column.values.append(value)
    return [found[key] for key in sorted(found)]


def samples(section: Section, metric: str) -> Iterator[tuple[int, float]]:
    rows: dict[int, float] = {}
    for document in section.documents():
        rows |= {r.at: r.value for r in document.readings if r.metric == metric and r.at is not None}
        for series in document.series:
            if series.metric == metric:
                rows |= dict(zip(series.times, series.values, strict=True))
    yield from sorted(rows.items())
