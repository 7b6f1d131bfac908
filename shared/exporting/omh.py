"""IEEE 1752.1 and Open mHealth data points, one a line: sleeps and activity by the one, vital signs by the other, since
IEEE has none for those yet. What neither has a schema for is left out, and counted.

https://opensource.ieee.org/omh/1752, https://www.openmhealth.org/documentation/#/schema-docs/schema-library
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import orjson

from shared.catalogue import METRICS
from shared.days import Choice, Report, Value
from shared.exporting.codes import Json
from shared.exporting.fhir import totals
from shared.exporting.person import (
    Measured,
    Person,
    carriers,
    figures,
    instant,
    measured,
    pressures,
    provenance,
)  # fmt: skip
from shared.exporting.written import Written, packed
from shared.local_time import offsets
from shared.model import MINUTE, Document, Episode
from shared.nights import joined
from shared.providers.registry import provider
from shared.sections import Key, Section
from shared.settings import settings


class Schema(NamedTuple):
    """A schema's name and version, where in its body the value stands, in which unit, and what else it says."""

    name: str
    version: str
    field: str
    unit: str
    says: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> tuple[str, str, str]:
        return "omh", self.name, self.version


AT_REST = (("temporal_relationship_to_physical_activity", "at rest"),)
OXIMETRY = (("system", "peripheral capillary"), ("measurement_method", "pulse oximetry"))
VITALS = {
    "heart_rate": Schema("heart-rate", "2.0", "heart_rate", "beats/min"),
    "resting_heart_rate": Schema("heart-rate", "2.0", "heart_rate", "beats/min", AT_REST),
    "glucose": Schema("blood-glucose", "4.0", "blood_glucose", "mg/dL"),
    "weight": Schema("body-weight", "3.0", "body_weight", "kg"),
    "body_temperature": Schema("body-temperature", "4.0", "body_temperature", "C"),
    "spo2": Schema("oxygen-saturation", "2.0", "oxygen_saturation", "%", OXIMETRY),
    "respiratory_rate": Schema("respiratory-rate", "2.0", "respiratory_rate", "breaths/min"),
}
PRESSURE = ("omh", "blood-pressure", "4.0")
PHYSICAL = ("ieee", "physical-activity", "1.0")
SLEEP_EPISODE = ("ieee", "sleep-episode", "1.0")
SLEEP_STAGES = ("ieee", "sleep-stage-summary", "1.0")
ACTIVITY = {
    "steps": ("base_movement_quantity", "steps"), "active_calories": ("kcal_burned", "kcal"),
    "distance": ("distance", "m"),
}  # fmt: skip
STATISTICS = {"mean": "average", "min": "minimum", "max": "maximum"}
SLEEP = {
    "sleep_duration": "total_sleep_time", "light_sleep": "light_sleep_duration", "deep_sleep": "deep_sleep_duration",
    "rem_sleep": "rem_sleep_duration",
}  # fmt: skip
STAGES = {
    "awake": "Awake", "light": "Light_sleep", "deep": "Deep_sleep", "rem": "REM_sleep", "asleep": "Unknown_sleep",
}  # fmt: skip


def write(person: Person, out: BinaryIO) -> Written:
    points = Points(person)
    return Written(packed(out, map(orjson.dumps, points.all())), points.left_out)


