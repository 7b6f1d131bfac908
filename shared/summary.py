"""What a day item keeps of a section: per metric how many, least, most, sum, and the last with its instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from shared.catalogue import METRICS
from shared.model import Document
from shared.nights import joined

Point: TypeAlias = tuple[int | None, float]
"""(instant, or None for a whole day's figure, value)."""


@dataclass(frozen=True, slots=True)
class Stats:
    """`total` says that the vendor gave these as figures for the day; else they were counted from samples. `manual`
    says that the person entered them by hand."""

    total: bool
    n: int
    low: float
    high: float
    sum: float
    last: float
    at: int | None
    manual: bool = False

    def day_value(self, metric: str) -> float:
        figures = {"sum": self.sum, "mean": self.sum / self.n, "min": self.low, "max": self.high, "last": self.last}
        return figures[METRICS[metric].day]

    def row(self) -> list[Any]:
        return [
            int(self.total),
            self.n,
            _short(self.low),
            _short(self.high),
            _short(self.sum),
            _short(self.last),
            self.at,
            *([1] if self.manual else []),
        ]

    @classmethod
    def read(cls, row: list[Any]) -> Stats:
        total, n, low, high, summed, last, at, *manual = row
        return cls(bool(total), n, low, high, summed, last, at, bool(manual))


def summarise(documents: Iterable[Document]) -> dict[str, Stats]:
    """What the person entered beats what a device measured, and figures for the day beat samples of the same metric.
    What the catalogue flags as implausible is left out."""
    points: dict[tuple[str, bool, bool], list[Point]] = {}
    told = joined(documents)
    for document in told:
        for metric, total, found in _points(document):
            points.setdefault((metric, document.manual, total), []).extend(found)
    stands = {}
    for metric, manual, total in sorted(points):  # the last of a metric's
        rows = points[metric, manual, total]
        # Two records of one value at one instant are one sample: a phone that is restored may name all of it anew.
        once = rows if total or len(told) == 1 else dict.fromkeys(rows)
        if stats := statistics(metric, once, total, manual):
            stands[metric] = stats
    return stands


def _points(document: Document) -> Iterator[tuple[str, bool, Iterable[Point]]]:
    """(metric, whether of the whole day, points); a column at a time."""
    for reading in document.readings:
        yield reading.metric, reading.at is None, [(reading.at, reading.value)]
    for series in document.series:
        yield series.metric, False, zip(series.times, series.values, strict=True)


def statistics(metric: str, rows: Iterable[Point], total: bool = False, manual: bool = False) -> Stats | None:
    """Of (instant, value) pairs, without those the catalogue flags; None where none is left."""
    low, high = METRICS[metric].flag
    kept = [(at, value) for at, value in rows if low <= value <= high]
    if not kept:
        return None
    values = [value for _, value in kept]
    at, last = max(kept, key=_instant)
    return Stats(total, len(values), min(values), max(values), sum(values), last, at, manual)


def _instant(row: Point) -> int:
    return row[0] or 0


def _short(value: float) -> float:
    return round(value, 3)


def rows(stats: Mapping[str, Stats]) -> dict[str, list[Any]]:
    return {metric: s.row() for metric, s in stats.items()}
