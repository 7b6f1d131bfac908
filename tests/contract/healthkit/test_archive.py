"""Apple Health's own export: the shape that a phone pushes, whatever the file's size, language and oddities."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from shared.errors import BadRequestError
from shared.filing import Answer, file
from shared.local_time import Zones
from shared.model import Document, Item
from shared.providers import Part
from shared.providers.healthkit import archive
from shared.providers.healthkit.archive import parts
from shared.providers.healthkit.spec import PROVIDER

DTD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 14 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout)*)>
<!ATTLIST HealthData
  locale CDATA #REQUIRED
<!ATTLIST Broken as phones have written it >
]>
"""
DEVICE = (
    "&lt;&lt;HKDevice: 0x{pointer}&gt;, name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch7,5, "
    "software:26.1&gt;"
)
WATCH, PHONE = "Ana’s Apple\u00a0Watch", "iPhone"


def record(type: str, value: str, unit: str = "", start: str = "2026-11-02 06:30:00 +0000", **more: str) -> str:
    told = {
        "type": type, "sourceName": PHONE, "sourceVersion": "26.1", "unit": unit, "creationDate": start,
        "startDate": start, "endDate": start, "value": value, **more,
    }  # fmt: skip
    inside = told.pop("inside", "")
    told_so = " ".join(f'{name}="{text}"' for name, text in told.items() if text)
    return f"<Record {told_so}>{inside}</Record>"


def quantity(name: str, value: str, unit: str, **more: str) -> str:
    return record(f"HKQuantityTypeIdentifier{name}", value, unit, **more)


def stage(name: str, **more: str) -> str:
    zone = '<MetadataEntry key="HKTimeZone" value="Europe/Lisbon"/>'
    return record("HKCategoryTypeIdentifierSleepAnalysis", f"HKCategoryValueSleepAnalysis{name}", inside=zone, **more)


def xml(*found: str) -> str:
    exported = '<ExportDate value="2026-11-02 08:00:00 +0000"/><Me HKCharacteristicTypeIdentifierBiologicalSex="x"/>'
    return f'{DTD}<HealthData locale="en_PT">{exported}{"".join(found)}</HealthData>'


def zipped(text: str, name: str = "apple_health_export/export.xml") -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("apple_health_export/export_cda.xml", "<ClinicalDocument/>")
        out.writestr(name, text)
        out.writestr("apple_health_export/workout-routes/route.gpx", "<gpx/>")
    return io.BytesIO(packed.getvalue())


def read(*found: str) -> Part:
    [part] = parts(zipped(xml(*found)))
    return part


def mapped(part: Part, resource: str) -> list[Document]:
    items: list[Item] = list(PROVIDER.resource(resource).map({resource: part.payload[resource]}))
    assert all(isinstance(item, Document) for item in items), items
    return [item for item in items if isinstance(item, Document)]


def values(part: Part) -> dict[str, float]:
    """Of every resource that has readings, by metric."""
    return {
        reading.metric: round(reading.value, 3)
        for name in part.payload
        for document in mapped(part, name)
        for reading in document.readings
    }


def test_each_quantity_in_the_units_of_the_persons_country() -> None:
    part = read(
        quantity("StepCount", "412", "count"), quantity("OxygenSaturation", "0.97", "%"),
        quantity("BloodGlucose", "5.9", "mmol&lt;180.1558800000541&gt;/L"), quantity("BodyMass", "150", "lb"),
        quantity("DistanceWalkingRunning", "1", "mi"), quantity("BodyTemperature", "98.6", "degF"),
        quantity("ActiveEnergyBurned", "12", "Cal"), quantity("VO2Max", "41", "mL/min·kg"),
        quantity("HeartRateVariabilitySDNN", "48.2", "ms", inside=(
            "<HeartRateVariabilityMetadataList>"
            '<InstantaneousBeatsPerMinute bpm="57" time="5:00:01.42 AM"/></HeartRateVariabilityMetadataList>')),
    )  # fmt: skip
    assert (part.records, part.not_read, part.at_fault) == (9, 0, 0)
    assert values(part) == {
        "steps": 412, "spo2": 97, "glucose": pytest.approx(106.29, abs=0.01), "weight": pytest.approx(68.039, abs=0.01),
        "distance": 1609.344, "body_temperature": 37, "active_calories": 12, "vo2_max": 41,
        "heart_rate_variability_sdnn": 48.2,
    }  # fmt: skip


