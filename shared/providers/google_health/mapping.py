"""Google Health's points as ours. int64 come as strings, doubles as numbers, offsets as "3600s"; what is zero, false or
midnight may be left out. Each point holds one member, named after its data type."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, TypeAlias

from shared.errors import SkipRecordError
from shared.model import Document, Episode, Item, Reading, Series, Stage, instant
from shared.providers import Json, dig, per_record

Fields: TypeAlias = Mapping[str, tuple[str, float]]
"""Our metric → where the value stands in the point's member, and how many of its units make one of ours."""

ROLLED: Mapping[str, Fields] = {
    "steps": {"steps": ("countSum", 1)},
    "distance": {"distance": ("millimetersSum", 1000)},
    "floors": {"floors": ("countSum", 1)},
    "totalCalories": {"calories_burned": ("kcalSum", 1)},
    "activeEnergyBurned": {"active_calories": ("kcalSum", 1)},
}
# Revised as the day goes.
RESTING: Mapping[str, Fields] = {"dailyRestingHeartRate": {"resting_heart_rate": ("beatsPerMinute", 1)}}
NIGHTLY: Mapping[str, Fields] = {
    "dailyHeartRateVariability": {"heart_rate_variability": ("averageHeartRateVariabilityMilliseconds", 1)},
    "dailyOxygenSaturation": {"spo2": ("averagePercentage", 1)},
    "dailyRespiratoryRate": {"respiratory_rate": ("breathsPerMinute", 1)},
}
SKIN = "dailySleepTemperatureDerivations"
OVERNIGHT: Mapping[str, Fields] = {
    "heartRateVariability": {
        "heart_rate_variability": ("rootMeanSquareOfSuccessiveDifferencesMilliseconds", 1),
        "heart_rate_variability_sdnn": ("standardDeviationMilliseconds", 1),
    },
    "oxygenSaturation": {"spo2": ("percentage", 1)},
}
BODY: Mapping[str, Fields] = {
    "weight": {"weight": ("weightGrams", 1000)},
    "bodyFat": {"body_fat": ("percentage", 1)},
    "coreBodyTemperature": {"body_temperature": ("temperatureCelsius", 1)},
}
DAILY: Mapping[str, Fields] = {**RESTING, **NIGHTLY, "dailyVo2Max": {"vo2_max": ("vo2Max", 1)}}
SAMPLED: Mapping[str, Fields] = {
    **OVERNIGHT,
    "bloodGlucose": {"glucose": ("bloodGlucoseMilligramsPerDeciliter", 1)},
}
SPOTTED: Mapping[str, Fields] = {
    **BODY,
    "respiratoryRateSleepSummary": {"respiratory_rate": ("fullSleepStats.breathsPerMinute", 1)},
    "vo2Max": {"vo2_max": ("vo2Max", 1)},
    "runVo2Max": {"vo2_max": ("runVo2Max", 1)},
}
EXERCISE: Fields = {
    "calories_burned": ("caloriesKcal", 1),
    "distance": ("distanceMillimeters", 1000),
    "steps": ("steps", 1),
    "heart_rate": ("averageHeartRateBeatsPerMinute", 1),
    "vo2_max": ("runVo2Max", 1),
}
ACTIVE = ("MODERATE", "VIGOROUS")
STAGES = {
    "AWAKE": "awake", "RESTLESS": "awake", "LIGHT": "light", "DEEP": "deep", "REM": "rem", "ASLEEP": "asleep",
}  # fmt: skip
STAGE_METRICS = {"rem_sleep": "REM", "deep_sleep": "DEEP", "light_sleep": "LIGHT"}
NIGHT = ("sleep_duration", "awake", *STAGE_METRICS, "sleep_efficiency", "sleep_latency")


def owned(table: Mapping[str, Fields], *others: str) -> frozenset[str]:
    """The metrics that a table of members brings."""
    return frozenset(others).union(*table.values())


