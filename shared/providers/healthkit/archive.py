"""Apple Health's own export, a zip whose XML may hold gigabytes: read as it streams by, in the shape the phone pushes.

Apple documents none of it. The XML's name is in the language of the phone, so it is found by what it holds. It names
no UUIDs: a sample's id is made of what it says, so that the next export of the same sample is the same sample. Its
times are right, but their offset is not the sample's own: only `HKTimeZone` says where that was.
"""

from __future__ import annotations

import hashlib
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import IO, Any, BinaryIO
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from shared.errors import BadRequestError, SkipRecordError
from shared.providers import Json, Part, pushing
from shared.providers.healthkit.mapping import CUFF, EXERCISE, OTHERS, PRESSURES, SLEEP, TABLES, WORKOUT, ZONES
from shared.providers.quantities import Quantities, unit_of
from shared.values import dataclass, field

ROOT = b"<HealthData"
HEAD, CHUNK = 256 * 1024, 1024 * 1024
LONGEST, DEEPEST = 2 * CHUNK, 4
"""Bytes of one tag, and records in a record. What has more is no export."""
MOST_PARTS, NAME = 100, 64
"""Of a correlation or a workout, and letters in the name of one."""
ILLEGAL = bytes(set(range(32)) - set(b"\t\n\r"))
"""In XML, and in some exports all the same."""
READ = frozenset({"Record", "Correlation", "Workout"})
RECORDS, DAYS, SEEN = 10_000, 200, 100_000
"""Of one part of the file: what a worker writes in its time, be it many samples or many days; and how many are passed
over until a part ends without."""
NIGHTS = {"InBed": 0, "AsleepUnspecified": 1, "Asleep": 1, "Awake": 2, "AsleepCore": 3, "AsleepDeep": 4, "AsleepREM": 5}
CUMULATIVE = {
    "totalEnergyBurned": "HKQuantityTypeIdentifierActiveEnergyBurned",
    "totalDistance": "HKQuantityTypeIdentifierDistanceWalkingRunning",
}
"""What a workout of an older export says of itself, where a newer one has statistics."""
HARDWARE = re.compile(r"hardware:(Watch[^,>]*)")
BY_HAND = "HKWasUserEntered"
KEPT = frozenset({*ZONES, BY_HAND})
"""Of what else is known of a record."""
KNOWN_YEARS = range(1980, 2100)
TYPES = pushing.types(TABLES, OTHERS)
QUANTITIES: Quantities = {type: quantity for table in TABLES.values() for type, quantity in table.items()}


def parts(file: BinaryIO) -> Iterator[Part]:
    """Raises BadRequestError where it is no export of Apple Health's."""
    batch = Batch()
    for element in elements(file):
        batch.take(element)
        if batch.full:
            yield batch.part()
            batch = Batch(batch.latest)
    yield batch.part()


@dataclass
class Batch:
    """Records for one part. None is of a time after `latest`, when the export was made."""

    latest: str = "9999"
    payload: dict[str, dict[str, list[Json]]] = field(default_factory=dict)
    days: set[str] = field(default_factory=set)
    records: int = 0
    not_read: int = 0
    at_fault: int = 0

    @property
    def full(self) -> bool:
        seen = self.records + self.not_read + self.at_fault
        return self.records >= RECORDS or len(self.days) >= DAYS or seen >= SEEN

    def part(self) -> Part:
        return Part(self.payload, self.records, self.not_read, self.at_fault)

    def take(self, element: Element) -> None:
        if element.name == "ExportDate":
            self.latest = day_after(element.told.get("value", ""))
            return
        type = element.told.get("type", WORKOUT)
        if type not in TYPES:
            self.not_read += 1
            return
        try:
            found = record(type, element)
        except (KeyError, ValueError, OverflowError, SkipRecordError):
            self.at_fault += 1
            return
        if found["end"] > self.latest:
            self.at_fault += 1
            return
        self.payload.setdefault(TYPES[type], {"upserts": []})["upserts"].append(found)
        self.days.add(found["start"][:10])
        self.records += 1


# ---------------------------------------------------------------- a record


def record(type: str, element: Element) -> Json:
    """As the phone would push it. Raises KeyError, ValueError, OverflowError or SkipRecordError for one that makes no
    sense."""
    told = element.told
    start, end = moment(told["startDate"]), moment(told["endDate"])
    if end < start or start.year not in KNOWN_YEARS:
        raise ValueError("not a span of time")
    found = {"type": type, "start": start.isoformat(), "end": end.isoformat(), **content(type, element)}
    what = (found.get("value"), found.get("unit"), found.get("activity"), found.get("components"))
    name = "|".join(map(str, (type, told.get("sourceName"), found["start"], found["end"], *what)))
    return {
        "source_id": hashlib.sha256(name.encode()).hexdigest()[:32],
        **found,
        "zone": zone(element.metadata),
        "source": source(told.get("sourceName", ""), told.get("device", "")),
        "user_entered": element.metadata.get(BY_HAND) == "1",
    }


