"""The life in Spike's words: UTC, milliseconds, and numbers by the names of its metrics."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

from sandbox.life import Person, midnight
from sandbox.sleep import AWAKE, DEEP, LIGHT, REM
from sandbox.world import World, local_day, utc_iso

Record = dict[str, Any]
Tell = Callable[[World, Person, date], Iterator[Record]]
Sampled = Callable[[World, Person, int, int], Iterator[tuple[int, float]]]
SECOND = 1000


def _record(world: World, person: Person, start: int, end: int, modified: int, name: str, slug: str) -> Record:
    return {
        "record_id": world.identify("spike", person.name, name, start),
        "modified_at": utc_iso(modified),
        "start_at_timestamp": utc_iso(start),
        "end_at_timestamp": utc_iso(end),
        "duration": SECOND * (end - start),
        "input_method": "device",
        "is_source_aggregated": False,
        "provider": slug,
        "source": None,
    }


def sleeps(world: World, person: Person, day: date) -> Iterator[Record]:
    for lived in world.sleeps(person, day):
        modified = world.sleep_modified(person, day, lived)
        metrics = {
            "sleep_duration": SECOND * lived.asleep,
            "sleep_duration_deep": SECOND * lived.seconds(DEEP),
            "sleep_duration_light": SECOND * lived.seconds(LIGHT),
            "sleep_duration_rem": SECOND * lived.seconds(REM),
            "sleep_duration_awake": SECOND * lived.seconds(AWAKE),
            "sleep_latency": SECOND * lived.latency,
            "sleep_efficiency": round(100 * lived.asleep / (lived.end - lived.start), 1),
            "hrv_rmssd": lived.mean_hrv,
            "breathing_rate": lived.breaths,
            "spo2": None,
        }
        record = _record(world, person, lived.start, lived.end, modified, lived.kind, "garmin")
        yield {**record, "metrics": metrics}


def workouts(world: World, person: Person, day: date) -> Iterator[Record]:
    done = world.workout(person, day)
    if done and not world.is_deleted("spike", person, "workout", day):
        metrics = {"distance": done.distance, "calories_burned_active": done.kcal, "calories_burned": None}
        record = _record(world, person, done.start, done.end, done.end, "workout", "garmin")
        yield {**record, "activity_type": done.activity, "metrics": metrics, "laps": []}


def weighings(world: World, person: Person, day: date) -> Iterator[Record]:
    for weighing in (w for w in world.weighings(person) if local_day(person, w.at) == day):
        metrics = {"weight": weighing.kg, "body_fat": weighing.fat}
        yield {
            **_record(world, person, weighing.at, weighing.at, weighing.at, "weighing", "withings"),
            "metrics": metrics,
        }


def statistics(world: World, person: Person, day: date) -> Iterator[Record]:
    lived = world.activity(person, day)
    values = {
        "steps": lived.steps,
        "distance_total": lived.distance,
        "calories_burned_total": lived.total_kcal,
        "calories_burned_active": lived.active_kcal,
        "heartrate_resting": world.life.resting(person, day),
    }
    for name, value in values.items():
        yield {"type": name, "start": f"{day}T00:00:00", "end": f"{day + timedelta(days=1)}T00:00:00", "value": value}


def heartrate(world: World, person: Person, start: int, end: int) -> Iterator[tuple[int, float]]:
    for at, bpm, doing in world.heart(person, start, end):
        if doing != "workout":
            yield at, bpm


def glucose(world: World, person: Person, start: int, end: int) -> Iterator[tuple[int, float]]:
    yield from world.glucose(person, start, end)


TOLD: dict[str, dict[str, Tell]] = {
    "garmin": {"sleeps": sleeps, "workouts": workouts, "statistics": statistics},
    "withings": {"provider_records": weighings},
    "freestyle_libre": {},
}
SAMPLED: dict[str, tuple[str, Sampled]] = {"heartrate": ("garmin", heartrate), "glucose": ("freestyle_libre", glucose)}
METRICS = ("glucose", "heartrate", "hrv_rmssd", "hrv_sdnn", "spo2", "steps", "weight")


def series(world: World, person: Person, metric: str, slug: str, start: int, end: int) -> Record:
    rows = list(SAMPLED[metric][1](world, person, start, end))
    first = rows[0][0] if rows else start
    return {
        "metric": metric,
        "start_at": utc_iso(first),
        "offsets": [SECOND * (at - first) for at, _ in rows],
        "durations": [0 for _ in rows],
        "values": [value for _, value in rows],
        "providers": [slug] if rows else [],
    }


def bounds(person: Person, day: date) -> tuple[int, int]:
    return midnight(person, day), midnight(person, day + timedelta(days=1))