# An empty list is left out.
each_point, each_window = per_record("dataPoints", may_lack=True), per_record("rollupDataPoints", may_lack=True)


# ---------------------------------------------------------------- the day's figures


@each_window
def activity(record: Json) -> Iterator[Item]:
    """Sums of one type over a civil day; a day without data may be listed without its member."""
    day = civil_day(record["civilStartTime"])
    for member, fields in ROLLED.items():
        yield from of_day(day, member, values(record.get(member) or {}, fields))
    levels = dig(record, "activeMinutes.activeMinutesRollupByActivityLevel")
    found = [float(level.get("activeMinutesSum", 0)) for level in levels or () if level["activityLevel"] in ACTIVE]
    yield from of_day(day, "activeMinutes", {"active_minutes": sum(found)} if levels else {})


def points(reply: Json) -> Iterator[Item]:
    """A page's samples are one document for each offset the wearer's clock had, its columns sorted: pages come newest
    first."""
    columns: dict[int | None, dict[str, dict[int, float]]] = {}
    for item in each_point(point_of)(reply):
        if isinstance(item, Document) and item.series:
            for series in item.series:
                rows = columns.setdefault(item.offset, {}).setdefault(series.metric, {})
                rows[series.times[0]] = series.values[0]
        else:
            yield item
    for offset, found in columns.items():
        yield Document(offset=offset, series=tuple(column(metric, rows) for metric, rows in found.items()))


def point_of(record: Json) -> Iterator[Item]:
    """Any of the types that stand for themselves: a day's figure, a sample, a single reading."""
    for member, point in record.items():
        if member in DAILY:
            yield from of_day(day_of(point["date"]), member, values(point, DAILY[member]))
        elif member == SKIN:
            yield from of_day(day_of(point["date"]), member, warmth(point))
        elif member in SAMPLED:
            yield from sample(point, values(point, SAMPLED[member]))
        elif member in SPOTTED:
            yield from spot(point, values(point, SPOTTED[member]))


def of_day(day: str, member: str, found: Mapping[str, float]) -> Iterator[Item]:
    """`date` and civil times are the wearer's own."""
    if found:
        yield Document(id=f"{day}:{member}", day=day, readings=readings(found))


def warmth(point: Json) -> dict[str, float]:
    """How far the skin was that night from the median of the last thirty."""
    baseline = point.get("baselineTemperatureCelsius")
    return {} if baseline is None else {"temperature_deviation": point["nightlyTemperatureCelsius"] - baseline}


def spot(point: Json, found: Mapping[str, float]) -> Iterator[Document]:
    at, east = sampled_at(point)
    if found:
        yield Document(offset=east, readings=tuple(Reading(metric, value, at) for metric, value in found.items()))


def sample(point: Json, found: Mapping[str, float]) -> Iterator[Document]:
    at, east = sampled_at(point)
    if found:
        yield Document(offset=east, series=tuple(Series(metric, (at,), (value,)) for metric, value in found.items()))


def sampled_at(point: Json) -> tuple[int, int | None]:
    time = point["sampleTime"]
    return instant(time["physicalTime"])[0], minutes_east(time.get("utcOffset"))


def heart_rate(reply: Json) -> Iterable[Item]:
    """Means over minutes of physical time. Minutes in which nothing was measured may be listed all the same."""
    beats: dict[int, float] = {}

    def keep(record: Json) -> tuple[()]:
        start, mean = record["startTime"], dig(record, "heartRate.beatsPerMinuteAvg")
        if mean is not None:
            beats[instant(start)[0]] = float(mean)
        return ()

    yield from each_window(keep)(reply)
    if beats:
        yield Document(series=(column("heart_rate", beats),))


def column(metric: str, rows: Mapping[int, float]) -> Series:
    times = sorted(rows)
    return Series(metric, times, [rows[at] for at in times])


# ---------------------------------------------------------------- sleep and exercise


