"""What a day item keeps of a section: per metric how many, least, most, sum, and the last with its instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.catalogue import METRICS
from shared.model import Document


@dataclass(frozen=True, slots=True)
class Stats:
    """`total` says that the vendor gave these as figures for the day; else they were counted from samples."""

    total: bool
    n: int
    low: float
    high: float
    sum: float
    last: float
    at: int | None

    def day_value(self, metric: str) -> float:
        rule = METRICS[metric].day
        figures = {"sum": self.sum, "mean": self.sum / self.n, "min": self.low, "max": self.high, "last": self.last}
        return figures[rule]

    def row(self) -> list[Any]:
        return [
            int(self.total),
            self.n,
            _short(self.low),
            _short(self.high),
            _short(self.sum),
            _short(self.last),
            self.at,
        ]

    @classmethod
    def read(cls, row: list[Any]) -> Stats:
        return cls(bool(row[0]), *row[1:])


def summarise(documents: Iterable[Document]) -> dict[str, Stats]:
    """Figures for the day beat samples of the same metric. What the catalogue flags as implausible is left out."""
    points: dict[tuple[str, bool], list[tuple[int | None, float]]] = {}
    for document in documents:
        for metric, total, at, value in _points(document):
            points.setdefault((metric, total), []).append((at, value))
    found = {(m, total): s for (m, total), rows in points.items() if (s := _stats(m, total, rows))}
    return {metric: found.get((metric, True)) or found[(metric, False)] for metric, _ in sorted(found)}


def _points(document: Document) -> Iterator[tuple[str, bool, int | None, float]]:
    for reading in document.readings:
        yield reading.metric, reading.at is None, reading.at, reading.value
    for series in document.series:
        for at, value in zip(series.times, series.values, strict=True):
            yield series.metric, False, at, value


def _stats(metric: str, total: bool, rows: list[tuple[int | None, float]]) -> Stats | None:
    low, high = METRICS[metric].flag
    kept = [(at, value) for at, value in rows if low <= value <= high]
    if not kept:
        return None
    values = [value for _, value in kept]
    at, last = max(kept, key=lambda row: row[0] or 0)
    return Stats(total, len(values), min(values), max(values), sum(values), last, at)


def _short(value: float) -> float:
    return round(value, 3)


def rows(stats: Mapping[str, Stats]) -> dict[str, list[Any]]:
    return {metric: s.row() for metric, s in stats.items()}
