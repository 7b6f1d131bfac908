"""What a period says against the one before it, from merged days: per metric its mean, ends, trend and missing days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from statistics import fmean, stdev
from typing import Literal

from shared import days as merged
from shared.days import Day, Priority, Value
from shared.values import dataclass

Trend = Literal["rising", "falling", "steady", "unknown"]
FEWEST = 3
WORTHWHILE = 0.2
"""In standard deviations of the days: a smaller change is none (Hopkins' smallest worthwhile change)."""


@dataclass(frozen=True)
class Overview:
    """Of one metric. `figures` are the days' own, oldest first; `change` is of the mean."""

    metric: str
    figures: tuple[tuple[str, Value], ...]
    missing: tuple[str, ...]
    previous: float | None
    trend: Trend

    @property
    def values(self) -> list[float]:
        return [value.value for _, value in self.figures]

    @property
    def mean(self) -> float | None:
        return fmean(self.values) if self.figures else None

    @property
    def sources(self) -> dict[str, int]:
        """On how many days each source stood, the most often first."""
        counts = Counter(value.slot.source for _, value in self.figures)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def before(first: date, last: date) -> tuple[date, date]:
    """The period of the same length that ends the day before."""
    length = last - first
    return first - length - timedelta(days=1), first - timedelta(days=1)


def overviews(user: str, first: date, last: date, metrics: Iterable[str], priority: Priority) -> list[Overview]:
    """One Query. Without `metrics`, every one that either period knows."""
    start, _ = before(first, last)
    known = {day.day: day for day in merged.of_user(user, start, last, priority=priority)}
    wanted = list(metrics) or sorted({metric for day in known.values() for metric in day.choices})
    return [overview(metric, first, last, known) for metric in wanted]


def overview(metric: str, first: date, last: date, known: Mapping[str, Day]) -> Overview:
    span = listed(first, last)
    figures, past = told(metric, span, known), told(metric, listed(*before(first, last)), known)
    earlier = [value.value for _, value in past]
    return Overview(
        metric,
        tuple(figures),
        tuple(sorted(set(span) - {day for day, _ in figures})),
        fmean(earlier) if earlier else None,
        trend([value.value for _, value in figures], earlier),
    )


def listed(first: date, last: date) -> list[str]:
    return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]


def told(metric: str, span: Iterable[str], known: Mapping[str, Day]) -> list[tuple[str, Value]]:
    days = (known[day] for day in span if day in known)
    return [(day.day, day.choices[metric].best) for day in days if metric in day.choices]


def trend(now: Sequence[float], earlier: Sequence[float]) -> Trend:
    """Unknown where either period has fewer than three days."""
    if min(len(now), len(earlier)) < FEWEST:
        return "unknown"
    spread = ((stdev(now) ** 2 + stdev(earlier) ** 2) / 2) ** 0.5
    change = fmean(now) - fmean(earlier)
    if abs(change) <= WORTHWHILE * spread or not change:
        return "steady"
    return "rising" if change > 0 else "falling"
