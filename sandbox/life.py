"""One seeded synthetic life per person: the truth that every fake cloud reports in its own words.

Pure: the same (seed, person, day, today) always gives the same day. Instants are unix seconds, days are local
dates. The whole day is drawn at once; nothing here knows what is already past — `World` clips at now.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from random import Random
from threading import RLock
from typing import TypeVar
from zoneinfo import ZoneInfo

from sandbox.sleep import STEP, Sleep, fall_asleep

T = TypeVar("T")
MINUTE = 60
HISTORY_DAYS = 120
HELD_BACK_DAYS = 2


@dataclass(frozen=True)
class Person:
    name: str
    zone: ZoneInfo
    wake_hour: float
    resting: float
    hrv: float
    weight: float
    fat: float
    height: float
    age: int
    sex: str
    stride: float
    basal_kcal: float
    glucose_phase: int
    history: int = HISTORY_DAYS  # days before today for which there is anything


PEOPLE = {
    "ada": Person("ada", ZoneInfo("Europe/Berlin"), 6.6, 53, 48, 64.2, 26.4, 1.69, 36, "female", 0.71, 1410, 131),
    "ben": Person("ben", ZoneInfo("America/New_York"), 7.1, 58, 39, 82.7, 21.8, 1.82, 44, "male", 0.77, 1790, 47),
}


@dataclass(frozen=True)
class Workout:
    activity: str
    start: int
    end: int
    kcal: float
    distance: float


@dataclass(frozen=True)
class Meal:
    at: int
    carbs: int
    insulin: float


@dataclass(frozen=True)
class Weighing:
    at: int
    kg: float
    fat: float


@dataclass(frozen=True)
class Pressure:
    at: int
    systolic: int
    diastolic: int
    pulse: int


@dataclass(frozen=True)
class Labs:
    """What was found in a sample of blood. `told` is when the laboratory says so."""

    at: int
    told: int
    hba1c: float
    ldl: int
    creatinine: float


@dataclass(frozen=True)
class Minute:
    at: int
    heart: int
    steps: int
    met: float


@dataclass(frozen=True)
class Vitals:
    spo2: float
    breathing_disturbance: int
    temperature_deviation: float
    stress_high: int
    recovery_high: int
    vo2_max: int | None


class Life:
    """`today` pins which nights are held back; a night of today never reaches past it."""

    def __init__(self, seed: int, today: datetime) -> None:
        self.seed = seed
        self.today = today
        self._drawing = RLock()
        self.resting = cache(self._resting)
        self.sleeps = self._once(self._sleeps)
        self.minutes = self._once(self._minutes)
        self.glucose = self._once(self._glucose)

    def _once(self, draw: Callable[[Person, date], T]) -> Callable[[Person, date], T]:
        """Each day is drawn once: of many requests for the same new day, all but one wait for it."""
        known = cache(draw)

        def drawn(person: Person, day: date) -> T:
            with self._drawing:
                return known(person, day)

        return drawn

    def held_back(self, person: Person, day: date) -> bool:
        return 0 <= (self.local_today(person) - day).days < HELD_BACK_DAYS

    def local_today(self, person: Person) -> date:
        return self.today.astimezone(person.zone).date()

    def _rng(self, person: Person, day: date, topic: str) -> Random:
        return Random(f"{self.seed}:{person.name}:{day}:{topic}")

    def _resting(self, person: Person, day: date) -> int:
        drift = 2.4 * math.sin(2 * math.pi * day.toordinal() / 45)
        return round(person.resting + drift + self._rng(person, day, "resting").gauss(0, 0.8))

    # --- sleep

    def _sleeps(self, person: Person, day: date) -> tuple[Sleep, ...]:
        """The sleeps of a wake day: the night that ended in its morning, then naps."""
        rng = self._rng(person, day, "night")
        hour = person.wake_hour + 0.8 * (day.weekday() >= 5) + rng.gauss(0, 0.3)
        wake = clock_time(person, day, hour)
        if day == self.local_today(person):
            just_now = int(self.today.timestamp()) // MINUTE * MINUTE - 5 * MINUTE
            wake = max(midnight(person, day), min(wake, just_now))
        steps = min(110, max(72, round(rng.gauss(93, 6))))
        hrv = person.hrv + 5 * math.sin(2 * math.pi * day.toordinal() / 30) + rng.gauss(0, 3)
        night = fall_asleep(rng, "night", wake - steps * STEP, steps, self.resting(person, day), hrv)
        return (night, *self._naps(person, day, rng, hrv))

    def _naps(self, person: Person, day: date, rng: Random, hrv: float) -> tuple[Sleep, ...]:
        # A held-back day has no sleep at all until its night is revealed, so no nap either.
        if rng.random() > 0.2 or self.held_back(person, day):
            return ()
        start = clock_time(person, day, rng.uniform(13.5, 15))
        return (fall_asleep(rng, "nap", start, rng.randint(7, 15), self.resting(person, day) + 5, hrv * 0.9),)

    def asleep(self, person: Person, day: date) -> list[Sleep]:
        """Every sleep that may touch the calendar day: its own and the next night's."""
        return [*self.sleeps(person, day), self.sleeps(person, day + timedelta(days=1))[0]]

    # --- movement

    def workout(self, person: Person, day: date) -> Workout | None:
        rng = self._rng(person, day, "workout")
        start = clock_time(person, day, rng.uniform(17, 18.6))
        end = start + rng.randint(25, 50) * MINUTE
        activity = rng.choice(["running", "running", "cycling"])
        clashes = any(sleep.start < end + 3600 and start < sleep.end for sleep in self.asleep(person, day))
        if rng.random() > 0.4 or clashes:
            return None
        minutes = (end - start) // MINUTE
        pace, met = (152.0, 8.4) if activity == "running" else (330.0, 6.8)
        kcal = round(met * person.weight * minutes / 60, 1)
        return Workout(activity, start, end, kcal, round(pace * minutes * rng.uniform(0.95, 1.05), 1))

    def _minutes(self, person: Person, day: date) -> tuple[Minute, ...]:
        rng = self._rng(person, day, "minutes")
        first, last = midnight(person, day), midnight(person, day + timedelta(days=1))
        sleeps, workout = self.asleep(person, day), self.workout(person, day)
        walking = 0
        found = []
        for at in range(first, last, MINUTE):
            sleep = next((s for s in sleeps if s.start <= at < s.end), None)
            if sleep:
                found.append(Minute(at, sleep.heart_at(at), 0, 0.9))
            elif workout and workout.start <= at < workout.end:
                found.append(self._exercise(rng, person, day, workout, at))
            else:
                hour = (at - first) / 3600
                walking = walking - 1 if walking else _set_off(rng, hour)
                found.append(self._ordinary(rng, self.resting(person, day), at, hour, bool(walking)))
        return tuple(found)

    def _ordinary(self, rng: Random, resting: int, at: int, hour: float, walking: bool) -> Minute:
        steps = max(20, round(rng.gauss(92, 14))) if walking else 0
        circadian = 14 + 6 * math.sin(math.pi * (hour - 7) / 15)
        heart = resting + circadian + 0.24 * steps + rng.gauss(0, 2)
        return Minute(at, round(heart), steps, round(1.8 + steps / 55, 1) if steps else rng.choice((1.1, 1.3)))

    def _exercise(self, rng: Random, person: Person, day: date, workout: Workout, at: int) -> Minute:
        effort = min(1.0, (at - workout.start) / 480)
        heart = self.resting(person, day) + 40 + 48 * effort + rng.gauss(0, 3)
        if workout.activity == "running":
            return Minute(at, round(heart), max(120, round(rng.gauss(161, 4))), 8.4)
        return Minute(at, round(heart), 0, 6.8)

    # --- food and glucose

    def meals(self, person: Person, day: date) -> tuple[Meal, ...]:
        rng = self._rng(person, day, "meals")
        wake = self.sleeps(person, day)[0].end
        planned = [
            (max(wake + 1200, clock_time(person, day, rng.gauss(7.8, 0.3))), rng.randint(25, 60)),
            (clock_time(person, day, rng.gauss(12.6, 0.3)), rng.randint(40, 85)),
            (clock_time(person, day, rng.gauss(19.4, 0.3)), rng.randint(40, 90)),
        ]
        bedtime = self.sleeps(person, day + timedelta(days=1))[0].start
        return tuple(Meal(at, carbs, round(carbs / 11, 1)) for at, carbs in planned if at < bedtime)

    def _glucose(self, person: Person, day: date) -> tuple[tuple[int, int], ...]:
        """(instant, mg/dL) every five minutes, as the blood has it: the device's 40–400 clamp comes later."""
        rng = self._rng(person, day, "glucose")
        first, last = midnight(person, day), midnight(person, day + timedelta(days=1))
        today = self.meals(person, day)
        yesterday = self.meals(person, day - timedelta(days=1))
        feast = 5.6 if rng.random() < 0.05 else 1.0  # now and then a dinner goes far past the sensor's 400
        dip = first + 10_800 if rng.random() < 0.08 else 0  # and a night lies on the sensor, below 40
        wander, found = 0.0, []
        for at in range(first - first % STEP + person.glucose_phase, last, STEP):
            wander = 0.9 * wander + rng.gauss(0, 2.2)
            rise = sum(_response(at - meal.at, meal.carbs) for meal in (*yesterday, *today))
            rise += (feast - 1) * _response(at - today[-1].at, today[-1].carbs) if today else 0
            pressed = 75 * math.exp(-(((at - dip) / 700) ** 2)) if dip else 0.0
            value = 96 + wander + rise - pressed
            if at >= first:
                found.append((at, max(25, round(value))))
        return tuple(found)

    # --- once a day

    def vitals(self, person: Person, day: date) -> Vitals:
        rng = self._rng(person, day, "vitals")
        vo2 = round(50 - person.resting / 6 + rng.gauss(0, 0.6)) if day.weekday() == 6 else None
        return Vitals(
            spo2=round(min(99.5, rng.gauss(96.8, 0.5)), 1),
            breathing_disturbance=rng.randint(1, 9),
            temperature_deviation=round(rng.gauss(0, 0.16), 2),
            stress_high=900 * rng.randint(0, 10),
            recovery_high=900 * rng.randint(0, 10),
            vo2_max=vo2,
        )

    def weighing(self, person: Person, day: date) -> Weighing | None:
        rng = self._rng(person, day, "scale")
        if rng.random() > 0.8:
            return None
        wave = math.sin(2 * math.pi * day.toordinal() / 70)
        at = self.sleeps(person, day)[0].end + rng.randint(6, 18) * MINUTE
        kg = round(person.weight + 0.9 * wave + rng.gauss(0, 0.25), 2)
        return Weighing(at, kg, round(person.fat + 0.5 * wave + rng.gauss(0, 0.2), 2))

    def pressure(self, person: Person, day: date) -> Pressure | None:
        rng = self._rng(person, day, "cuff")
        if rng.random() > 0.3:
            return None
        at = self.sleeps(person, day)[0].end + rng.randint(20, 30) * MINUTE
        systolic = round(rng.gauss(121, 5))
        return Pressure(at, systolic, round(systolic * 0.64 + rng.gauss(0, 3)), self.resting(person, day) + 9)

    def labs(self, person: Person, day: date) -> Labs | None:
        """Every other week; the results are there two days later."""
        if (day.toordinal() + person.glucose_phase) % 14:
            return None
        rng, at = self._rng(person, day, "labs"), clock_time(person, day, 8.25)
        hba1c, creatinine = round(rng.gauss(5.9, 0.3), 1), round(rng.gauss(0.9, 0.1), 2)
        return Labs(at, at + 48 * 60 * MINUTE, hba1c, round(rng.gauss(118, 14)), creatinine)


def _set_off(rng: Random, hour: float) -> int:
    """Minutes of a walk that begins now, mostly none; nobody sets off in the small hours."""
    chance = 0.036 if int(hour) in (8, 12, 17) else 0.012
    return rng.randint(2, 11) if 5 <= hour < 22.5 and rng.random() < chance else 0


def _response(elapsed: int, carbs: int) -> float:
    """The glucose rise of one meal, mg/dL: a gamma curve that peaks after 55 min."""
    if not 0 < elapsed < 5 * 3600:
        return 0.0
    phase = elapsed / 3300
    return 0.95 * carbs * phase * math.exp(1 - phase)


def clock_time(person: Person, day: date, hour: float) -> int:
    """Hour of the wall clock, not hours since midnight: right on the days the clock changes."""
    wall = datetime.combine(day, time(), tzinfo=person.zone) + timedelta(minutes=round(hour * 60))
    return int(wall.timestamp())


def midnight(person: Person, day: date) -> int:
    return clock_time(person, day, 0)
