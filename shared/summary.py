"""What a day item keeps of a section: per metric how many, least, most, sum, and the last with its instant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

    def row(self) -> Any:
        """A figure for the day that a device told is the number alone; of any one value, nothing is said twice: every
        kilobyte of a day item is paid for with each slot that is filled."""
        if self.total and self.n == 1 and not self.manual:
            return self.last
        told = [2 * self.manual + self.total, self.at, self.last]
        return told if self.n == 1 else [*told, self.n, self.low, self.high, self.sum]

    @classmethod
    def read(cls, row: Any) -> Stats:
        if not isinstance(row, list):
            return cls(True, 1, row, row, row, row, None)
        marks, at, last, *more = row
        n, low, high, summed = more or (1, last, last, last)
        return cls(bool(marks & 1), n, low, high, summed, last, at, bool(marks & 2))


def summarise(documents: Iterable[Document]) -> dict[str, Stats]:
    """What the person entered beats what a device measured, and figures for the day beat samples of the same metric.
    What the catalogue flags as implausible is left out."""
    told = joined(documents)
    found: dict[tuple[str, bool, bool], list[Column]] = {}
    """By metric, whether entered by hand, and whether of the whole day."""
    for document in told:
        manual = document.manual
        for reading in document.readings:
            at = reading.at
            found.setdefault((reading.metric, manual, at is None), []).append(((at,), (reading.value,)))
        for series in document.series:
            found.setdefault((series.metric, manual, False), []).append((series.times, series.values))
    stands = {}
    for metric, manual, total in sorted(found):  # the last of a metric's
        # Two records of one value at one instant are one sample: a phone that is restored may name all of it anew.
        columns = found[metric, manual, total]
        alone = len(columns) == 1
        times, values = columns[0] if alone else _one(columns, once=not total and len(told) > 1)
        if stats := statistics(metric, times, values, total, manual, alone):
            stands[metric] = stats
    return stands


def _one(columns: Sequence[Column], once: bool) -> Column:
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
        value, (low, high) = values[0], flag
        return Stats(total, 1, value, value, value, value, times[0], manual) if low <= value <= high else None
    spread = set(values)
    if not flag.hold(spread):
        fine = [flag.holds(value) for value in values]
        times, values = [*compress(times, fine)], [*compress(values, fine)]
        spread = set(values)
    if not spread:
        return None
    at = times[-1] if ordered else max(filter(None, times), default=times[0])
    last = values[-1] if at and times[-1] == at else values[times.index(at)]
    summed = sum(values)
    if type(summed) is not int:
        summed = round(summed, 3)  # as they are
    return Stats(total, len(values), min(spread), max(spread), summed, last, at, manual)


def rows(stats: Mapping[str, Stats]) -> dict[str, Any]:
    return {metric: s.row() for metric, s in stats.items()}