@each_point
def sleep(record: Json) -> Iterator[Item]:
    """Until `processed`, stages may still come. `mainSleep` is one a day, the longest."""
    point, metadata = record["sleep"], record["sleep"].get("metadata") or {}
    start, end = bounds(point)
    stages = tuple(stage(part) for part in point.get("stages") or () if part["type"] in STAGES)
    found = night(point.get("summary") or {}, bool(metadata.get("mainSleep")))
    yield session(record, point, Episode("nap" if metadata.get("nap") else "sleep", start, end, stages=stages), found)


def night(summary: Json, main: bool) -> dict[str, float]:
    by_stage = {part["type"]: float(part.get("minutes", 0)) for part in summary.get("stagesSummary") or ()}
    found = {"sleep_duration": summary.get("minutesAsleep"), "awake": summary.get("minutesAwake")}
    hours = {metric: float(minutes) / 60 for metric, minutes in found.items() if minutes is not None}
    hours |= {metric: by_stage[name] / 60 for metric, name in STAGE_METRICS.items() if name in by_stage}
    return {**hours, **(whole_night(summary) if main else {})}


def whole_night(summary: Json) -> dict[str, float]:
    """Efficiency is our own: the share of the period that was slept."""
    period, asleep = float(summary.get("minutesInSleepPeriod") or 0), summary.get("minutesAsleep")
    efficiency = {"sleep_efficiency": 100 * float(asleep) / period} if period and asleep is not None else {}
    latency = summary.get("minutesToFallAsleep")
    return {**efficiency, **({} if latency is None else {"sleep_latency": float(latency)})}


def stage(part: Json) -> Stage:
    return instant(part["startTime"])[0], instant(part["endTime"])[0], STAGES[part["type"]]


@each_point
def exercise(record: Json) -> Iterator[Item]:
    point = record["exercise"]
    start, end = bounds(point)
    found = readings(values(point.get("metricsSummary") or {}, EXERCISE))
    yield session(record, point, Episode("workout", start, end, label=point["exerciseType"].lower(), readings=found))


def session(record: Json, point: Json, episode: Episode, found: Mapping[str, float] | None = None) -> Document:
    """Belongs to the civil day on which it ended."""
    interval, updated = point["interval"], point.get("updateTime")
    civil = interval.get("civilEndTime")
    return Document(
        id=name_of(record),
        day=civil_day(civil) if civil else None,
        offset=minutes_east(interval.get("endUtcOffset")),
        as_of=instant(updated)[0] if updated else None,
        readings=readings(found or {}),
        episode=episode,
    )


def bounds(point: Json) -> tuple[int, int]:
    return instant(point["interval"]["startTime"])[0], instant(point["interval"]["endTime"])[0]


# ---------------------------------------------------------------- parts


def zone(reply: Json) -> str | None:
    """Of the settings, which name an IANA zone."""
    found = dig(reply, "timeZone")
    return found if isinstance(found, str) else None


def name_of(record: Json) -> str:
    """The last part of users/me/dataTypes/sleep/dataPoints/7712345678901: reconciled points say it in another field."""
    name = record.get("dataPointName") or record.get("name")
    if not name:
        raise SkipRecordError("a session without a name")
    return str(name).rpartition("/")[2]


def values(point: Json, fields: Fields) -> dict[str, float]:
    found = {metric: (dig(point, path), per) for metric, (path, per) in fields.items()}
    return {metric: float(value) / per for metric, (value, per) in found.items() if value is not None}


def readings(found: Mapping[str, float]) -> tuple[Reading, ...]:
    return tuple(Reading(metric, round(value, 6)) for metric, value in found.items())


def day_of(parts: Json) -> str:
    return date(parts["year"], parts["month"], parts["day"]).isoformat()


def civil_day(moment: Json) -> str:
    return day_of(moment["date"])


def minutes_east(duration: Any) -> int | None:
    """Of an offset such as -18000s."""
    return None if duration is None else round(float(str(duration).removesuffix("s")) / 60)
