"""Oura documents as ours. Durations come in seconds; `day` is Oura's own and is trusted even where it is not the
date of waking (short sleeps that end before midnight carry the next day)."""

from collections.abc import Iterable, Iterator
from itertools import compress
from operator import ne
from typing import Any

from shared.model import MINUTE, Deletion, Document, Episode, Item, Reading, Series, Stage, instant
from shared.providers import Json, per_record, regular

ACTIVITY = ("steps", "distance", "calories_burned", "active_calories", "active_minutes")
READINESS = ("readiness_score", "temperature_deviation")
SLEEP = (
    ("sleep_duration", "total_sleep_duration", 3600),
    ("rem_sleep", "rem_sleep_duration", 3600),
    ("deep_sleep", "deep_sleep_duration", 3600),
    ("light_sleep", "light_sleep_duration", 3600),
    ("awake", "awake_time", 3600),
)
"""Metric, field, and how many of Oura's make one of our unit."""
MAIN_SLEEP = (
    *SLEEP,
    ("sleep_efficiency", "efficiency", 1),
    ("sleep_latency", "latency", 60),
    # Oura has no resting heart rate in bpm (the contributor of that name is a score): the night's lowest stands for it.
    ("resting_heart_rate", "lowest_heart_rate", 1),
    ("heart_rate_variability", "average_hrv", 1),  # RMSSD
    ("respiratory_rate", "average_breath", 1),
)
NIGHT = tuple(metric for metric, _, _ in MAIN_SLEEP)
STAGES = {"1": "deep", "2": "light", "3": "rem", "4": "awake"}


@per_record("data")
def daily_activity(record: Json) -> Iterator[Item]:
    high, medium = record.get("high_activity_time"), record.get("medium_activity_time")
    yield daily(
        record,
        steps=record.get("steps"),
        # The walking equivalent of all movement; Oura has no GPS distance for a day.
        distance=record.get("equivalent_walking_distance"),
        calories_burned=record.get("total_calories"),
        active_calories=record.get("active_calories"),
        active_minutes=None if high is None or medium is None else (high + medium) / 60,
    )


@per_record("data")
def daily_sleep(record: Json) -> Iterator[Item]:
    yield daily(record, sleep_score=record.get("score"))


@per_record("data")
def daily_readiness(record: Json) -> Iterator[Item]:
    yield daily(record, readiness_score=record.get("score"), temperature_deviation=record.get("temperature_deviation"))


@per_record("data")
def daily_spo2(record: Json) -> Iterator[Item]:
    yield daily(record, spo2=(record.get("spo2_percentage") or {}).get("average"))


@per_record("data")
def daily_stress(record: Json) -> Iterator[Item]:
    high = record.get("stress_high")
    yield daily(record, stress=None if high is None else high / 60)


@per_record("data")
def vo2_max(record: Json) -> Iterator[Item]:
    yield daily(record, vo2_max=record.get("vo2_max"))


@per_record("data")
def sleep(record: Json) -> Iterator[Item]:
    """`rest` is a false positive and `deleted` says so itself: neither is a sleep, whatever it was before."""
    if record["type"] in ("rest", "deleted"):
        yield Deletion(record["id"])
        return
    start, _ = instant(record["bedtime_start"])
    end, offset = instant(record["bedtime_end"])
    main = record["type"] == "long_sleep"
    yield Document(
        id=record["id"],
        day=record["day"],
        offset=offset,
        as_of=version(record),
        readings=figures(record, MAIN_SLEEP if main else SLEEP),
        episode=Episode(
            "sleep" if main else "nap",
            start,
            end,
            stages=stages(start, record),
            series=tuple(
                sampled(metric, record[key])
                for metric, key in (("heart_rate", "heart_rate"), ("heart_rate_variability", "hrv"))
                if record.get(key)
            ),
        ),
    )


@per_record("data")
def workout(record: Json) -> Iterator[Item]:
    start, _ = instant(record["start_datetime"])
    end, offset = instant(record["end_datetime"])
    yield Document(
        id=record["id"],
        day=record["day"],
        offset=offset,
        as_of=version(record),
        episode=Episode(
            "workout",
            start,
            end,
            label=record["activity"],
            readings=readings(active_calories=record.get("calories"), distance=record.get("distance")),
        ),
        manual=record.get("source") == "manual",
    )


def heart_rate(reply: Json) -> Iterator[Item]:
    """Rows without an offset, 5 minutes apart and denser in workouts: a page is one column."""
    rows = [row for row in reply["data"] if row.get("bpm") is not None]
    if rows:
        times = [instant(row["timestamp"])[0] for row in rows]
        yield Document(series=(Series("heart_rate", times, [row["bpm"] for row in rows]),))


# ---------------------------------------------------------------- parts


def daily(record: Json, **values: float | None) -> Document:
    """The `timestamp` of a daily document is a label, not a measuring time: only `day` counts."""
    return Document(id=record["id"], day=record["day"], as_of=version(record), readings=readings(**values))


def readings(**values: float | None) -> tuple[Reading, ...]:
    return tuple(Reading(metric, value) for metric, value in values.items() if value is not None)


def figures(record: Json, wanted: Iterable[tuple[str, str, int]]) -> tuple[Reading, ...]:
    found = []
    for metric, field, per in wanted:
        if (value := record.get(field)) is not None:
            found.append(Reading(metric, value / per if per > 1 else value))
    return tuple(found)


def stages(start: int, record: Json) -> tuple[Stage, ...]:
    """The hypnogram string, one letter per step, as runs."""
    letters = record.get("sleep_phase_5_min") or ""
    if not letters:
        return ()
    step, after = 5 * MINUTE, letters[1:]
    end = start + len(letters) * step
    turns = [*map(ne, letters, after)]
    starts = [start, *compress(range(start + step, end, step), turns)]
    names = [STAGES[letter] for letter in (letters[0], *compress(after, turns))]
    return tuple(zip(starts, (*starts[1:], end), names, strict=True))


def sampled(metric: str, samples: dict[str, Any]) -> Series:
    return Series(
        metric, *regular(instant(samples["timestamp"])[0], round(samples["interval"] * 1000), samples["items"])
    )


def version(record: Json) -> int | None:
    """Spec 1.29 marks `meta.updated_at` required; real replies often lack it."""
    updated = (record.get("meta") or {}).get("updated_at")
    return instant(updated)[0] if updated else None
