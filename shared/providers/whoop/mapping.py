"""WHOOP records as ours. Instants are UTC beside the wearer's offset; durations come in milliseconds, energy in kJ.

Only what is SCORED has a `score`: what is pending or cannot be scored is stored without figures, so that a score that
was withdrawn goes. WHOOP names no days: a sleep is of the day it ends on, a recovery and a cycle of their sleep's."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from shared.errors import SkipRecordError
from shared.model import HOUR, Document, Episode, Item, Reading, instant
from shared.providers import Json, attempt, per_record

KJ_PER_KCAL = 4.184
STAGES = {
    "rem_sleep": "total_rem_sleep_time_milli",
    "deep_sleep": "total_slow_wave_sleep_time_milli",
    "light_sleep": "total_light_sleep_time_milli",
}
NIGHT = ("sleep_duration", *STAGES, "awake", "sleep_efficiency", "sleep_score", "respiratory_rate")
RECOVERY = {
    "recovery_score": "recovery_score",
    "resting_heart_rate": "resting_heart_rate",
    # Milliseconds, whatever the suffix suggests.
    "heart_rate_variability": "hrv_rmssd_milli",
    # From WHOOP 4.0 on. The skin's own temperature, neither the body's nor a deviation.
    "spo2": "spo2_percentage",
    "skin_temperature": "skin_temp_celsius",
}
CYCLE = ("strain_score", "calories_burned", "heart_rate")
BODY = ("weight", "bmi")


@per_record("records")
def sleep(record: Json) -> Iterator[Item]:
    score, nap = scored(record), record["nap"]
    start, end = instant(record["start"])[0], instant(record["end"])[0]
    values = stages(score.get("stage_summary") or {})
    if not nap:
        values |= {
            "sleep_efficiency": score.get("sleep_efficiency_percentage"),
            # The share of the sleep needed, in percent.
            "sleep_score": score.get("sleep_performance_percentage"),
            "respiratory_rate": score.get("respiratory_rate"),
        }
    yield Document(
        id=record["id"],
        offset=offset(record),
        as_of=version(record),
        readings=readings(**values),
        episode=Episode("nap" if nap else "sleep", start, end),
    )


def recovery(reply: Json) -> Iterator[Item]:
    """Recoveries, and the sleeps that date them."""
    nights = {night["id"]: night for night in sleeps(reply)}
    yield from per_record("records")(lambda record: recovered(record, nights))(reply)


def recovered(record: Json, nights: Mapping[str, Json]) -> Iterator[Item]:
    if "nap" in record:
        return
    night = nights.get(record["sleep_id"])
    if night is None:
        raise SkipRecordError("its sleep is not in the answer")
    score = scored(record)
    values = {metric: score.get(field) for metric, field in RECOVERY.items()}
    yield Document(id=night["id"], day=wake_day(night), as_of=version(record), readings=readings(**values))


def cycle(reply: Json) -> Iterator[Item]:
    """Cycles, and the sleeps that date them: a cycle runs from one night's falling asleep to the next's."""
    nights = [night for night in sleeps(reply) if not night["nap"] and night.get("cycle_id")]
    first = {night["cycle_id"]: night for night in sorted(nights, key=lambda night: str(night["start"]), reverse=True)}
    yield from per_record("records")(lambda record: cycled(record, first))(reply)


def cycled(record: Json, nights: Mapping[int, Json]) -> Iterator[Item]:
    if "nap" in record:
        return
    score, night = scored(record), nights.get(record["id"])
    # Without a night, the day of its middle: a cycle lasts about 24 hours.
    day = wake_day(night) if night else local_date(instant(record["start"])[0] + 12 * HOUR, offset(record))
    values = {
        "strain_score": score.get("strain"),
        "calories_burned": kcal(score),
        "heart_rate": score.get("average_heart_rate"),
    }
    yield Document(id=str(record["id"]), day=day, as_of=version(record), readings=readings(**values))


@per_record("records")
def workout(record: Json) -> Iterator[Item]:
    score = scored(record)
    figures = readings(
        strain_score=score.get("strain"),
        calories_burned=kcal(score),
        distance=score.get("distance_meter"),
        heart_rate=score.get("average_heart_rate"),
    )
    start, end = instant(record["start"])[0], instant(record["end"])[0]
    yield Document(
        id=record["id"],
        offset=offset(record),
        as_of=version(record),
        episode=Episode("workout", start, end, label=record.get("sport_name") or "", readings=figures),
    )


def body(reply: Json) -> Iterator[Item]:
    """What the member's profile says now, as of no time."""

    def measured(record: Json) -> Iterator[Item]:
        weight, height = record.get("weight_kilogram"), record.get("height_meter")
        yield Document(readings=readings(weight=weight, bmi=weight / height**2 if weight and height else None))

    yield from attempt(0, measured, reply)


# ---------------------------------------------------------------- parts


def scored(record: Json) -> Json:
    return record["score"] if record["score_state"] == "SCORED" else {}


def stages(summary: Json) -> dict[str, float | None]:
    """Totals in hours; WHOOP's API has no hypnogram."""
    found = {metric: hours(summary.get(field)) for metric, field in STAGES.items()}
    asleep = [value for value in found.values() if value is not None]
    awake = hours(summary.get("total_awake_time_milli"))
    return {"sleep_duration": sum(asleep) if asleep else None, **found, "awake": awake}


def hours(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / HOUR


def kcal(score: Json) -> float | None:
    kilojoule = score.get("kilojoule")
    return None if kilojoule is None else kilojoule / KJ_PER_KCAL


def readings(**values: float | None) -> tuple[Reading, ...]:
    return tuple(Reading(metric, value) for metric, value in values.items() if value is not None)


def sleeps(reply: Json) -> Iterator[Json]:
    """Among records of two kinds, those that only sleeps can be."""
    return (record for record in reply["records"] if isinstance(record, Mapping) and {"id", "nap"} <= record.keys())


def wake_day(night: Json) -> str:
    return local_date(instant(night["end"])[0], offset(night))


def local_date(at: int, offset: int) -> str:
    return datetime.fromtimestamp(at / 1000 + offset * 60, UTC).date().isoformat()


def offset(record: Json) -> int:
    """Minutes east of UTC, from ±hh:mm or Z."""
    east: Any = instant(f"1970-01-01T00:00:00{record['timezone_offset']}")[1]
    return int(east)


def version(record: Json) -> int:
    return instant(record["updated_at"])[0]
