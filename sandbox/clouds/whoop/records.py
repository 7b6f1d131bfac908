"""The life in WHOOP's words: sleeps, the recoveries scored from them, and the cycles that they divide."""

import math
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from sandbox.life import PEOPLE, Minute, Person
from sandbox.sleep import AWAKE, DEEP, LIGHT, REM, Sleep
from sandbox.world import SYNC_DELAY, World, local_iso, utc_iso

Record = dict[str, Any]
KJ = 4.184
KCAL_PER_STEP_KG = 0.0006
NEEDED = 28_800_000  # milliseconds of sleep


def user_id(world: World, person: Person) -> int:
    return 4_000_000 + int(world.identify("whoop", person.name)[:5], 16)


def cycle_id(person: Person, day: date) -> int:
    return 50_000_000 + 1_000_000 * list(PEOPLE).index(person.name) + day.toordinal()


def time(at: int) -> str:
    return utc_iso(at, millis=True)


def _frame(world: World, person: Person, created: int, updated: int) -> Record:
    return {"user_id": user_id(world, person), "created_at": time(created), "updated_at": time(updated)}


def _offset(person: Person, at: int) -> str:
    """±hh:mm, or Z."""
    east = local_iso(person, at)[-6:]
    return "Z" if east == "+00:00" else east


# --- sleep and recovery


def sleeps(world: World, person: Person, day: date) -> Iterator[Record]:
    for lived in world.sleeps(person, day):
        if not world.is_deleted("whoop", person, lived.kind, day):
            yield _sleep(world, person, day, lived)


def sleep_id(world: World, person: Person, day: date, kind: str) -> str:
    return world.identify("whoop", person.name, "sleep", day, kind)


def _sleep(world: World, person: Person, day: date, lived: Sleep) -> Record:
    return {
        "id": sleep_id(world, person, day, lived.kind),
        "cycle_id": cycle_id(person, day),
        **_frame(world, person, lived.end + SYNC_DELAY, world.sleep_modified(person, day, lived)),
        "start": time(lived.start),
        "end": time(lived.end),
        "timezone_offset": _offset(person, lived.end),
        "nap": lived.kind == "nap",
        "score_state": "SCORED",
        "score": {
            "stage_summary": {
                "total_in_bed_time_milli": 1000 * (lived.end - lived.start),
                "total_awake_time_milli": 1000 * lived.seconds(AWAKE),
                "total_no_data_time_milli": 0,
                "total_light_sleep_time_milli": 1000 * lived.seconds(LIGHT),
                "total_slow_wave_sleep_time_milli": 1000 * lived.seconds(DEEP),
                "total_rem_sleep_time_milli": 1000 * lived.seconds(REM),
                "sleep_cycle_count": len(lived.stages) // 180,
                "disturbance_count": lived.stages.count(AWAKE) // 4,
            },
            "sleep_needed": {
                "baseline_milli": NEEDED,
                "need_from_sleep_debt_milli": 0,
                "need_from_recent_strain_milli": 0,
                "need_from_recent_nap_milli": 0,
            },
            "respiratory_rate": lived.breaths,
            "sleep_performance_percentage": round(min(100.0, 100_000 * lived.asleep / NEEDED)),
            "sleep_consistency_percentage": 80.0,
            "sleep_efficiency_percentage": round(100 * lived.asleep / (lived.end - lived.start), 4),
        },
    }


def recovery(world: World, person: Person, day: date) -> Iterator[Record]:
    """Naps never have one; a deleted night takes its own along."""
    if not world.night_visible(person, day) or world.is_deleted("whoop", person, "night", day):
        return
    night, vitals = world.sleeps(person, day)[0], world.life.vitals(person, day)
    over = person.resting - night.lowest
    yield {
        "cycle_id": cycle_id(person, day),
        "sleep_id": sleep_id(world, person, day, "night"),
        **_frame(world, person, night.end + SYNC_DELAY, world.sleep_modified(person, day, night)),
        "score_state": "SCORED",
        "score": {
            "user_calibrating": False,
            "recovery_score": round(min(99, max(1, 60 + 5 * over + 0.5 * (night.mean_hrv - person.hrv)))),
            "resting_heart_rate": night.lowest,
            "hrv_rmssd_milli": float(night.mean_hrv),
            "spo2_percentage": vitals.spo2,
            "skin_temp_celsius": round(33.6 + vitals.temperature_deviation, 2),
        },
    }


