"""Oura documents as ours. Durations come in seconds; `day` is Oura's own and is trusted even where it is not the
date of waking (short sleeps that end before midnight carry the next day)."""

from collections.abc import Iterator
from itertools import compress, groupby
from typing import Any

from shared.model import MINUTE, Deletion, Document, Episode, Item, Reading, Series, Stage, instant
from shared.providers import Json, per_record

ACTIVITY = ("steps", "distance", "calories_burned", "active_calories", "active_minutes")
READINESS = ("readiness_score", "temperature_deviation")
DURATIONS = {
    "sleep_duration": "total_sleep_duration",
    "rem_sleep": "rem_sleep_duration",
    "deep_sleep": "deep_sleep_duration",
    "light_sleep": "light_sleep_duration",
    "awake": "awake_time",
}
MAIN_SLEEP = (
    "sleep_efficiency", "sleep_latency", "resting_heart_rate", "heart_rate_variability", "respiratory_rate",
)  # fmt: skip
NIGHT = (*DURATIONS, *MAIN_SLEEP)
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
        readings=readings(**durations(record), **(night(record) if main else {})),
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


def durations(record: Json) -> dict[str, float | None]:
    return {m: None if record.get(f) is None else record[f] / 3600 for m, f in DURATIONS.items()}


def night(record: Json) -> dict[str, float | None]:
    """What only the main sleep says. Oura has no resting heart rate in bpm (the contributor of that name is a score):
    the night's lowest stands for it. `average_hrv` is RMSSD."""
    latency = record.get("latency")
    return {
        "sleep_efficiency": record.get("efficiency"),
        "sleep_latency": None if latency is None else latency / 60,
        "resting_heart_rate": record.get("lowest_heart_rate"),
        "heart_rate_variability": record.get("average_hrv"),
        "respiratory_rate": record.get("average_breath"),
    }


def stages(start: int, record: Json) -> tuple[Stage, ...]:
    """The hypnogram string, one letter per step, as runs."""
    letters, step = record.get("sleep_phase_5_min") or "", 5 * MINUTE
    runs, at = [], start
    for letter, run in groupby(letters):
        end = at + step * len(list(run))
        runs.append((at, end, STAGES[letter]))
        at = end
    return tuple(runs)


def sampled(metric: str, samples: dict[str, Any]) -> Series:
    start, step = instant(samples["timestamp"])[0], round(samples["interval"] * 1000)
    values = samples["items"]
    heard = [value is not None for value in values]
    times = compress(range(start, start + len(values) * step, step), heard)
    return Series(metric, [*times], [*compress(values, heard)])


def version(record: Json) -> int | None:
    """Spec 1.29 marks `meta.updated_at` required; real replies often lack it."""
    updated = (record.get("meta") or {}).get("updated_at")
    return instant(updated)[0] if updated else None
