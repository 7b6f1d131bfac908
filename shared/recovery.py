"""recovery-v1: how today's heart and sleep compare with the person's own last 60 days, 1 to 99, 50 being a usual day.

Each component is a z-score against the person's baseline (the natural logarithm for HRV, as Plews et al. 2013 advise),
held down by absolute guards so that a chronic short sleeper is not "normal"; the components present are combined as a
weighted Stouffer z. The weights, floors and bands are ours. For wellness, not for medicine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import mean, stdev
from typing import Literal

from shared.values import dataclass

WEIGHTS = {"hrv": 0.40, "rhr": 0.25, "sleep_duration": 0.20, "sleep_efficiency": 0.15}
FLOOR_SD = {"hrv": 0.10, "rhr": 1.5, "sleep_duration": 30.0, "sleep_efficiency": 3.0}
BASELINE_DAYS = 60
FEWEST, ENOUGH = 7, 14
FARTHEST = 2.5
HEART = ("hrv", "rhr")
GUARDS: dict[str, Callable[[float], float]] = {
    "sleep_duration": lambda minutes: (minutes - 420) / 60,
    "sleep_efficiency": lambda percent: (percent - 85) / 5,
}


Status = Literal["ok", "provisional", "calibrating", "missing_inputs"]
Band = Literal["low", "normal", "high"]
HrvTrend = Literal["below", "within", "above"]
WEEK, WEEK_AT_LEAST, NORMAL_SD = 7, 3, 0.5


@dataclass(frozen=True)
class Component:
    z: float
    baseline_days: int


@dataclass(frozen=True)
class Recovery:
    """`status`: ok, provisional (a baseline under 14 days), calibrating (under 7), or missing_inputs."""

    score: int | None
    status: Status
    coverage: float
    components: Mapping[str, Component]

    @property
    def band(self) -> Band | None:
        if self.score is None:
            return None
        return "low" if self.score <= 33 else "normal" if self.score <= 66 else "high"


def hrv_trend(week: Sequence[float], history: Sequence[float]) -> HrvTrend | None:
    """Where the last 7 days' mean of ln HRV lies against the 60 days' mean ± half their standard deviation: single days
    are noisy, a week is not. None under 3 days, or before there is a baseline."""
    if len(week) < WEEK_AT_LEAST or len(history) < FEWEST:
        return None
    usual = [math.log(value) for value in history]
    shift, width = mean(map(math.log, week)) - mean(usual), NORMAL_SD * stdev(usual)
    return "within" if abs(shift) <= width else "above" if shift > 0 else "below"


def recovery(today: Mapping[str, float], history: Mapping[str, Sequence[float]]) -> Recovery:
    """`today`: hrv in ms, rhr per minute, sleep_duration in minutes, sleep_efficiency in percent, each if known.
    `history`: their values on the 60 days before, today excluded."""
    found = {
        name: c for name in WEIGHTS if name in today and (c := component(name, today[name], history.get(name, ())))
    }
    coverage = round(sum(WEIGHTS[name] for name in found), 2)
    if not any(name in found for name in HEART) or coverage < 0.5:
        waiting = any(name in today and name not in found for name in HEART)
        return Recovery(None, "calibrating" if waiting else "missing_inputs", coverage, found)
    combined = sum(WEIGHTS[name] * c.z for name, c in found.items())
    z = combined / math.sqrt(sum(WEIGHTS[name] ** 2 for name in found))
    percentile = (1 + math.erf(z / math.sqrt(2))) / 2
    provisional = any(found[name].baseline_days < ENOUGH for name in HEART if name in found)
    score = round(_clamp(math.floor(100 * percentile + 0.5), 1, 99))
    return Recovery(score, "provisional" if provisional else "ok", coverage, found)


def component(name: str, value: float, history: Sequence[float]) -> Component | None:
    """None where there is neither a baseline nor an absolute guard to judge by."""
    if name == "hrv":
        value, history = math.log(value), [math.log(past) for past in history]
    z = personal(name, value, history)
    if name in GUARDS:
        z = min(GUARDS[name](value), 0.0 if z is None else z)
    return None if z is None else Component(_clamp(z, -FARTHEST, FARTHEST), len(history))


def personal(name: str, value: float, history: Sequence[float]) -> float | None:
    """Against the person's own mean, damped while the baseline is young; a lower resting heart rate is better."""
    if len(history) < FEWEST:
        return None
    z = (value - mean(history)) / max(stdev(history), FLOOR_SD[name]) * min(1.0, len(history) / ENOUGH)
    return -z if name == "rhr" else z


def _clamp(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))
