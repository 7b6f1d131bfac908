"""Withings records as ours. Instants are epoch seconds, `date` is the person's own day and `modified` the version;
numbers come as integers, floats or strings, depending on the age of the endpoint."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.errors import ProviderChangedError, SkipRecordError
from shared.model import Document, Episode, Item, Reading, Series, Skipped
from shared.providers import Json, dig, per_record

MEASURES = {
    1: "weight",
    5: "lean_mass",
    6: "body_fat",
    9: "blood_pressure_diastolic",
    10: "blood_pressure_systolic",
    11: "heart_rate",
    54: "spo2",
    71: "body_temperature",  # and not 12, which is a temperature of nobody says what
    123: "vo2_max",
}
HEIGHT = 4
TYPES = ",".join(str(number) for number in (*MEASURES, HEIGHT))
SPOTS = frozenset({*MEASURES.values(), "bmi"})

GOAL = 2
BY_HAND = 2
UNBELIEVED = {1: "may be someone else's", 4: "entered at account creation"}

Fields: TypeAlias = Mapping[str, tuple[str, float]]
"""Our metric → the vendor's field, and how many of its units make one of ours."""

DAY: Fields = {
    "steps": ("steps", 1),
    "distance": ("distance", 1),
    "calories_burned": ("totalcalories", 1),
    "active_calories": ("calories", 1),
    "active_minutes": ("active", 60),
}
# No heart rate variability: `rmssd_start_avg` and `rmssd_end_avg` are the ends of a night, not the night. No resting
# heart rate: `hr_min` is not one.
NIGHT: Fields = {
    "sleep_duration": ("total_sleep_time", 3600),
    "rem_sleep": ("remsleepduration", 3600),
    "deep_sleep": ("deepsleepduration", 3600),
    "light_sleep": ("lightsleepduration", 3600),
    "awake": ("wakeupduration", 3600),
    "sleep_efficiency": ("sleep_efficiency", 0.01),
    "sleep_latency": ("sleep_latency", 60),
    "respiratory_rate": ("rr_average", 1),
    "sleep_score": ("sleep_score", 1),
}
WORKOUT: Fields = {
    "active_calories": ("calories", 1),
    "distance": ("distance", 1),
    "steps": ("steps", 1),
    "heart_rate": ("hr_average", 1),
}
MANUAL = ("manual_calories", "manual_distance")
ZONES = ("hr_zone_0", "hr_zone_1", "hr_zone_2", "hr_zone_3")
BED_SENSOR = 32
SPORTS = {
    1: "walk", 2: "run", 3: "hiking", 4: "skating", 5: "bmx", 6: "bicycling", 7: "swimming", 8: "surfing",
    9: "kitesurfing", 10: "windsurfing", 11: "bodyboard", 12: "tennis", 13: "table_tennis", 14: "squash",
    15: "badminton", 16: "weights", 17: "fitness", 18: "elliptical", 19: "pilates", 20: "basketball", 21: "soccer",
    22: "football", 23: "rugby", 24: "volleyball", 25: "waterpolo", 26: "horse_riding", 27: "golf", 28: "yoga",
    29: "dancing", 30: "boxing", 31: "fencing", 32: "wrestling", 33: "martial_arts", 34: "skiing", 35: "snowboarding",
    36: "other", 187: "rowing", 188: "zumba", 191: "baseball", 192: "handball", 193: "hockey", 194: "ice_hockey",
    195: "climbing", 196: "ice_skating", 272: "multi_sport", 306: "indoor_walk", 307: "indoor_run",
    308: "indoor_cycling",
}  # fmt: skip


def measures(reply: Json) -> Iterable[Item]:
    zone = dig(reply, "body.timezone")
    return per_record("body.measuregrps")(lambda record: measured(record, zone))(reply)


def measured(record: Json, account_zone: str | None) -> Iterator[Item]:
    """One stand on the scale, one inflation of the cuff: a group of values at one instant."""
    if record.get("category") == GOAL:
        raise SkipRecordError("a goal, not a measurement")
    if record.get("attrib") in UNBELIEVED:
        raise SkipRecordError(UNBELIEVED[record["attrib"]])
    at = millis(record["date"])
    known = [m for m in record["measures"] if m["type"] in MEASURES or m["type"] == HEIGHT]
    found = {m["type"]: exact(int(m["value"]), int(m["unit"])) for m in known if m["value"] is not None}
    values = {metric: found[number] for number, metric in MEASURES.items() if number in found}
    if "weight" in values and found.get(HEIGHT):
        values["bmi"] = values["weight"] / found[HEIGHT] ** 2
    if values:
        yield Document(
            id=str(record["grpid"]),
            offset=offset(at, record.get("timezone") or account_zone),
            as_of=version(record),
            readings=tuple(Reading(metric, value, at) for metric, value in values.items()),
            manual=record.get("attrib") == BY_HAND,
        )


