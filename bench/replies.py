"""From a vendor's reply to the section: what one processor core does of it in a second.

*Reply → packed section* is what the targets were set for, with nothing of AWS in it: read as JSON, mapped, held against
what is possible, packed with its digest, and summarised for its day. *Reply → section* is all that the worker does
between the bytes of a reply and the section stored in its day: filed by days, too, compared with what is stored, and
written. Not in it are the fetch, the sealing of the raw reply and the announcement. Every reply is news.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property, partial
from typing import Any, Literal
from uuid import UUID

import orjson

from bench import memory
from bench.memory import HEIGHTS, Memory
from bench.noise import KINDS, MIDNIGHT, NIGHT, SECOND, Noise
from bench.row import Row, at_least, plain, rate, while_python_starts
from shared import fetching, writing
from shared.connections import Connection
from shared.filing import in_range
from shared.jobs import Job
from shared.local_time import Zones
from shared.model import MINUTE, Document
from shared.packing import Packed, pack
from shared.providers import Json, Resource, Window
from shared.providers.registry import provider
from shared.summary import Stats, summarise
from shared.visits import Question, Visit

DAY = date(2026, 11, 20)
KNOWN = MIDNIGHT + 10**8
BATCH = 2_000
TARGETS_S = 0.0082
"""How long bare Python took to start where the targets were set."""
JOB = Job(id="j", reason="webhook", as_of=KNOWN, connection="c")
ZONES = Zones(((0, "Europe/Berlin"),))


@dataclass
class Reply:
    """What comes of a provider, and how: as an answer about a day's `window` or a `document`, in a `webhook` or as a
    phone's `push`. `target`: so many a second on a machine that starts Python in `TARGETS_S`; 0 where none is set."""

    name: str
    provider: str
    told: Any
    resources: tuple[str, ...]
    kind: Literal["window", "document", "webhook", "push"]
    target: float = 0

    @cached_property
    def body(self) -> bytes:
        return orjson.dumps(self.told)


def iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def night() -> Any:
    """A long sleep, with its heart rate and its variability every five minutes."""
    count, start = NIGHT // (5 * MINUTE), iso(MIDNIGHT)
    beats = Noise("heart_rate", 5 * MINUTE, 54, 2, 42, 90, lasts=NIGHT).draw()[1]
    apart = Noise("heart_rate_variability", 5 * MINUTE, 46, 6, 10, 150, lasts=NIGHT).draw()[1]
    return {
        "id": "7be1c9d0-2b1a-4c2f-8a7e-0b8e2f1a5d10", "day": str(DAY), "type": "long_sleep", "period": 0,
        "bedtime_start": start, "bedtime_end": iso(MIDNIGHT + NIGHT), "time_in_bed": 28_800,
        "total_sleep_duration": 25_380, "awake_time": 2_820, "deep_sleep_duration": 5_400,
        "light_sleep_duration": 13_980, "rem_sleep_duration": 6_000, "latency": 540, "efficiency": 90,
        "restless_periods": 214, "average_heart_rate": 54.25, "lowest_heart_rate": 48, "average_hrv": 46,
        "average_breath": 14.375, "sleep_phase_5_min": ("442221113333" * count)[:count],
        "heart_rate": {"interval": 300, "items": [None, *beats[1:]], "timestamp": start},
        "hrv": {"interval": 300, "items": [None, *apart[1:]], "timestamp": start},
    }  # fmt: skip


