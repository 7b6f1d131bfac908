"""Dexcom Clarity's own export: its events told apart by their kind, its columns by their place."""

from __future__ import annotations

import pytest

from shared.errors import BadRequestError
from shared.providers.file_import.parsing import Parsed, parse

HEADER = (
    "Index,Timestamp (YYYY-MM-DDThh:mm:ss),Event Type,Event Subtype,Patient Info,Device Info,Source Device ID,"
    "Glucose Value ({unit}),Insulin Value (u),Carb Value (grams),Duration (hh:mm:ss),"
    "Glucose Rate of Change ({unit}/min),Transmitter Time (Long Integer),Transmitter ID"
)
GERMAN = (
    "Index;Zeitstempel (JJJJ-MM-TTThh:mm:ss);Ereignistyp;Ereignis-Subtyp;Patienteninfo;Geräteinfo;Quellgerät;"
    "Glukosewert (mmol/l);Insulinwert (E);Kohlenhydratwert (g);Dauer (hh:mm:ss);"
    "Glukoseänderungsrate (mmol/l/min);Transmitterzeit;Transmitter-ID"
)
PREAMBLE = [
    "1,,FirstName,,Ana,,,,,,,,", "2,,LastName,,Example,,,,,,,,", "3,,Device,,,Dexcom G7 Mobile App,iOS G7,,,,,,",
    "4,,Alert,Fall,,,iOS G7,,,,,3,", "5,,Alert,High,,,iOS G7,200,,,,,", "6,,Alert,Urgent Low,,,iOS G7,55,,,,,",
]  # fmt: skip
AT = 1793599339000  # 2026-11-02T06:02:19Z


def event(time: str, glucose: str, kind: str = "EGV") -> str:
    return f'7,{time},{kind},,,,iOS G7,"{glucose}",,,,,1713,100000000001'


def export(*rows: str, unit: str = "mg/dL", zone: str | None = "Europe/Berlin", mark: str = "\ufeff") -> Parsed:
    text = mark + "\r\n".join([HEADER.format(unit=unit), *PREAMBLE, *rows])
    return parse(text.encode(), "text/csv", zone)


def found(parsed: Parsed) -> list[tuple[int, float, str]]:
    assert parsed.errors == []
    return [((row.at_ms - AT) // 1000, round(row.mg_dl, 1), row.unit) for row in parsed.rows]


def test_the_sensors_readings_and_no_limit_of_an_alert() -> None:
    parsed = export(
        event("2026-11-02T07:02:19", "112"), event("2026-11-02 7:07:19", "113"),
        "10,2026-11-02T08:00:30,Insulin,Fast-Acting,,,iOS G7,,5.00,,,,",
        "11,2026-11-02T08:01:00,Carbs,,,,iOS G7,,,45,,,",
        event("2026-11-02T08:02:00", "140", "Calibration"),
    )  # fmt: skip
    assert found(parsed) == [(0, 112, "mg/dL"), (300, 113, "mg/dL")]
    assert [(row.line, row.offset_min) for row in parsed.rows] == [(8, 60), (9, 60)]


@pytest.mark.parametrize("unit", ["mg/dL", "mmol/L"])
def test_low_and_high_are_what_dexcoms_api_makes_of_them(unit: str) -> None:
    parsed = export(event("2026-11-02T07:02:19", "Low"), event("2026-11-02T07:07:19", "High"), unit=unit)
    assert found(parsed) == [(0, 39, "mg/dL"), (300, 401, "mg/dL")]


def test_millimoles_and_a_german_export() -> None:
    assert found(export(event("2026-11-02T07:02:19", "6.2"), unit="mmol/L")) == [(0, 111.7, "mmol/L")]
    rows = [
        "1;;Vorname;;Ana;;;;;;;;", "5;;Alarm;Hoch;;;iOS G7;11,1;;;;;",
        "7;2026-11-02T07:02:19;EGW;;;;iOS G7;6,2;;;;;1713;100000000001",
        "8;2026-11-02T07:07:19;EGW;;;;iOS G7;Niedrig;;;;;2013;100000000001",
    ]  # fmt: skip
    parsed = parse("\n".join([GERMAN, *rows]).encode(), "text/csv", "Europe/Berlin")
    assert found(parsed) == [(0, 111.7, "mmol/L"), (300, 39, "mg/dL")]


def test_a_bad_reading_is_reported_by_its_line_without_what_it_holds() -> None:
    parsed = export(
        event("2026-11-02T07:02:19", "112"), event("2026-10-25T02:30:00", "112"), event("2026-11-02T07:07:19", "???"),
    )  # fmt: skip
    assert [row.line for row in parsed.rows] == [8]
    assert [(error.line, error.column) for error in parsed.errors] == [(9, "timestamp"), (10, "glucose")]


def test_without_a_zone_no_time_is_read_and_without_readings_it_is_said() -> None:
    [error] = export(event("2026-11-02T07:02:19", "112"), zone=None).errors
    assert "zone" in error.message
    with pytest.raises(BadRequestError, match="no readings"):
        export()
