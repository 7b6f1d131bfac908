"""HealthKit samples as ours. A sample never changes: an edit is a deletion and a new UUID. Its `%` is a fraction."""

from collections.abc import Iterator

from shared.errors import SkipRecordError
from shared.model import Document, Episode, Item, Kind, Reading, Series
from shared.providers import Json, pushing, quantities
from shared.providers.quantities import Quantities, Quantity

QUANTITY, SLEEP = "HKQuantityTypeIdentifier", "HKCategoryTypeIdentifierSleepAnalysis"
PRESSURES, WORKOUT = "HKCorrelationTypeIdentifierBloodPressure", "HKWorkoutTypeIdentifier"


def named(**quantity: tuple[str, quantities.Units]) -> Quantities:
    """By the identifier without its prefix."""
    return {QUANTITY + name: Quantity(*told) for name, told in quantity.items()}


ACTIVITY: Quantities = named(
    StepCount=("steps", quantities.COUNT),
    DistanceWalkingRunning=("distance", quantities.LENGTH),
    FlightsClimbed=("floors", quantities.COUNT),
    ActiveEnergyBurned=("active_calories", quantities.ENERGY),
    AppleExerciseTime=("active_minutes", quantities.DURATION),
)
HEART_RATE: Quantities = named(HeartRate=("heart_rate", quantities.RATE))
VITALS: Quantities = named(
    RestingHeartRate=("resting_heart_rate", quantities.RATE),
    HeartRateVariabilitySDNN=("heart_rate_variability_sdnn", quantities.MILLISECONDS),
    HeartRateVariabilityRMSSD=("heart_rate_variability", quantities.MILLISECONDS),  # since iOS 27
    RespiratoryRate=("respiratory_rate", quantities.RATE),
    OxygenSaturation=("spo2", quantities.FRACTION),
    BodyTemperature=("body_temperature", quantities.TEMPERATURE),
    AppleSleepingWristTemperature=("skin_temperature", quantities.TEMPERATURE),  # of the wrist, not how far from usual
    VO2Max=("vo2_max", quantities.UPTAKE),
)
CUFF: Quantities = named(
    BloodPressureSystolic=("blood_pressure_systolic", quantities.PRESSURE),
    BloodPressureDiastolic=("blood_pressure_diastolic", quantities.PRESSURE),
)
SUGAR: Quantities = named(BloodGlucose=("glucose", quantities.GLUCOSE))
BODY: Quantities = named(
    BodyMass=("weight", quantities.MASS),
    BodyFatPercentage=("body_fat", quantities.FRACTION),
    BodyMassIndex=("bmi", quantities.COUNT),
    LeanBodyMass=("lean_mass", quantities.MASS),
)
# What a workout comes to: sums, and the mean of its heart rate.
EXERCISE: Quantities = named(
    ActiveEnergyBurned=("active_calories", quantities.ENERGY),
    DistanceWalkingRunning=("distance", quantities.LENGTH),
    DistanceCycling=("distance", quantities.LENGTH),
    DistanceSwimming=("distance", quantities.LENGTH),
    StepCount=("steps", quantities.COUNT),
    FlightsClimbed=("floors", quantities.COUNT),
    HeartRate=("heart_rate", quantities.RATE),
)
TABLES = {"activity": ACTIVITY, "heart_rate": HEART_RATE, "vitals": VITALS, "glucose": SUGAR, "body": BODY}
OTHERS = {PRESSURES: "vitals", SLEEP: "sleep", WORKOUT: "workouts"}
STAGES = {0: "in_bed", 1: "asleep", 2: "awake", 3: "light", 4: "deep", 5: "rem"}  # 3 is N1 and N2, 4 is N3
ZONES = ("HKTimeZone", "HKMetadataKeyTimeZone")
"""The key itself, and the name of the constant that holds it."""


@pushing.pushed("sleep")
def sleep(record: Json) -> Iterator[Item]:
    """One stage; the night that it is part of is joined when it is read."""
    start, end = pushing.span(record)
    if record["value"] not in STAGES:
        raise SkipRecordError("not a value of HKCategoryValueSleepAnalysis", "value")
    yield document(record, episode=Episode("stage", start, end, STAGES[record["value"]]))


# ---------------------------------------------------------------- parts


def activity(record: Json) -> str:
    """`HKWorkoutActivityTypeRunning`, or running."""
    name = str(record.get("activity") or "").removeprefix("HKWorkoutActivityType")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def kind(record: Json) -> Kind:
    """By the device that the source runs on, such as Watch7,5."""
    source = record.get("source") or {}
    return "watch" if str(source.get("product_type") or "").startswith("Watch") else "phone"


def document(
    record: Json, *, readings: tuple[Reading, ...] = (), series: tuple[Series, ...] = (), episode: Episode | None = None
) -> Document:
    """As old as its end: whatever deletes it is newer, and whoever tells of it again says nothing new."""
    start, end = pushing.span(record)
    zone = record.get("zone") or next(filter(None, map((record.get("metadata") or {}).get, ZONES)), None)
    source = record.get("source") or {}
    return Document(
        id=record["source_id"],
        offset=pushing.offset(record, end if episode else start, named=zone),
        as_of=end,
        readings=readings,
        series=series,
        episode=episode,
        manual=bool(record.get("user_entered")),
        app=pushing.app(kind(record), source.get("bundle_id")),
    )
