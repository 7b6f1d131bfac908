"""A person's phone: it holds the same life as the clouds do, in the words of its health store, and pushes it.

Unlike a cloud it calls us. `batches` are what it would send of some days, `push` sends one until it is answered.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any, ClassVar

from sandbox.life import MINUTE, Minute, Person, Workout
from sandbox.sleep import AWAKE, DEEP, EPOCH, LIGHT, REM, Sleep
from sandbox.world import World, local_day

Record = dict[str, Any]
Send = Callable[[str, dict[str, str], bytes], tuple[int, Record]]
"""(path, headers, body) → status and reply."""
MOST = 1_000
STEP_SPAN, BEAT_SPAN = 15 * MINUTE, 5 * MINUTE


def iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Phone(ABC):
    """One store on one person's phone. `platform` is what it is called in our address."""

    world: World
    person: Person
    platform: ClassVar[str]

    def records(self, day: date) -> Iterator[Record]:
        """All of a day that has been lived, oldest first of each type; a night is of the day it ends on."""
        world, person = self.world, self.person
        minutes = world.worn(person, day)
        yield from self.steps(minutes)
        yield from self.beats([m for m in minutes if m.at % BEAT_SPAN < MINUTE])
        for sleep in world.sleeps(person, day):
            yield from self.sleep(sleep)
        if workout := world.workout(person, day):
            yield self.workout(workout)
        for weighing in world.weighings(person):
            if local_day(person, weighing.at) == day:
                yield self.weight(weighing.at, weighing.kg)

    def batches(self, *days: date) -> Iterator[Record]:
        """What it would push of these days, whole nights together."""
        found = [record for day in days for record in self.records(day)]
        for start in range(0, len(found), MOST):
            part = found[start : start + MOST]
            cursors = [{"type": kind, "cursor": str(self.world.now())} for kind in sorted({r["type"] for r in part})]
            yield {"time_zone": self.person.zone.key, "cursors": cursors, "upserts": part}

    def push(self, send: Send, key: str, batch: Record) -> Record:
        """As an app does: with the batch's own key, and again with the same where nobody answers."""
        body = json.dumps(batch).encode()
        headers = {"idempotency-key": key, "content-type": "application/json"}
        while True:
            status, reply = send(f"/v1/push/{self.platform}", headers, body)
            if status < 500:
                return {"status": status, **reply}

    def name(self, *parts: object) -> str:
        return self.world.identify(self.platform, self.person.name, *parts)

    # --- in the store's words

    @abstractmethod
    def steps(self, minutes: list[Minute]) -> Iterator[Record]: ...

    @abstractmethod
    def beats(self, minutes: list[Minute]) -> Iterator[Record]: ...

    @abstractmethod
    def sleep(self, sleep: Sleep) -> Iterator[Record]: ...

    @abstractmethod
    def workout(self, workout: Workout) -> Record: ...

    @abstractmethod
    def weight(self, at: int, kg: float) -> Record: ...


def walked(minutes: list[Minute]) -> Iterator[tuple[int, int]]:
    """(start, steps) of each quarter of an hour in which there were any."""
    for start, part in groupby(minutes, key=lambda m: m.at - m.at % STEP_SPAN):
        if count := sum(m.steps for m in part):
            yield start, count


def stretches(sleep: Sleep) -> Iterator[tuple[int, int, str]]:
    """(start, end, stage) of each run of one stage."""
    at = sleep.start
    for stage, run in groupby(sleep.stages):
        end = at + EPOCH * len(list(run))
        yield at, end, stage
        at = end


