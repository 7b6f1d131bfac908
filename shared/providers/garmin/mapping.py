"""Garmin summaries as ours. Times are UTC seconds, offsets those the device showed, and `calendarDate` is the wearer's
own day: a night's is that of waking.

A later summary of the same kind and start replaces an earlier one that lasts as long or less. So the start is the id,
and how far a summary reaches is its version.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from shared.model import HOUR, Document, Episode, Item, Reading, Series, Stage, Ticks
from shared.providers import Json, Map, dig, per_record
from shared.providers.reading import integers
from shared.values import replace

DAY = (
    "steps", "distance", "calories_burned", "active_calories", "active_minutes", "floors", "resting_heart_rate",
    "stress",
)  # fmt: skip
EPOCH = {"steps": "steps", "distance": "distanceInMeters", "active_calories": "activeKilocalories"}
STAGES = {
    "deep_sleep": "deepSleepDurationInSeconds",
    "light_sleep": "lightSleepDurationInSeconds",
    "rem_sleep": "remSleepInSeconds",
    "awake": "awakeDurationInSeconds",
}
LEVELS = ("deep", "light", "rem", "awake")
NIGHT = ("sleep_duration", *STAGES, "sleep_efficiency", "sleep_score")
BODY = ("weight", "body_fat", "bmi")
PRESSURE = ("blood_pressure_systolic", "blood_pressure_diastolic", "heart_rate")
# Not its variability: by day, and awake, that is another thing than the night's.
SNAPSHOT = {"heart_rate": "heart_rate", "respiration": "respiratory_rate", "spo2": "spo2"}
NOTHING: Mapping[str, float | None] = {}


def each(map_record: Map) -> Map:
    """A pull answers with the bare list, a push names it; nothing at all is a list of none, and a record one of one. A
    summary that holds nothing and names no day is left out."""

    @wraps(map_record)
    def map_reply(reply: Any) -> Iterable[Item]:
        records = reply
        if isinstance(reply, Mapping):
            named = all(isinstance(value, list) for value in reply.values())
            records = [one for found in reply.values() for one in found] if named else [reply]
        return filter(somewhere, per_record("")(map_record)(records))

    return map_reply


def somewhere(item: Item) -> bool:
    return not isinstance(item, Document) or bool(item.day or item.readings or item.series or item.episode)


@each
def dailies(record: Json) -> Iterator[Item]:
    """Sent many times a day, with all activities in it. Its `averageHeartRateInBeatsPerMinute` is of seven days."""
    active, basal = record.get("activeKilocalories"), record.get("bmrKilocalories")
    values = {
        "steps": record.get("steps"),
        "distance": record.get("distanceInMeters"),
        "calories_burned": None if active is None or basal is None else active + basal,
        "active_calories": active,
        "active_minutes": minutes(record, "moderateIntensityDurationInSeconds", "vigorousIntensityDurationInSeconds"),
        "floors": record.get("floorsClimbed"),
        "resting_heart_rate": record.get("restingHeartRateInBeatsPerMinute"),
        "stress": minutes(record, "highStressDurationInSeconds"),
    }
    yield summary(record, values, series=samples("heart_rate", record, "timeOffsetHeartRateSamples"))


def epochs(reply: Any) -> Iterator[Item]:
    """Quarters of an hour, a record for each kind of movement in them. It is the movement of the dailies, which own the
    totals: here is when it was. A day is one bundle of samples, as old as the last quarter that it knows of."""
    longest: dict[str, Document] = {}
    for item in epoch(reply):
        if not isinstance(item, Document):
            yield item
        elif item.id not in longest or age(item) >= age(longest[item.id]):
            longest[item.id] = item
    days: dict[tuple[str | None, int | None], list[Document]] = {}
    for part in longest.values():
        days.setdefault((part.day, part.offset), []).append(part)
    for (_, east), parts in days.items():
        yield Document(offset=east, as_of=max(map(age, parts)), series=tuple(added(parts)))


@each
def epoch(record: Json) -> Iterator[Item]:
    at, kind = record["startTimeInSeconds"] * 1000, record["activityType"]
    east = offset(record)
    found = tuple(Reading(metric, record[field], at) for metric, field in EPOCH.items() if record.get(field))
    day = datetime.fromtimestamp(at / 1000 + 60 * (east or 0), UTC).date().isoformat()
    yield Document(id=f"{at} {kind}", day=day, offset=east, as_of=version(record), readings=found)


def added(parts: Iterable[Document]) -> Iterator[Series]:
    """What was walked and what was run in the same quarter is one sample."""
    sums: dict[str, dict[int, float]] = {}
    for reading in (reading for part in parts for reading in part.readings):
        column = sums.setdefault(reading.metric, {})
        column[reading.at or 0] = column.get(reading.at or 0, 0) + reading.value
    for metric, column in sums.items():
        yield Series(metric, list(column), list(column.values()))


def age(document: Document) -> int:
    return document.as_of or 0


@each
def sleeps(record: Json) -> Iterator[Item]:
    """`durationInSeconds` is sleep alone: the night is longer by what was awake, and what could not be measured."""
    asleep, awake = record["durationInSeconds"], record.get("awakeDurationInSeconds")
    unknown = record.get("unmeasurableSleepInSeconds") or record.get("unmeasurableSleepDurationInSeconds") or 0
    start = record["startTimeInSeconds"]
    end = start + asleep + (awake or 0) + unknown
    values = {
        "sleep_duration": hours(asleep),
        **{metric: hours(record.get(field)) for metric, field in STAGES.items()},
        "sleep_efficiency": 100 * asleep / (asleep + awake) if asleep and awake is not None else None,
        "sleep_score": dig(record, "overallSleepScore.value"),
    }
    inner = (
        *samples("respiratory_rate", record, "timeOffsetSleepRespiration"),
        *samples("spo2", record, "timeOffsetSleepSpo2"),
    )
    episode = Episode("sleep", start * 1000, end * 1000, stages=stages(record), series=inner)
    yield replace(
        summary(record, values), as_of=end * 1000, episode=episode, manual=record.get("validation") == "MANUAL"
    )
    yield from naps(record)


def naps(record: Json) -> Iterator[Item]:
    """They hang on the night, and are not in its duration."""
    for nap in record.get("naps") or ():
        at, lasted = nap.get("napStartTimeInSeconds"), nap.get("napDurationInSeconds")
        if at and lasted:
            end = 1000 * (at + lasted)
            yield Document(
                id=f"nap-{at}",
                day=record.get("calendarDate"),
                offset=nap.get("napOffsetInSeconds", record.get("startTimeOffsetInSeconds", 0)) // 60,
                as_of=end,
                readings=(Reading("sleep_duration", lasted * 1000 / HOUR),),
                episode=Episode("nap", at * 1000, end),
                manual=nap.get("napValidation") == "MANUAL",
            )


@each
def hrv(record: Json) -> Iterator[Item]:
    """RMSSD, in milliseconds: of the night, and of every five minutes of it."""
    values = {"heart_rate_variability": record.get("lastNightAvg")}
    yield summary(record, values, samples("heart_rate_variability", record, "hrvValues"))


@each
def stress(record: Json) -> Iterator[Item]:
    """Two scales of Garmin's own, each from 1 or 5 to 100."""
    levels = samples("stress_level", record, "timeOffsetStressLevelValues")
    battery = samples("body_battery", record, "timeOffsetBodyBatteryValues")
    yield summary(record, series=(*levels, *battery))


