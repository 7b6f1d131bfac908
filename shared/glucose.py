"""Glucose: readings with their trend, and the consensus figures (Battelino et al. 2019, doi 10.2337/dci19-0028).

Values are mg/dL, which is what is stored. A reading that came in mmol/L is judged in mmol/L, to the one decimal that
meters show: 10.0 mmol/L is in range, though 180.16 mg/dL would not be. The unit of an answer decides nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, median, stdev
from typing import Literal

from shared.catalogue import METRICS, MG_DL_PER_MMOL_L
from shared.local_time import Zones, offsets
from shared.model import MINUTE, Document
from shared.sections import Section
from shared.units import MMOL_L
from shared.values import dataclass, replace

Level = Literal["very_low", "low", "in_range", "high", "very_high"]
LEVELS: tuple[Level, ...] = ("very_low", "low", "in_range", "high", "very_high")
EDGES = {"mg/dL": (54, 70, 180, 250), MMOL_L: (3.0, 3.9, 10.0, 13.9)}
TIGHT = {"mg/dL": (70, 140), MMOL_L: (3.9, 7.8)}
BOUNDS = {
    "mg/dL": ("< 54", "54–69", "70–180", "181–250", "> 250", "70–140"),
    MMOL_L: ("< 3.0", "3.0–3.8", "3.9–10.0", "10.1–13.9", "> 13.9", "3.9–7.8"),
}
"""Of the levels and of the tight range, as the consensus writes them."""
CLAMPED = (39, 401)
"""What a sensor writes for "below 40" and "above 400" mg/dL: right in ranges, a bias in every mean."""

Trend = Literal[
    "rising_fast", "rising", "rising_slowly", "steady", "falling_slowly", "falling", "falling_fast", "unknown"
]
TREND_WINDOW, SHORTEST = 15 * MINUTE + MINUTE // 2, 4 * MINUTE
FIVE, FIFTEEN = 5 * MINUTE, 15 * MINUTE
DAYS_ENOUGH, ACTIVE_ENOUGH = 14, 70


@dataclass(frozen=True)
class Reading:
    """`rate` in mg/dL a minute, by the sensor or else by its last 15 minutes; None where neither tells."""

    day: str
    at: int
    offset: int
    value: float
    unit: str = ""
    rate: float | None = None

    @property
    def clamped(self) -> bool:
        return self.value in CLAMPED

    def judged(self) -> tuple[str, float]:
        """The unit to compare in, and the value in it."""
        return (MMOL_L, round(self.value / MG_DL_PER_MMOL_L, 1)) if self.unit == MMOL_L else ("mg/dL", self.value)


@dataclass(frozen=True)
class Analysis:
    """Of one reading for each 5 minutes (15 for sensors that keep no more). `levels` are counts and add up to
    `readings`; `active` is the percentage of readings expected that are here; `enough` is 14 days and 70 % of them."""

    readings: int
    mean: float
    sd: float | None
    cv: float | None
    gmi: float
    levels: Mapping[Level, int]
    tight: int
    clamped: int
    active: float
    enough: bool


# ---------------------------------------------------------------- readings


def by_source(sections: Iterable[Section], zones: Zones) -> dict[tuple[str, str], list[Reading]]:
    """The readings of each (source, resource), sorted: a sensor and a meter are never mixed."""
    found: dict[tuple[str, str], dict[int, Reading]] = {}
    for section in sections:
        for document in section.documents():
            for reading in readings(document, section.key.day, zones):
                found.setdefault((section.key.source, section.key.resource), {})[reading.at] = reading
    return {key: trending([rows[at] for at in sorted(rows)]) for key, rows in sorted(found.items())}


def readings(document: Document, day: str, zones: Zones) -> list[Reading]:
    points = [(r.at, r.value, r.unit) for r in document.readings if r.metric == "glucose" and r.at is not None]
    rates: dict[int, float] = {}
    for series in document.series:
        if series.metric == "glucose":
            points += [(at, value, series.unit) for at, value in zip(series.times, series.values, strict=True)]
        elif series.metric == "glucose_rate":
            rates |= dict(zip(series.times, series.values, strict=True))
    points.sort()
    east = offsets([at for at, _, _ in points], document.offset, zones)
    rows = zip(points, east, strict=True)
    return [Reading(day, at, offset, value, unit, rates.get(at)) for (at, value, unit), offset in rows]


def chosen(
    found: Mapping[tuple[str, str], Sequence[Reading]], kinds: Mapping[str, str], trusted: Sequence[str]
) -> tuple[str, str]:
    """Whose readings to show: whom the person trusts, then the kind of device, then who has most."""
    prefer: tuple[str, ...] = METRICS["glucose"].prefer

    def order(key: tuple[str, str]) -> tuple[int, int, int, tuple[str, str]]:
        source, kind = key[0], kinds[key[0]]
        place = trusted.index(source) if source in trusted else len(trusted)
        return place, prefer.index(kind) if kind in prefer else len(prefer), -len(found[key]), key

    return min(found, key=order)


# ---------------------------------------------------------------- trend


def trending(found: Sequence[Reading]) -> list[Reading]:
    """With the rates that the sensor did not tell."""
    times = [reading.at for reading in found]
    starts = [bisect_left(times, at - TREND_WINDOW) for at in times]
    return [
        reading if reading.rate is not None else with_rate(reading, found[start : n + 1])
        for n, (reading, start) in enumerate(zip(found, starts, strict=True))
    ]


def with_rate(reading: Reading, window: Sequence[Reading]) -> Reading:
    if reading.at - window[0].at < SHORTEST or any(past.clamped for past in window):
        return reading
    return replace(reading, rate=slope([(past.at / MINUTE, past.value) for past in window]))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """By least squares."""
    x, y = fmean(p[0] for p in points), fmean(p[1] for p in points)
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def trend(rate: float | None) -> Trend:
    """In words. A rate that is just the edge of a band is in the steeper one."""
    if rate is None:
        return "unknown"
    if abs(rate) < 1:
        return "steady"
    steep = 3 if abs(rate) >= 3 else 2 if abs(rate) >= 2 else 1
    rising: dict[int, Trend] = {3: "rising_fast", 2: "rising", 1: "rising_slowly"}
    falling: dict[int, Trend] = {3: "falling_fast", 2: "falling", 1: "falling_slowly"}
    return (rising if rate > 0 else falling)[steep]


# ---------------------------------------------------------------- figures


def analyse(found: Sequence[Reading], days: int, period: int) -> Analysis | None:
    """`period` in milliseconds is what of the `days` asked for has passed; None without a plausible reading."""
    plausible = [reading for reading in found if METRICS["glucose"].flag.holds(reading.value)]
    if not plausible:
        return None
    width = pace(plausible)
    kept = thinned(plausible, width)
    values = [reading.value for reading in kept]
    average, sd = fmean(values), stdev(values) if len(values) > 1 else None
    counts = dict.fromkeys(LEVELS, 0)
    for reading in kept:
        counts[level(reading)] += 1
    active = min(100.0, 100 * len(kept) * width / max(period, width))
    return Analysis(
        readings=len(kept),
        mean=average,
        sd=sd,
        cv=None if sd is None else 100 * sd / average,
        gmi=3.31 + 0.02392 * average,  # Bergenstal et al. 2018, doi 10.2337/dc18-1581
        levels=counts,
        tight=sum(map(tight, kept)),
        clamped=sum(reading.clamped for reading in kept),
        active=active,
        enough=days >= DAYS_ENOUGH and active >= ACTIVE_ENOUGH,
    )


def pace(found: Sequence[Reading]) -> int:
    """Milliseconds between the readings expected."""
    gaps = [b.at - a.at for a, b in pairwise(found)]
    return FIVE if not gaps or median(gaps) <= 2 * FIVE else FIFTEEN


def thinned(found: Sequence[Reading], width: int) -> list[Reading]:
    """One for each stretch of `width`, less a tenth of it for clocks that tremble."""
    kept: list[Reading] = []
    for reading in found:
        if not kept or reading.at - kept[-1].at >= width * 0.9:
            kept.append(reading)
    return kept


def level(reading: Reading) -> Level:
    unit, value = reading.judged()
    very_low, low, high, very_high = EDGES[unit]
    if value < low:
        return "very_low" if value < very_low else "low"
    return "in_range" if value <= high else "high" if value <= very_high else "very_high"


def tight(reading: Reading) -> bool:
    unit, value = reading.judged()
    return TIGHT[unit][0] <= value <= TIGHT[unit][1]
