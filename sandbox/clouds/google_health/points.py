"""The life as Google Health's points: one function per data type, each giving those of one civil day, newest last."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from sandbox.life import MINUTE, Person
from sandbox.sleep import AWAKE, DEEP, EPOCH, LIGHT, REM, STEP, Sleep
from sandbox.world import Activity, World, local_day, utc_iso

Point = dict[str, Any]
Day = Callable[[World, Person, date], Iterator[Point]]

BASELINE = 34.35  # °C
STEPS_PER_FLOOR = 1100  # the life has no stairs
STAGES = {AWAKE: "AWAKE", LIGHT: "LIGHT", DEEP: "DEEP", REM: "REM"}


# --- times


def parts(day: date) -> Point:
    return {"year": day.year, "month": day.month, "day": day.day}


def civil(person: Person, at: int) -> Point:
    """Zero parts are left out."""
    there = datetime.fromtimestamp(at, person.zone)
    clock = {"hours": there.hour, "minutes": there.minute, "seconds": there.second}
    return {"date": parts(there.date()), "time": {name: value for name, value in clock.items() if value}}


def offset(person: Person, at: int) -> str:
    there = datetime.fromtimestamp(at, person.zone).utcoffset()
    assert there is not None
    return f"{int(there.total_seconds())}s"


def sample_time(person: Person, at: int) -> Point:
    return {"physicalTime": utc_iso(at), "utcOffset": offset(person, at), "civilTime": civil(person, at)}


def interval(person: Person, start: int, end: int) -> Point:
    return {
        "startTime": utc_iso(start),
        "startUtcOffset": offset(person, start),
        "endTime": utc_iso(end),
        "endUtcOffset": offset(person, end),
        "civilStartTime": civil(person, start),
        "civilEndTime": civil(person, end),
    }


# --- once a night


def night_of(world: World, person: Person, day: date) -> Sleep | None:
    return next((s for s in shown_sleeps(world, person, day) if s.kind == "night"), None)


def shown_sleeps(world: World, person: Person, day: date) -> list[Sleep]:
    return [s for s in world.sleeps(person, day) if not world.is_deleted("google_health", person, s.kind, day)]


def nightly(fields: Callable[[World, Person, date, Sleep], Point]) -> Day:
    def points(world: World, person: Person, day: date) -> Iterator[Point]:
        night = night_of(world, person, day)
        if night:
            yield {"date": parts(day), **fields(world, person, day, night)}

    return points


def skin(world: World, person: Person, day: date, night: Sleep) -> Point:
    deviation = world.life.vitals(person, day).temperature_deviation
    nightly, spread = round(BASELINE + deviation, 2), 0.22
    return {
        "nightlyTemperatureCelsius": nightly,
        "baselineTemperatureCelsius": BASELINE,
        "relativeNightlyStddev30dCelsius": spread,
    }


def oxygen(world: World, person: Person, day: date, night: Sleep) -> Point:
    mean = world.life.vitals(person, day).spo2
    return {"averagePercentage": mean, "lowerBoundPercentage": mean - 2, "upperBoundPercentage": min(100, mean + 2)}


def cardio(world: World, person: Person, day: date) -> Iterator[Point]:
    vo2 = world.life.vitals(person, day).vo2_max
    if vo2 is not None:
        yield {"date": parts(day), "vo2Max": float(vo2), "cardioFitnessLevel": "GOOD"}


# --- samples


def variability(world: World, person: Person, day: date) -> Iterator[Point]:
    for sleep in shown_sleeps(world, person, day):
        for index, value in enumerate(sleep.hrv):
            if value is not None:
                at = sample_time(person, sleep.start + index * STEP)
                yield {"sampleTime": at, "rootMeanSquareOfSuccessiveDifferencesMilliseconds": float(value)}


def saturation(world: World, person: Person, day: date) -> Iterator[Point]:
    mean = world.life.vitals(person, day).spo2
    night = night_of(world, person, day)
    for index in range(0, len(night.hrv) if night else 0, 6):
        assert night
        value = min(100.0, round(mean + (index % 5 - 2) * 0.2, 1))
        yield {"sampleTime": sample_time(person, night.start + index * STEP), "percentage": value}


def breathing(world: World, person: Person, day: date) -> Iterator[Point]:
    for sleep in shown_sleeps(world, person, day):
        yield {"sampleTime": sample_time(person, sleep.end), "fullSleepStats": {"breathsPerMinute": sleep.breaths}}


def fasting(world: World, person: Person, day: date) -> Iterator[Point]:
    """A finger prick after waking, written by another app through Health Connect."""
    wake = world.life.sleeps(person, day)[0].end
    for at, value in world.glucose(person, wake, wake + 2 * STEP)[:1]:
        measured = {"bloodGlucoseMilligramsPerDeciliter": float(value), "measurementTiming": "FASTING"}
        yield {"sampleTime": sample_time(person, at), **measured}


def weighings(world: World, person: Person, day: date) -> Iterator[tuple[Point, float, float]]:
    for weighing in world.weighings(person):
        gone = world.is_deleted("google_health", person, "weight", day, weighing.at)
        if local_day(person, weighing.at) == day and not gone:
            yield sample_time(person, weighing.at), weighing.kg, weighing.fat


def weight(world: World, person: Person, day: date) -> Iterator[Point]:
    return ({"sampleTime": at, "weightGrams": kg * 1000} for at, kg, _ in weighings(world, person, day))


def fat(world: World, person: Person, day: date) -> Iterator[Point]:
    return ({"sampleTime": at, "percentage": share} for at, _, share in weighings(world, person, day))


def run_cardio(world: World, person: Person, day: date) -> Iterator[Point]:
    workout = world.workout(person, day)
    if workout and workout.activity == "running":
        yield {"sampleTime": sample_time(person, workout.end), "runVo2Max": round(50 - person.resting / 6, 1)}


def nothing(world: World, person: Person, day: date) -> Iterator[Point]:
    """A type the API has and this life has not."""
    return iter(())


# --- sessions


def record_id(world: World, person: Person, kind: str, day: date) -> str:
    """Numbers that may exceed 2^53."""
    return str(int(world.identify("google_health", person.name, kind, day).replace("-", "")[:16], 16))


def sleep(world: World, person: Person, day: date) -> Iterator[Point]:
    for lived in shown_sleeps(world, person, day):
        modified = utc_iso(world.sleep_modified(person, day, lived))
        night = lived.kind == "night"
        yield {
            "id": record_id(world, person, lived.kind, day),
            "interval": interval(person, lived.start, lived.end),
            "type": "STAGES",
            "stages": [stage(person, *run) for run in runs(lived)],
            "summary": summary(lived),
            "metadata": {"mainSleep": True, "processed": True} if night else {"nap": True, "processed": True},
            "createTime": modified,
            "updateTime": modified,
        }


def runs(lived: Sleep) -> Iterator[tuple[int, int, str]]:
    start = 0
    for index, letter in enumerate(lived.stages):
        if index + 1 == len(lived.stages) or lived.stages[index + 1] != letter:
            yield lived.start + start * EPOCH, lived.start + (index + 1) * EPOCH, STAGES[letter]
            start = index + 1


def stage(person: Person, start: int, end: int, name: str) -> Point:
    ends = {"startTime": utc_iso(start), "endTime": utc_iso(end)}
    return {**ends, "startUtcOffset": offset(person, start), "endUtcOffset": offset(person, end), "type": name}


def summary(lived: Sleep) -> Point:
    """Whole minutes, as strings."""
    stages = [{"type": STAGES[s], "minutes": minutes(lived.seconds(s))} for s in (AWAKE, LIGHT, DEEP, REM)]
    return {
        "minutesInSleepPeriod": minutes(lived.end - lived.start),
        "minutesAsleep": minutes(lived.asleep),
        "minutesAwake": minutes(lived.seconds(AWAKE)),
        "minutesToFallAsleep": minutes(lived.latency),
        "minutesAfterWakeUp": "0",
        "stagesSummary": stages,
    }


def minutes(seconds: int) -> str:
    return str(round(seconds / MINUTE))


def exercise(world: World, person: Person, day: date) -> Iterator[Point]:
    workout = world.workout(person, day)
    if workout is None or world.is_deleted("google_health", person, "workout", day):
        return
    yield {
        "id": record_id(world, person, "workout", day),
        "interval": interval(person, workout.start, workout.end),
        "exerciseType": {"running": "RUNNING", "cycling": "BIKING"}[workout.activity],
        "displayName": workout.activity.title(),
        "activeDuration": f"{workout.end - workout.start}s",
        "metricsSummary": {"caloriesKcal": workout.kcal, "distanceMillimeters": workout.distance * 1000},
        "createTime": utc_iso(workout.end),
        "updateTime": utc_iso(workout.end),
    }


# --- sums


def sums(data_type: str, lived: Activity) -> Point:
    """A day's figures: int64 as strings, doubles as numbers."""
    levels = {"LIGHT": lived.low, "MODERATE": lived.medium, "VIGOROUS": lived.high}
    by_level = [{"activityLevel": level, "activeMinutesSum": minutes(seconds)} for level, seconds in levels.items()]
    figures: dict[str, Point] = {
        "steps": {"countSum": str(lived.steps)},
        "distance": {"millimetersSum": str(round(lived.distance * 1000))},
        "floors": {"countSum": str(lived.steps // STEPS_PER_FLOOR)},
        "active-energy-burned": {"kcalSum": lived.active_kcal},
        "total-calories": {"kcalSum": lived.total_kcal},
        "active-minutes": {"activeMinutesRollupByActivityLevel": by_level},
    }
    return figures[data_type]


SUMS = ("steps", "distance", "floors", "active-energy-burned", "total-calories", "active-minutes")
POINTS: dict[str, Day] = {
    "daily-resting-heart-rate": nightly(lambda w, p, d, night: {"beatsPerMinute": str(night.lowest)}),
    "daily-heart-rate-variability": nightly(
        lambda w, p, d, night: {"averageHeartRateVariabilityMilliseconds": float(night.mean_hrv)}
    ),
    "daily-oxygen-saturation": nightly(oxygen),
    "daily-respiratory-rate": nightly(lambda w, p, d, night: {"breathsPerMinute": night.breaths}),
    "daily-sleep-temperature-derivations": nightly(skin),
    "daily-vo2-max": cardio,
    "heart-rate-variability": variability,
    "oxygen-saturation": saturation,
    "respiratory-rate-sleep-summary": breathing,
    "blood-glucose": fasting,
    "core-body-temperature": nothing,
    "weight": weight,
    "body-fat": fat,
    "vo2-max": nothing,
    "run-vo2-max": run_cardio,
    "sleep": sleep,
    "exercise": exercise,
}


def beats(world: World, person: Person, start: int, end: int, step: int) -> Iterator[Point]:
    """Means over windows counted from the start of the range; windows without a beat are not listed."""
    windows: dict[int, list[int]] = {}
    for day in world.days_between(person, start, end):
        for minute in world.worn(person, day):
            if start <= minute.at < end:
                windows.setdefault((minute.at - start) // step, []).append(minute.heart)
    for number, found in sorted(windows.items()):
        at = datetime.fromtimestamp(start + number * step, UTC)
        ends = {"startTime": utc_iso(int(at.timestamp())), "endTime": utc_iso(int(at.timestamp()) + step)}
        mean = sum(found) / len(found)
        spread = {"beatsPerMinuteMax": float(max(found)), "beatsPerMinuteMin": float(min(found))}
        yield {**ends, "heartRate": {"beatsPerMinuteAvg": mean, **spread}}
