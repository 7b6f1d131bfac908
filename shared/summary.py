"""What a day item keeps of a section: per metric how many, least, most, sum, and the last with its instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress
from typing import Any, NamedTuple, TypeAlias

from shared.catalogue import METRICS
from shared.model import Document
from shared.nights import joined

Point: TypeAlias = tuple[int | None, float]
"""(instant, or None for a whole day's figure, value)."""
Column: TypeAlias = tuple[Sequence[int | None], Sequence[float]]


class Stats(NamedTuple):
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
    told = joined(documents)
    found: dict[tuple[str, bool, bool], list[Column]] = {}
    for document in told:
        for metric, total, column in _columns(document):
            found.setdefault((metric, document.manual, total), []).append(column)
    stands = {}
    for metric, manual, total in sorted(found):  # the last of a metric's
        # Two records of one value at one instant are one sample: a phone that is restored may name all of it anew.
        columns = found[metric, manual, total]
        times, values = _one(columns, once=not total and len(told) > 1)
        if stats := statistics(metric, times, values, total, manual, ordered=len(columns) == 1):
            stands[metric] = stats
    return stands


def _columns(document: Document) -> Iterator[tuple[str, bool, Column]]:
    """(metric, whether of the whole day, instants and values)."""
    for reading in document.readings:
        yield reading.metric, reading.at is None, ((reading.at,), (reading.value,))
    for series in document.series:
        yield series.metric, False, (series.times, series.values)


def _one(columns: Sequence[Column], once: bool) -> Column:
    if len(columns) == 1:
        return columns[0]
    points: Iterable[Point] = chain.from_iterable(zip(*column, strict=True) for column in columns)
    times, values = zip(*(dict.fromkeys(points) if once else points), strict=True)
    return times, values


def statistics(
    metric: str,
    times: Sequence[int | None],
    values: Sequence[float],
    total: bool = False,
    manual: bool = False,
    ordered: bool = False,
) -> Stats | None:
    """Of a column, without what the catalogue flags; None where nothing is left. `ordered` by time, as columns are
    kept."""
    flag = METRICS[metric].flag
    if len(values) == 1:
        value = values[0]
        return Stats(total, 1, value, value, value, value, times[0], manual) if flag.holds(value) else None
    spread = set(values)
    if not flag.hold(spread):
        fine = [flag.holds(value) for value in values]
        times, values = [*compress(times, fine)], [*compress(values, fine)]
        spread = set(values)
    if not spread:
        return None
    at = times[-1] if ordered else max(filter(None, times), default=times[0])
    last = values[-1] if at and times[-1] == at else values[times.index(at)]
    return Stats(total, len(values), min(spread), max(spread), sum(values), last, at, manual)


def _short(value: float) -> float:
    return value if type(value) is int else round(value, 3)


def rows(stats: Mapping[str, Stats]) -> dict[str, list[Any]]:
    return {metric: s.row() for metric, s in stats.items()}
