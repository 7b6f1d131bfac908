"""LibreView's own export, of which Abbott publishes no description: a line with the person's name, a header in the
language of the account, and a column for each kind of record. Only its places are relied on, and the unit it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from shared.errors import BadRequestError

Line = tuple[int, list[str]]
COLUMNS = 19
TIME, KIND, HISTORIC = 2, 3, 4
SENSOR = "0"
"""Its own readings. The others are scans, which repeat them, and finger pricks, ketones, insulin, food and notes."""
HEADING = 3
"""Lines within which the header comes: clinics have one more, with the patient's name."""
UNIT = re.compile(r"\b(mg/dL|mmol/L)\s*$", re.IGNORECASE)
STAMP = re.compile(r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4}) (\d{1,2}):(\d\d) ?([AP]M)?", re.ASCII | re.IGNORECASE)


def unit(lines: Sequence[Line]) -> str:
    """In which the export's glucose is; "" for any other file."""
    for _, cells in lines[:HEADING]:
        match = UNIT.search(cells[HISTORIC]) if len(cells) >= COLUMNS else None
        if match:
            return match[1]
    return ""


def records(lines: Sequence[Line], dates: str = "") -> Iterator[tuple[int, dict[str, str]]]:
    """As a file of our own names its columns. `dates` is what the sender says of their order, believed where the dates
    themselves leave it open. Raises BadRequestError where nobody says which is the day."""
    readings = [(line, cells) for line, cells in lines if len(cells) >= COLUMNS and cells[KIND].strip() == SENSOR]
    spelled, named = order([cells[TIME] for _, cells in readings]) or dates, unit(lines)
    if not spelled:
        raise BadRequestError("day and month cannot be told apart: send dates=DMY or dates=MDY with the file", "dates")
    for line, cells in readings:
        value = cells[HISTORIC].replace(",", ".")
        yield line, {"timestamp": iso(cells[TIME].strip(), spelled), "glucose": value, "unit": named}


def order(times: Sequence[str]) -> str:
    """Of year, month and day in the export, which the account's settings choose: "YMD", "DMY" or "MDY"; "" where none
    of the dates shows it. Neither AM and PM nor the date in the title do: both are seen with either order."""
    parts = [match.groups()[:2] for match in map(STAMP.fullmatch, map(str.strip, times)) if match]
    if any(len(first) == 4 for first, _ in parts):
        return "YMD"
    if any(int(first) > 12 for first, _ in parts):
        return "DMY"
    return "MDY" if not parts or any(int(second) > 12 for _, second in parts) else ""


def iso(text: str, spelled: str) -> str:
    """What is no time stays as it is: whoever reads the row says so."""
    match = STAMP.fullmatch(text)
    if match is None:
        return text
    found = dict(zip(spelled, map(int, match.groups()[:3]), strict=True))
    hour = int(match[4])
    if match[6]:
        hour = hour % 12 + 12 * (match[6].upper() == "PM")
    try:
        at = datetime(found["Y"], found["M"], found["D"], hour, int(match[5]))  # noqa: DTZ001 — the phone's clock
    except ValueError:
        return text
    return at.isoformat(timespec="minutes")
