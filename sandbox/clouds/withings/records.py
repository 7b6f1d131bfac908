"""The life in Withings' words. Its mat and watch see the same nights and steps as the ring, less a little noise."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from random import Random
from typing import Any

from sandbox.life import MINUTE, Person, Pressure, Weighing
from sandbox.sleep import AWAKE, DEEP, LIGHT, REM, Sleep
from sandbox.world import SYNC_DELAY, World, local_day

Record = dict[str, Any]
STATE = {AWAKE: 0, LIGHT: 1, DEEP: 2, REM: 3}
MAT, WATCH, SCALE, CUFF = 63, 93, 5, 44
# Workout categories are Withings' own numbers.
CATEGORY = {"running": 2, "cycling": 6}


def device(person: Person, model: int) -> str:
    return Random(f"{person.name}:{model}").randbytes(20).hex()


def _number(world: World, *parts: object) -> int:
    """A stable id in the size Withings uses."""
    return int(world.identify("withings", *parts)[:8], 16)


# --- measures: value × 10^unit


def groups(world: World, person: Person) -> list[Record]:
    """Every group of measures, newest first."""
    kept = [
        w
        for w in world.weighings(person)
        if not world.is_deleted("withings", person, "weight", local_day(person, w.at), w.at)
    ]
    found = [_weighing(world, person, index, w) for index, w in enumerate(kept)]
    found += [_pressure(world, person, p) for p in world.pressures(person)]
    return sorted(found, key=lambda group: -int(group["date"]))


def _weighing(world: World, person: Person, index: int, weighing: Weighing) -> Record:
    fat_mass = round(weighing.kg * weighing.fat / 100, 2)
    measures = [(1, weighing.kg, 3), (6, weighing.fat, 2), (8, fat_mass, 2), (5, weighing.kg - fat_mass, 2)]
    return _group(world, person, weighing.at, "Body+", SCALE, measures, weighing.kg)


def _pressure(world: World, person: Person, taken: Pressure) -> Record:
    measures: list[tuple[int, float, int]] = [(9, taken.diastolic, 0), (10, taken.systolic, 0), (11, taken.pulse, 0)]
    return _group(world, person, taken.at, "BPM Connect", CUFF, measures)


def _group(
    world: World,
    person: Person,
    at: int,
    model: str,
    model_id: int,
    measures: list[tuple[int, float, int]],
    extra: object = "",
) -> Record:
    hardware = device(person, model_id)
    return {
        "grpid": _number(world, person.name, model, at, extra),
        "attrib": 0,
        "date": at,
        "created": at + 30,
        "modified": at + 30,
        "category": 1,
        "deviceid": hardware,
        "hash_deviceid": hardware,
        "measures": [
            {"value": round(value * 10**digits), "type": kind, "unit": -digits, "algo": 0, "fm": 131}
            for kind, value, digits in measures
        ],
        "model": model,
        "modelid": model_id,
        "comment": None,
    }


def kilograms(group: Record) -> float | None:
    """What the scale showed; None for the cuff."""
    return next((m["value"] * 10.0 ** m["unit"] for m in group["measures"] if m["type"] == 1), None)


# --- movement


def activity(world: World, person: Person, day: date) -> Record:
    total = world.activity(person, day)
    lived = [minute.heart for minute in world.worn(person, day)]
    noise = _noise(world, person, day)
    active = total.medium + total.high
    return {
        "date": day.isoformat(),
        "timezone": person.zone.key,
        "deviceid": None,
        "hash_deviceid": None,
        "brand": 18,
        "is_tracker": True,
        "model": WATCH,
        "modelid": WATCH,
        "modified": world.activity_modified(person, day),
        "steps": round(total.steps * noise),
        "distance": round(total.distance * noise, 1),
        "elevation": 7,
        "soft": total.low,
        "moderate": total.medium,
        "intense": total.high,
        "active": active,
        "calories": total.active_kcal,
        "totalcalories": total.total_kcal,
        "hr_average": round(sum(lived) / len(lived)) if lived else None,
        "hr_min": min(lived, default=None),
        "hr_max": max(lived, default=None),
        "hr_zone_0": 70_200,
        "hr_zone_1": total.medium,
        "hr_zone_2": total.high,
        "hr_zone_3": 0,
    }


def _noise(world: World, person: Person, day: date) -> float:
    """How the wrist counts beside the finger, a per cent or two; a corrected day is correct everywhere."""
    if (person.name, day) in world.corrected:
        return 1.0
    return Random(f"{world.life.seed}:{person.name}:{day}:wrist").uniform(0.98, 1.02)


def intraday(world: World, person: Person, start: int, end: int) -> dict[str, Record]:
    """Keyed by epoch: every minute with steps, and a heart rate every ten minutes."""
    found: dict[str, Record] = {}
    shared = {"deviceid": None, "model": "ScanWatch", "model_id": WATCH}
    for day in world.days_between(person, start, end):
        for minute in world.worn(person, day):
            if not start <= minute.at < end:
                continue
            if minute.steps:
                walked = {"duration": MINUTE, "distance": round(minute.steps * person.stride, 1)}
                kcal = round((minute.met - 1) * person.weight / 60, 1)
                found[str(minute.at)] = {**shared, "steps": minute.steps, **walked, "calories": kcal}
            elif minute.at % (10 * MINUTE) == 0:
                found[str(minute.at)] = {**shared, "heart_rate": minute.heart}
    return found


def workouts(world: World, person: Person, day: date) -> Iterator[Record]:
    done = world.workout(person, day)
    if done is None or world.is_deleted("withings", person, "workout", day):
        return
    hearts = [m.heart for m in world.minutes(person, day) if done.start <= m.at < done.end]
    yield {
        "id": _number(world, person.name, "workout", day),
        "category": CATEGORY[done.activity],
        "timezone": person.zone.key,
        "model": WATCH,
        "attrib": 0,
        "startdate": done.start,
        "enddate": done.end,
        "date": day.isoformat(),
        "modified": done.end + SYNC_DELAY,
        "deviceid": device(person, WATCH),
        "data": {
            "calories": done.kcal,
            "intensity": 50,
            "hr_average": round(sum(hearts) / len(hearts)),
            "hr_min": min(hearts),
            "hr_max": max(hearts),
            "hr_zone_0": MINUTE * sum(heart < 100 for heart in hearts),
            "hr_zone_1": MINUTE * sum(100 <= heart < 130 for heart in hearts),
            "hr_zone_2": MINUTE * sum(130 <= heart < 160 for heart in hearts),
            "hr_zone_3": MINUTE * sum(heart >= 160 for heart in hearts),
            "pause_duration": 0,
            "steps": sum(m.steps for m in world.minutes(person, day) if done.start <= m.at < done.end),
            "distance": done.distance,
            "elevation": 0,
        },
    }


# --- sleep: the mat is in the bed, so it knows nights and no naps


@dataclass(frozen=True)
class MatNight:
    """A night as the mat saw it: one stage a minute, the first minutes in bed missed."""

    lived: Sleep
    start: int
    stages: str

    def seconds(self, stage: str) -> int:
        return MINUTE * self.stages.count(stage)

    @property
    def end(self) -> int:
        return self.start + MINUTE * len(self.stages)


def night(world: World, person: Person, day: date) -> MatNight | None:
    if not world.night_visible(person, day) or world.is_deleted("withings", person, "night", day):
        return None
    lived = world.sleeps(person, day)[0]
    missed = Random(f"{world.life.seed}:{person.name}:{day}:mat").randint(0, 3)
    return MatNight(lived, lived.start + missed * MINUTE, lived.stages[2 * missed :: 2])


def summary(world: World, person: Person, day: date) -> Iterator[Record]:
    seen = night(world, person, day)
    if seen is None:
        return
    modified = world.sleep_modified(person, day, seen.lived)
    yield {
        "id": _number(world, person.name, "sleep", day),
        "timezone": person.zone.key,
        "model": 32,
        "model_id": MAT,
        "hash_deviceid": device(person, MAT),
        "startdate": seen.start,
        "enddate": seen.end,
        "date": day.isoformat(),
        "created": modified,
        "modified": modified,
        "completed": True,
        "data": _summary_data(seen),
    }


def _summary_data(seen: MatNight) -> Record:
    in_bed, awake = seen.end - seen.start, seen.seconds(AWAKE)
    asleep = in_bed - awake
    inner = seen.stages.strip(AWAKE)
    hearts = [value for value in seen.lived.heart if value]
    variability = [value for value in seen.lived.hrv if value]
    breaths = round(seen.lived.breaths)
    hour = 12
    return {
        "total_timeinbed": in_bed,
        "total_sleep_time": asleep,
        "lightsleepduration": seen.seconds(LIGHT),
        "deepsleepduration": seen.seconds(DEEP),
        "remsleepduration": seen.seconds(REM),
        "wakeupduration": awake,
        "wakeupcount": sum(stage == AWAKE for stage, _ in groupby(inner)),
        "waso": MINUTE * inner.count(AWAKE),
        "sleep_efficiency": round(asleep / in_bed, 2),
        "sleep_latency": MINUTE * (len(seen.stages) - len(seen.stages.lstrip(AWAKE))),
        "wakeup_latency": MINUTE * (len(seen.stages) - len(seen.stages.rstrip(AWAKE))),
        "hr_average": round(seen.lived.mean_heart),
        "hr_min": min(hearts),
        "hr_max": max(hearts),
        "rr_average": breaths,
        "rr_min": breaths - 3,
        "rr_max": breaths + 4,
        "sleep_score": round(min(99, max(30, 79 + 7 * (asleep / 3600 - 7)))),
        "rmssd_start_avg": round(sum(variability[:hour]) / hour),
        "rmssd_end_avg": round(sum(variability[-hour:]) / hour),
    }


def stages(world: World, person: Person, start: int, end: int) -> Iterator[Record]:
    """The runs of one stage that touch [start, end), oldest first."""
    for day in world.days_between(person, start, end + 86_400):
        seen = night(world, person, day)
        at = seen.start if seen else 0
        for stage, run in groupby(seen.stages if seen else ""):
            begun, at = at, at + MINUTE * len(list(run))
            if seen and begun < end and at > start:
                yield _run(person, seen.lived, stage, begun, at)


def _run(person: Person, lived: Sleep, stage: str, start: int, end: int) -> Record:
    ticks = range(start, end, 300)
    return {
        "startdate": start,
        "enddate": end,
        "state": STATE[stage],
        "model": "Aura Sensor V2",
        "model_id": MAT,
        "hash_deviceid": device(person, MAT),
        "hr": {str(at): lived.heart_at(at) for at in ticks},
        "rr": {str(at): round(lived.breaths) for at in ticks},
        "rmssd": {str(at): lived.hrv[(at - lived.start) // 300] or lived.mean_hrv for at in ticks},
    }


def devices(world: World, person: Person) -> list[Record]:
    kinds = [("Sleep Monitor", "Aura Sensor V2", MAT), ("Activity Tracker", "ScanWatch", WATCH)]
    kinds += [("Scale", "Body+", SCALE), ("Blood Pressure Monitor", "BPM Connect", CUFF)]
    return [
        {
            "type": kind,
            "model": model,
            "model_id": model_id,
            "battery": "high",
            "deviceid": device(person, model_id),
            "hash_deviceid": device(person, model_id),
            "timezone": person.zone.key,
            "last_session_date": world.now(),
        }
        for kind, model, model_id in kinds
    ]
