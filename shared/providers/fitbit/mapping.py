"""Fitbit's records as ours. Dates and times are what the wearer's clock showed, without an offset; totals come as
strings; distances in km, because no Accept-Language is sent; a night is dated by its end."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from shared.errors import ProviderChangedError
from shared.model import Document, Episode, Item, Reading, Series, Stage, instant
from shared.providers import Json, Map, dig, per_record

Fields: TypeAlias = Mapping[str, tuple[str, float]]
"""Our metric → where the value stands in the record, and what makes ours of it."""

# Our metric → the series it is the sum of.
ACTIVITY = {
    "steps": ("steps",),
    "distance": ("distance",),
    "calories_burned": ("calories",),
    "active_calories": ("activityCalories",),
    "floors": ("floors",),
    "active_minutes": ("minutesFairlyActive", "minutesVeryActive"),
}
SERIES = tuple(name for names in ACTIVITY.values() for name in names)
METRIC = {name: metric for metric, names in ACTIVITY.items() for name in names}
METRES = 1000
WORKOUT: Fields = {
    "calories_burned": ("calories", 1),
    "distance": ("distance", METRES),
    "steps": ("steps", 1),
    "heart_rate": ("averageHeartRate", 1),
}
LEVELS = {
    "deep": "deep", "light": "light", "rem": "rem", "wake": "awake", "awake": "awake", "restless": "awake",
    "asleep": "asleep",
}  # fmt: skip
HOURS = 1 / 60
DURATIONS: Fields = {
    "sleep_duration": ("minutesAsleep", HOURS),
    "awake": ("minutesAwake", HOURS),
    "rem_sleep": ("levels.summary.rem.minutes", HOURS),
    "deep_sleep": ("levels.summary.deep.minutes", HOURS),
    "light_sleep": ("levels.summary.light.minutes", HOURS),
}
MAIN_SLEEP: Fields = {"sleep_efficiency": ("efficiency", 1), "sleep_latency": ("minutesToFallAsleep", 1)}


def by_key(maps: Mapping[str, Map]) -> Map:
    """Several addresses answer one question: the key of its list says which of them a page is from."""

    def map_page(reply: Json) -> Iterator[Item]:
        known = [key for key in maps if key in reply]
        if not known:
            raise ProviderChangedError(f"the reply holds none of {', '.join(maps)}")
        for key in known:
            yield from per_record(key)(maps[key])(reply)

    return map_page


# ---------------------------------------------------------------- a day's figures


def series(name: str) -> Map:
    """{"dateTime": "2026-09-20", "value": "9312"}. Two series may make one metric: each is a part of its sum."""
    metric = METRIC[name]

    def map_day(record: Json) -> Iterator[Item]:
        value = float(record["value"]) * (METRES if name == "distance" else 1)
        yield from of_day(record["dateTime"], name, {metric: value})

    return map_day


activity = by_key({f"activities-{name}": series(name) for name in SERIES})


def figure(name: str, fields: Fields) -> Map:
    def map_day(record: Json) -> Iterator[Item]:
        yield from of_day(record["dateTime"], name, values(record, fields))

    return map_day


heart = by_key(
    {
        "activities-heart": figure("heart", {"resting_heart_rate": ("value.restingHeartRate", 1)}),
        "hrv": figure("hrv", {"heart_rate_variability": ("value.dailyRmssd", 1)}),
    }
)
breathing = per_record("br")(figure("br", {"respiratory_rate": ("value.breathingRate", 1)}))


def spo2(reply: Any) -> Iterable[Item]:
    """A range was seen as a bare list and as an object that holds it, a single day as one record."""
    rows = reply if isinstance(reply, list) else reply.get("spo2", [reply] if reply else [])
    return per_record("spo2")(figure("spo2", {"spo2": ("value.avg", 1)}))({"spo2": rows})


@per_record("cardioScore")
def cardio(record: Json) -> Iterator[Item]:
    """Of a range such as "44-48" the middle; "45" and 45 were seen, too."""
    ends = [float(end) for end in str(record["value"]["vo2Max"]).split("-")]
    yield from of_day(record["dateTime"], "cardio", {"vo2_max": sum(ends) / len(ends)})


def of_day(day: str, name: str, found: Mapping[str, float]) -> Iterator[Item]:
    if found:
        yield Document(id=f"{day}:{name}", day=day, readings=readings(found))


# ---------------------------------------------------------------- by the clock


def heart_rate(reply: Json) -> Iterator[Item]:
    """One day a reply, its date beside the samples; a day on which nothing was worn has none."""
    day = reply["activities-heart"][0]["dateTime"]
    times: list[int] = []
    beats: list[float] = []

    def keep(record: Json) -> tuple[()]:
        at, beat = clock(f"{day}T{record['time']}"), float(record["value"])
        times.append(at)
        beats.append(beat)
        return ()

    yield from per_record("activities-heart-intraday.dataset")(keep)(reply)
    if beats:
        yield Document(day=day, floating=True, series=(Series("heart_rate", times, beats),))


def logged(name: str, **fields: str) -> Map:
    """What was weighed or measured once: our metrics, each with the field it stands in."""

    def map_log(record: Json) -> Iterator[Item]:
        at = clock(f"{record['date']}T{record['time']}")
        found = values(record, {metric: (field, 1) for metric, field in fields.items()})
        yield Document(id=f"{name}:{record['logId']}", day=record["date"], floating=True, readings=readings(found, at))

    return map_log


body = by_key({"weight": logged("weight", weight="weight", bmi="bmi"), "fat": logged("fat", body_fat="fat")})


def core_temperature(record: Json) -> Iterator[Item]:
    """Entered by hand."""
    found = {"body_temperature": float(record["value"])}
    yield Document(floating=True, readings=readings(found, clock(record["dateTime"])))


temperature = by_key(
    {
        "tempSkin": figure("tempSkin", {"temperature_deviation": ("value.nightlyRelative", 1)}),
        "tempCore": core_temperature,
    }
)


@per_record("sleep")
def sleep(record: Json) -> Iterator[Item]:
    """`dateOfSleep` is the day it ended on. Short awakenings overlap the stages and are left in the raw reply."""
    main = bool(record["isMainSleep"])
    start = clock(record["startTime"])
    stages = tuple(stage(part) for part in dig(record, "levels.data") or () if part["level"] in LEVELS)
    yield Document(
        id=str(record["logId"]),
        day=record["dateOfSleep"],
        floating=True,
        readings=readings(values(record, {**DURATIONS, **MAIN_SLEEP} if main else DURATIONS)),
        episode=Episode("sleep" if main else "nap", start, start + int(record["duration"]), stages=stages),
    )


def stage(part: Json) -> Stage:
    start = clock(part["dateTime"])
    return start, start + int(part["seconds"]) * 1000, LEVELS[part["level"]]


@per_record("activities")
def workouts(record: Json) -> Iterator[Item]:
    """The list tells the offset of a start; where it does not, the wearer's clock has to do."""
    start, offset = instant(record["startTime"])
    modified, name = record.get("lastModified"), record.get("activityName") or record.get("name") or "other"
    yield Document(
        id=str(record["logId"]),
        offset=offset,
        floating=offset is None,
        as_of=instant(modified)[0] if modified else None,
        episode=Episode(
            "workout",
            start,
            start + int(record["duration"]),
            label=name.lower(),
            readings=readings(values(record, WORKOUT)),
        ),
    )


# ---------------------------------------------------------------- parts


def zone(reply: Json) -> str | None:
    """Of the profile, which names an IANA zone."""
    found = dig(reply, "user.timezone")
    return found if isinstance(found, str) else None


def clock(text: str) -> int:
    """What a clock showed, as if it ran in UTC."""
    return instant(text)[0]


def values(record: Json, fields: Fields) -> dict[str, float]:
    found = {metric: (dig(record, path), times) for metric, (path, times) in fields.items()}
    return {metric: float(value) * times for metric, (value, times) in found.items() if value is not None}


def readings(found: Mapping[str, float], at: int | None = None) -> tuple[Reading, ...]:
    return tuple(Reading(metric, round(value, 6), at) for metric, value in found.items())
