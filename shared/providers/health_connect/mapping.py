"""Health Connect records as ours. A record has its own offset and version; its percentages are percentages."""

from collections.abc import Iterator, Mapping

from shared.errors import SkipRecordError
from shared.model import Document, Episode, Item, Kind, Reading, Series, Stage, instant
from shared.providers import Json, pushing, quantities, stages
from shared.providers.quantities import Quantities, Quantity

ACTIVITY: Quantities = {
    "StepsRecord": Quantity("steps", quantities.COUNT, "count"),
    "DistanceRecord": Quantity("distance", quantities.LENGTH, "m"),
    "FloorsClimbedRecord": Quantity("floors", quantities.COUNT, "count"),
    "ActiveCaloriesBurnedRecord": Quantity("active_calories", quantities.ENERGY, "kcal"),
    "TotalCaloriesBurnedRecord": Quantity("calories_burned", quantities.ENERGY, "kcal"),
}
HEART_RATE: Quantities = {"HeartRateRecord": Quantity("heart_rate", quantities.RATE, "beats/min")}
VITALS: Quantities = {
    "RestingHeartRateRecord": Quantity("resting_heart_rate", quantities.RATE, "beats/min"),
    "HeartRateVariabilityRmssdRecord": Quantity("heart_rate_variability", quantities.MILLISECONDS, "ms"),
    "OxygenSaturationRecord": Quantity("spo2", quantities.PERCENT, "%"),
    "RespiratoryRateRecord": Quantity("respiratory_rate", quantities.RATE, "breaths/min"),
    "BodyTemperatureRecord": Quantity("body_temperature", quantities.TEMPERATURE, "degC"),
    "Vo2MaxRecord": Quantity("vo2_max", quantities.UPTAKE, "mL/kg/min"),
}
PRESSURES = "BloodPressureRecord"
CUFF: Quantities = {
    "systolic": Quantity("blood_pressure_systolic", quantities.PRESSURE, "mmHg"),
    "diastolic": Quantity("blood_pressure_diastolic", quantities.PRESSURE, "mmHg"),
}
SUGAR: Quantities = {"BloodGlucoseRecord": Quantity("glucose", quantities.GLUCOSE, "mmol/L")}
BODY: Quantities = {
    "WeightRecord": Quantity("weight", quantities.MASS, "kg"),
    "BodyFatRecord": Quantity("body_fat", quantities.PERCENT, "%"),
    "LeanBodyMassRecord": Quantity("lean_mass", quantities.MASS, "kg"),
}
EXERCISE: Quantities = {**ACTIVITY, **HEART_RATE}
"""What a session comes to: sums, and the mean of its heart rate."""
SLEEP, WORKOUT = "SleepSessionRecord", "ExerciseSessionRecord"
# 0 is unknown; out of bed (3) and awake in bed (7) are awake.
STAGES = {1: "awake", 2: "asleep", 3: "awake", 4: "light", 5: "deep", 6: "rem", 7: "awake"}
UNKNOWN = 0
EXERCISES = {
    0: "other", 2: "badminton", 4: "baseball", 5: "basketball", 8: "biking", 9: "biking_stationary", 10: "boot_camp",
    11: "boxing", 13: "calisthenics", 14: "cricket", 16: "dancing", 25: "elliptical", 26: "exercise_class",
    27: "fencing", 28: "football_american", 29: "football_australian", 31: "frisbee_disc", 32: "golf",
    33: "guided_breathing", 34: "gymnastics", 35: "handball", 36: "high_intensity_interval_training", 37: "hiking",
    38: "ice_hockey", 39: "ice_skating", 44: "martial_arts", 46: "paddling", 47: "paragliding", 48: "pilates",
    50: "racquetball", 51: "rock_climbing", 52: "roller_hockey", 53: "rowing", 54: "rowing_machine", 55: "rugby",
    56: "running", 57: "running_treadmill", 58: "sailing", 59: "scuba_diving", 60: "skating", 61: "skiing",
    62: "snowboarding", 63: "snowshoeing", 64: "soccer", 65: "softball", 66: "squash", 68: "stair_climbing",
    69: "stair_climbing_machine", 70: "strength_training", 71: "stretching", 72: "surfing",
    73: "swimming_open_water", 74: "swimming_pool", 75: "table_tennis", 76: "tennis", 78: "volleyball", 79: "walking",
    80: "water_polo", 81: "weightlifting", 82: "wheelchair", 83: "yoga",
}  # fmt: skip
# Device.TYPE_*: a fitness band (6) and a chest strap (7) are worn as a watch is.
KINDS: Mapping[int, Kind] = {1: "watch", 2: "phone", 3: "scale", 4: "ring", 6: "watch", 7: "watch"}
BY_HAND = 3


@pushing.pushed("sleep")
def sleep(record: Json) -> Iterator[Item]:
    found = [stage(part) for part in record.get("stages") or () if part["stage"] != UNKNOWN]
    episode, readings = stages.session(*pushing.span(record), found)
    yield document(record, readings=readings, episode=episode)


# ---------------------------------------------------------------- parts


def activity(record: Json) -> str:
    told = record.get("activity", 0)
    return EXERCISES.get(told, "other") if isinstance(told, int) else str(told)


def stage(part: Json) -> Stage:
    if part["stage"] not in STAGES:
        raise SkipRecordError("not a stage of SleepSessionRecord", "stages")
    return instant(part["start"])[0], instant(part["end"])[0], STAGES[part["stage"]]


def document(
    record: Json, *, readings: tuple[Reading, ...] = (), series: tuple[Series, ...] = (), episode: Episode | None = None
) -> Document:
    """As old as its last modification: of two versions, the later one stands, whichever comes first."""
    start, end = pushing.span(record)
    modified = (record.get("version") or {}).get("last_modified")
    device = (record.get("device") or {}).get("type")
    return Document(
        id=record["source_id"],
        offset=pushing.offset(record, end, "end_zone_offset") if episode else pushing.offset(record, start),
        as_of=instant(modified)[0] if modified else None,
        readings=readings,
        series=series,
        episode=episode,
        manual=record.get("recording_method") == BY_HAND,
        app=pushing.app(KINDS.get(device or 0, "phone"), (record.get("source") or {}).get("package")),
    )