@each
def pulse_ox(record: Json) -> Iterator[Item]:
    yield summary(record, series=samples("spo2", record, "timeOffsetSpo2Values"))


@each
def respiration(record: Json) -> Iterator[Item]:
    yield summary(record, series=samples("respiratory_rate", record, "timeOffsetEpochToBreaths"))


@each
def body_composition(record: Json) -> Iterator[Item]:
    """Muscle mass is less than lean mass, which nobody tells."""
    grams = record.get("weightInGrams")
    weight = None if grams is None else grams / 1000
    values = {"weight": weight, "body_fat": record.get("bodyFatInPercent"), "bmi": record.get("bodyMassIndex")}
    yield measured(record, values)


@each
def blood_pressure(record: Json) -> Iterator[Item]:
    values = dict(zip(PRESSURE, (record["systolic"], record["diastolic"], record.get("pulse")), strict=True))
    yield replace(measured(record, values), manual=record.get("sourceType") == "MANUAL")


@each
def user_metrics(record: Json) -> Iterator[Item]:
    """Dated by the day alone."""
    day = record["calendarDate"]
    yield Document(id=day, day=day, readings=readings({"vo2_max": record.get("vo2Max")}))


@each
def skin_temperature(record: Json) -> Iterator[Item]:
    """From the wearer's own baseline, which nobody tells."""
    yield summary(record, {"temperature_deviation": record.get("avgDeviationCelsius")})


