"""Rook's documents as ours: one shape for all of its sources, with type and unit in the names. A figure or a record is
known by its day or start, and dated by that and the version, so that a later version wins whenever it comes."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from shared.model import Document, Episode, Item, Reading, Series, Skipped, instant, millis
from shared.providers import Json, attempt, dig
from shared.providers.picking import column, readings, some
from shared.providers.rook.documents import day_of, opened, sources
from shared.values import replace

H, MIN = 3600, 60
WHEN = "datetime_string"
# metric → (path, how many of Rook's units are one of ours)
DAILY = {
    "steps": ("distance.steps_int", 1),
    "distance": ("distance.traveled_distance_meters_float", 1),
    "floors": ("distance.floors_climbed_float", 1),
    "calories_burned": ("calories.calories_expenditure_kcal_float", 1),
    "active_calories": ("calories.calories_net_active_kcal_float", 1),
    "active_minutes": ("activity.active_seconds_int", MIN),
    "resting_heart_rate": ("heart_rate.hr_resting_bpm_int", 1),
    "vo2_max": ("oxygenation.vo2max_mL_per_min_per_kg_int", 1),
    "stress": ("stress.high_stress_duration_seconds_int", MIN),
    "stress_level": ("stress.stress_avg_level_int", 1),
}
NIGHTLY = {
    "sleep_duration": ("duration.sleep_duration_seconds_int", H),
    "rem_sleep": ("duration.rem_sleep_duration_seconds_int", H),
    "deep_sleep": ("duration.deep_sleep_duration_seconds_int", H),
    "light_sleep": ("duration.light_sleep_duration_seconds_int", H),
    "awake": ("duration.time_awake_during_sleep_seconds_int", H),
    "sleep_latency": ("duration.time_to_fall_asleep_seconds_int", MIN),
    "sleep_efficiency": ("scores.sleep_efficiency_1_100_score_int", 1),
    "heart_rate_variability": ("heart_rate.hrv_avg_rmssd_float", 1),
    "heart_rate_variability_sdnn": ("heart_rate.hrv_avg_sdnn_float", 1),
    "respiratory_rate": ("breathing.breaths_avg_per_min_int", 1),
    "spo2": ("breathing.saturation_avg_percentage_int", 1),
    "temperature_deviation": ("temperature.temperature_delta_object.temperature_celsius_float", 1),
}
WORKOUT = {
    "active_calories": ("calories.calories_net_active_kcal_float", 1),
    "calories_burned": ("calories.calories_expenditure_kcal_float", 1),
    "distance": ("distance.traveled_distance_meters_float", 1),
    "steps": ("distance.steps_int", 1),
    "heart_rate": ("heart_rate.hr_avg_bpm_int", 1),
    "strain_score": ("activity.activity_strain_level_float", 1),
}
MEASURED = {"weight": ("body_metrics.weight_kg_float", 1), "bmi": ("body_metrics.bmi_float", 1)}
PRESSURE = {"blood_pressure_systolic": ("systolic_mmHg_int", 1), "blood_pressure_diastolic": ("diastolic_mmHg_int", 1)}
TEMPERATURES = ("body_temperature", "skin_temperature")
# metric → (where, the samples, the value in each, the mean of what has none)
BEATS = {
    "heart_rate": ("heart_rate", "hr_granular_data_array", "hr_bpm_int", "hr_avg_bpm_int"),
    "heart_rate_variability": (
        "heart_rate", "hrv_rmssd_granular_data_array", "hrv_rmssd_float", "hrv_avg_rmssd_float",
    ),
    "heart_rate_variability_sdnn": (
        "heart_rate", "hrv_sdnn_granular_data_array", "hrv_sdnn_float", "hrv_avg_sdnn_float",
    ),
}  # fmt: skip
OXYGEN = ("saturation_granular_data_array", "saturation_percentage_int", "saturation_avg_percentage_int")
PHYSICAL = {
    **BEATS,
    "spo2": ("oxygenation", *OXYGEN),
    "stress_level": ("stress", "stress_granular_data_array", "stress_score_int", "stress_avg_level_int"),
}
GLUCOSE = {
    "glucose": (
        "blood_glucose", "blood_glucose_granular_data_array", "blood_glucose_mg_per_dL_int",
        "blood_glucose_avg_mg_per_dL_int",
    )
}  # fmt: skip
Samples = dict[str, tuple[str, str, str, str]]


def documents(reply: Json) -> Iterator[Item]:
    """204 for a day without any."""
    if not reply:
        return
    try:
        found = opened(reply)
        map_record = MAPPINGS[found.structure]
    except (KeyError, TypeError, ValueError, AttributeError):
        yield Skipped(0, "not a document of Rook's")
        return
    for index, record in enumerate(found.records):
        yield from attempt(index, lambda one: told(map_record(one), one, found.version), record)


def told(items: Iterator[Document], record: Json, version: int) -> Iterator[Item]:
    """What Rook counts is put upon the document's own instant, which no version moves."""
    whose = sources(record)
    for item in items:
        yield replace(item, as_of=(item.as_of or 0) + version, sources=whose)