def garmin_day() -> Any:
    times, values = KINDS["heart rate, every 15 s"].draw()
    start = times[0] // SECOND
    summary = {
        "userId": "e4e4e7cc", "summaryId": "x", "calendarDate": str(DAY), "startTimeInSeconds": MIDNIGHT // SECOND,
        "startTimeOffsetInSeconds": 3_600, "durationInSeconds": 86_400, "activityType": "GENERIC", "steps": 9_312,
        "distanceInMeters": 7_104.5, "activeKilocalories": 512, "bmrKilocalories": 1_688,
        "moderateIntensityDurationInSeconds": 1_560, "vigorousIntensityDurationInSeconds": 420, "floorsClimbed": 9,
        "restingHeartRateInBeatsPerMinute": 51, "highStressDurationInSeconds": 2_700,
        "timeOffsetHeartRateSamples": {str(t // SECOND - start): v for t, v in zip(times, values, strict=True)},
    }  # fmt: skip
    return {"dailies": [summary]}


def dexcom_day() -> Any:
    times, values = KINDS["glucose, every 5 min give or take a second"].draw()
    return {
        "recordType": "egv", "recordVersion": "3.0", "userId": "3a7c1de0",
        "records": [
            {"recordId": f"r{t}", "systemTime": iso(t), "displayTime": iso(t)[:-1] + "+00:00", "value": v,
             "status": None, "trend": "flat", "trendRate": 0.4, "unit": "mg/dL", "rateUnit": "mg/dL/min",
             "transmitterGeneration": "g7", "displayDevice": "iOS"}
            for t, v in zip(times, values, strict=True)
        ],
    }  # fmt: skip


def phone_batch(size: int = BATCH) -> Any:
    """A day of a watch: three heart rates to every step count and every energy, each a sample of its own."""
    kinds = ("HeartRate", "HeartRate", "HeartRate", "StepCount", "ActiveEnergyBurned")
    units = {"HeartRate": "count/min", "StepCount": "count", "ActiveEnergyBurned": "kcal"}
    ids = random.Random(1)
    times, values = Noise("", 86_400 * SECOND // size, 70, 4, 45, 180).draw()
    parts: Any = {name: {"received": KNOWN, "upserts": [], "deletes": []} for name in ("heart_rate", "activity")}
    for n, (at, value) in enumerate(zip(times[:size], values, strict=False)):
        kind = kinds[n % len(kinds)]
        parts["heart_rate" if kind == "HeartRate" else "activity"]["upserts"].append({
            "source_id": str(UUID(int=ids.getrandbits(128))).upper(), "type": f"HKQuantityTypeIdentifier{kind}",
            "start": iso(at), "end": iso(at), "value": value, "unit": units[kind], "zone": "Europe/Berlin",
            "source": {"bundle_id": "com.apple.health.1B2C", "product_type": "Watch7,5"},
        })  # fmt: skip
    return parts


def replies() -> list[Reply]:
    one, garmin, phone = night(), garmin_day(), phone_batch()
    return [
        Reply("an Oura night", "oura", one, ("sleep",), "document", 7_000),
        Reply("a Garmin day, heart rate every 15 s", "garmin", garmin, ("dailies",), "webhook", 500),
        Reply("a Dexcom day", "dexcom", dexcom_day(), ("egvs",), "window"),
        Reply(f"a HealthKit batch of {BATCH:,}", "healthkit", phone, ("heart_rate", "activity"), "push"),
    ]


def read(reply: Reply) -> Iterator[tuple[Resource, Json]]:
    """What it says of each resource, read from its bytes as shared/fetching.py has it."""
    told = orjson.loads(reply.body)
    for resource in map(provider(reply.provider).resource, reply.resources):
        part = resource.part(told) if reply.kind == "push" else told
        yield resource, resource.envelope(part) if reply.kind == "document" else part


def asked(reply: Reply) -> list[Question]:
    """What it answers."""
    window = Window(DAY, DAY) if reply.kind == "window" else None
    return [Question(resource, window, replies=[page], as_of=KNOWN) for resource, page in read(reply)]


def bring(aws: Memory, reply: Reply) -> None:
    """Makes sections of the reply, for a person of whom nothing is known yet."""
    aws.items["Data"].clear()
    held = Connection("c", "somebody", reply.provider, "active", bytes(32), resources=reply.resources)
    visit = Visit(JOB, held, provider(reply.provider), ZONES, asked(reply))
    fetching.compare(visit)
    for question in visit.questions:
        writing.written(visit, question)


def make(reply: Reply) -> list[tuple[Packed, dict[str, Stats]]]:
    """As where the targets were set."""
    found = []
    for resource, page in read(reply):
        packed = pack([in_range(item)[0] for item in resource.map(page) if isinstance(item, Document)])
        found.append((packed, summarise(packed.documents)))
    return found


def rows(tiny: bool = False) -> Iterator[Row]:
    for reply in replies():
        yield plain(f"{reply.name}: reply → packed section", rate(partial(make, reply), tiny), "/s")
        if reply.target:
            while_started = while_python_starts(partial(make, reply), tiny)
            yield at_least(
                f"{reply.name}: of these while bare Python starts", while_started, reply.target * TARGETS_S, ""
            )
        for height in HEIGHTS:
            with memory.standing(height) as aws:
                found = rate(partial(bring, aws, reply), tiny)
                assert any(sk.startswith("P#") for _, sk in aws.items["Data"]), f"{reply.name} made no section"
            yield plain(f"{reply.name}: reply → section, {height} the wire", found, "/s")
