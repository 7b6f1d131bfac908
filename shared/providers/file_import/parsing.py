"""Reads glucose from CSV and JSON. Good rows are kept, bad ones reported by where they stand, not by what they hold."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import orjson

from shared.catalogue import MG_DL_PER_MMOL_L, Range
from shared.errors import BadRequestError, SkipRecordError, TooLargeError
from shared.providers import RowError, Upload
from shared.providers.file_import import clarity, libreview, nightscout
from shared.providers.file_import.libreview import Line
from shared.providers.file_import.times import moment
from shared.values import dataclass

MAX_BYTES = 5 * 1024 * 1024
MAX_ROWS = 100_000

GLUCOSE, TIME, UNIT = ("glucose", "value"), ("timestamp", "date"), "unit"
LISTS = ("readings", "records", "data")
UNITS = {"mg/dl": "mg/dL", "mmol/l": "mmol/L"}
RANGES = {"mg/dL": Range(20, 600), "mmol/L": Range(1.1, 33.3)}
"""Each unit in its own numbers: 1.1 mmol/L is good although it is 19.8 mg/dL."""

NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?", re.ASCII)

Cells: TypeAlias = Mapping[str, Any]
"""One row by its column names, in lower case."""


@dataclass(frozen=True)
class Row:
    """`line` counts a CSV file's lines with its header, or a JSON file's records; both start at 1."""

    line: int
    at_ms: int
    offset_min: int | None
    mg_dl: float
    unit: str


@dataclass(frozen=True)
class Parsed:
    """Every row of the file that is a reading is in one of the two, in the file's order."""

    rows: list[Row]
    errors: list[RowError]


class CellError(SkipRecordError):
    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


def read(body: bytes, media_type: str, zone: str | None, dates: str) -> Upload:
    parsed = parse(body, media_type, zone, dates)
    return Upload(payload(parsed), len(parsed.rows), tuple(parsed.errors))


def parse(body: bytes, media_type: str, zone: str | None, dates: str = "") -> Parsed:
    """`zone` is the IANA name of the clock that times without an offset were read from; `dates` says which of day and
    month comes first, for files whose own dates leave it open.

    Raises BadRequestError where the file as a whole cannot be read.
    """
    if len(body) > MAX_BYTES:
        raise TooLargeError(f"the file is over {MAX_BYTES // 1024**2} MB", "body")
    records, clock = reader_of(media_type), zone_of(zone)
    rows: list[Row] = []
    errors: list[RowError] = []
    for line, cells in records(text_of(body), dates):
        if len(rows) + len(errors) == MAX_ROWS:
            raise TooLargeError(f"the file has over {MAX_ROWS} rows", "body")
        try:
            rows.append(row_of(line, cells, clock))
        except CellError as error:
            errors.append(RowError(line, error.column, str(error)))
    if not rows and not errors:
        raise BadRequestError("the file holds no readings", "body")
    return agreed(rows, errors)


def payload(parsed: Parsed) -> dict[str, Any]:
    """What the mapping reads."""
    return {"rows": [{"at": r.at_ms, "offset": r.offset_min, "mg_dl": r.mg_dl, "unit": r.unit} for r in parsed.rows]}


def agreed(rows: list[Row], errors: list[RowError]) -> Parsed:
    """Two values at one instant cannot both be right: the later line is believed, the earlier reported."""
    last = {row.at_ms: row for row in rows}
    good = [row for row in rows if row.mg_dl == last[row.at_ms].mg_dl]
    overruled = [row for row in rows if row.mg_dl != last[row.at_ms].mg_dl]
    doubles = [RowError(row.line, "", f"same time as line {last[row.at_ms].line}") for row in overruled]
    return Parsed(good, sorted(errors + doubles, key=lambda error: error.line))


# ---------------------------------------------------------------- the file


def text_of(body: bytes) -> str:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequestError("the file is not UTF-8 text", "body") from error
    if not text.strip():
        raise BadRequestError("the file is empty", "body")
    return text