def content(type: str, element: Element) -> dict[str, Any]:
    told = element.told
    if type == SLEEP:
        return {"value": NIGHTS[told["value"].removeprefix("HKCategoryValueSleepAnalysis")]}
    if type == WORKOUT:
        return {"activity": told["workoutActivityType"][:NAME], "components": exercise(element)}
    if type == PRESSURES:
        both = [quantity(part["type"], part["value"], part["unit"], CUFF) for part in element.parts]
        if {part["type"] for part in both} != CUFF.keys():
            raise KeyError("components")
        return {"components": both}
    found = quantity(type, told["value"], told["unit"], QUANTITIES)
    return {"value": found["value"], "unit": found["unit"]}


def quantity(type: str, value: str, unit: str, table: Quantities) -> dict[str, Any]:
    found = {"type": type, "value": float(value), "unit": unit}
    if not math.isfinite(float(value)) or unit_of(found) not in table[type].units:
        raise ValueError("not a value in a unit of ours")
    return found


def exercise(element: Element) -> list[dict[str, Any]]:
    """Sums, and the mean of the heart rate; what is at fault among them is left out."""
    told = [(p.get("type", ""), p.get("sum") or p.get("average"), p.get("unit")) for p in element.parts]
    told += [(type, element.told.get(name), element.told.get(f"{name}Unit")) for name, type in CUMULATIVE.items()]
    found: dict[str, dict[str, Any]] = {}
    for type, value, unit in told:
        if type in EXERCISE and type not in found and value and unit:
            try:
                found[type] = quantity(type, value, unit, EXERCISE)
            except ValueError:
                continue
    return list(found.values())


def moment(text: str) -> datetime:
    """Of `2026-11-02 06:58:11 +0000`."""
    return datetime.fromisoformat(f"{text[:10]}T{text[11:19]}{text[20:23]}:{text[23:25]}").astimezone(UTC)


def day_after(text: str) -> str:
    """Later than any sample of an export of that time; an export without one is taken as it is."""
    try:
        return (moment(text) + timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):
        return Batch.latest


def zone(metadata: Mapping[str, str]) -> str | None:
    name = next(filter(None, map(metadata.get, ZONES)), "")
    return name if len(name) <= NAME and is_zone(name) else None


@lru_cache(maxsize=1024)
def is_zone(name: str) -> bool:
    try:
        pushing.zone(name)
    except SkipRecordError:
        return False
    return True


@lru_cache(maxsize=1024)
def source(name: str, device: str) -> dict[str, str]:
    """The export has a name that people give (`Ana's Apple Watch`) where the phone has an app's id. It keeps devices
    apart as well when nobody can read it, and names of sections reach logs."""
    hardware = HARDWARE.search(device)
    app = {"bundle_id": f"export.{hashlib.sha256(name.encode()).hexdigest()[:12]}"}
    return {**app, "product_type": hardware[1]} if hardware else app


# ---------------------------------------------------------------- the file


@dataclass
class Element:
    """A record with what stands in it: the parts of a correlation or a workout, and what is known of it besides."""

    name: str
    told: Mapping[str, str]
    parts: list[Mapping[str, str]] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


def elements(file: BinaryIO) -> Iterator[Element]:
    try:
        with ZipFile(file) as archive, main(archive) as xml:
            yield from parsed(xml)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, expat.ExpatError) as error:
        raise BadRequestError("not an export of Apple Health's, or not a whole one", "body") from error


def main(archive: ZipFile) -> IO[bytes]:
    for info in archive.infolist():
        if info.filename.endswith(".xml") and not info.flag_bits & 1:  # not one with a password
            with archive.open(info) as xml:
                if ROOT in xml.read(HEAD):
                    return archive.open(info)
    raise BadRequestError("the zip holds no export of Apple Health's", "body")


def parsed(xml: IO[bytes]) -> Iterator[Element]:
    """From the root on: what comes before is a DTD, which is not always well-formed, and the one place where entities
    could be declared."""
    head = xml.read(HEAD)
    parser, reader = expat.ParserCreate("UTF-8"), Reader()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    chunk, fed = head[head.index(ROOT) :], 0
    while chunk:
        clean = chunk.translate(None, ILLEGAL)
        fed += len(clean)
        parser.Parse(clean)
        if fed - parser.CurrentByteIndex > LONGEST:
            raise BadRequestError("a tag without an end", "body")
        yield from reader.taken()
        chunk = xml.read(CHUNK)
    parser.Parse(b"", True)


class Reader:
    """Gathers whole elements as their tags go by."""

    def __init__(self) -> None:
        self._found: list[Element] = []
        self._open: list[Element] = []

    def taken(self) -> list[Element]:
        found, self._found = self._found, []
        return found

    def start(self, name: str, told: dict[str, str]) -> None:
        if name in READ:
            if len(self._open) == DEEPEST:
                raise BadRequestError("records in records in records", "body")
            self._open.append(Element(name, told))
        elif name == "ExportDate":
            self._found.append(Element(name, told))
        elif self._open:
            inner = self._open[-1]
            if name == "MetadataEntry" and told.get("key") in KEPT:
                inner.metadata[told["key"]] = told.get("value", "")
            elif name == "WorkoutStatistics" and len(inner.parts) < MOST_PARTS:
                inner.parts.append(told)

    def end(self, name: str) -> None:
        """What stands in a correlation stands outside it, too: there it is a record, here a part."""
        if name not in READ:
            return
        done = self._open.pop()
        if not self._open:
            self._found.append(done)
        elif len(self._open[-1].parts) < MOST_PARTS:
            self._open[-1].parts.append(done.told)