# --- cycles: from one night's falling asleep to the next's


def cycle(world: World, person: Person, day: date) -> Iterator[Record]:
    """The cycle of a wake day; it runs until the next night is known."""
    if not world.night_visible(person, day):
        return
    start, tomorrow = world.life.sleeps(person, day)[0].start, day + timedelta(days=1)
    end = world.life.sleeps(person, tomorrow)[0].start if world.night_visible(person, tomorrow) else None
    until = world.now() if end is None else end
    lived = [
        minute
        for each in world.days_between(person, start, until)
        for minute in world.minutes(person, each)
        if start <= minute.at < until
    ]
    corrected = world.corrected.get((person.name, day), (0, 0))[1]
    yield {
        "id": cycle_id(person, day),
        **_frame(world, person, start + SYNC_DELAY, max(until, corrected)),
        "start": time(start),
        **({} if end is None else {"end": time(end)}),  # absent while it runs
        "timezone_offset": _offset(person, start),
        "score_state": "SCORED",
        "score": _strain(person, lived),
    }


def _strain(person: Person, lived: list[Minute]) -> Record:
    hearts = [minute.heart for minute in lived]
    active = sum(minute.steps for minute in lived) * KCAL_PER_STEP_KG * person.weight
    return {
        "strain": round(21 * (1 - math.exp(-active / 500)), 4),
        "kilojoule": round(KJ * (active + person.basal_kcal * len(lived) / 1440), 3),
        "average_heart_rate": round(sum(hearts) / max(1, len(hearts))),
        "max_heart_rate": max(hearts, default=0),
    }


# --- workouts


def workout_id(world: World, person: Person, day: date) -> str:
    return world.identify("whoop", person.name, "workout", day)


def workout(world: World, person: Person, day: date) -> Iterator[Record]:
    """One in ten slipped on the wrist and could not be scored."""
    done = world.workout(person, day)
    if done is None or world.is_deleted("whoop", person, "workout", day):
        return
    lived = [minute for minute in world.minutes(person, day) if done.start <= minute.at < done.end]
    scored = Random(f"{world.life.seed}:{person.name}:{day}:strap").random() > 0.1
    yield {
        "id": workout_id(world, person, day),
        **_frame(world, person, done.end + SYNC_DELAY, done.end + SYNC_DELAY),
        "start": time(done.start),
        "end": time(done.end),
        "timezone_offset": _offset(person, done.end),
        "sport_name": done.activity,
        "score_state": "SCORED" if scored else "UNSCORABLE",
        **({"score": _effort(lived, done.kcal, done.distance)} if scored else {}),
    }


def _effort(lived: list[Minute], kcal: float, distance: float) -> Record:
    hearts = [minute.heart for minute in lived]
    zones = ("zero", "one", "two", "three", "four", "five")
    return {
        "strain": round(21 * (1 - math.exp(-kcal / 700)), 4),
        "average_heart_rate": round(sum(hearts) / len(hearts)),
        "max_heart_rate": max(hearts),
        "kilojoule": round(KJ * kcal, 3),
        "percent_recorded": 100.0,
        "distance_meter": distance,
        "altitude_gain_meter": 12.5,
        "altitude_change_meter": 0.0,
        "zone_durations": {f"zone_{name}_milli": 60_000 * len(lived) * (name == "three") for name in zones},
    }


# --- the member


def body(world: World, person: Person) -> Record:
    weighings = world.weighings(person)
    return {
        "height_meter": person.height,
        "weight_kilogram": weighings[-1].kg if weighings else person.weight,
        "max_heart_rate": 220 - person.age,
    }