def test_a_night_a_cuff_and_a_workout() -> None:
    pressures = [
        quantity("BloodPressureSystolic", "121", "mmHg"), quantity("BloodPressureDiastolic", "78", "mmHg"),
    ]  # fmt: skip
    times = 'startDate="2026-11-01 18:05:00 +0000" endDate="2026-11-01 18:36:30 +0000"'
    part = read(
        stage("AsleepCore", start="2026-11-01 23:17:00 +0000", endDate="2026-11-01 23:58:30 +0000"),
        *pressures,  # they stand at the top, too
        '<Correlation type="HKCorrelationTypeIdentifierBloodPressure" sourceName="Cuff" '
        f'startDate="2026-11-02 07:01:00 +0000" endDate="2026-11-02 07:01:00 +0000">{"".join(pressures)}</Correlation>',
        f'<Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="31.5" {times} sourceName="W">'
        f'<WorkoutStatistics type="HKQuantityTypeIdentifierActiveEnergyBurned" {times} sum="318" unit="kcal"/>'
        f'<WorkoutStatistics type="HKQuantityTypeIdentifierHeartRate" {times} average="149" maximum="171" '
        'unit="count/min"/><WorkoutRoute><FileReference path="/r.gpx"/></WorkoutRoute></Workout>',
        f'<Workout workoutActivityType="HKWorkoutActivityTypeCycling" {times} sourceName="W" totalDistance="10" '
        'totalDistanceUnit="km" totalEnergyBurned="200" totalEnergyBurnedUnit="kcal"/>',
    )  # fmt: skip
    assert (part.records, part.not_read, part.at_fault) == (4, 2, 0)
    [night] = mapped(part, "sleep")
    assert (night.episode and night.episode.label, night.offset) == ("light", 0)
    assert values(part) == {"blood_pressure_systolic": 121, "blood_pressure_diastolic": 78}
    found = [d.episode for d in mapped(part, "workouts") if d.episode]
    assert [(e.label, {r.metric: r.value for r in e.readings}) for e in found] == [
        ("running", {"active_calories": 318, "heart_rate": 149}),
        ("cycling", {"active_calories": 200, "distance": 10000}),
    ]  # fmt: skip


def test_the_next_export_of_a_sample_is_the_same_sample() -> None:
    """The pointer in `device` and the offset of the times change from one export to the next."""
    rate = {"name": "HeartRate", "value": "57", "unit": "count/min", "sourceName": WATCH}
    first = read(quantity(**rate, device=DEVICE.format(pointer="28")))
    again = read(quantity(**rate, device=DEVICE.format(pointer="99"), start="2026-11-02 07:30:00 +0100"))
    other = read(quantity(**{**rate, "value": "58"}))
    ids = [mapped(part, "heart_rate")[0].id for part in (first, again, other)]
    assert ids[0] == ids[1] != ids[2]
    assert first.payload == again.payload


def test_devices_are_apart_and_nobodys_name_is_told() -> None:
    part = read(
        quantity("StepCount", "412", "count"),
        quantity("StepCount", "300", "count", sourceName=WATCH, device=DEVICE.format(pointer="1")),
    )
    apps = [document.app for document in mapped(part, "activity")]
    assert [app.partition(":")[0] for app in apps] == ["phone", "watch"]
    assert "Ana" not in str(part.payload)
    answer = Answer("u", PROVIDER, PROVIDER.resource("activity"), [{"activity": part.payload["activity"]}], 0, Zones())
    assert len({change.key.resource for change in file(answer).changes}) == 2


