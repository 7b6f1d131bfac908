"""The life in Fitbit's words: what the wearer's clock showed, without an offset; totals as strings."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from sandbox.life import MINUTE, Person
from sandbox.sleep import AWAKE, DEEP, EPOCH, LIGHT, REM, Sleep
from sandbox.world import World, local_day, local_iso, utc_iso

Record = dict[str, Any]
LEVELS = {AWAKE: "wake", LIGHT: "light", DEEP: "deep", REM: "rem"}
STEPS_PER_FLOOR = 1100  # the life has no stairs
SERIES = (
    *("steps", "distance", "calories", "activityCalories", "floors"),
    *("minutesLightlyActive", "minutesFairlyActive", "minutesVeryActive"),
)


def clock(person: Person, at: int) -> str:
    return datetime.fromtimestamp(at, person.zone).replace(tzinfo=None).isoformat(timespec="milliseconds")


def log_id(world: World, person: Person, kind: str, day: date) -> int:
    return int(world.identify("fitbit", person.name, kind, day).replace("-", "")[:13], 16)


# --- a day's figures


def total(world: World, person: Person, day: date, name: str) -> str:
    lived = world.activity(person, day)
    return {
        "steps": str(lived.steps),
        "distance": str(round(lived.distance / 1000, 5)),
        "calories": str(round(lived.total_kcal)),
        "activityCalories": str(round(lived.active_kcal)),
        "floors": str(lived.steps // STEPS_PER_FLOOR),
        "minutesLightlyActive": str(lived.low // MINUTE),
        "minutesFairlyActive": str(lived.medium // MINUTE),
        "minutesVeryActive": str(lived.high // MINUTE),
    }[name]


def night_of(world: World, person: Person, day: date) -> Sleep | None:
    return next((lived for lived in shown(world, person, day) if lived.kind == "night"), None)


def shown(world: World, person: Person, day: date) -> list[Sleep]:
    return [s for s in world.sleeps(person, day) if not world.is_deleted("fitbit", person, s.kind, day)]


def nightly(world: World, person: Person, day: date, name: str) -> Iterator[Record]:
    """What is known of a day only by its main sleep."""
    night, vitals = night_of(world, person, day), world.life.vitals(person, day)
    if night is None:
        return
    values: dict[str, Record] = {
        "hrv": {"dailyRmssd": night.mean_hrv, "deepRmssd": night.mean_hrv + 4},
        "br": {"breathingRate": night.breaths},
        "spo2": {"avg": vitals.spo2, "min": vitals.spo2 - 2, "max": min(100, vitals.spo2 + 2)},
        "tempSkin": {"nightlyRelative": vitals.temperature_deviation},
    }
    more = {"logType": "dedicated_temp_sensor"} if name == "tempSkin" else {}
    yield {"dateTime": day.isoformat(), **more, "value": values[name]}


def heart(world: World, person: Person, day: date) -> Record:
    night = night_of(world, person, day)
    resting = {"restingHeartRate": night.lowest} if night else {}
    return {"dateTime": day.isoformat(), "value": {"customHeartRateZones": [], "heartRateZones": [], **resting}}


def beats(world: World, person: Person, day: date) -> list[Record]:
    return [{"time": clock(person, m.at)[11:19], "value": m.heart} for m in world.worn(person, day)]


def cardio(world: World, person: Person, day: date) -> Iterator[Record]:
    vo2 = world.life.vitals(person, day).vo2_max
    if vo2 is not None:
        yield {"dateTime": day.isoformat(), "value": {"vo2Max": f"{vo2 - 2}-{vo2 + 2}"}}


# --- logs


def sleeps(world: World, person: Person, day: date) -> Iterator[Record]:
    for lived in shown(world, person, day):
        in_bed = (lived.end - lived.start) // MINUTE
        yield {
            "logId": log_id(world, person, lived.kind, day),
            "dateOfSleep": day.isoformat(),
            "startTime": clock(person, lived.start),
            "endTime": clock(person, lived.end),
            "duration": (lived.end - lived.start) * 1000,
            "timeInBed": in_bed,
            "minutesAsleep": round(lived.asleep / MINUTE),
            "minutesAwake": round(lived.seconds(AWAKE) / MINUTE),
            "minutesToFallAsleep": round(lived.latency / MINUTE),
            "minutesAfterWakeup": 0,
            "efficiency": round(100 * lived.asleep / (lived.end - lived.start)),
            "isMainSleep": lived.kind == "night",
            "type": "stages",
            "logType": "auto_detected",
            "infoCode": 0,
            "levels": {"data": list(levels(person, lived)), "shortData": [], "summary": summary(lived)},
        }


def levels(person: Person, lived: Sleep) -> Iterator[Record]:
    start = 0
    for index, letter in enumerate(lived.stages):
        if index + 1 == len(lived.stages) or lived.stages[index + 1] != letter:
            at = clock(person, lived.start + start * EPOCH)
            yield {"dateTime": at, "level": LEVELS[letter], "seconds": (index + 1 - start) * EPOCH}
            start = index + 1


def summary(lived: Sleep) -> Record:
    return {
        name: {"count": 1, "minutes": round(lived.seconds(letter) / MINUTE), "thirtyDayAvgMinutes": 90}
        for letter, name in LEVELS.items()
    }


def workouts(world: World, person: Person, day: date) -> Iterator[Record]:
    workout = world.workout(person, day)
    if workout is None or world.is_deleted("fitbit", person, "workout", day):
        return
    yield {
        "logId": log_id(world, person, "workout", day),
        "activityName": {"running": "Run", "cycling": "Bike"}[workout.activity],
        "startTime": local_iso(person, workout.start),
        "duration": (workout.end - workout.start) * 1000,
        "calories": round(workout.kcal),
        "distance": workout.distance / 1000,
        "distanceUnit": "Kilometer",
        "lastModified": utc_iso(workout.end, millis=True),
        "logType": "tracker",
    }


def weighings(world: World, person: Person, day: date, name: str) -> Iterator[Record]:
    for weighing in world.weighings(person):
        if local_day(person, weighing.at) != day or world.is_deleted("fitbit", person, "weight", day, weighing.at):
            continue
        value = (
            {"weight": weighing.kg, "bmi": round(weighing.kg / person.height**2, 2)}
            if name == "weight"
            else {"fat": weighing.fat}
        )
        at = clock(person, weighing.at)
        yield {"logId": weighing.at * 1000, "date": at[:10], "time": at[11:19], "source": "Aria", **value}