@each
def snapshot(record: Json) -> Iterator[Item]:
    """Two minutes of sitting still, each kind of measurement with its mean."""
    found = {part["summaryType"]: part.get("avgValue") for part in record.get("summaries") or ()}
    at = record["startTimeInSeconds"] * 1000
    yield replace(summary(record), readings=readings({m: found.get(kind) for kind, m in SNAPSHOT.items()}, at))


@each
def activities(record: Json) -> Iterator[Item]:
    """Here the active energy includes the basal one. Of a multisport, the legs come by themselves as well. One edited
    by hand comes again, and may be shorter: no version."""
    if record.get("isParent"):
        return
    start = record["startTimeInSeconds"] * 1000
    figures = readings(
        {
            "calories_burned": record.get("activeKilocalories"),
            "distance": record.get("distanceInMeters"),
            "heart_rate": record.get("averageHeartRateInBeatsPerMinute"),
            "steps": record.get("steps"),
        }
    )
    end = start + record["durationInSeconds"] * 1000
    label = (record.get("activityType") or "").lower()
    yield Document(
        id=str(record["activityId"] if "activityId" in record else record["summaryId"]),
        offset=offset(record),
        episode=Episode("workout", start, end, label, readings=figures),
        manual=bool(record.get("manual")),
    )


# ---------------------------------------------------------------- parts


def summary(record: Json, values: Mapping[str, float | None] = NOTHING, series: Iterable[Series] = ()) -> Document:
    return Document(
        id=str(record["startTimeInSeconds"]),
        day=record.get("calendarDate"),
        offset=offset(record),
        as_of=version(record),
        readings=readings(values),
        series=tuple(series),
    )


def measured(record: Json, values: Mapping[str, float | None]) -> Document:
    """At an instant."""
    at, east = record["measurementTimeInSeconds"], record.get("measurementTimeOffsetInSeconds")
    return Document(id=str(at), offset=None if east is None else east // 60, readings=readings(values, at * 1000))


def version(record: Json) -> int:
    return int(1000 * (record["startTimeInSeconds"] + record["durationInSeconds"]))


def offset(record: Json) -> int | None:
    east = record.get("startTimeOffsetInSeconds")
    return None if east is None else int(east // 60)


def readings(values: Mapping[str, float | None], at: int | None = None) -> tuple[Reading, ...]:
    return tuple(Reading(metric, value, at) for metric, value in values.items() if value is not None)


def samples(metric: str, record: Json, field: str) -> Iterator[Series]:
    """{"<seconds from the start>": value}, in no order. What is not above 0 says why nothing was measured."""
    start, found = 1000 * record["startTimeInSeconds"], record.get(field) or {}
    told = set(found.values())
    if None in told or min(told, default=1) <= 0:
        found = {at: value for at, value in found.items() if value and value > 0}
    if found:
        yield Series(metric, Ticks(start, 1000, integers(found)), [*found.values()])


def stages(record: Json) -> tuple[Stage, ...]:
    levels = record.get("sleepLevelsMap") or {}
    found = (
        (part["startTimeInSeconds"] * 1000, part["endTimeInSeconds"] * 1000, level)
        for level in LEVELS
        for part in levels.get(level) or ()
    )
    return tuple(sorted(found))


def hours(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000 / HOUR


def minutes(record: Json, *fields: str) -> float | None:
    """None where none of them is told."""
    found = [record[field] for field in fields if record.get(field) is not None]
    return sum(found) / 60 if found else None