@dataclass
class IPhone(Phone):
    """HealthKit: every stage of a sleep is a sample of its own, and what the watch counts, the phone counts too."""

    platform: ClassVar[str] = "healthkit"
    STAGES: ClassVar[dict[str, int]] = {AWAKE: 2, LIGHT: 3, DEEP: 4, REM: 5}

    def sample(self, kind: str, start: int, end: int, **said: Any) -> Record:
        watch = {"bundle_id": "com.apple.health.0F1D", "product_type": "Watch7,5"}
        return {
            "source_id": self.name(kind, start, said.get("source", watch)["bundle_id"]).upper(),
            **{"type": kind, "start": iso(start), "end": iso(end), "source": watch, **said},
        }

    def quantity(self, kind: str, start: int, end: int, value: float, unit: str, **said: Any) -> Record:
        return self.sample(f"HKQuantityTypeIdentifier{kind}", start, end, value=value, unit=unit, **said)

    def steps(self, minutes: list[Minute]) -> Iterator[Record]:
        phone = {"bundle_id": "com.apple.health.77C2", "product_type": "iPhone17,1"}
        for start, count in walked(minutes):
            yield self.quantity("StepCount", start, start + STEP_SPAN, count, "count")
            yield self.quantity("StepCount", start, start + STEP_SPAN, round(count * 0.9), "count", source=phone)

    def beats(self, minutes: list[Minute]) -> Iterator[Record]:
        for minute in minutes:
            yield self.quantity("HeartRate", minute.at, minute.at, minute.heart, "count/min")

    def sleep(self, sleep: Sleep) -> Iterator[Record]:
        for start, end, stage in stretches(sleep):
            zone = {"HKTimeZone": self.person.zone.key}
            kind = "HKCategoryTypeIdentifierSleepAnalysis"
            yield self.sample(kind, start, end, value=self.STAGES[stage], metadata=zone)

    def workout(self, workout: Workout) -> Record:
        kcal = {"type": "HKQuantityTypeIdentifierActiveEnergyBurned", "value": workout.kcal, "unit": "kcal"}
        kind = "HKWorkoutTypeIdentifier"
        return self.sample(kind, workout.start, workout.end, activity=workout.activity, components=[kcal])

    def weight(self, at: int, kg: float) -> Record:
        scale = {"bundle_id": "com.withings.wiScaleNG", "product_type": "iPhone17,1"}
        return self.quantity("BodyMass", at, at, round(kg / 0.45359237, 4), "lb", source=scale)


@dataclass
class Android(Phone):
    """Health Connect: a sleep is one record, an hour of heart rate another; each has its offset and its version."""

    platform: ClassVar[str] = "health_connect"
    STAGES: ClassVar[dict[str, int]] = {AWAKE: 1, LIGHT: 4, DEEP: 5, REM: 6}
    EXERCISES: ClassVar[dict[str, int]] = {"running": 56, "cycling": 8}

    def record(self, kind: str, start: int, end: int, **said: Any) -> Record:
        east = datetime.fromtimestamp(start, self.person.zone).strftime("%z")
        return {
            "source_id": self.name(kind, start),
            **{"type": kind, "start": iso(start), "end": iso(end), "zone_offset": f"{east[:3]}:{east[3:]}"},
            "version": {"last_modified": iso(end + MINUTE), "client_record_version": 0},
            "source": {"package": "com.sec.android.app.shealth"},
            "device": {"type": 1},
            "recording_method": 2,
            **said,
        }

    def steps(self, minutes: list[Minute]) -> Iterator[Record]:
        for start, count in walked(minutes):
            yield self.record("StepsRecord", start, start + STEP_SPAN, value=count, unit="count")

    def beats(self, minutes: list[Minute]) -> Iterator[Record]:
        for _, part in groupby(minutes, key=lambda m: m.at // 3600):
            hour = list(part)
            samples = [{"t": iso(m.at), "v": m.heart} for m in hour]
            yield self.record("HeartRateRecord", hour[0].at, hour[-1].at, samples=samples)

    def sleep(self, sleep: Sleep) -> Iterator[Record]:
        stages = [{"start": iso(s), "end": iso(e), "stage": self.STAGES[x]} for s, e, x in stretches(sleep)]
        yield self.record("SleepSessionRecord", sleep.start, sleep.end, stages=stages)

    def workout(self, workout: Workout) -> Record:
        kcal = {"type": "ActiveCaloriesBurnedRecord", "value": workout.kcal, "unit": "kcal"}
        activity = self.EXERCISES[workout.activity]
        kind = "ExerciseSessionRecord"
        return self.record(kind, workout.start, workout.end, activity=activity, components=[kcal])

    def weight(self, at: int, kg: float) -> Record:
        return self.record("WeightRecord", at, at, value=kg, unit="kg")
