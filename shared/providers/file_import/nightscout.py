"""Entries of a Nightscout site: https://github.com/nightscout/cgm-remote-monitor/blob/master/lib/server/swagger.yaml"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

SENSOR = "sgv"
KINDS = frozenset({SENSOR, "mbg", "cal"})
"""Of the sensor, of a finger, and of what the sensor was told of the finger."""
ERRORS_BELOW = 39
"""The sensor's error codes stand where its glucose does."""


def is_entry(record: Mapping[str, Any]) -> bool:
    return record.get("type") in KINDS or SENSOR in record


def is_reading(record: Mapping[str, Any]) -> bool:
    """The sensor's, and not one of its error codes."""
    value = record.get(SENSOR)
    code = isinstance(value, int | float) and value < ERRORS_BELOW
    return record.get("type", SENSOR) == SENSOR and not code


def reading(record: Mapping[str, Any]) -> dict[str, Any]:
    """As a file of our own names its columns. Its glucose is in mg/dL, whatever the site shows."""
    return {"timestamp": when(record), "glucose": record.get(SENSOR), "unit": "mg/dL"}


def when(record: Mapping[str, Any]) -> Any:
    """With the wearer's offset, where there is one: 0 is also what an uploader says that does not know it."""
    at, east = record.get("date"), record.get("utcOffset")
    if not (isinstance(at, int | float) and isinstance(east, int) and east):
        return at if at is not None else record.get("dateString")
    try:
        return datetime.fromtimestamp(at / 1000, timezone(timedelta(minutes=east))).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return at  # whoever reads the row says what is wrong with it
