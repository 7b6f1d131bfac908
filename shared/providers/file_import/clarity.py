"""Dexcom Clarity's own export: the person, the devices and the alerts come first, then a row for each event, in columns
whose names and values are in the language of the account. Only their places, and the unit in a name, are relied on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shared.providers.file_import.libreview import Line

COLUMNS = 13
"""Those every row has; only those of the sensor name their transmitter in a last one."""
TIME, EVENT, GLUCOSE, RATE = 1, 2, 7, 11
SENSOR = frozenset({"EGV", "EGW"})
"""Its own readings, in English and in German. Alerts have their limits where those have their glucose."""
UNIT = re.compile(r"\((mg/dL|mmol/L)\)\s*$", re.IGNORECASE)
RATE_UNIT = re.compile(r"\((mg/dL|mmol/L)/min\)\s*$", re.IGNORECASE)
BEYOND = {"low": "39", "niedrig": "39", "high": "401", "hoch": "401"}
"""Below 40 and above 400 mg/dL, as Dexcom's API has it, whatever the unit of the file."""
HOUR = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d:.*)", re.ASCII)


def unit(lines: Sequence[Line]) -> str:
    """In which the export's glucose is; "" for any other file."""
    cells = lines[0][1] if lines else []
    match = UNIT.search(cells[GLUCOSE]) if len(cells) >= COLUMNS and RATE_UNIT.search(cells[RATE]) else None
    return match[1] if match else ""


def records(lines: Sequence[Line]) -> Iterator[tuple[int, dict[str, str]]]:
    """As a file of our own names its columns."""
    named = unit(lines)
    for line, cells in lines:
        if len(cells) >= COLUMNS and cells[EVENT].strip() in SENSOR:
            value = cells[GLUCOSE].strip()
            beyond = BEYOND.get(value.lower())
            told, of = (beyond, "mg/dL") if beyond else (value.replace(",", "."), named)
            yield line, {"timestamp": HOUR.sub(r"\1T0\2", cells[TIME].strip()), "glucose": told, "unit": of}
