"""Entries of a Nightscout site: the sensor's, in mg/dL, on the wearer's clock where it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import BadRequestError
from shared.providers.file_import.parsing import Parsed, parse

AT = 1793599339000  # 2026-11-02T06:02:19Z


def sgv(value: Any = 112, at: Any = AT, **more: Any) -> dict[str, Any]:
    return {
        "_id": "690700a1c0ffee0000000001", "type": "sgv", "date": at, "dateString": "2026-11-02T06:02:19.000Z",
        "sgv": value, "direction": "Flat", "noise": 1, "device": "xDrip-DexcomG6", "utcOffset": 0, **more,
    }  # fmt: skip


def entries(*found: Any, zone: str | None = None) -> Parsed:
    return parse(json.dumps(found).encode(), "application/json", zone)


def test_the_sensors_entries_and_no_others() -> None:
    parsed = entries(
        sgv(), sgv(5, AT + 300_000), {"type": "mbg", "date": AT + 1, "mbg": 108}, sgv(39, AT + 600_000),
        {"type": "cal", "date": AT + 2, "slope": 800, "intercept": 30000, "scale": 1},
    )  # fmt: skip
    assert parsed.errors == []
    assert [(row.line, row.at_ms - AT, row.mg_dl, row.unit) for row in parsed.rows] == [
        (1, 0, 112, "mg/dL"), (4, 600_000, 39, "mg/dL"),
    ]  # fmt: skip


@pytest.mark.parametrize(("told", "zone", "offset"), [
    (60, None, 60), (-300, "Europe/Berlin", -300), (0, None, None), (0, "Europe/Berlin", 60), (9999, "UTC", 0),
])  # fmt: skip
def test_an_offset_of_nought_may_be_nobodys(told: int, zone: str | None, offset: int | None) -> None:
    [row] = entries(sgv(utcOffset=told), zone=zone).rows
    assert (row.at_ms, row.offset_min) == (AT, offset)


def test_an_entry_at_fault_is_reported_and_the_others_kept() -> None:
    parsed = entries(sgv("Low"), sgv(at="then", dateString=None), sgv(), 7, sgv(9999, AT + 1), sgv(at=None))
    assert [(error.line, error.column) for error in parsed.errors] == [
        (1, "glucose"), (2, "timestamp"), (4, ""), (5, "glucose"),
    ]  # fmt: skip
    assert [row.line for row in parsed.rows] == [3, 6]


def test_a_file_of_finger_pricks_holds_no_readings() -> None:
    with pytest.raises(BadRequestError, match="no readings"):
        entries({"type": "mbg", "date": AT, "mbg": 108})
