"""Google Fit's points as ours. The values of a point have no names, only places; int64 come as strings, instants in
nanoseconds; no point has a zone. A reply of an error is that of a type nothing was ever written of."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from shared.catalogue import MG_DL_PER_MMOL_L
from shared.errors import ProviderChangedError, SkipRecordError
from shared.model import Document, Episode, Item, Reading, Series, Stage
from shared.providers import Json, attempt, dig, stages

T = TypeVar("T")

# Our metric → the place of its value. What is averaged over a bucket is called a summary, whose values are the mean,
# the greatest and the least; of blood pressure first those of the systolic one, then those of the diastolic.
SUMS: Mapping[str, Mapping[str, int]] = {
    "step_count.delta": {"steps": 0},
    "calories.expended": {"calories_burned": 0},  # with what a body burns at rest
    "active_minutes": {"active_minutes": 0},
    "distance.delta": {"distance": 0},
}
BEATS: Mapping[str, Mapping[str, int]] = {"heart_rate.bpm": {"heart_rate": 0}}
MEASURED: Mapping[str, Mapping[str, int]] = {
    "oxygen_saturation": {"spo2": 0},
    "blood_glucose": {"glucose": 0},
    "weight": {"weight": 0},
    "body.fat.percentage": {"body_fat": 0},
    "body.temperature": {"body_temperature": 0},
    "blood_pressure": {"blood_pressure_systolic": 0, "blood_pressure_diastolic": 1},
}
SUMMARIES: Mapping[str, Mapping[str, int]] = {
    **{f"{name.removesuffix('.bpm')}.summary": places for name, places in {**BEATS, **MEASURED}.items()},
    "blood_pressure.summary": {"blood_pressure_systolic": 0, "blood_pressure_diastolic": 3},
}
PLACES = {**SUMS, **BEATS, **MEASURED, **SUMMARIES}
SAMPLED = frozenset({"steps", "calories_burned", "active_minutes", "distance", "heart_rate", "spo2", "glucose"})
OF_BUCKETS = frozenset({*SUMS, "heart_rate.summary"})
"""Figures of a whole bucket, known by its start; all else has an instant of its own."""
UNITS = {"glucose": ("mmol/L", MG_DL_PER_MMOL_L)}
EXERCISE = ("calories_burned", "steps", "distance", "heart_rate")

SLEEP = 72
NO_EXERCISE = frozenset({0, 3, 5, SLEEP, 109, 110, 111, 112})  # in a vehicle, still, tilting, and stages of sleep
STAGES = {1: "awake", 2: "asleep", 3: "awake", 4: "light", 5: "deep", 6: "rem"}  # 3 is out of bed
ACTIVITIES = {
    1: "biking", 2: "on_foot", 7: "walking", 8: "running", 9: "aerobics", 10: "badminton", 11: "baseball",
    12: "basketball", 13: "biathlon", 14: "handbiking", 15: "mountain_biking", 16: "road_biking", 17: "spinning",
    18: "stationary_biking", 19: "utility_biking", 20: "boxing", 21: "calisthenics", 22: "circuit_training",
    23: "cricket", 24: "dancing", 25: "elliptical", 26: "fencing", 27: "football_american", 28: "football_australian",
    29: "soccer", 30: "frisbee", 31: "gardening", 32: "golf", 33: "gymnastics", 34: "handball", 35: "hiking",
    36: "hockey", 37: "horseback_riding", 38: "housework", 39: "jumping_rope", 40: "kayaking",
    41: "kettlebell_training", 42: "kickboxing", 43: "kitesurfing", 44: "martial_arts", 45: "meditation",
    46: "mixed_martial_arts", 47: "p90x", 48: "paragliding", 49: "pilates", 50: "polo", 51: "racquetball",
    52: "rock_climbing", 53: "rowing", 54: "rowing_machine", 55: "rugby", 56: "jogging", 57: "running_on_sand",
    58: "running_treadmill", 59: "sailing", 60: "scuba_diving", 61: "skateboarding", 62: "skating",
    63: "cross_skating", 64: "inline_skating", 65: "skiing", 66: "back_country_skiing", 67: "cross_country_skiing",
    68: "downhill_skiing", 69: "kite_skiing", 70: "roller_skiing", 71: "sledding", 73: "snowboarding",
    74: "snowmobile", 75: "snowshoeing", 76: "squash", 77: "stair_climbing", 78: "stair_climbing_machine",
    79: "stand_up_paddleboarding", 80: "strength_training", 81: "surfing", 82: "swimming", 83: "swimming_pool",
    84: "swimming_open_water", 85: "table_tennis", 86: "team_sports", 87: "tennis", 88: "treadmill",
    89: "volleyball", 90: "volleyball_beach", 91: "volleyball_indoor", 92: "wakeboarding", 93: "walking_fitness",
    94: "walking_nordic", 95: "walking_treadmill", 96: "water_polo", 97: "weightlifting", 98: "wheelchair",
    99: "windsurfing", 100: "yoga", 101: "zumba", 102: "diving", 103: "ergometer", 104: "ice_skating",
    105: "indoor_skating", 106: "curling", 113: "crossfit", 114: "high_intensity_interval_training",
    115: "interval_training", 116: "walking_stroller", 117: "elevator", 118: "escalator", 119: "archery",
    120: "softball", 122: "guided_breathing",
}  # fmt: skip


class Sample(NamedTuple):
    metric: str
    at: int
    value: float


class Session(NamedTuple):
    id: str
    start: int
    end: int
    activity: int

    def cut(self, stretch: Stage) -> Stage:
        """What of it lies within; ends before it starts if nothing does."""
        start, end, name = stretch
        return max(start, self.start), min(end, self.end), name


# ---------------------------------------------------------------- values


def measured(reply: Json) -> Iterator[Item]:
    """What was counted in buckets or measured at instants: columns, and single readings of one instant together."""
    samples, faults = gathered(points(reply), samples_of)
    yield from faults
    columns: dict[str, dict[int, float]] = {}
    spots: dict[int, list[Reading]] = {}
    for metric, at, value in samples:
        if metric in SAMPLED:
            columns.setdefault(metric, {})[at] = value
        else:
            spots.setdefault(at, []).append(Reading(metric, value, at))
    for readings in spots.values():
        yield Document(readings=tuple(readings))
    for metric, column in columns.items():
        unit, _ = UNITS.get(metric, ("", 1))
        yield Document(series=(Series(metric, list(column), list(column.values()), unit),))


def samples_of(told: Json) -> Iterator[Sample]:
    point, bucket = told["point"], told["bucket"]
    name = point["dataTypeName"].removeprefix("com.google.")
    if name not in PLACES:
        raise SkipRecordError("not a type that was asked for", "dataTypeName")
    at = int(bucket["startTimeMillis"]) if name in OF_BUCKETS else millis(point["startTimeNanos"])
    for metric, place in PLACES[name].items():
        value = number(point, place)
        if value is not None:
            _, times = UNITS.get(metric, ("", 1))
            yield Sample(metric, at, round(value * times, 6))


# ---------------------------------------------------------------- sessions


def together(pages: Sequence[Json]) -> Json:
    """Sessions come as one kind of reply, what was measured in them as another."""
    return {name: [record for page in pages for record in listed(page, name)] for name in ("session", "bucket")}


def sleep(reply: Json) -> Iterator[Item]:
    """Of nights told by several apps the one is believed that holds most of the stages in the least time; without
    stages the longest."""
    stretches, faults = gathered(points(reply), stretches_of)
    sessions, unread = gathered(listed(reply, "session"), session_of)
    yield from (*faults, *unread)
    slept = [s for s in sessions if s.activity == SLEEP]
    nights = {s: [part for part in map(s.cut, stretches) if part[0] < part[1]] for s in slept}

    def told_best(s: Session) -> tuple[int, int]:
        staged = sum(end - start for start, end, _ in stages.flat(nights[s]))
        return staged, s.start - s.end if staged else s.end - s.start

    for s in one_at_a_time(slept, told_best):
        episode, readings = stages.session(s.start, s.end, nights[s])
        yield Document(id=s.id, readings=readings, episode=episode)


def workouts(reply: Json) -> Iterator[Item]:
    figures, faults = gathered(points(reply), figures_of)
    sessions, unread = gathered(listed(reply, "session"), session_of)
    yield from (*faults, *unread)
    exercises = [s for s in sessions if s.activity not in NO_EXERCISE]
    for s in one_at_a_time(exercises, lambda s: s.end - s.start):
        found = {metric: value for id_, (metric, _, value) in figures if id_ == s.id and metric in EXERCISE}
        readings = tuple(Reading(metric, found[metric]) for metric in EXERCISE if metric in found)
        label = ACTIVITIES.get(s.activity, "other")
        yield Document(id=s.id, episode=Episode("workout", s.start, s.end, label, readings=readings))


def one_at_a_time(sessions: Iterable[Session], worth: Callable[[Session], object]) -> list[Session]:
    """Nobody sleeps or trains twice at once: of sessions that overlap, the one that is worth most stands."""
    kept: list[Session] = []
    for s in sorted(sessions, key=lambda s: (worth(s), s.id), reverse=True):
        if all(s.end <= other.start or other.end <= s.start for other in kept):
            kept.append(s)
    return sorted(kept, key=lambda s: s.start)


def session_of(record: Json) -> Iterator[Session]:
    start, end = int(record["startTimeMillis"]), int(record["endTimeMillis"])
    if end <= start:
        raise SkipRecordError("a session that ends before it starts", "endTimeMillis")
    yield Session(record["id"], start, end, record["activityType"])


def stretches_of(told: Json) -> Iterator[Stage]:
    point = told["point"]
    stage = STAGES.get(int(number(point, 0) or 0))
    if stage is None:
        raise SkipRecordError("not a stage of com.google.sleep.segment", "value")
    yield millis(point["startTimeNanos"]), millis(point["endTimeNanos"]), stage


def figures_of(told: Json) -> Iterator[tuple[str, Sample]]:
    for sample in samples_of(told):
        yield told["bucket"]["session"]["id"], sample


# ---------------------------------------------------------------- parts


def listed(reply: Json, name: str) -> list[Json]:
    """Empty lists may be left out. What Google refuses and we accept says that there is nothing."""
    if not isinstance(reply, Mapping) or (reply and not reply.keys() & {"bucket", "session", "error"}):
        raise ProviderChangedError("a reply holds neither buckets nor sessions")
    return rows(reply, name)


def rows(holder: Json, name: str) -> list[Json]:
    found = dig(holder, name)
    return found if isinstance(found, list) else []


def points(reply: Json) -> list[Json]:
    """Each beside the bucket it lies in."""
    return [
        {"point": point, "bucket": bucket}
        for bucket in listed(reply, "bucket")
        for dataset in rows(bucket, "dataset")
        for point in rows(dataset, "point")
    ]


def gathered(records: Iterable[Json], read: Callable[[Json], Iterable[T]]) -> tuple[list[T], list[Item]]:
    """What the records hold, and which of them make no sense."""
    found: list[T] = []

    def keep(record: Json) -> tuple[()]:
        found.extend(list(read(record)))
        return ()

    faults = [fault for index, record in enumerate(records) for fault in attempt(index, keep, record)]
    return found, faults


def number(point: Json, place: int) -> float | None:
    """A value has one number of two, by the format of its field, or none."""
    if place >= len(point["value"]):
        raise SkipRecordError("fewer values than its type has", "value")
    value = point["value"][place]
    found = value.get("fpVal", value.get("intVal"))
    return None if found is None else float(found)


def millis(nanoseconds: str) -> int:
    return int(nanoseconds) // 1_000_000