def zone_of(name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # OSError: a folder of zones, such as "Europe"
        raise BadRequestError("the zone is not in the IANA time zone database", "zone") from error


def csv_records(text: str, dates: str) -> Iterator[tuple[int, Cells | CellError]]:
    found = list(table(text, delimiter_of(text)))
    if libreview.unit(found):
        yield from libreview.records(found, dates)
    elif clarity.unit(found):
        yield from clarity.records(found)
    else:
        yield from named_columns(found)


def named_columns(found: list[Line]) -> Iterator[tuple[int, Cells | CellError]]:
    lines = iter(found)
    header = [cell.strip().lower() for cell in next(lines, (1, []))[1]]
    for names in (GLUCOSE, TIME):
        if not any(name in header for name in names):
            raise BadRequestError(f"the header has no column {' or '.join(names)}", "body")
    if any(header.count(name) > 1 for name in (*GLUCOSE, *TIME, UNIT)):
        raise BadRequestError("the header names a column twice", "body")
    for line, cells in lines:
        if any(map(str.strip, cells[len(header) :])):  # "5,6" unquoted would otherwise read as 5
            yield line, CellError("", "more cells than the header has columns")
        else:
            yield line, {**dict.fromkeys(header, ""), **dict(zip(header, cells, strict=False))}


def delimiter_of(text: str) -> str:
    """The one the header has most of: no name we look for holds any."""
    header = next(filter(str.strip, io.StringIO(text, newline=None)))
    return max(",;\t", key=header.count)


def table(text: str, delimiter: str) -> Iterator[Line]:
    """Rows that hold something, by the line they start on. Where `;` separates, the comma is a decimal one.

    Strict: a quote left open would otherwise swallow the rest of the file unseen.
    """
    reader, start = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield start, [cell.replace(",", ".") for cell in cells] if delimiter == ";" else cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise BadRequestError(f"the file is not CSV from line {start} on", "body") from error


def json_records(text: str, dates: str) -> Iterator[tuple[int, Cells | CellError]]:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the file is not JSON at line {error.lineno}", "body") from error
    if isinstance(content, dict):
        content = next((content[key] for key in LISTS if key in content), None)
    if not isinstance(content, list):
        raise BadRequestError(f"the file is neither a list nor an object with {' or '.join(LISTS)}", "body")
    for number, record in enumerate(content, 1):
        if not isinstance(record, dict):
            yield number, CellError("", "not an object")
        elif not nightscout.is_entry(record):
            yield number, {key.lower(): value for key, value in record.items()}
        elif nightscout.is_reading(record):
            yield number, nightscout.reading(record)


Reader: TypeAlias = Callable[[str, str], Iterator[tuple[int, Cells | CellError]]]
READERS: dict[str, Reader] = {"text/csv": csv_records, "application/json": json_records}


def reader_of(media_type: str) -> Reader:
    reader = READERS.get(media_type.partition(";")[0].strip().lower())
    if reader is None:
        raise BadRequestError(f"the file must be one of {', '.join(READERS)}", "content-type")
    return reader


# ---------------------------------------------------------------- a row


def row_of(line: int, cells: Cells | CellError, zone: ZoneInfo | None) -> Row:
    if isinstance(cells, CellError):
        raise cells
    unit = unit_of(cells)
    value = glucose_of(cells, unit)
    at, offset = moment_of(cells, zone)
    return Row(line, at, offset, value * MG_DL_PER_MMOL_L if unit == "mmol/L" else value, unit)


def cell(cells: Cells, names: tuple[str, ...]) -> tuple[str, str]:
    """The first of these columns that the row has, and its text."""
    name = next((name for name in names if name in cells), names[0])
    value = cells.get(name)
    text = "" if value is None else str(value).strip()
    if not text:
        raise CellError(name, "missing")
    return name, text


def unit_of(cells: Cells) -> str:
    given = cells.get(UNIT)
    text = "" if given is None else str(given).strip().lower()
    if text and text not in UNITS:
        raise CellError(UNIT, "neither mg/dL nor mmol/L")
    return UNITS[text or "mg/dl"]


def glucose_of(cells: Cells, unit: str) -> float:
    name, text = cell(cells, GLUCOSE)
    if not NUMBER.fullmatch(text):
        raise CellError(name, "not a number")
    value, limits = float(text), RANGES[unit]
    if not limits.holds(value):
        raise CellError(name, f"outside {limits.low} to {limits.high} {unit}")
    return value


def moment_of(cells: Cells, zone: ZoneInfo | None) -> tuple[int, int | None]:
    name, text = cell(cells, TIME)
    try:
        return moment(text, zone)
    except SkipRecordError as error:
        raise CellError(name, str(error)) from error