def test_what_makes_no_sense_is_counted_and_spoils_nothing() -> None:
    part = read(
        quantity("StepCount", "many", "count"), quantity("StepCount", "nan", "count"), quantity("StepCount", "3", "kg"),
        quantity("StepCount", "3", ""), quantity("StepCount", "3", "count", start="yesterday"),
        quantity("StepCount", "3", "count", endDate="2026-11-01 06:30:00 +0000"),
        quantity("StepCount", "3", "count", start="2031-11-02 06:30:00 +0000"), stage("Dreaming"),
        quantity("StepCount", "3", "count", start="9999-12-31 23:30:00 -1200"),
        quantity("StepCount", "412", "count"), quantity("WalkingSpeed", "4", "km/hr"),
        '<Correlation type="HKCorrelationTypeIdentifierBloodPressure" sourceName="Cuff" '
        'startDate="2026-11-02 07:01:00 +0000" endDate="2026-11-02 07:01:00 +0000"/>',
    )  # fmt: skip
    assert (part.records, part.not_read, part.at_fault) == (1, 1, 10)
    assert values(part) == {"steps": 412}


def test_an_export_that_does_not_say_when_is_taken_as_it_is() -> None:
    for date in ("", '<ExportDate value="today"/>', "<ExportDate/>"):
        [part] = parts(zipped(f"<HealthData>{date}{quantity('StepCount', '412', 'count')}</HealthData>"))
        assert values(part) == {"steps": 412}


def test_a_bad_byte_and_a_name_in_another_language() -> None:
    text = xml(quantity("StepCount", "412", "count", sourceName="a\x0bb"))
    [part] = parts(zipped(text, "apple_health_export/导出.xml"))
    assert values(part) == {"steps": 412}


@pytest.mark.parametrize("content", [
    b"", b"PK\x03\x04 and no more", zipped("<gpx/>").getvalue(), b"x" * 100,
    zipped(xml(quantity("StepCount", "1", "count"))[:-30]).getvalue(),
    zipped('<!DOCTYPE HealthData [<!ENTITY a "b">]><HealthData><Record value="&a;"/></HealthData>').getvalue(),
    zipped(f'<HealthData><Record value="{"x" * 6_000_000}"/></HealthData>').getvalue(),
    zipped(f'<HealthData>{"<Record>" * 9}{"</Record>" * 9}</HealthData>').getvalue(),
])  # fmt: skip
def test_what_is_no_export_or_half_of_one_is_refused(content: bytes) -> None:
    with pytest.raises(BadRequestError):
        list(parts(io.BytesIO(content)))


def test_parts_are_small_and_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "RECORDS", 3)
    monkeypatch.setattr(archive, "DAYS", 2)
    found = [quantity("StepCount", str(n + 1), "count") for n in range(7)]
    found += [quantity("BodyMass", "70", "kg", start=f"2026-10-0{n} 06:30:00 +0000") for n in range(1, 5)]
    told = [list(parts(zipped(xml(*found)))) for _ in range(2)]
    assert told[0] == told[1]
    assert [part.records for part in told[0]] == [3, 3, 2, 2, 1]


class Long(io.RawIOBase):
    """An export of so many megabytes that nobody holds."""

    def __init__(self, megabytes: int) -> None:
        one = quantity("StepCount", "412", "count") + quantity("WalkingSpeed", "4", "km/hr")
        block = (one * (archive.CHUNK // len(one))).encode()
        opened = xml().removesuffix("</HealthData>").encode()
        self._chunks: Iterator[bytes] = iter([opened, *[block] * megabytes, b"</HealthData>"])

    def read(self, size: int = -1) -> bytes:
        return next(self._chunks, b"")


def test_memory_does_not_grow_with_the_file() -> None:
    def peak(megabytes: int) -> int:
        tracemalloc.start()
        assert sum(1 for _ in archive.parsed(Long(megabytes))) > megabytes * 2000  # type: ignore[arg-type]
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few, many = peak(2), peak(6)
    assert many < few * 1.2


def test_every_type_that_is_read_has_a_resource() -> None:
    names: Any = {resource.name for resource in PROVIDER.resources}
    assert set(archive.TYPES.values()) <= names
