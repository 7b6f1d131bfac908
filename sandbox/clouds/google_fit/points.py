"""The life as Google Fit's points: one function per data type, each giving those of one day as its apps wrote them."""

from collections.abc import Callable, Iterator
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

from sandbox.life import MINUTE, Person
from sandbox.sleep import AWAKE, DEEP, EPOCH, LIGHT, REM, STEP, Sleep
from sandbox.world import World, local_day

CLOUD = "google_fit"
MG_DL = 18.0  # in a mmol/L, near enough for a fake
SEGMENTS = {AWAKE: 1, LIGHT: 4, DEEP: 5, REM: 6}
ACTIVITY_TYPES = {"running": 8, "cycling": 1}
SLEEPING = 72
TRACKER, ALARM = "com.example.sleep", "com.example.alarm"


class Raw(NamedTuple):
    """A point before it is merged: seconds, and its values by their places."""

    start: int
    end: int
    values: tuple[float, ...]


Day = Callable[[World, Person, date], Iterator[Raw]]

# --- by the minute


def steps(world: World, person: Person, day: date) -> Iterator[Raw]:
    return (Raw(m.at, m.at + MINUTE, (m.steps,)) for m in world.minutes(person, day) if m.steps)


def calories(world: World, person: Person, day: date) -> Iterator[Raw]:
    """What is burned at rest is an estimate for every minute."""
    for m in world.minutes(person, day):
        active = (m.met - 1) * person.weight / 60 if m.met > 1.5 else 0.0
        yield Raw(m.at, m.at + MINUTE, (active + person.basal_kcal / 1440,))


def move_minutes(world: World, person: Person, day: date) -> Iterator[Raw]:
    return (Raw(m.at, m.at + MINUTE, (1,)) for m in world.minutes(person, day) if m.met >= 3.3)


def distance(world: World, person: Person, day: date) -> Iterator[Raw]:
    workout = world.workout(person, day)
    ride = workout if workout and workout.activity == "cycling" else None
    for m in world.minutes(person, day):
        ridden = ride.distance * MINUTE / (ride.end - ride.start) if ride and ride.start <= m.at < ride.end else 0.0
        if metres := m.steps * person.stride + ridden:
            yield Raw(m.at, m.at + MINUTE, (metres,))


def beats(world: World, person: Person, day: date) -> Iterator[Raw]:
    return (Raw(m.at, m.at, (m.heart,)) for m in world.worn(person, day))


# --- now and then


def weighings(world: World, person: Person, day: date) -> Iterator[tuple[int, float, float]]:
    for weighing in world.weighings(person):
        gone = world.is_deleted(CLOUD, person, "weight", day, weighing.at)
        if local_day(person, weighing.at) == day and not gone:
            yield weighing.at, weighing.kg, weighing.fat


def weight(world: World, person: Person, day: date) -> Iterator[Raw]:
    return (Raw(at, at, (kg,)) for at, kg, _ in weighings(world, person, day))


def fat(world: World, person: Person, day: date) -> Iterator[Raw]:
    return (Raw(at, at, (share,)) for at, _, share in weighings(world, person, day))


def pressure(world: World, person: Person, day: date) -> Iterator[Raw]:
    taken = (p for p in world.pressures(person) if local_day(person, p.at) == day)
    return (Raw(p.at, p.at, (p.systolic, p.diastolic)) for p in taken)


def saturation(world: World, person: Person, day: date) -> Iterator[Raw]:
    mean = world.life.vitals(person, day).spo2
    for lived in shown_sleeps(world, person, day):
        for at in range(lived.start, lived.end, 6 * STEP):
            yield Raw(at, at, (mean,))


def fasting(world: World, person: Person, day: date) -> Iterator[Raw]:
    """A finger prick after waking, in mmol/L."""
    wake = world.life.sleeps(person, day)[0].end
    return (Raw(at, at, (round(value / MG_DL, 1),)) for at, value in world.glucose(person, wake, wake + 2 * STEP)[:1])


# --- nights


def shown_sleeps(world: World, person: Person, day: date) -> list[Sleep]:
    return [s for s in world.sleeps(person, day) if not world.is_deleted(CLOUD, person, s.kind, day)]


def segments(world: World, person: Person, day: date) -> Iterator[Raw]:
    for lived in shown_sleeps(world, person, day):
        start = lived.start
        for stage, run in groupby(lived.stages):
            end = start + EPOCH * len(list(run))
            yield Raw(start, end, (SEGMENTS[stage],))
            start = end


class Type(NamedTuple):
    """`sums`: buckets add its points up; else they give, of each value, the mean, the greatest and the least."""

    scope: str
    day: Day | None  # None: nothing was ever written of it
    sums: bool = False
    whole: bool = False  # numbers are integers
    untold: int = 0  # values of a summary that nobody gives, such as the position of the body


TYPES = {
    "com.google.step_count.delta": Type("activity", steps, sums=True, whole=True),
    "com.google.calories.expended": Type("activity", calories, sums=True),
    "com.google.active_minutes": Type("activity", move_minutes, sums=True, whole=True),
    "com.google.distance.delta": Type("location", distance, sums=True),
    "com.google.heart_rate.bpm": Type("heart_rate", beats),
    "com.google.weight": Type("body", weight),
    "com.google.body.fat.percentage": Type("body", fat),
    "com.google.blood_pressure": Type("blood_pressure", pressure, untold=2),
    "com.google.blood_glucose": Type("blood_glucose", fasting),
    "com.google.oxygen_saturation": Type("oxygen_saturation", saturation),
    "com.google.body.temperature": Type("body_temperature", None),
    "com.google.sleep.segment": Type("sleep", segments, whole=True),
}


# --- sessions


def sleeps(world: World, person: Person, day: date) -> Iterator[dict[str, Any]]:
    """The tracker tells a night with its stages; an alarm clock tells it too, from when it was set, without."""
    for lived in shown_sleeps(world, person, day):
        told = world.sleep_modified(person, day, lived)
        yield session(world, person, lived.kind, day, lived.start, lived.end, told, SLEEPING, TRACKER)
        if lived.kind == "night":
            set_at = lived.start - 20 * MINUTE
            yield session(world, person, "alarm", day, set_at, lived.end + MINUTE, told, SLEEPING, ALARM)


def exercises(world: World, person: Person, day: date) -> Iterator[dict[str, Any]]:
    done = world.workout(person, day)
    if done and not world.is_deleted(CLOUD, person, "workout", day):
        kind = ACTIVITY_TYPES[done.activity]
        yield session(world, person, "workout", day, done.start, done.end, done.end, kind, "com.example.run")


def session(
    world: World, person: Person, kind: str, day: date, start: int, end: int, told: int, activity: int, app: str
) -> dict[str, Any]:
    return {
        "id": world.identify(CLOUD, person.name, kind, day),
        "name": kind.title(),
        "description": "",
        "startTimeMillis": str(start * 1000),
        "endTimeMillis": str(end * 1000),
        "modifiedTimeMillis": str(told * 1000),
        "application": {"packageName": app, "version": "", "detailsUrl": ""},
        "activityType": activity,
    }
