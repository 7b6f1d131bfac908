"""What devices measure, drawn from a seed: values that wander about a mean, kept as the vendor rounds them.

A value is pulled back to its mean and pushed by noise (a first-order autoregression), within bounds; its precision is
the vendor's. `unit`: the vendor counts in whole ones of these. `jitter` are milliseconds about the regular time,
`missing` the share that was not recorded.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import e, log2, pi

from shared.model import DAY, HOUR, MINUTE

MIDNIGHT = 1_795_129_200_000
"""2026-11-20 in Berlin."""
SECOND = 1_000


@dataclass(frozen=True)
class Noise:
    metric: str
    step: int
    mean: float
    push: float
    low: float
    high: float
    digits: int = 0
    unit: float = 1
    pull: float = 0.03
    jitter: int = 0
    missing: float = 0.0
    lasts: int = DAY

    def draw(self, seed: int = 1) -> tuple[list[int], list[float]]:
        draw, value, times, values = random.Random(seed), self.mean, [], []
        for at in range(MIDNIGHT, MIDNIGHT + self.lasts, self.step):
            value += self.pull * (self.mean - value) + draw.gauss(0, self.push)
            value = min(self.high, max(self.low, value))
            if draw.random() >= self.missing:
                times.append(at + (draw.randrange(self.jitter) // SECOND * SECOND if self.jitter else 0))
                values.append(self.told(value))
        return times, values

    def told(self, value: float) -> float:
        counted = round(value) * self.unit if self.unit != 1 else value
        return round(counted, self.digits) if self.digits else round(counted)

    @property
    def least(self) -> float:
        """Bytes a sample below which no code gets in the mean, whoever knows this very noise: how much is new of a
        value, of its time, and of whether it is there. For a push far above the precision, and bounds that are far."""
        value = log2(self.push * 10**self.digits * (2 * pi * e) ** 0.5)
        time = log2(self.jitter / SECOND) if self.jitter else 0
        gone = self.missing
        there = -(gone * log2(gone) + (1 - gone) * log2(1 - gone)) / (1 - gone) if gone else 0
        return (value + time + there) / 8


NIGHT = 8 * HOUR
KINDS = {
    "heart rate, every 15 s": Noise("heart_rate", 15 * SECOND, 70, 2.5, 42, 190, missing=0.03),
    "heart rate, every minute": Noise("heart_rate", MINUTE, 70, 4, 42, 190, missing=0.03),
    # Fitbit's detail of `1sec`, which is one every 5 to 15 seconds, told to the second.
    # https://dev.fitbit.com/build/reference/web-api/intraday/get-heartrate-intraday-by-date/
    "heart rate, every 5 to 15 s": Noise("heart_rate", 10 * SECOND, 70, 2, 42, 190, jitter=6 * SECOND, missing=0.03),
    "glucose, every 5 min give or take a second": Noise("glucose", 5 * MINUTE, 120, 4, 40, 400, jitter=2 * SECOND),
    "steps, by minute": Noise("steps", MINUTE, 30, 25, 0, 190, pull=0.2, missing=0.5),
    # Fitbit tells every minute as tenths of a MET, and their calories: {"level": 1, "mets": 28, "value": 3.06572}.
    # https://dev.fitbit.com/build/reference/web-api/intraday/get-activity-intraday-by-date/
    "calories, by minute": Noise("calories_burned", MINUTE, 13, 4, 10, 120, 3, unit=0.10949, pull=0.1),
    # A pedometer's: the steps above by the length of a stride, which the wearer's profile holds to the millimetre.
    "distance, by minute": Noise("distance", MINUTE, 30, 25, 0, 190, 3, unit=0.731, pull=0.2, missing=0.5),
    "oxygen saturation, a night by minute": Noise("spo2", MINUTE, 96, 0.5, 85, 100, lasts=NIGHT, missing=0.05),
    "respiratory rate, a night by minute": Noise("respiratory_rate", MINUTE, 14, 0.3, 8, 25, 1, lasts=NIGHT),
    "stress level, every 3 min": Noise("stress_level", 3 * MINUTE, 35, 6, 1, 100, missing=0.1),
    "body battery, every 3 min": Noise("body_battery", 3 * MINUTE, 55, 0.7, 5, 100, pull=0.001),
}
RANDOM = {
    "heart rate, once in 5 min at any second": Noise("heart_rate", 5 * MINUTE, 70, 8, 42, 190, jitter=4 * MINUTE),
    "active calories, by minute, to the hundredth": Noise("active_calories", MINUTE, 5, 0.8, 0, 15, 2, missing=0.3),
    "distance, by minute, to the decimetre": Noise("distance", MINUTE, 100, 20, 0, 200, 1, pull=0.2, missing=0.5),
}
"""As good as random at their precision: what of them is new is more than any code can leave out."""
