"""The life in Garmin's words: summaries that begin somewhere, last so long, and show the offset of the watch."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from sandbox.life import MINUTE, Minute, Person, midnight
from sandbox.sleep import AWAKE, DEEP, EPOCH, LIGHT, REM, STEP, Sleep
from sandbox.world import World, local_day

Record = dict[str, Any]
Tell = Callable[[World, Person, date], Iterator[Record]]
QUARTER, STRESS_STEP = 15 * MINUTE, 3 * MINUTE
LEVELS = {DEEP: "deep", LIGHT: "light", REM: "rem", AWAKE: "awake"}


def user_id(world: World, person: Person) -> str:
    return world.identify("garmin", person.name).replace("-", "")


def _offset(person: Person, at: int) -> int:
    east = datetime.fromtimestamp(at, person.zone).utcoffset()
    assert east is not None
    return round(east.total_seconds())


def _frame(world: World, person: Person, day: date, start: int, seconds: int) -> Record:
    return {
        "summaryId": f"x{user_id(world, person)[:8]}-{start:x}-{seconds:x}",
        "calendarDate": day.isoformat(),
        "startTimeInSeconds": start,
        "startTimeOffsetInSeconds": _offset(person, start),
        "durationInSeconds": seconds,
    }


# --- days


def dailies(world: World, person: Person, day: date) -> Iterator[Record]:
    """As far as the day has been lived."""
    lived, total = world.minutes(person, day), world.activity(person, day)
    if not lived:
        return
    start = lived[0].at
    night = _night(world, person, day)
    beats = {str(at - start): bpm for at, bpm, _ in world.heart(person, start, lived[-1].at + MINUTE)}
    yield {
        **_frame(world, person, day, start, MINUTE * len(lived)),
        "activityType": "GENERIC",
        "steps": total.steps,
        "distanceInMeters": total.distance,
        "activeTimeInSeconds": total.low + total.medium + total.high,
        "activeKilocalories": round(total.active_kcal),
        "bmrKilocalories": round(person.basal_kcal * len(lived) / 1440),
        "moderateIntensityDurationInSeconds": total.medium,
        "vigorousIntensityDurationInSeconds": total.high,
        "floorsClimbed": total.steps // 1200,
        "averageHeartRateInBeatsPerMinute": round(person.resting) + 14,
        "restingHeartRateInBeatsPerMinute": night.lowest if night else None,
        "timeOffsetHeartRateSamples": beats,
        "averageStressLevel": 31,
        "highStressDurationInSeconds": world.life.vitals(person, day).stress_high,
    }


def epochs(world: World, person: Person, day: date) -> Iterator[Record]:
    lived, trained = world.minutes(person, day), world.workout(person, day)
    for start, part in groupby(lived, key=lambda minute: minute.at - minute.at % QUARTER):
        minutes = list(part)
        running = bool(trained and trained.activity == "running" and trained.start <= start < trained.end)
        yield _epoch(world, person, day, start, minutes, running)


def _epoch(world: World, person: Person, day: date, start: int, minutes: list[Minute], running: bool) -> Record:
    steps = sum(minute.steps for minute in minutes)
    moving = "RUNNING" if running else "WALKING"
    return {
        **_frame(world, person, day, start, MINUTE * len(minutes)),
        "activityType": moving if steps else "SEDENTARY",
        "activeTimeInSeconds": MINUTE * sum(minute.steps > 0 for minute in minutes),
        "steps": steps,
        "distanceInMeters": round(steps * person.stride, 1),
        "activeKilocalories": round(sum(max(0.0, m.met - 1) for m in minutes if m.met > 1.5) * person.weight / 60),
        "met": max(minute.met for minute in minutes),
        "intensity": "ACTIVE" if steps else "SEDENTARY",
    }


def stress(world: World, person: Person, day: date) -> Iterator[Record]:
    """Too much motion to tell while walking; the battery fills by night."""
    worn = [minute for minute in world.worn(person, day) if minute.at % STRESS_STEP == 0]
    if not worn:
        return
    start = worn[0].at
    levels = {str(m.at - start): -2 if m.steps else max(1, min(100, m.heart - round(person.resting))) for m in worn}
    battery = {str(m.at - start): max(5, 90 - (m.at - start) // 1200) for m in worn}
    last = worn[-1].at - start
    told = {"timeOffsetStressLevelValues": levels, "timeOffsetBodyBatteryValues": battery}
    yield {**_frame(world, person, day, start, last), **told}


def user_metrics(world: World, person: Person, day: date) -> Iterator[Record]:
    best = world.life.vitals(person, day).vo2_max
    if best is not None and world.minutes(person, day):
        date_ = day.isoformat()
        yield {"summaryId": f"x{user_id(world, person)[:8]}-{date_}", "calendarDate": date_, "vo2Max": float(best)}


# --- nights


def _night(world: World, person: Person, day: date) -> Sleep | None:
    return world.sleeps(person, day)[0] if world.night_visible(person, day) else None


def _of_night(world: World, person: Person, day: date, night: Sleep) -> Record:
    return _frame(world, person, day, night.start, night.end - night.start)


def sleeps(world: World, person: Person, day: date) -> Iterator[Record]:
    """The naps hang on the night."""
    night = _night(world, person, day)
    if night is None:
        return
    offsets = [str(STEP * n) for n in range(len(night.heart))]
    yield {
        **_of_night(world, person, day, night),
        "durationInSeconds": night.asleep,
        "unmeasurableSleepInSeconds": 0,
        "deepSleepDurationInSeconds": night.seconds(DEEP),
        "lightSleepDurationInSeconds": night.seconds(LIGHT),
        "remSleepInSeconds": night.seconds(REM),
        "awakeDurationInSeconds": night.seconds(AWAKE),
        "sleepLevelsMap": _levels(night),
        "validation": "ENHANCED_FINAL",
        "timeOffsetSleepRespiration": dict.fromkeys(offsets, round(night.breaths, 1)),
        "timeOffsetSleepSpo2": dict.fromkeys(offsets, round(world.life.vitals(person, day).spo2)),
        "overallSleepScore": {
            "value": round(min(99, max(30, 78 + 7 * (night.asleep / 3600 - 7)))),
            "qualifierKey": "GOOD",
        },
        "naps": [
            {
                "napDurationInSeconds": nap.end - nap.start,
                "napStartTimeInSeconds": nap.start,
                "napValidation": "DEVICE",
                "napOffsetInSeconds": _offset(person, nap.start),
            }
            for nap in world.sleeps(person, day)[1:]
        ],
    }


def _levels(night: Sleep) -> dict[str, list[dict[str, int]]]:
    found: dict[str, list[dict[str, int]]] = {level: [] for level in LEVELS.values()}
    at = night.start
    for stage, run in groupby(night.stages):
        end = at + EPOCH * len(list(run))
        found[LEVELS[stage]].append({"startTimeInSeconds": at, "endTimeInSeconds": end})
        at = end
    return found


def hrv(world: World, person: Person, day: date) -> Iterator[Record]:
    if night := _night(world, person, day):
        values = {str(STEP * n): ms for n, ms in enumerate(night.hrv) if ms is not None}
        best = {"lastNightAvg": night.mean_hrv, "lastNight5MinHigh": max(values.values())}
        yield {**_of_night(world, person, day, night), **best, "hrvValues": values}


def pulse_ox(world: World, person: Person, day: date) -> Iterator[Record]:
    if night := _night(world, person, day):
        value = round(world.life.vitals(person, day).spo2)
        values = dict.fromkeys([str(STEP * n) for n in range(len(night.heart))], value)
        yield {**_of_night(world, person, day, night), "timeOffsetSpo2Values": values, "onDemand": False}


def respiration(world: World, person: Person, day: date) -> Iterator[Record]:
    if night := _night(world, person, day):
        values = dict.fromkeys([str(STEP * n) for n in range(len(night.heart))], round(night.breaths, 1))
        yield {**_of_night(world, person, day, night), "timeOffsetEpochToBreaths": values}


def skin_temperature(world: World, person: Person, day: date) -> Iterator[Record]:
    if night := _night(world, person, day):
        deviation = world.life.vitals(person, day).temperature_deviation
        yield {**_of_night(world, person, day, night), "avgDeviationCelsius": deviation}


# --- single moments


def _measured(world: World, person: Person, at: int) -> Record:
    return {
        "summaryId": f"x{user_id(world, person)[:8]}-{at:x}",
        "measurementTimeInSeconds": at,
        "measurementTimeOffsetInSeconds": _offset(person, at),
    }


def body_composition(world: World, person: Person, day: date) -> Iterator[Record]:
    for weighing in world.weighings(person):
        if local_day(person, weighing.at) == day:
            yield {
                **_measured(world, person, weighing.at),
                "weightInGrams": round(1000 * weighing.kg),
                "bodyFatInPercent": weighing.fat,
                "bodyMassIndex": round(weighing.kg / person.height**2, 1),
            }


def blood_pressure(world: World, person: Person, day: date) -> Iterator[Record]:
    for pressure in world.pressures(person):
        if local_day(person, pressure.at) == day:
            figures = {"systolic": pressure.systolic, "diastolic": pressure.diastolic, "pulse": pressure.pulse}
            yield {**_measured(world, person, pressure.at), **figures, "sourceType": "DEVICE"}


def activities(world: World, person: Person, day: date) -> Iterator[Record]:
    done = world.workout(person, day)
    if done is None:
        return
    hearts = [minute.heart for minute in world.minutes(person, day) if done.start <= minute.at < done.end]
    id_ = 20_000_000_000 + int(world.identify("garmin", person.name, "activity", day)[:7], 16)
    frame = _frame(world, person, day, done.start, done.end - done.start)
    del frame["calendarDate"]
    yield {
        **frame,
        "summaryId": str(id_),
        "activityId": id_,
        "activityType": done.activity.upper(),
        "distanceInMeters": done.distance,
        "activeKilocalories": round(done.kcal),
        "averageHeartRateInBeatsPerMinute": round(sum(hearts) / len(hearts)),
        "maxHeartRateInBeatsPerMinute": max(hearts),
        "deviceName": "Forerunner 265",
        "manual": False,
    }


SUMMARIES: Mapping[str, tuple[str, Tell]] = {
    "dailies": ("dailies", dailies),
    "epochs": ("epochs", epochs),
    "sleeps": ("sleeps", sleeps),
    "hrv": ("hrv", hrv),
    "stressDetails": ("stressDetails", stress),
    "pulseox": ("pulseOx", pulse_ox),
    "allDayRespiration": ("respiration", respiration),
    "bodyComps": ("bodyComps", body_composition),
    "bloodPressures": ("bloodPressures", blood_pressure),
    "userMetrics": ("userMetrics", user_metrics),
    "skinTemp": ("skinTemp", skin_temperature),
    "healthSnapshot": ("healthSnapshot", lambda world, person, day: iter(())),  # nobody here takes one
    "activities": ("activities", activities),
}
"""By the name in a notification: the name in an address, which is not always the same."""


def began(record: Record) -> int:
    """When it was recorded, in seconds."""
    for name in ("startTimeInSeconds", "measurementTimeInSeconds"):
        if name in record:
            return int(record[name])
    noon = datetime.fromisoformat(f"{record['calendarDate']}T12:00:00+00:00")
    return int(noon.timestamp())


def between(world: World, person: Person, summary: str, start: int, end: int) -> list[Record]:
    """What was recorded in the span."""
    first, last = (local_day(person, at) for at in (start, end))
    days = world.days(person, first - timedelta(days=1), last + timedelta(days=1))
    found = (record for day in days for record in SUMMARIES[summary][1](world, person, day))
    return [record for record in found if start <= began(record) <= end]


def of_day(world: World, person: Person, summary: str, day: date) -> list[Record]:
    """What the person's watch uploads of one day."""
    return list(SUMMARIES[summary][1](world, person, day)) if midnight(person, day) <= world.now() else []
