"""The life in Terra's words: one shape for every source, local times with microseconds, nulls for what it has not."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from sandbox.life import Person, midnight
from sandbox.sleep import AWAKE, DEEP, EPOCH, LIGHT, REM, STEP, Sleep
from sandbox.world import World, local_day

Record = dict[str, Any]
Tell = Callable[[World, Person, date], Iterator[Record]]
LEVELS = {AWAKE: 1, LIGHT: 4, DEEP: 5, REM: 6}
TYPES = {"running": 8, "cycling": 1}
AUTOMATIC, DELETED = 1, 4
LOW, HIGH = 70, 180


def moment(person: Person, at: int) -> str:
    return datetime.fromtimestamp(at, person.zone).isoformat(timespec="microseconds")


def _metadata(person: Person, start: int, end: int, **more: object) -> Record:
    return {"start_time": moment(person, start), "end_time": moment(person, end), "timestamp_localization": 1, **more}


def _day(person: Person, day: date, **more: object) -> Record:
    return _metadata(person, midnight(person, day), midnight(person, day + timedelta(days=1)), **more)


def _device(name: str) -> Record:
    return {"name": name, "manufacturer": None, "serial_number": None, "other_devices": []}


# --- a watch


def daily(world: World, person: Person, day: date) -> Iterator[Record]:
    lived, first = world.activity(person, day), midnight(person, day)
    beats = [
        {"timestamp": moment(person, at), "bpm": bpm, "timer_duration_seconds": None, "context": None}
        for at, bpm, doing in world.heart(person, first, midnight(person, day + timedelta(days=1)))
        if doing != "workout"
    ]
    yield {
        "metadata": _day(person, day, upload_type=AUTOMATIC),
        "distance_data": {
            "steps": lived.steps,
            "distance_meters": lived.distance,
            "floors_climbed": None,
            "detailed": {"step_samples": [], "distance_samples": []},
        },
        "calories_data": {
            "total_burned_calories": lived.total_kcal,
            "net_activity_calories": lived.active_kcal,
            "BMR_calories": None,
        },
        "active_durations_data": {
            "activity_seconds": lived.low + lived.medium + lived.high,
            "rest_seconds": lived.resting,
            "inactivity_seconds": lived.sedentary,
        },
        "heart_rate_data": {
            "summary": {"resting_hr_bpm": world.life.resting(person, day), "avg_hrv_rmssd": None},
            "detailed": {"hr_samples": beats, "hrv_samples_rmssd": [], "hrv_samples_sdnn": []},
        },
        "oxygen_data": {"avg_saturation_percentage": None, "vo2max_ml_per_min_per_kg": None, "saturation_samples": []},
        "stress_data": {"high_stress_duration_seconds": None},
        "scores": {"recovery": None, "activity": None, "sleep": None},
        "strain_data": {"strain_level": None},
        "device_data": _device("Forerunner 265"),
    }


def sleep(world: World, person: Person, day: date) -> Iterator[Record]:
    for lived in world.sleeps(person, day):
        yield _sleep(world, person, day, lived)


def _sleep(world: World, person: Person, day: date, lived: Sleep) -> Record:
    id_ = world.identify("terra", person.name, "sleep", day, lived.kind)
    return {
        "metadata": _metadata(
            person, lived.start, lived.end, summary_id=id_, is_nap=lived.kind != "night", upload_type=2
        ),
        "sleep_durations_data": {
            "sleep_efficiency": round(100 * lived.asleep / (lived.end - lived.start), 1),
            "asleep": {
                "duration_asleep_state_seconds": lived.asleep,
                "duration_deep_sleep_state_seconds": lived.seconds(DEEP),
                "duration_light_sleep_state_seconds": lived.seconds(LIGHT),
                "duration_REM_sleep_state_seconds": lived.seconds(REM),
            },
            "awake": {
                "duration_awake_state_seconds": lived.seconds(AWAKE),
                "sleep_latency_seconds": lived.latency,
            },
            "hypnogram_samples": list(_hypnogram(person, lived)),
        },
        "heart_rate_data": {
            "summary": {"avg_hr_bpm": round(lived.mean_heart), "avg_hrv_rmssd": lived.mean_hrv, "avg_hrv_sdnn": None},
            "detailed": {
                "hr_samples": [
                    {"timestamp": moment(person, lived.start + STEP * n), "bpm": bpm}
                    for n, bpm in enumerate(lived.heart)
                    if bpm is not None
                ]
            },
        },
        "respiration_data": {"breaths_data": {"avg_breaths_per_min": lived.breaths}},
        "temperature_data": {"delta": None},
        "readiness_data": {"readiness": None, "recovery_level": None},
        "scores": {"sleep": None},
        "device_data": _device("Forerunner 265"),
    }


def _hypnogram(person: Person, lived: Sleep) -> Iterator[Record]:
    at = lived.start
    for stage, run in groupby(lived.stages):
        yield {"timestamp": moment(person, at), "level": LEVELS[stage]}
        at += EPOCH * len(list(run))


def activity(world: World, person: Person, day: date, told: int = AUTOMATIC) -> Iterator[Record]:
    done = world.workout(person, day)
    if done is None or (told != DELETED and world.is_deleted("terra", person, "workout", day)):
        return
    id_ = world.identify("terra", person.name, "workout", day)
    beats = [m for m in world.minutes(person, day) if done.start <= m.at < done.end]
    yield {
        "metadata": _metadata(
            person, done.start, done.end, summary_id=id_, name=None, type=TYPES[done.activity], upload_type=told
        ),
        "distance_data": {"summary": {"distance_meters": done.distance, "steps": None}},
        "calories_data": {"net_activity_calories": done.kcal, "total_burned_calories": None},
        "heart_rate_data": {
            "summary": {"avg_hr_bpm": None, "hr_zone_data": []},
            "detailed": {"hr_samples": [{"timestamp": moment(person, m.at), "bpm": m.heart} for m in beats]},
        },
        "device_data": _device("Forerunner 265"),
    }


# --- a scale, a sensor


def scale(world: World, person: Person, day: date) -> Iterator[Record]:
    weighings = [w for w in world.weighings(person) if local_day(person, w.at) == day]
    if weighings:
        measurements = [
            {"measurement_time": moment(person, w.at), "weight_kg": w.kg, "bodyfat_percentage": w.fat, "BMI": None}
            for w in weighings
        ]
        frame = {"metadata": _day(person, day), "device_data": _device("Body+")}
        yield {**frame, "measurements_data": {"measurements": measurements}, "glucose_data": {}}


def sensor(world: World, person: Person, day: date) -> Iterator[Record]:
    """The readings of the day so far, every five minutes."""
    found = world.glucose(person, midnight(person, day), midnight(person, day + timedelta(days=1)))
    if found:
        values = [value for _, value in found]
        samples = [
            {
                "timestamp": moment(person, at),
                "blood_glucose_mg_per_dL": value,
                "glucose_level_flag": 1 if value > HIGH else 2 if value < LOW else 0,
                "trend_arrow": 3,
            }
            for at, value in found
        ]
        mean = round(sum(values) / len(values), 1)
        yield {
            "metadata": _day(person, day),
            "device_data": _device("FreeStyle Libre 3"),
            "measurements_data": {"measurements": []},
            "glucose_data": {
                "day_avg_blood_glucose_mg_per_dL": mean,
                "day_avg_blood_glucose_mg_per_dl": mean,
                "time_in_range": round(sum(LOW <= value <= HIGH for value in values) / len(values), 2),
                "blood_glucose_samples": samples,
                "detailed_blood_glucose_samples": [],
            },
        }


KINDS = ("activity", "body", "daily", "sleep")
WATCH: dict[str, Tell] = {"daily": daily, "sleep": sleep, "activity": activity}
TOLD: dict[str, dict[str, Tell]] = {
    "GARMIN": WATCH,
    "WITHINGS": {"body": scale},
    "FREESTYLELIBRE": {"body": sensor},
}
"""By source, what it tells."""
