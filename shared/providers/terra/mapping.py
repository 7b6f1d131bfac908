"""Terra's records as ours: one shape for all of its sources, with units in the names. A day's record is complete each
time it comes, and replaces the one before; durations come in seconds."""

from collections.abc import Iterable, Iterator
from functools import wraps
from itertools import pairwise
from typing import Any

from shared.model import Deletion, Document, Episode, Item, Reading, Series, Stage, Zone, instant
from shared.providers import Json, Map, dig, per_record
from shared.providers.picking import column, readings, some
from shared.providers.terra.activities import ACTIVITIES

H, MIN = 3600, 60
# metric → (path, how many of the vendor's units are one of ours)
DAILY = {
    "steps": ("distance_data.steps", 1),
    "distance": ("distance_data.distance_meters", 1),
    "floors": ("distance_data.floors_climbed", 1),
    "calories_burned": ("calories_data.total_burned_calories", 1),
    "active_calories": ("calories_data.net_activity_calories", 1),
    "active_minutes": ("active_durations_data.activity_seconds", MIN),
    "resting_heart_rate": ("heart_rate_data.summary.resting_hr_bpm", 1),
    "vo2_max": ("oxygen_data.vo2max_ml_per_min_per_kg", 1),
    "stress": ("stress_data.high_stress_duration_seconds", MIN),
    "strain_score": ("strain_data.strain_level", 1),
    "recovery_score": ("scores.recovery", 1),
}
DURATIONS = {
    "sleep_duration": ("sleep_durations_data.asleep.duration_asleep_state_seconds", H),
    "rem_sleep": ("sleep_durations_data.asleep.duration_REM_sleep_state_seconds", H),
    "deep_sleep": ("sleep_durations_data.asleep.duration_deep_sleep_state_seconds", H),
    "light_sleep": ("sleep_durations_data.asleep.duration_light_sleep_state_seconds", H),
    "awake": ("sleep_durations_data.awake.duration_awake_state_seconds", H),
}
MAIN_SLEEP = {
    "sleep_efficiency": ("sleep_durations_data.sleep_efficiency", 1),
    "sleep_latency": ("sleep_durations_data.awake.sleep_latency_seconds", MIN),
    "sleep_score": ("scores.sleep", 1),
    "readiness_score": ("readiness_data.readiness", 1),
    "heart_rate_variability": ("heart_rate_data.summary.avg_hrv_rmssd", 1),
    "heart_rate_variability_sdnn": ("heart_rate_data.summary.avg_hrv_sdnn", 1),
    "respiratory_rate": ("respiration_data.breaths_data.avg_breaths_per_min", 1),
    "spo2": ("respiration_data.oxygen_saturation_data.avg_saturation_percentage", 1),
    "temperature_deviation": ("temperature_data.delta", 1),
}
WORKOUT = {
    "active_calories": ("calories_data.net_activity_calories", 1),
    "calories_burned": ("calories_data.total_burned_calories", 1),
    "distance": ("distance_data.summary.distance_meters", 1),
    "steps": ("distance_data.summary.steps", 1),
    "heart_rate": ("heart_rate_data.summary.avg_hr_bpm", 1),
}
MEASURED = {
    "weight": ("weight_kg", 1),
    "body_fat": ("bodyfat_percentage", 1),
    "bmi": ("BMI", 1),
    "lean_mass": ("lean_mass_g", 1000),
}
PRESSURE = {"blood_pressure_systolic": ("systolic_bp", 1), "blood_pressure_diastolic": ("diastolic_bp", 1)}
TEMPERATURES = {"body_temperature": "body", "skin_temperature": "skin"}
# Of acetoacetate and beta-hydroxybutyrate together, taken as the latter: 104.1 g/mol.
MG_DL_PER_MMOL_L_KETONE = 10.41
DAY, NIGHT = tuple(DAILY), (*DURATIONS, *MAIN_SLEEP)
DAY_SERIES = ("heart_rate", "heart_rate_variability", "heart_rate_variability_sdnn", "spo2")
BODY, BODY_SERIES = (*MEASURED, *PRESSURE, *TEMPERATURES, "ketone"), ("glucose",)
UTC_TIMES = 0  # timestamp_localization
UPLOAD_MANUAL, UPLOAD_DELETED, SLEEP_MANUAL = 2, 4, 1
MUSCLE = 1  # type of an oxygen sample
LEVELS = {1: "awake", 2: "asleep", 3: "awake", 4: "light", 5: "deep", 6: "rem"}


def each(map_record: Map) -> Map:
    """A range too long for one answer is only acknowledged: what is in it comes by webhook, in chunks."""
    mapped = per_record("data")(map_record)

    @wraps(map_record)
    def map_reply(reply: Json) -> Iterable[Item]:
        return () if reply.get("type") == "large_request_processing" else mapped(reply)

    return map_reply


@each
def daily(record: Json) -> Iterator[Item]:
    meta, day = record["metadata"], day_of(record)
    if meta.get("upload_type") == UPLOAD_DELETED:
        yield Deletion(day)
        return
    beats = dig(record, "heart_rate_data.detailed") or {}
    oxygen = [row for row in dig(record, "oxygen_data.saturation_samples") or () if row.get("type") != MUSCLE]
    columns = (*heart(beats), column("spo2", oxygen, "percentage"))
    yield Document(
        id=day,
        day=day,
        **clock(meta, meta["start_time"]),
        readings=readings(record, DAILY),
        series=some(*columns),
    )


