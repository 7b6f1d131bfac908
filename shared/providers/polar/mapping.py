"""Polar records as ours. A `date` is the wearer's own day: a night's is that of waking. Durations come in seconds or as
ISO 8601, times mostly on the wearer's clock, and keys mix `_` with `-`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import wraps
from itertools import groupby
from typing import Any, TypeVar

from shared.errors import SkipRecordError
from shared.model import DAY, HOUR, MINUTE, Document, Episode, Item, Reading, Series, Stage, instant
from shared.providers import Json, Map, dig, per_record

T = TypeVar("T")

ACTIVITY = ("steps", "distance", "calories_burned", "active_calories", "active_minutes")
STAGES = {"rem_sleep": "rem_sleep", "deep_sleep": "deep_sleep", "light_sleep": "light_sleep"}
NIGHT = ("sleep_duration", *STAGES, "awake", "sleep_efficiency", "sleep_score")
HYPNOGRAM = {0: "awake", 1: "rem", 2: "light", 3: "light", 4: "deep", 5: "asleep"}
# No resting heart rate: `heart_rate_avg` is the mean of four hours of sleep.
RECHARGE = {
    "heart_rate_variability": "heart_rate_variability_avg",  # RMSSD, in milliseconds
    "respiratory_rate": "breathing_rate_avg",
    "nightly_recharge": "nightly_recharge_status",
    "ans_charge": "ans_charge",
}
CARDIO_LOAD = {"cardio_load": "cardio_load", "cardio_strain": "strain", "cardio_tolerance": "tolerance"}
SKIN = {
    "skin_temperature": "sleep_time_skin_temperature_celsius",
    "temperature_deviation": "deviation_from_baseline_celsius",
}
PROFILE = ("weight", "bmi", "vo2_max", "resting_heart_rate")
INVENTED = ("SOURCE_DEFAULT", "SOURCE_ESTIMATE")
HEART_RATE_SAMPLES = "0"
DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.ASCII)


def each(map_record: Map) -> Map:
    """A list comes bare; one record may stand for a list of one, and 204 for a list of none."""

    @wraps(map_record)
    def map_reply(reply: Any) -> Iterable[Item]:
        records: Any = reply if isinstance(reply, list) else [reply] if reply else []
        return per_record("")(map_record)(records)

    return map_reply


@each
def exercises(record: Json) -> Iterator[Item]:
    """`start_time` is the wearer's clock; the offset beside it, in minutes, makes an instant of it."""
    offset = int(record["start_time_utc_offset"])
    start = instant(record["start_time"])[0] - offset * MINUTE
    figures = readings(
        calories_burned=record.get("calories"),
        distance=record.get("distance"),
        heart_rate=dig(record, "heart_rate.average"),
        cardio_load=dig(record, "training_load_pro.cardio-load"),
    )
    label = record.get("detailed_sport_info") or record.get("sport") or ""
    end = start + duration(record["duration"])
    episode = Episode("workout", start, end, label.lower(), readings=figures, series=tuple(beats(record, start)))
    yield Document(id=record["id"], offset=offset, episode=episode)


@each
def activity(record: Json) -> Iterator[Item]:
    active = record.get("active_duration")
    day = activity_day(record)
    values = readings(
        steps=record.get("steps"),
        distance=record.get("distance_from_steps"),
        calories_burned=record.get("calories"),
        active_calories=record.get("active_calories"),
        active_minutes=None if active is None else duration(active) / MINUTE,
    )
    yield Document(id=day, day=day, readings=values)


@per_record("nights")
def sleep(record: Json) -> Iterator[Item]:
    start, since = instant(record["sleep_start_time"])
    end, until = instant(record["sleep_end_time"])
    parts = [record.get(field) for field in (*STAGES.values(), "unrecognized_sleep_stage")]
    asleep = sum(part for part in parts if part is not None) if any(part is not None for part in parts) else None
    values = {metric: hours(record.get(field)) for metric, field in STAGES.items()}
    clock = WallClock(start, end, since or 0, until or 0)
    yield Document(
        id=record["date"],
        day=record["date"],
        offset=until,
        readings=readings(
            sleep_duration=hours(asleep),
            **values,
            awake=hours(record.get("total_interruption_duration")),
            sleep_efficiency=None if asleep is None else 100_000 * asleep / (end - start),
            sleep_score=record.get("sleep_score"),
        ),
        episode=Episode(
            "sleep", start, end, stages=stages(clock, record), series=tuple(night_beats(clock, record)),
        ),
    )  # fmt: skip


@per_record("recharges")
def nightly_recharge(record: Json) -> Iterator[Item]:
    """Of the four hours that begin half an hour after falling asleep."""
    yield daily(record, record["date"], RECHARGE)


def heart_rate(reply: Any) -> Iterable[Item]:
    """The documentation types a range as one day, and clients read a list under `heart_rates`: either is understood."""
    return day_of_beats(reply["heart_rates"] if isinstance(reply, Mapping) and "heart_rates" in reply else reply)


