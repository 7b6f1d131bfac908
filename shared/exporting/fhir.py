"""A FHIR R4 Bundle: the person, their devices, and an Observation for each figure of a day, each spot reading, each
series, each sleep and each workout. Ids are derived, so that the same data is the same resources.

A series at even distances is one Observation with SampledData, gaps as "E"; one at odd times is an Observation a
sample. http://hl7.org/fhir/R4/observation.html, http://hl7.org/fhir/R4/datatypes.html#SampledData
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import gcd
from typing import BinaryIO
from uuid import NAMESPACE_URL, uuid5

import orjson

from shared.catalogue import METRICS
from shared.days import Choice, Report
from shared.exporting import codes
from shared.exporting.codes import Json
from shared.exporting.person import (
    DIASTOLIC,
    SYSTOLIC,
    Measured,
    Person,
    Pressure,
    carriers,
    figures,
    instant,
    measured,
    pressures,
    provenance,
)  # fmt: skip
from shared.exporting.written import Written, packed
from shared.local_time import offsets
from shared.model import HOUR, MINUTE, Document, Episode
from shared.nights import joined
from shared.providers.registry import provider
from shared.sections import Key, Section
from shared.settings import settings

FEWEST, SPARSEST = 3, 4
"""SampledData takes so many samples at least, and one in so many places."""
STAGES = {"light": "light_sleep", "deep": "deep_sleep", "rem": "rem_sleep"}


def write(person: Person, out: BinaryIO) -> Written:
    bundle = Bundle(person)
    head = orjson.dumps({"resourceType": "Bundle", "id": bundle.id("bundle"), "type": "collection"})
    entries = (orjson.dumps({"fullUrl": urn(r["id"]), "resource": r}) for r in bundle.resources())
    count = packed(out, entries, before=head[:-1] + b',"entry":[\n', between=b",\n", after=b"\n]}\n")
    return Written(count, bundle.left_out)


def urn(id_: str) -> str:
    return f"urn:uuid:{id_}"


class Bundle:
    """One person's resources, and what they refer to each other by."""

    def __init__(self, person: Person) -> None:
        self.person, self.left_out = person, 0
        self.home = settings().public_url
        self._names = uuid5(NAMESPACE_URL, f"{self.home}/v1/user/{person.user}")
        self._patient = {"reference": urn(self.id("patient"))}
        self._devices: dict[str, Json] = {}

    def id(self, *parts: object) -> str:
        return str(uuid5(self._names, "|".join(map(str, parts))))

    def resources(self) -> Iterator[Json]:
        names = [{"system": f"{self.home}/v1/user", "value": self.person.user}]
        yield {"resourceType": "Patient", "id": self.id("patient"), "identifier": names}
        for report in self.person.reports():
            yield from self.of_day(report)
        for section in self.person.sections():
            for document in joined(section.documents()):
                yield from self.of_document(section, document)

    def device(self, source: str) -> Iterator[Json]:
        """The first time that something refers to it."""
        if source not in self._devices:
            made, id_ = provider(source), self.id("device", source)
            self._devices[source] = {"reference": urn(id_)}
            named = [{"name": made.name, "type": "user-friendly-name"}]
            yield {"resourceType": "Device", "id": id_, "deviceName": named, "type": {"text": made.kind}}

    def observation(self, id_: str, key: Key, manual: bool, metric: str, code: Json) -> Json:
        """What all have in common. Nobody's device measured what the person entered by hand."""
        whence = {"performer": [self._patient]} if manual else {"device": self._devices[key.source]}
        filed = codes.CATEGORY.get(metric)
        return {
            "resourceType": "Observation", "id": id_, "meta": {"source": provenance(key)}, "status": "final",
            **({"category": codes.category(filed)} if filed else {}), "code": code, "subject": self._patient, **whence,
        }  # fmt: skip

    def code(self, name: str, loinc: Sequence[str]) -> Json:
        """LOINC's codes, and our own name for it, which says what no code may say."""
        theirs = [{"system": codes.LOINC, "code": code} for code in loinc]
        return {
            "coding": [*theirs, {"system": f"{self.home}/v1/metrics", "code": name}],
            "text": name.replace("_", " "),
        }

    def panel(self, systolic: float, diastolic: float) -> list[Json]:
        return [self.component(m, v) for m, v in ((SYSTOLIC, systolic), (DIASTOLIC, diastolic))]

    def component(self, metric: str, value: float) -> Json:
        code = self.code(metric, codes.loinc(metric))
        return {"code": code, "valueQuantity": codes.quantity(value, codes.ucum(metric))}

    # ---------------------------------------------------------------- days

    def of_day(self, report: Report) -> Iterator[Json]:
        choices = dict(report.day.choices)
        upper, lower = (choices.get(metric) for metric in (SYSTOLIC, DIASTOLIC))
        if upper and lower and upper.best.slot.source == lower.best.slot.source:
            del choices[SYSTOLIC], choices[DIASTOLIC]
            code = self.code("blood_pressure", [codes.PRESSURE_PANEL])
            values = (round(half.best.value, 3) for half in (upper, lower))
            yield from self.figure(report.day.day, upper, code, {"component": self.panel(*values)})
        for metric, choice in choices.items():
            kind = provider(choice.best.slot.source).kind
            code = self.code(metric, codes.loinc(metric, kind, day=True))
            value = codes.quantity(round(choice.best.value, 3), codes.ucum(metric, day=True))
            yield from self.figure(report.day.day, choice, code, {"valueQuantity": value})

    def figure(self, day: str, choice: Choice, code: Json, value: Json) -> Iterator[Json]:
        """What stands for the day, and how it came about."""
        metric, slot, stats = choice.best.metric, choice.best.slot, choice.best.stats
        yield from self.device(slot.source)
        key = Key(self.person.user, day, slot.source, slot.resource)
        how = METRICS[metric].day + (" of the day, as the source says" if stats.total else " of the day's samples")
        found = self.observation(self.id("day", day, metric), key, stats.manual, metric, code)
        start, end = (instant(*bound) for bound in self.person.bounds(day))
        yield {**found, "effectivePeriod": {"start": start, "end": end}, **value, "method": {"text": how}}

    # ---------------------------------------------------------------- documents

    def of_document(self, section: Section, document: Document) -> Iterator[Json]:
        yield from self.device(section.key.source)
        for carrier in carriers(document):
            if carrier and carrier.kind == "medication":
                yield self.prescription(section.key, document, carrier)
                continue
            if carrier and carrier.kind in ("event", "device"):
                self.left_out += 1
                continue
            found = list(self.of_carrier(section.key, document, carrier))
            yield from found
            if carrier:
                yield self.episode(section.key, document, carrier, [each["id"] for each in found])

    def of_carrier(self, key: Key, document: Document, carrier: Episode | None) -> Iterator[Json]:
        whole, rest = pressures(measured(key, document, carrier, self.person.zones))
        yield from (self.pressure(key, document, both) for both in whole)
        for found in rest:
            step = stride(found.times)
            yield from [self.series(found, step)] if step else self.singly(found)

    def singly(self, found: Measured) -> Iterator[Json]:
        same, unit = self.common(found, ""), codes.ucum(found.metric)
        if profile := codes.PROFILES.get(found.metric):
            same["meta"] = {**same["meta"], "profile": [codes.PROFILE + profile]}
        for at, offset, value in zip(found.times, found.offsets, found.values, strict=True):
            id_, when = self.id(*place(found), at), instant(at, offset)
            yield {**same, "id": id_, "effectiveDateTime": when, "valueQuantity": codes.quantity(value, unit)}

    def series(self, found: Measured, step: int) -> Json:
        times, values = found.times, dict(zip(found.times, found.values, strict=True))
        start, end = instant(times[0], found.offsets[0]), instant(times[-1], found.offsets[-1])
        data = " ".join(str(values.get(at, "E")) for at in range(times[0], times[-1] + 1, step))
        sampled = {"origin": codes.quantity(0, codes.ucum(found.metric)), "period": step, "dimensions": 1, "data": data}
        same = self.common(found, self.id(*place(found), "series", times[0]))
        return {**same, "effectivePeriod": {"start": start, "end": end}, "valueSampledData": sampled}

    def common(self, found: Measured, id_: str) -> Json:
        code = self.code(found.metric, codes.loinc(found.metric, provider(found.key.source).kind))
        return self.observation(id_, found.key, found.document.manual, found.metric, code)

    def pressure(self, key: Key, document: Document, both: Pressure) -> Json:
        id_ = self.id(key.source, key.resource, document.id, "blood_pressure", both.at)
        code = self.code("blood_pressure", [codes.PRESSURE_PANEL])
        found = self.observation(id_, key, document.manual, SYSTOLIC, code)
        found["meta"] |= {"profile": [f"{codes.PROFILE}bp"]}
        when = instant(both.at, both.offset)
        return {**found, "effectiveDateTime": when, "component": self.panel(both.systolic, both.diastolic)}

    # ---------------------------------------------------------------- prescriptions

    def prescription(self, key: Key, document: Document, found: Episode) -> Json:
        """In the words of the record it came from."""
        said = dict(found.notes)
        system, _, code = said.get("code", "").rpartition("|")
        coded = {"coding": [{"system": system, "code": code}]} if system else {}
        dosage = {"dosageInstruction": [{"text": said["dosage"]}]} if "dosage" in said else {}
        [offset] = offsets([found.start], document.offset, self.person.zones)
        return {
            "resourceType": "MedicationRequest", "id": self.id(key.source, key.resource, document.id),
            "meta": {"source": provenance(key)}, "status": said["status"], "intent": said["intent"],
            "medicationCodeableConcept": {**coded, "text": found.label}, "subject": self._patient,
            "authoredOn": instant(found.start, offset), **dosage,
        }  # fmt: skip

    # ---------------------------------------------------------------- sleeps and workouts

    def episode(self, key: Key, document: Document, found: Episode, members: list[str]) -> Json:
        sleep = found.kind != "workout"
        code = self.code(found.kind, [codes.SLEEP if sleep else codes.WORKOUT])
        id_ = self.id(key.source, key.resource, document.id, found.kind, found.start)
        made = self.observation(id_, key, document.manual, "sleep_duration" if sleep else "active_minutes", code)
        [offset] = offsets([found.end], document.offset, self.person.zones)
        start, end = instant(found.start, offset), instant(found.end, offset)
        known = dict(totals(found)) | {r.metric: r.value for e, r in figures(document) if e is found}
        asleep = known.pop("sleep_duration", None) if sleep else None
        if document.id:
            made["identifier"] = [{"system": f"{self.home}/{key.source}/{key.resource}", "value": document.id}]
        if asleep is not None:
            made["valueQuantity"] = codes.quantity(asleep, codes.ucum("sleep_duration"))
        elif not sleep and found.label:
            made["valueCodeableConcept"] = {"text": found.label}
        length = self.code("duration", [codes.TIME_IN_BED if sleep else codes.WORKOUT_MINUTES])
        parts = [
            {"code": length, "valueQuantity": codes.quantity(round((found.end - found.start) / MINUTE, 3), "min")},
            *(self.component(metric, value) for metric, value in sorted(known.items())),
            *(self.zone(name, minutes) for name, minutes in found.zones),
        ]
        belong = {"hasMember": [{"reference": urn(member)} for member in members]} if members else {}
        return {**made, "effectivePeriod": {"start": start, "end": end}, "component": parts, **belong}

    def zone(self, name: str, minutes: float) -> Json:
        return {"code": {"text": f"heart rate zone {name}"}, "valueQuantity": codes.quantity(minutes, "min")}


def totals(found: Episode) -> Iterator[tuple[str, float]]:
    """Hours in each stage of a sleep, and asleep; the vendor's own figures are believed before these."""
    lengths: dict[str, int] = {}
    for start, end, stage in found.stages if found.kind != "workout" else ():
        lengths[stage] = lengths.get(stage, 0) + end - start
    yield from ((STAGES[stage], round(ms / HOUR, 3)) for stage, ms in lengths.items() if stage in STAGES)
    if lengths:
        yield "sleep_duration", round(sum(ms for stage, ms in lengths.items() if stage != "awake") / HOUR, 3)


def place(found: Measured) -> tuple[str, ...]:
    carrier = found.episode.kind if found.episode else ""
    return found.key.source, found.key.resource, found.document.id, carrier, found.metric


def stride(times: Sequence[int]) -> int:
    """Milliseconds from place to place of a series; 0 where SampledData would hold too little or too many gaps."""
    if len(times) < FEWEST:
        return 0
    step = gcd(*(later - at for at, later in pairwise(times)))
    return step if (times[-1] - times[0]) // step < SPARSEST * len(times) else 0
