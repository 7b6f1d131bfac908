"""Spike's records as ours: one shape for all of its sources, instants in UTC, durations in milliseconds."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.model import Document, Episode, Item, Series, Stage, instant
from shared.providers import Json, attempt, per_record
from shared.providers.picking import readings

H, MIN = 3_600_000, 60_000
# metric → (path, how many of Spike's units are one of ours)
NIGHTLY = {
    "sleep_duration": ("metrics.sleep_duration", H),
    "rem_sleep": ("metrics.sleep_duration_rem", H),
    "deep_sleep": ("metrics.sleep_duration_deep", H),
    "light_sleep": ("metrics.sleep_duration_light", H),
    "awake": ("metrics.sleep_duration_awake", H),
    "sleep_latency": ("metrics.sleep_latency", MIN),
    "sleep_efficiency": ("metrics.sleep_efficiency", 1),
    "heart_rate_variability": ("metrics.hrv_rmssd", 1),
    "heart_rate_variability_sdnn": ("metrics.hrv_sdnn", 1),
    "respiratory_rate": ("metrics.breathing_rate", 1),
    "spo2": ("metrics.spo2", 1),
}
WORKOUT = {
    "active_calories": ("metrics.calories_burned_active", 1),
    "calories_burned": ("metrics.calories_burned", 1),
    "distance": ("metrics.distance", 1),
    "steps": ("metrics.steps", 1),
    "heart_rate": ("metrics.heartrate", 1),
}
MEASURED = {
    "weight": ("metrics.weight", 1),
    "body_fat": ("metrics.body_fat", 1),
    "bmi": ("metrics.body_mass_index", 1),
    "blood_pressure_systolic": ("metrics.blood_pressure_systolic", 1),
    "blood_pressure_diastolic": ("metrics.blood_pressure_diastolic", 1),
    "body_temperature": ("metrics.body_temperature", 1),
    "skin_temperature": ("metrics.skin_temperature", 1),
    "vo2_max": ("metrics.vo2max", 1),
}
DAILY = {
    "steps": "steps",
    "distance": "distance_total",
    "calories_burned": "calories_burned_total",
    "active_calories": "calories_burned_active",
    "resting_heart_rate": "heartrate_resting",
    "sleep_score": "sleep_score",
    "recovery_score": "recovery_score",
    "stress_level": "stress_score",
}
METRIC = {name: metric for metric, name in DAILY.items()}
SAMPLED = {
    "heartrate": "heart_rate",
    "hrv_rmssd": "heart_rate_variability",
    "hrv_sdnn": "heart_rate_variability_sdnn",
    "spo2": "spo2",
    "glucose": "glucose",
}


def named(fields: Mapping[str, tuple[str, float]]) -> set[str]:
    return {path.partition(".")[2] for path, _ in fields.values()}


TOPICS = {
    "statistics": {*DAILY.values(), "distance", "calories_burned", "heartrate", "sleep_duration"},
    "sleeps": named(NIGHTLY),
    "workouts": named(WORKOUT),
    "timeseries": set(SAMPLED),
    "records": named(MEASURED),
}
"""By resource, the metrics whose change may be one of it."""


@per_record("sleeps")
def sleeps(record: Json) -> Iterator[Item]:
    """By its end's day. What is a nap is not said."""
    start, end = span(record)
    yield Document(**known(record), readings=readings(record, NIGHTLY), episode=Episode("sleep", start, end))


@per_record("workouts")
def workouts(record: Json) -> Iterator[Item]:
    start, end = span(record)
    label = str(record.get("activity_type") or record.get("type") or "").replace("_", " ").lower()
    yield Document(
        **known(record),
        episode=Episode(
            "workout", start, end, label, stages=tuple(laps(record)), readings=readings(record, WORKOUT)
        ),
    )  # fmt: skip


@per_record("records")
def records(record: Json) -> Iterator[Item]:
    """Of all that a source told, what is measured at an instant; the rest is in the statistics and the series."""
    found = readings(record, MEASURED, instant(record["start_at_timestamp"])[0])
    if found:
        yield Document(**known(record), readings=found)


@per_record("statistics")
def statistics(record: Json) -> Iterator[Item]:
    """Of a day, of whichever sources Spike prefers: it does not say of which."""
    if record["type"] in METRIC and record.get("value") is not None:
        day = str(record.get("date") or record["start"])[:10]
        metric = METRIC[record["type"]]
        yield Document(id=f"{day}:{metric}", day=day, readings=readings(record, {metric: ("value", 1)}))


def timeseries(reply: Json) -> Iterator[Item]:
    yield from attempt(0, columns, reply)


def columns(reply: Json) -> Iterator[Item]:
    """Of one metric. `providers` are those of all its samples, or one for each."""
    values, whose = reply.get("values") or (), reply.get("providers") or ()
    found: dict[tuple[str, ...], list[tuple[int, float]]] = {}
    for n, (offset, value) in enumerate(zip(reply.get("offsets") or (), values, strict=True)):
        if value:
            sources = (whose[n],) if len(whose) == len(values) else tuple(whose)
            found.setdefault(sources, []).append((instant(reply["start_at"])[0] + offset, value))
    for sources, rows in found.items():
        column = Series(SAMPLED[reply["metric"]], [at for at, _ in rows], [value for _, value in rows])
        yield Document(series=(column,), sources=sources)


# ---------------------------------------------------------------- parts


def span(record: Json) -> tuple[int, int]:
    return instant(record["start_at_timestamp"])[0], instant(record["end_at_timestamp"])[0]


def known(record: Json) -> dict[str, Any]:
    """What every record says of itself."""
    source = record.get("provider_slug") or record.get("provider")
    return {
        "id": str(record["record_id"]),
        "as_of": instant(record["modified_at"])[0],
        "sources": (str(source).lower(),) if source else (),
        "manual": record.get("input_method") == "manual",
    }


def laps(record: Json) -> Iterator[Stage]:
    for number, lap in enumerate(record.get("laps") or (), 1):
        if lap.get("start_at_timestamp") and lap.get("end_at_timestamp"):
            yield *span(lap), f"lap {number}"