@per_record("body.activities")
def activity(record: Json) -> Iterator[Item]:
    day = record["date"]
    yield Document(id=day, day=day, as_of=version(record), readings=readings(record, DAY))


def intraday(reply: Json) -> Iterator[Item]:
    """{"1793606460": {"heart_rate": 88, …}, …}: a page is one column. PHP spells the empty map []."""
    rows = dig(reply, "body.series")
    if not isinstance(rows, Mapping) and rows != []:
        raise ProviderChangedError("the reply holds no samples at 'body.series'")
    beats: dict[int, float] = {}
    for index, (second, row) in enumerate(dict(rows).items()):
        try:
            if row.get("heart_rate") is not None:
                beats[millis(second)] = float(row["heart_rate"])
        except (TypeError, ValueError, AttributeError) as wrong:
            yield Skipped(index, f"unreadable record ({type(wrong).__name__})")
    if beats:
        yield Document(series=(Series("heart_rate", list(beats), list(beats.values())),))


def sleep(reply: Json) -> Iterable[Item]:
    nights = dig(reply, "body.series") or []
    in_bed = [(n.get("startdate"), n.get("enddate")) for n in nights if dig(n, "model") == BED_SENSOR]
    spans = [(start, end) for start, end in in_bed if start and end]
    return per_record("body.series")(lambda record: night(record, spans))(reply)


def night(record: Json, in_bed: list[tuple[int, int]]) -> Iterator[Item]:
    """A watch and a mat both report the night they share: the mat is believed."""
    start, end = record["startdate"], record["enddate"]
    if record.get("model") != BED_SENSOR and any(start < until and since < end for since, until in in_bed):
        raise SkipRecordError("the bed sensor reports the same night")
    data = dict(record["data"] or {})
    if data.get("total_sleep_time") is None:  # nights from elsewhere have no stages and only this
        data["total_sleep_time"] = data.get("asleepduration")
    yield episode(record, Episode("sleep", millis(start), millis(end)), readings(data, NIGHT))


@per_record("body.series")
def workouts(record: Json) -> Iterator[Item]:
    """What the person entered by hand wins; it is 0 where they did not."""
    data = dict(record["data"] or {})
    for entered in MANUAL:
        field = entered.removeprefix("manual_")
        data[field] = data.get(entered) or data.get(field)
    yield episode(
        record,
        Episode(
            "workout",
            millis(record["startdate"]),
            millis(record["enddate"]),
            label=SPORTS.get(record["category"], "other"),
            readings=readings(data, WORKOUT),
            zones=tuple((z.removeprefix("hr_"), float(data[z]) / 60) for z in ZONES if data.get(z) is not None),
        ),
    )


# ---------------------------------------------------------------- parts


def episode(record: Json, episode: Episode, readings: tuple[Reading, ...] = ()) -> Document:
    return Document(
        id=str(record["id"]),
        day=record["date"],
        offset=offset(episode.end, record.get("timezone")),
        as_of=version(record),
        readings=readings,
        episode=episode,
        manual=record.get("attrib") == BY_HAND,
    )


def zone(reply: Json) -> str | None:
    """Measures name the account's zone, other records each their own."""
    rows = next((rows for part in ("activities", "series") if isinstance(rows := dig(reply, f"body.{part}"), list)), [])
    named = [dig(reply, "body.timezone"), *(dig(row, "timezone") for row in rows)]
    return next((name for name in named if isinstance(name, str) and name), None)


def readings(data: Json, table: Fields) -> tuple[Reading, ...]:
    """Plans without a biomarker leave its field out and say nothing."""
    return tuple(
        Reading(metric, round(float(data[field]) / per, 6))
        for metric, (field, per) in table.items()
        if data.get(field) is not None
    )


def fields(table: Fields) -> list[str]:
    return [field for field, _ in table.values()]


def exact(value: int, unit: int) -> float:
    """value × 10^unit, through integers: 74250 and -3 are 74.25 and not nearly so."""
    return float(value * 10**unit) if unit >= 0 else value / 10**-unit


def millis(seconds: Any) -> int:
    return int(seconds) * 1000


def version(record: Json) -> int | None:
    return millis(record["modified"]) if record.get("modified") else None


def offset(at: int, zone: str | None) -> int | None:
    """Minutes east of UTC at that instant. A zone nobody knows says nothing: the person's own history then decides."""
    if not zone:
        return None
    try:
        there = datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is an OSError
        return None
    return None if there is None else round(there.total_seconds() / 60)
