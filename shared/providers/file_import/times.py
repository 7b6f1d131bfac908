"""When a row was measured. Nothing is guessed: not the order of day and month, not a zone, not an hour that came twice.

SkipRecordError says what is wrong, without the text that was."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from shared.errors import SkipRecordError
from shared.model import millis

EPOCH = re.compile(r"\d{1,16}(\.\d{1,9})?", re.ASCII)
ISO = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII)
YEAR_LAST = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}(\D.*)?", re.ASCII)
WEST, EAST = -12 * 60, 14 * 60
MILLISECONDS_FROM = 10**11  # as seconds this is the year 5138, as milliseconds 1973
KNOWN_TIMES = range(millis(datetime(1980, 1, 1, tzinfo=UTC)), millis(datetime(2100, 1, 1, tzinfo=UTC)))


def moment(text: str, zone: ZoneInfo | None) -> tuple[int, int | None]:
    """The instant in milliseconds, and the offset in minutes that the text names or else the zone had then."""
    try:
        at, offset = (from_epoch(text), None) if EPOCH.fullmatch(text) else from_iso(text.upper(), zone)
    except ValueError as error:
        raise SkipRecordError("no such date or time of day") from error
    if at not in KNOWN_TIMES:
        raise SkipRecordError("not between the years 1980 and 2099")
    if offset is None and zone:
        offset = minutes_east(datetime.fromtimestamp(at / 1000, zone))
    return at, offset


def from_epoch(text: str) -> int:
    value = float(text)
    return round(value if value >= MILLISECONDS_FROM else value * 1000)


def from_iso(text: str, zone: ZoneInfo | None) -> tuple[int, int | None]:
    """A `Z` says when, not where: RFC 9557 §2 reads it as an unknown offset."""
    match = ISO.fullmatch(text)
    if match is None:
        raise SkipRecordError(
            "ambiguous date; use ISO 8601" if YEAR_LAST.fullmatch(text) else "not an ISO 8601 date and time"
        )
    at = datetime.fromisoformat(match[1] + (match[2] or ""))
    if at.tzinfo is None:
        at = on_the_clock(at, zone)
    offset = minutes_east(at)
    if not WEST <= offset <= EAST:
        raise SkipRecordError("nowhere on Earth is the offset that large")
    return millis(at), None if match[2] == "Z" else offset


def on_the_clock(at: datetime, zone: ZoneInfo | None) -> datetime:
    if zone is None:
        raise SkipRecordError("no offset, and the upload names no zone")
    first, second = (at.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        raise SkipRecordError("the clocks changed then: this time came twice or never; use an offset")
    return first


def minutes_east(at: datetime) -> int:
    offset = at.utcoffset()
    assert offset is not None  # an aware datetime has one
    return round(offset.total_seconds() / 60)