@each
def sleep(record: Json) -> Iterator[Item]:
    meta = record["metadata"]
    start, end, nap = instant(meta["start_time"])[0], instant(meta["end_time"])[0], bool(meta.get("is_nap"))
    beats = dig(record, "heart_rate_data.detailed") or {}
    yield Document(
        id=str(meta["summary_id"]),
        **clock(meta, meta["end_time"]),
        readings=readings(record, DURATIONS if nap else {**DURATIONS, **MAIN_SLEEP}),
        episode=Episode(
            "nap" if nap else "sleep", start, end, stages=tuple(stages(record, end)), series=some(*heart(beats))
        ),
        manual=meta.get("upload_type") == SLEEP_MANUAL,
    )


@each
def activity(record: Json) -> Iterator[Item]:
    """`type` 0 is a type like any other."""
    meta = record["metadata"]
    if meta.get("upload_type") == UPLOAD_DELETED:
        yield Deletion(str(meta["summary_id"]))
        return
    kind, beats = meta.get("type"), dig(record, "heart_rate_data.detailed") or {}
    yield Document(
        id=str(meta["summary_id"]),
        **clock(meta, meta["end_time"]),
        episode=Episode(
            "workout", instant(meta["start_time"])[0], instant(meta["end_time"])[0],
            "" if kind is None else ACTIVITIES.get(int(kind), f"activity {int(kind)}"),
            stages=tuple(laps(record)), readings=readings(record, WORKOUT), series=some(*heart(beats)[:1]),
            zones=tuple(zones(record)),
        ),
        manual=meta.get("upload_type") == UPLOAD_MANUAL,
    )  # fmt: skip


@each
def body(record: Json) -> Iterator[Item]:
    """The day of a sensor grows as it is sent again. The detailed samples hold the plain ones."""
    meta, day, sugar = record["metadata"], day_of(record), record.get("glucose_data") or {}
    samples = sugar.get("detailed_blood_glucose_samples") or sugar.get("blood_glucose_samples")
    yield Document(
        id=day,
        day=day,
        **clock(meta, meta["start_time"]),
        readings=(*measured(record), *ketones(record)),
        series=some(column("glucose", samples, "blood_glucose_mg_per_dL")),
    )


# ---------------------------------------------------------------- parts


def day_of(record: Json) -> str:
    """The date as it is written, before any thought of zones."""
    return str(record["metadata"]["start_time"])[:10]


def clock(meta: Json, text: str) -> dict[str, Any]:
    """Whose clock a record's times are on: the wearer's, at an offset or at none that is told; or all the world's."""
    east = instant(text)[1]
    if meta.get("timestamp_localization") == UTC_TIMES and not east:
        return {}
    return {"floating": True} if east is None else {"offset": east}


def heart(detailed: Json) -> tuple[Series, ...]:
    return (
        column("heart_rate", detailed.get("hr_samples"), "bpm"),
        column("heart_rate_variability", detailed.get("hrv_samples_rmssd"), "hrv_rmssd"),
        column("heart_rate_variability_sdnn", detailed.get("hrv_samples_sdnn"), "hrv_sdnn"),
    )


def stages(record: Json, end: int) -> Iterator[Stage]:
    """The hypnogram says where each stage begins; level 0 is a gap."""
    rows = dig(record, "sleep_durations_data.hypnogram_samples") or ()
    begun = sorted((instant(row["timestamp"])[0], row["level"]) for row in rows)
    runs = [edge for n, edge in enumerate(begun) if n == 0 or begun[n - 1][1] != edge[1]]
    for (at, level), (until, _) in pairwise([*runs, (end, 0)]):
        if level in LEVELS and at < until:
            yield at, until, LEVELS[level]


def laps(record: Json) -> Iterator[Stage]:
    for number, lap in enumerate(dig(record, "lap_data.laps") or (), 1):
        if lap.get("start_time") and lap.get("end_time"):
            yield instant(lap["start_time"])[0], instant(lap["end_time"])[0], f"lap {number}"


def zones(record: Json) -> Iterator[Zone]:
    for zone in dig(record, "heart_rate_data.summary.hr_zone_data") or ():
        if zone.get("duration_seconds") is not None:
            yield zone.get("name") or f"zone {zone['zone']}", zone["duration_seconds"] / MIN


def measured(record: Json) -> Iterator[Reading]:
    for row in dig(record, "measurements_data.measurements") or ():
        yield from readings(row, MEASURED, instant(row["measurement_time"])[0])
    for row in dig(record, "blood_pressure_data.blood_pressure_samples") or ():
        yield from readings(row, PRESSURE, instant(row["timestamp"])[0])
    for metric, what in TEMPERATURES.items():
        for row in dig(record, f"temperature_data.{what}_temperature_samples") or ():
            yield from readings(row, {metric: ("temperature_celsius", 1)}, instant(row["timestamp"])[0])


def ketones(record: Json) -> Iterator[Reading]:
    for row in dig(record, "ketone_data.ketone_samples") or ():
        if row.get("ketone_mg_per_dL") is not None:
            value = row["ketone_mg_per_dL"] / MG_DL_PER_MMOL_L_KETONE
            yield Reading("ketone", value, instant(row["timestamp"])[0], "mg/dL")
