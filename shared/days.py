"""Merged days, computed when read from day items alone: which source wins, recovery, completeness. Nothing that depends
on two sources is ever stored, so the answer cannot depend on the order in which things arrived."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from shared import sections
from shared.catalogue import METRICS
from shared.recovery import BASELINE_DAYS, WEEK, HrvTrend, Recovery, hrv_trend, recovery
from shared.slots import Slot, slots
from shared.summary import Stats
from shared.values import dataclass

Priority = Mapping[str, Sequence[str]]
NO_PRIORITY: Priority = {}
INPUTS = {
    "hrv": ("heart_rate_variability", 1),
    "rhr": ("resting_heart_rate", 1),
    "sleep_duration": ("sleep_duration", 60),
    "sleep_efficiency": ("sleep_efficiency", 1),
}
"""recovery-v1's inputs: our metric, and how many of recovery's units make one of ours."""
EXPECTED_OF, EXPECTED_AT_LEAST = 14, 4


@dataclass(frozen=True)
class Value:
    """One source's figure for a metric on a day."""

    metric: str
    value: float
    slot: Slot
    stats: Stats


@dataclass(frozen=True)
class Choice:
    """The figure that stands for the day, why, and the ones that do not."""

    best: Value
    reason: str
    others: tuple[Value, ...]


@dataclass(frozen=True)
class Day:
    day: str
    slots: tuple[Slot, ...]
    choices: Mapping[str, Choice]


@dataclass(frozen=True)
class Report:
    """A day with what only its neighbours can tell: recovery against 60 days, completeness against 14."""

    day: Day
    recovery: Recovery
    hrv_trend: HrvTrend | None
    missing: tuple[str, ...]
    expected: tuple[str, ...]


def reports(user: str, first: date, last: date, fresh: bool = False, priority: Priority = NO_PRIORITY) -> list[Report]:
    """One Query. Days without data are left out."""
    start = first - timedelta(days=BASELINE_DAYS)
    days = {day.day: day for day in of_user(user, start, last, fresh, priority)}
    return [report(day, days) for key, day in days.items() if key >= first.isoformat() and day.choices]


def of_user(user: str, first: date, last: date, fresh: bool = False, priority: Priority = NO_PRIORITY) -> Iterator[Day]:
    """One Query, oldest first."""
    for item in sections.query(user, f"D#{first.isoformat()}", f"D#{last.isoformat()}", consistent=fresh):
        yield merge(item["sk"]["S"][2:], slots(item), priority)


def merge(day: str, found: Iterable[Slot], priority: Priority = NO_PRIORITY) -> Day:
    """Pure and total: the same slots in any order are the same day."""
    ordered = tuple(sorted(found, key=lambda slot: (slot.source, slot.resource)))
    candidates: dict[str, dict[str, Value]] = {}
    for slot in ordered:
        for metric, stats in slot.stats.items():
            value = Value(metric, stats.day_value(metric), slot, stats)
            sources = candidates.setdefault(metric, {})
            sources[slot.source] = max(sources.get(slot.source, value), value, key=within_source)
    chosen = {m: choose(m, list(v.values()), priority.get(m, ())) for m, v in sorted(candidates.items())}
    return Day(day, ordered, chosen)


def within_source(value: Value) -> tuple[bool, bool, int, int, str]:
    """What the person entered beats the vendor's figure for the day, which beats what we count from its samples; of
    several apps' the kind of device decides, then the most samples."""
    return value.stats.manual, value.stats.total, -rank(value), value.stats.n, value.slot.resource


def choose(metric: str, values: list[Value], trusted: Sequence[str] = ()) -> Choice:
    """The sources the person trusts, in their order; then what they entered by hand; then the kind of device; then the
    most samples."""

    def order(value: Value) -> tuple[int, bool, int, int, str]:
        source = value.slot.source
        place = trusted.index(source) if source in trusted else len(trusted)
        return place, not value.stats.manual, rank(value), -value.stats.n, source

    best, *others = sorted(values, key=order)
    if not others:
        reason = "only source"
    elif best.slot.source in trusted:
        reason = "the person's own priority"
    elif best.stats.manual > others[0].stats.manual:
        reason = "entered by hand"
    elif rank(best) < rank(others[0]):
        reason = f"{best.slot.kind} is preferred for {metric}"
    else:
        reason = "most samples" if best.stats.n > others[0].stats.n else "first by name"
    return Choice(best, reason, tuple(others))


def rank(value: Value) -> int:
    prefer: tuple[str, ...] = METRICS[value.metric].prefer
    return prefer.index(value.slot.kind) if value.slot.kind in prefer else len(prefer)


def report(day: Day, days: Mapping[str, Day]) -> Report:
    wanted = expected(day, days)
    missing = tuple(metric for metric in wanted if metric not in day.choices)
    return Report(day, recovered(day, days), hrv_week(day, days), missing, wanted)


def before(day: Day, days: Mapping[str, Day], count: int) -> list[Day]:
    end = date.fromisoformat(day.day)
    keys = [(end - timedelta(days=n)).isoformat() for n in range(count, 0, -1)]
    return [days[key] for key in keys if key in days]


def expected(day: Day, days: Mapping[str, Day]) -> tuple[str, ...]:
    """The signals this person usually has: seen on at least 4 of the 14 days before, or here today."""
    counts: dict[str, int] = {}
    for past in before(day, days, EXPECTED_OF):
        for metric in past.choices:
            counts[metric] = counts.get(metric, 0) + 1
    usual = {metric for metric, count in counts.items() if count >= EXPECTED_AT_LEAST}
    return tuple(sorted(usual | day.choices.keys()))


def recovered(day: Day, days: Mapping[str, Day]) -> Recovery:
    """Against the same source's past only: two devices are never mixed in one baseline."""
    today = {name: day.choices[metric].best for name, (metric, _) in INPUTS.items() if metric in day.choices}
    past = before(day, days, BASELINE_DAYS)
    history = {name: baseline(value, INPUTS[name][1], past) for name, value in today.items()}
    return recovery({name: value.value * INPUTS[name][1] for name, value in today.items()}, history)


def hrv_week(day: Day, days: Mapping[str, Day]) -> HrvTrend | None:
    metric, _ = INPUTS["hrv"]
    if metric not in day.choices:
        return None
    value = day.choices[metric].best
    week = [*baseline(value, 1, before(day, days, WEEK - 1)), value.value]
    return hrv_trend(week, baseline(value, 1, before(day, days, BASELINE_DAYS)))


def baseline(value: Value, scale: int, past: Iterable[Day]) -> list[float]:
    choices = (day.choices.get(value.metric) for day in past)
    same = (v for c in choices if c for v in (c.best, *c.others) if v.slot.source == value.slot.source)
    return [v.value * scale for v in same]