class Points:
    """One person's data points; `left_out` counts the figures, samples and episodes that have no schema."""

    def __init__(self, person: Person) -> None:
        self.person, self.left_out = person, 0
        self._names = uuid5(NAMESPACE_URL, f"{settings().public_url}/v1/user/{person.user}")

    def all(self) -> Iterator[Json]:
        for report in self.person.reports():
            yield from self.of_day(report)
        for section in self.person.sections():
            for document in joined(section.documents()):
                yield from self.of_document(section, document)

    def point(self, key: Key, manual: bool, schema: tuple[str, str, str], parts: tuple[Any, ...], body: Json) -> Json:
        """`parts` name it among those of its schema. It was made when what it tells of was over."""
        space, name, version = schema
        frame = body["effective_time_frame"]
        header = {
            "uuid": str(uuid5(self._names, "|".join(map(str, (*schema, key.slot, *parts))))),
            "schema_id": {"namespace": space, "name": name, "version": version},
            "source_creation_date_time": frame.get("date_time") or frame["time_interval"]["end_date_time"],
            "modality": "self-reported" if manual else "sensed",
            "external_datasheets": [{"datasheet_type": "provenance", "datasheet_reference": provenance(key)}],
        }
        return {"header": header, "body": body}

    # ---------------------------------------------------------------- days

    def of_day(self, report: Report) -> Iterator[Json]:
        day, left = report.day.day, dict(report.day.choices)
        start, end = (instant(*bound) for bound in self.person.bounds(day))
        frame = interval(start, end)
        walked: dict[Key, list[Value]] = {}
        for metric in [metric for metric in ACTIVITY if metric in left]:
            value = left.pop(metric).best
            key = Key(self.person.user, day, value.slot.source, "day")
            walked.setdefault(key, []).append(value)
        for key, values in walked.items():
            manual = any(value.stats.manual for value in values)
            body = {"activity_name": "daily activity summary", **moved({v.metric: v.value for v in values})}
            yield self.point(key, manual, PHYSICAL, (day,), {**body, **frame})
        for metric, choice in left.items():
            yield from self.vital_of_day(day, metric, choice, frame)

    def vital_of_day(self, day: str, metric: str, choice: Choice, frame: Json) -> Iterator[Json]:
        """A figure that is the last of its samples says nothing that they do not."""
        schema, value, how = VITALS.get(metric), choice.best, METRICS[metric].day
        if schema is None or (how not in STATISTICS and not value.stats.total):
            self.left_out += 1
            return
        statistic = {"descriptive_statistic": STATISTICS[how]} if how in STATISTICS else {}
        key = Key(self.person.user, day, value.slot.source, value.slot.resource)
        body = vital(schema, round(value.value, 3)) | statistic
        yield self.point(key, value.stats.manual, schema.id, (day, metric), {**body, **frame})

    # ---------------------------------------------------------------- documents

    def of_document(self, section: Section, document: Document) -> Iterator[Json]:
        key, manual = section.key, document.manual
        for carrier in carriers(document):
            whole, rest = pressures(measured(key, document, carrier, self.person.zones))
            for at, offset, systolic, diastolic in whole:
                body = {**both(systolic, diastolic), **moment(at, offset)}
                yield self.point(key, manual, PRESSURE, (document.id, at), body)
            for found in rest:
                yield from self.samples(found)
            if carrier:
                yield from self.episode(key, document, carrier)

    def samples(self, found: Measured) -> Iterator[Json]:
        schema = VITALS.get(found.metric)
        if schema is None:
            self.left_out += len(found.times)
            return
        sensor = found.metric == "glucose" and provider(found.key.source).kind == "cgm"
        more = {"specimen_source": "interstitial fluid"} if sensor else {}
        for at, offset, value in zip(found.times, found.offsets, found.values, strict=True):
            body = {**vital(schema, value), **more, **moment(at, offset)}
            name = (found.document.id, found.episode.kind if found.episode else "", found.metric, at)
            yield self.point(found.key, found.document.manual, schema.id, name, body)

    def episode(self, key: Key, document: Document, found: Episode) -> Iterator[Json]:
        [offset] = offsets([found.end], document.offset, self.person.zones)
        frame = interval(instant(found.start, offset), instant(found.end, offset))
        told = {reading.metric: reading.value for episode, reading in figures(document) if episode is found}
        parts = (document.id, found.kind, found.start)
        if found.kind in ("sleep", "nap"):
            body = slept(dict(totals(found)) | told)
            main = {"is_main_sleep": found.kind == "sleep"}
            yield self.point(key, document.manual, SLEEP_EPISODE, parts, {**body, **main, **frame})
            if stages := [stage(*each, offset) for each in found.stages if each[2] in STAGES]:
                summary = {k: v for k, v in body.items() if k == "total_sleep_time"}
                body = {"sleep_stage_summary": summary, "sleep_stage_episodes": stages}
                yield self.point(key, document.manual, SLEEP_STAGES, parts, {**body, **frame})
        elif found.kind == "workout":
            minutes = {"value": round((found.end - found.start) / MINUTE, 3), "unit": "min"}
            body = {"activity_name": found.label or "workout", "duration": minutes, **moved(told)}
            yield self.point(key, document.manual, PHYSICAL, parts, {**body, **frame})
        else:
            self.left_out += 1


def vital(schema: Schema, value: float) -> Json:
    return {schema.field: {"value": value, "unit": schema.unit}, **dict(schema.says)}


def both(systolic: float, diastolic: float) -> Json:
    halves = {"systolic_blood_pressure": systolic, "diastolic_blood_pressure": diastolic}
    return {name: {"value": value, "unit": "mmHg"} for name, value in halves.items()}


def moved(figures: Mapping[str, float]) -> Json:
    return {
        field: {"value": round(figures[metric], 3), "unit": unit}
        for metric, (field, unit) in ACTIVITY.items()
        if metric in figures
    }


def slept(figures: Mapping[str, float]) -> Json:
    """Our hours as their minutes."""
    body: Json = {
        field: {"value": round(figures[metric] * 60, 3), "unit": "min"}
        for metric, field in SLEEP.items()
        if metric in figures
    }
    if "sleep_latency" in figures:
        body["latency_to_sleep_onset"] = {"value": figures["sleep_latency"], "unit": "min"}
    if "sleep_efficiency" in figures:
        body["sleep_efficiency_percentage"] = {"value": figures["sleep_efficiency"], "unit": "%"}
    return body


def stage(start: int, end: int, name: str, offset: int) -> Json:
    frame = interval(instant(start, offset), instant(end, offset))["effective_time_frame"]
    return {"sleep_stage_state": STAGES[name], "sleep_stage_time_frame": frame}


def moment(at: int, offset: int) -> Json:
    return {"effective_time_frame": {"date_time": instant(at, offset)}}


def interval(start: str, end: str) -> Json:
    return {"effective_time_frame": {"time_interval": {"start_date_time": start, "end_date_time": end}}}
