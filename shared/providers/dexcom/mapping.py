"""Dexcom records as ours. `systemTime` is the instant; people change `displayTime`, it only tells their offset."""

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from shared.errors import SkipRecordError
from shared.model import HOUR, MINUTE, Deletion, Document, Episode, Item, Series, millis
from shared.providers import Json, per_record

OUT_OF_RANGE = (39, 401)
"""Below 40 and above 400 mg/dL. Kept as they are: this is how time in range counts them."""

# mg/dL/min, for records with an arrow and no `trendRate`: the end of the arrow's band that is nearer to steady. Dexcom:
# doubleUp +3…+8, singleUp +2…<3, fortyFiveUp +1…<2, flat −1…+1 (exclusive), fortyFiveDown −2…≤−1, singleDown −3…≤−2,
# doubleDown −8…≤−3. none, notComputable, rateOutOfRange and unknown tell no rate.
RATES = {
    "doubleUp": 3,
    "singleUp": 2,
    "fortyFiveUp": 1,
    "flat": 0,
    "fortyFiveDown": -1,
    "singleDown": -2,
    "doubleDown": -3,
}

# Real replies held times without seconds, parts of one digit, and offsets with seconds ("-06:59:58").
OFFSET = r"Z|[+-]\d{1,2}:\d{1,2}(?::\d{1,2})?"
DATE, CLOCK = r"(\d{4})-(\d{1,2})-(\d{1,2})", r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(\.\d+)?)?"
TIME = re.compile(rf"{DATE}[T ]{CLOCK}({OFFSET})?", re.ASCII)
WEST, EAST = -12 * HOUR, 14 * HOUR
Sample: TypeAlias = tuple[float, float | None, int | None]
"""Value, rate, and the offset that the wearer's clock had."""


def egvs(reply: Json) -> Iterator[Item]:
    """A page is one document per offset the wearer's clock had, its columns sorted: Dexcom promises no order. Values
    are mg/dL whatever `unit` says: it follows nothing, and is "unknown" for some."""
    samples: dict[int, Sample] = {}

    @per_record("records")
    def noted(record: Json) -> Iterable[Item]:
        at = instant_of(record["systemTime"])
        if record["value"] is not None:
            samples[at] = number(record["value"]), rate_of(record), offset_of(record)
        return ()

    yield from noted(reply)  # what could not be read
    by_offset: dict[int | None, list[int]] = {}
    for at in sorted(samples):
        by_offset.setdefault(samples[at][2], []).append(at)
    for offset, times in by_offset.items():
        rated = [at for at in times if samples[at][1] is not None]
        rates = Series("glucose_rate", rated, [samples[at][1] or 0 for at in rated])
        series = Series("glucose", times, [samples[at][0] for at in times])
        yield Document(offset=offset, series=(series, rates) if rated else (series,))


@per_record("records")
def events(record: Json) -> Iterator[Item]:
    """What the wearer typed in. The point in time is all Dexcom says, even of an exercise with minutes."""
    if record.get("eventStatus") == "deleted":
        yield Deletion(record["recordId"])
        return
    at = instant_of(record["systemTime"])
    episode = Episode("event", at, at, label=label(record))
    yield Document(id=record["recordId"], offset=offset_of(record), episode=episode)


@per_record("records")
def devices(record: Json) -> Iterator[Document]:
    """A transmitter and what shows its readings, when it was last heard of. Some people's have no `transmitterId`."""
    at = instant_of(record["lastUploadDate"])  # the server's clock, hence no offset of the wearer's
    id = record.get("transmitterId") or record["displayDevice"]
    if not id:
        raise SkipRecordError("neither a transmitter nor a display")
    name = words(*(record.get(key) for key in ("transmitterGeneration", "displayDevice", "displayApp")))
    yield Document(id=id, episode=Episode("device", at, at, label=name))


# ---------------------------------------------------------------- parts


def rate_of(record: Json) -> float | None:
    rate = record.get("trendRate")
    return RATES.get(record.get("trend", "")) if rate is None else number(rate, "trendRate")


def label(record: Json) -> str:
    """As in "insulin fastActing 2.5 units". The text of a note is no quantity and stays in the raw reply."""
    parts = [record["eventType"], record.get("eventSubType")]
    value = str(record.get("value", ""))  # a number in older replies
    if re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII):
        parts += [value, record.get("unit")]
    return words(*parts)


def words(*parts: str | None) -> str:
    return " ".join(part for part in parts if part and part != "unknown")


def number(value: Any, name: str = "value") -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SkipRecordError(f"the {name} is not a number")
    return value


def instant_of(text: str) -> int:
    """Milliseconds. Receivers send no offset and mean UTC."""
    match = TIME.fullmatch(text)
    if match is None:
        raise SkipRecordError("the time is not one Dexcom documents")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    at = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC)
    return millis(at) + (round(float(fraction) * 1000) if fraction else 0) - east(offset or "Z")


def offset_of(record: Json) -> int | None:
    """Minutes, if `displayTime` has them; a clock set to where nobody lives tells nothing."""
    match = TIME.fullmatch(record.get("displayTime") or "")
    if match is None or match[8] is None or not WEST <= east(match[8]) <= EAST:
        return None
    return round(east(match[8]) / MINUTE)


@lru_cache(maxsize=64)
def east(offset: str) -> int:
    """Milliseconds east of UTC."""
    if offset == "Z":
        return 0
    hours, minutes, seconds = (int(part) for part in (offset[1:] + ":0").split(":")[:3])
    return (-1 if offset[0] == "-" else 1) * (hours * 3600 + minutes * 60 + seconds) * 1000
