"""The life in Polar's words: bare clocks without a zone, ISO durations, and dates that are the wearer's own."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from sandbox.life import MINUTE, Person
from sandbox.sleep import AWAKE, DEEP, EPOCH, LIGHT, REM, STEP, Sleep
from sandbox.world import SYNC_DELAY, World, local_iso, utc_iso

Record = dict[str, Any]
CODES = {AWAKE: 0, REM: 1, LIGHT: 3, DEEP: 4}
KCAL_PER_STEP_KG = 0.0006
UNSYNCED = timedelta(days=3)
"""How long the watch had not been synced when its wearer was registered."""


def user_id(world: World, person: Person) -> int:
    return 90_000 + int(world.identify("polar", person.name)[:4], 16)


def _frame(world: World, person: Person, day: date) -> Record:
    link = f"https://www.polaraccesslink.com/v3/users/{user_id(world, person)}"
    return {"polar_user": link, "date": day.isoformat()}


def _clock(person: Person, at: int) -> str:
    return datetime.fromtimestamp(at, person.zone).strftime("%H:%M")


def duration(seconds: int) -> str:
    """PT3H11M, PT0S."""
    hours, rest = divmod(seconds, 3600)
    parts = ((hours, "H"), (rest // 60, "M"), (rest % 60, "S"))
    return "PT" + ("".join(f"{value}{unit}" for value, unit in parts if value) or "0S")


# --- nights


def _night(world: World, person: Person, day: date) -> Sleep | None:
    if not world.night_visible(person, day) or world.is_deleted("polar", person, "night", day):
        return None
    return world.sleeps(person, day)[0]


def sleep(world: World, person: Person, day: date) -> Iterator[Record]:
    night = _night(world, person, day)
    if night is None:
        return
    awake = night.seconds(AWAKE)
    yield {
        **_frame(world, person, day),
        "sleep_start_time": local_iso(person, night.start),
        "sleep_end_time": local_iso(person, night.end),
        "device_id": "0B5C77D1",
        "continuity": 3.4,
        "continuity_class": 3,
        "light_sleep": night.seconds(LIGHT),
        "deep_sleep": night.seconds(DEEP),
        "rem_sleep": night.seconds(REM),
        "unrecognized_sleep_stage": 0,
        "sleep_score": round(min(99, max(30, 78 + 7 * (night.asleep / 3600 - 7)))),
        "total_interruption_duration": awake,
        "sleep_charge": 3,
        "sleep_goal": 28_800,
        "sleep_rating": 0,
        "short_interruption_duration": awake // 3,
        "long_interruption_duration": awake - awake // 3,
        "sleep_cycles": len(night.stages) // 180,
        "group_duration_score": 84.0,
        "group_solidity_score": 76.5,
        "group_regeneration_score": 78.1,
        "hypnogram": _hypnogram(person, night),
        "heart_rate_samples": {
            _clock(person, night.start + STEP * n): bpm for n, bpm in enumerate(night.heart) if bpm is not None
        },
    }


def _hypnogram(person: Person, night: Sleep) -> dict[str, int]:
    found, at = {}, night.start
    for stage, run in groupby(night.stages):
        found[_clock(person, at)] = CODES[stage]
        at += EPOCH * len(list(run))
    return found


def nightly_recharge(world: World, person: Person, day: date) -> Iterator[Record]:
    night = _night(world, person, day)
    if night is None:
        return
    charge = round(max(-10.0, min(10.0, (night.mean_hrv - person.hrv) / 2)), 1)
    samples = {_clock(person, night.start + STEP * n): ms for n, ms in enumerate(night.hrv[:48]) if ms is not None}
    yield {
        **_frame(world, person, day),
        "heart_rate_avg": round(night.mean_heart),
        "beat_to_beat_avg": round(60_000 / night.mean_heart),
        "heart_rate_variability_avg": night.mean_hrv,
        "breathing_rate_avg": round(night.breaths, 1),
        "nightly_recharge_status": min(6, max(1, round(3.5 + charge / 4))),
        "ans_charge": charge,
        "ans_charge_status": min(5, max(1, round(3 + charge / 5))),
        "hrv_samples": samples,
        "breathing_samples": {clock: round(night.breaths, 1) for clock in samples},
    }


def skin_temperature(world: World, person: Person, day: date) -> Iterator[Record]:
    if _night(world, person, day):
        deviation = world.life.vitals(person, day).temperature_deviation
        skin = {"sleep_time_skin_temperature_celsius": round(34.2 + deviation, 2)}
        yield {**skin, "deviation_from_baseline_celsius": deviation, "sleep_date": day.isoformat()}


# --- days


def _effort(world: World, person: Person, day: date) -> float:
    done = world.workout(person, day)
    return done.kcal if done else 0.0


def activity(world: World, person: Person, day: date) -> Iterator[Record]:
    lived, total = world.minutes(person, day), world.activity(person, day)
    active = total.steps * KCAL_PER_STEP_KG * person.weight + _effort(world, person, day)
    yield {
        "start_time": f"{day}T00:00:00",
        "end_time": f"{day}T23:59:59",
        "active_duration": duration(total.low + total.medium + total.high),
        "inactive_duration": duration(total.sedentary),
        "daily_activity": round(total.steps / 100, 1),
        "calories": round(active + person.basal_kcal * len(lived) / 1440),
        "active_calories": round(active),
        "steps": total.steps,
        "inactivity_alert_count": 1,
        "distance_from_steps": round(total.steps * person.stride, 1),
    }


def heart_rate(world: World, person: Person, day: date) -> Iterator[Record]:
    """Every five minutes, but for the training, which has its own record; a held-back night is not told."""
    opened = datetime(day.year, day.month, day.day, tzinfo=person.zone)
    start, end = int(opened.timestamp()), int((opened + timedelta(days=1)).timestamp())
    samples = [
        {"heart_rate": bpm, "sample_time": f"{_clock(person, at)}:00"}
        for at, bpm, doing in world.heart(person, start, end)
        if doing != "workout"
    ]
    if samples:
        yield {**_frame(world, person, day), "heart_rate_samples": samples}


def cardio_load(world: World, person: Person, day: date) -> Iterator[Record]:
    """A record for every day asked for, those to come included."""
    if day > world.today(person):
        none = dict.fromkeys(("cardio_load", "strain", "tolerance", "cardio_load_ratio"), -1.0)
        yield {"date": day.isoformat(), "cardio_load_status": "LOAD_STATUS_NOT_AVAILABLE", **none}
        return
    loads = [_effort(world, person, day - timedelta(days=n)) / 6 for n in range(28)]
    strain, tolerance = sum(loads[:7]) / 7, sum(loads) / 28
    yield {
        "date": day.isoformat(),
        "cardio_load_status": "MAINTAINING",
        "cardio_load": round(loads[0], 1),
        "strain": round(strain, 1),
        "tolerance": round(tolerance, 1),
        "cardio_load_ratio": round(strain / tolerance, 2) if tolerance else 0.0,
        "cardio_load_level": {"very_low": 12.0, "low": 30.0, "medium": 55.0, "high": 90.0, "very-high": 140.0},
    }


# --- exercises, each with its time of upload


def exercise_id(world: World, person: Person, day: date) -> str:
    return world.identify("polar", person.name, "exercise", day)[:7].upper()


def exercise(world: World, person: Person, day: date, registered: int) -> Iterator[Record]:
    """Only what was uploaded since the registration, and not over 30 days ago."""
    done = world.workout(person, day)
    if done is None or world.is_deleted("polar", person, "workout", day):
        return
    synced = registered - int(UNSYNCED.total_seconds())
    uploaded = max(done.end + SYNC_DELAY, registered) if done.end >= synced else done.end + SYNC_DELAY
    if uploaded < max(registered, world.now() - 30 * 86_400):
        return
    hearts = [minute.heart for minute in world.minutes(person, day) if done.start <= minute.at < done.end]
    begun = datetime.fromtimestamp(done.start, person.zone)
    offset = begun.utcoffset()
    assert offset is not None
    yield {
        "id": exercise_id(world, person, day),
        "upload_time": utc_iso(uploaded, millis=True),
        "polar_user": _frame(world, person, day)["polar_user"],
        "device": "Polar Vantage V3",
        "device_id": "0B5C77D1",
        "start_time": begun.replace(tzinfo=None).isoformat(),
        "start_time_utc_offset": round(offset.total_seconds() / 60),
        "duration": duration(done.end - done.start),
        "calories": round(done.kcal),
        "distance": done.distance,
        "heart_rate": {"average": round(sum(hearts) / len(hearts)), "maximum": max(hearts)},
        "training_load": round(done.kcal / 6, 1),
        "sport": done.activity.upper(),
        "has_route": False,
        "detailed_sport_info": done.activity.upper(),
        "samples": [
            {"recording-rate": MINUTE, "sample-type": "0", "data": ",".join(["null", *map(str, hearts[1:])])},
            {"recording-rate": MINUTE, "sample-type": "1", "data": ",".join("9.8" for _ in hearts)},
        ],
    }


# --- the person


def physical_info(world: World, person: Person) -> Record:
    weighings = world.weighings(person)
    changed = weighings[-1].at if weighings else world.now() - 90 * 86_400
    return {
        "weight": weighings[-1].kg if weighings else person.weight,
        "height": 100 * person.height,
        "created": utc_iso(changed - 300 * 86_400),
        "modified": utc_iso(changed),
        "gender": person.sex.upper(),
        "maximum_heart_rate": 220 - person.age,
        "resting_heart_rate": round(person.resting),
        "vo2_max": round(50 - person.resting / 6),
        "weight_source": "SOURCE_MEASURED" if weighings else "SOURCE_USER",
        "sleep_goal": "PT8H",
    }