@each
def day_of_beats(record: Json) -> Iterator[Item]:
    """`sample_time` is the device's clock, in a zone that nobody names."""
    rows = [row for row in record["heart_rate_samples"] or () if row["heart_rate"]]
    if rows:
        times = [instant(f"{record['date']}T{row['sample_time']}")[0] for row in rows]
        series = Series("heart_rate", times, [row["heart_rate"] for row in rows])
        yield Document(day=record["date"], series=(series,), floating=True)


@each
def cardio_load(record: Json) -> Iterator[Item]:
    """One for every day, whether or not anything could be calculated."""
    if record.get("cardio_load_status") != "LOAD_STATUS_NOT_AVAILABLE":
        yield daily(record, record["date"], CARDIO_LOAD)


@each
def skin_temperature(record: Json) -> Iterator[Item]:
    yield daily(record, record["sleep_date"], SKIN)


@each
def physical_info(record: Json) -> Iterator[Item]:
    """What the profile says since it was last changed."""
    at = instant(record["modified"])[0]
    weight = None if record.get("weight_source") in INVENTED else record.get("weight")
    metres = (record.get("height") or 0) / 100
    values = {
        "weight": weight,
        "bmi": weight / metres**2 if weight and metres else None,
        "vo2_max": record.get("vo2_max"),
        "resting_heart_rate": record.get("resting_heart_rate"),
    }
    yield Document(readings=tuple(Reading(metric, value, at) for metric, value in values.items() if value))


# ---------------------------------------------------------------- parts


def daily(record: Json, day: str, fields: Mapping[str, str]) -> Document:
    return Document(id=day, day=day, readings=readings(**{m: record.get(field) for m, field in fields.items()}))


def readings(**values: float | None) -> tuple[Reading, ...]:
    return tuple(Reading(metric, value) for metric, value in values.items() if value is not None)


def hours(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000 / HOUR


def activity_day(record: Json) -> str:
    """Whether `start_time` is UTC, as the documentation has it, or the wearer's midnight, as it looks: its noon is on
    the same day between UTC-12 and UTC+12."""
    named = dig(record, "samples.date")
    if named:
        return str(named)
    noon = instant(record["start_time"])[0] + 12 * HOUR
    return datetime.fromtimestamp(noon / 1000, UTC).date().isoformat()


def duration(text: str) -> int:
    """PT33M12S in milliseconds."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise SkipRecordError("not a duration")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000)


def beats(record: Json, start: int) -> Iterator[Series]:
    """Samples come as "96,null,99": null, and 0, where the sensor heard nothing."""
    for samples in record.get("samples") or ():
        if str(samples["sample-type"]) == HEART_RATE_SAMPLES:
            step = int(samples["recording-rate"]) * 1000
            read = enumerate(samples["data"].split(","))
            found = {start + n * step: int(text) for n, text in read if text.strip() not in ("", "null", "0")}
            yield Series("heart_rate", list(found), list(found.values()))


class WallClock:
    """The clock beside the bed: which instants of the night its bare "HH:MM" mean. It may be changed in between: it
    then shows what it has shown before, or less than an hour ahead of the last time what should be over an hour off."""

    def __init__(self, start: int, end: int, since: int, until: int) -> None:
        self.start, self.end, self.since, self.until = start, end, since, until

    def instants(self, by_clock: Mapping[str, T]) -> Iterator[tuple[int, T]]:
        """In their order: each is the next time that the clock shows it."""
        at, offset = self.start - self.start % MINUTE, self.since
        for clock, value in by_clock.items():
            unchanged, changed = (following(clock, at, east) for east in (offset, self.until))
            if changed < unchanged:
                offset = self.until
            at = min(unchanged, changed)
            if at <= self.end:
                yield max(at, self.start), value


def following(clock: str, after: int, offset: int) -> int:
    """The next instant at which a clock at this offset shows "HH:MM"."""
    hour, minute = clock.split(":")[:2]
    shown = int(hour) * HOUR + int(minute) * MINUTE
    return after + (shown - after - offset * MINUTE) % DAY


def stages(clock: WallClock, record: Json) -> tuple[Stage, ...]:
    """The hypnogram says where each stage begins."""
    begun = list(clock.instants(record.get("hypnogram") or {}))
    ends = [at for at, _ in begun[1:]] + [clock.end]  # one too many where there is no hypnogram
    found = [(at, end, HYPNOGRAM[code]) for (at, code), end in zip(begun, ends, strict=False) if at < end]
    runs = [list(run) for _, run in groupby(found, key=lambda stage: stage[2])]
    return tuple((run[0][0], run[-1][1], run[0][2]) for run in runs)


def night_beats(clock: WallClock, record: Json) -> Iterator[Series]:
    found = dict(clock.instants(record.get("heart_rate_samples") or {}))
    if found:
        yield Series("heart_rate", list(found), list(found.values()))