def midnight(day: str) -> int:
    return millis(datetime.fromisoformat(day).replace(tzinfo=UTC))


def physical_summary(record: Json) -> Iterator[Document]:
    day = day_of(record)
    yield Document(id=day, day=day, as_of=midnight(day), readings=readings(record, DAILY))
    yield Document(as_of=midnight(day), series=series(record, PHYSICAL))


def sleep_summary(record: Json) -> Iterator[Document]:
    """One for each date. Whether that is of the evening or the morning is not said: the day follows from the end."""
    duration, day = record["duration"], day_of(record)
    (start, _), (end, east) = (instant(duration[f"sleep_{edge}_datetime_string"]) for edge in ("start", "end"))
    samples: Samples = {**BEATS, "spo2": ("breathing", *OXYGEN)}
    yield Document(
        id=day, offset=east or None, as_of=midnight(day), readings=(*readings(record, NIGHTLY), *skin(record)),
        episode=Episode("sleep", start, end, series=series(record, samples)),
    )  # fmt: skip


def activity_event(record: Json) -> Iterator[Document]:
    did = record["activity"]
    (start, _), (end, east) = (instant(did[f"activity_{edge}_datetime_string"]) for edge in ("start", "end"))
    yield Document(
        id=str(start), offset=east or None, as_of=start,
        episode=Episode(
            "workout", start, end, str(did.get("activity_type_name_string") or "").lower(),
            readings=readings(record, WORKOUT), series=series(record, {"heart_rate": BEATS["heart_rate"]}),
        ),
    )  # fmt: skip


def body_summary(record: Json) -> Iterator[Document]:
    day = day_of(record)
    mean = dig(record, "blood_pressure.blood_pressure_avg_object") or {}
    figures = (*readings(record, MEASURED), *readings(mean, PRESSURE))
    yield Document(id=day, day=day, as_of=midnight(day), readings=figures)
    yield Document(
        as_of=midnight(day), readings=(*pressures(record), *temperatures(record)), series=series(record, GLUCOSE)
    )


def event(samples: Samples) -> Callable[[Json], Iterator[Document]]:
    """Samples stand for themselves: a summary holds the same ones. Without any, what it comes to is at its time."""

    def map_event(record: Json) -> Iterator[Document]:
        at = instant(record["metadata"][WHEN])[0]
        columns = series(record, samples)
        known = {column.metric for column in columns}
        means = {m: (f"{where}.{mean}", 1.0) for m, (where, _, _, mean) in samples.items() if m not in known}
        yield Document(as_of=at, readings=readings(record, means, at), series=columns)

    return map_event


def body_event(record: Json) -> Iterator[Document]:
    """A weighing, a cuff, a thermometer."""
    at = instant(record["metadata"][WHEN])[0]
    mean = dig(record, "blood_pressure.blood_pressure_avg_object") or {}
    cuff = tuple(pressures(record)) or readings(mean, PRESSURE, at)
    heat = tuple(temperatures(record)) or tuple(temperature(dig(record, "temperature.temperature_avg_object"), at))
    yield Document(as_of=at, readings=(*readings(record, MEASURED, at), *cuff, *heat))


MAPPINGS: dict[str, Callable[[Json], Iterator[Document]]] = {
    "physical_summary": physical_summary,
    "sleep_summary": sleep_summary,
    "activity_event": activity_event,
    "body_summary": body_summary,
    "heart_rate_event": event(PHYSICAL),
    "oxygenation_event": event(PHYSICAL),
    "stress_event": event(PHYSICAL),
    "blood_glucose_event": event(GLUCOSE),
    "body_metrics_event": body_event,
    "blood_pressure_event": body_event,
    "temperature_event": body_event,
}


# ---------------------------------------------------------------- parts


def series(record: Json, samples: Samples) -> tuple[Series, ...]:
    found = ((m, dig(record, f"{where}.{rows}"), name) for m, (where, rows, name, _) in samples.items())
    return some(*(column(metric, rows, name, WHEN) for metric, rows, name in found))


def pressures(record: Json) -> Iterator[Reading]:
    for row in dig(record, "blood_pressure.blood_pressure_granular_data_array") or ():
        yield from readings(row, PRESSURE, instant(row[WHEN])[0])


def temperatures(record: Json) -> Iterator[Reading]:
    for row in dig(record, "temperature.temperature_granular_data_array") or ():
        yield from temperature(row, instant(row[WHEN])[0])


def temperature(row: Json | None, at: int | None) -> Iterator[Reading]:
    """Rook's own description also spells it `celcius`. The types are not listed: what is not of the skin is of the
    body."""
    if not row:
        return
    value = row.get("temperature_celsius_float", row.get("temperature_celcius_float"))
    if value is not None:
        yield Reading(TEMPERATURES["skin" in str(row.get("measurement_type_string")).lower()], value, at)


def skin(record: Json) -> Iterator[Reading]:
    """Of the night. A sleeper's body temperature is no figure for the day."""
    found = temperature(dig(record, "temperature.temperature_avg_object"), None)
    return (reading for reading in found if reading.metric == "skin_temperature")
