"""One sleep as the body lived it: half-minute stages, heart rate and HRV every five minutes."""

import math
from dataclasses import dataclass
from functools import cached_property
from random import Random

# One digit per 30 s, in the coding Oura prints; other clouds translate.
DEEP, LIGHT, REM, AWAKE = "1", "2", "3", "4"
EPOCH = 30
STEP = 300
_CYCLE_MINUTES = 90


@dataclass(frozen=True)
class Sleep:
    kind: str
    start: int
    stages: str
    heart: tuple[int | None, ...]
    hrv: tuple[int | None, ...]
    breaths: float

    @property
    def end(self) -> int:
        return self.start + EPOCH * len(self.stages)

    def seconds(self, stage: str) -> int:
        return EPOCH * self.stages.count(stage)

    @property
    def asleep(self) -> int:
        return EPOCH * len(self.stages) - self.seconds(AWAKE)

    @property
    def latency(self) -> int:
        return EPOCH * (len(self.stages) - len(self.stages.lstrip(AWAKE)))

    @cached_property
    def lowest(self) -> int:
        return min(value for value in self.heart if value is not None)

    @cached_property
    def mean_heart(self) -> float:
        known = [value for value in self.heart if value is not None]
        return sum(known) / len(known)

    @cached_property
    def mean_hrv(self) -> int:
        known = [value for value in self.hrv if value is not None]
        return round(sum(known) / len(known))

    def heart_at(self, instant: int) -> int:
        index = min((instant - self.start) // STEP, len(self.heart) - 1)
        return self.heart[index] or self.heart[1] or self.lowest


def fall_asleep(rng: Random, kind: str, start: int, steps: int, resting: int, hrv: float) -> Sleep:
    """A sleep of `steps` five-minute steps whose lowest heart rate is exactly `resting`."""
    heart: list[int | None] = [None]
    variability: list[int | None] = [None]
    for index in range(1, steps):
        depth = math.sin(math.pi * index / steps)
        heart.append(max(resting, round(resting + 11 * (1 - depth) ** 1.4 + rng.gauss(1.5, 1.2))))
        variability.append(max(8, round(hrv * (0.75 + 0.45 * depth) + rng.gauss(0, 5))))
    heart[1 + int(steps * rng.uniform(0.4, 0.7))] = resting
    stages = _stages(rng, steps * STEP // EPOCH)
    return Sleep(kind, start, stages, tuple(heart), tuple(variability), round(rng.gauss(14.4, 0.4), 3))


def _stages(rng: Random, epochs: int) -> str:
    stages = AWAKE * rng.randint(8, 26)
    tail = rng.randint(2, 8)
    for cycle in range(epochs // (2 * _CYCLE_MINUTES) + 1):
        deep = max(0, round(2 * rng.gauss(40 - 13 * cycle, 4)))
        rem = max(6, round(2 * rng.gauss(9 + 8 * cycle, 4)))
        light = max(20, 2 * _CYCLE_MINUTES - deep - rem)
        falling = round(light * rng.uniform(0.3, 0.5))
        stages += LIGHT * falling + DEEP * deep + LIGHT * (light - falling) + REM * rem
        stages += AWAKE * rng.randint(0, 7)
    return stages[: epochs - tail] + AWAKE * tail
