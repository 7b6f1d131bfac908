"""A section's documents as bytes: columns of deltas in the smallest integer array, one deflate at level 1.

    version (1 byte) | deflate( lengths | content header | content columns | dates header | dates columns )

Values are kept in thousandths, times in milliseconds; a column stores its first value, the greatest common divisor of
its deltas, and the deltas over it. Content and dates are apart because only content is hashed: the same readings
fetched again an hour later are the same section.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from math import gcd
from operator import attrgetter, is_, lt, sub
from typing import Any, NamedTuple, TypeVar

import orjson

from shared.model import Document, Episode, Reading, Series

VERSION = 1
LENGTHS = struct.Struct("<III")
WIDTHS = (("b", 7), ("h", 15), ("i", 31), ("q", 63))
Header = list[Any]
T = TypeVar("T", Document, Episode)


class Packed(NamedTuple):
    """`digest` is of the content (without its dates, before any compression); `documents` as `unpack` gives them."""

    data: bytes
    digest: bytes
    documents: list[Document]


def pack(documents: Iterable[Document]) -> Packed:
    ordered = [settled(document) for document in sorted(documents, key=attrgetter("id"))]
    content, dates = bytearray(), bytearray()
    head = orjson.dumps([_document(content, document) for document in ordered])
    dated = orjson.dumps([_dates(dates, document) for document in ordered])
    body = LENGTHS.pack(len(head), len(content), len(dated)) + head + content + dated + dates
    digest = hashlib.sha256(head + content).digest()
    return Packed(bytes([VERSION]) + zlib.compress(body, 1, wbits=-15), digest, ordered)


def unpack(packed: bytes, day: str) -> list[Document]:
    """Raises ValueError for a version this code does not know."""
    if packed[0] != VERSION:
        raise ValueError(f"packed section of version {packed[0]}; this code reads {VERSION}")
    body = memoryview(zlib.decompress(packed[1:], wbits=-15))
    head, content, dated = LENGTHS.unpack_from(body)
    start = LENGTHS.size
    columns, dates = body[start + head : start + head + content], body[start + head + content + dated :]
    headers = orjson.loads(body[start : start + head])
    stamps = orjson.loads(body[start + head + content : start + head + content + dated])
    return [_read_document(h, s, columns, dates, day) for h, s in zip(headers, stamps, strict=True)]


def settled(document: Document) -> Document:
    """As it is kept: columns in order, values in whole thousandths. Most come so."""
    episode = _settled(document.episode) if document.episode else None
    found = _settled(document)
    return found if episode is document.episode else replace(found, episode=episode)


def _settled(part: T) -> T:
    readings, series = [*map(_reading, part.readings)], [*map(normal, part.series)]
    if all(map(is_, readings, part.readings)) and all(map(is_, series, part.series)):
        return part
    return replace(part, readings=tuple(readings), series=tuple(series))


def _reading(reading: Reading) -> Reading:
    kept = _kept(reading.value)
    same = kept == reading.value and type(kept) is type(reading.value)
    return reading if same else Reading(reading.metric, kept, reading.at, reading.unit)


def normal(series: Series) -> Series:
    """Sorted by time, one value an instant: the later of two in the same delivery."""
    times, values, dated = series.times, series.values, series.as_of
    if not all(map(lt, times, times[1:])):
        last = {at: n for n, at in enumerate(times)}
        order = [last[at] for at in sorted(last)]
        times, values = [times[n] for n in order], [values[n] for n in order]
        dated = [dated[n] for n in order] if dated else ()
    if not _whole(values):
        values = [*map(_kept, values)]
    if times is series.times and values is series.values:
        return series
    return Series(series.metric, times, values, series.unit, dated)


def _whole(values: Sequence[float]) -> bool:
    """Only a sum of whole numbers is one."""
    return type(sum(values)) is int


def _kept(value: float) -> float:
    return value if type(value) is int else _read_value(_milli(value))


# ---------------------------------------------------------------- writing


def _column(blob: bytearray, numbers: Sequence[int], scale: int = 1) -> Header:
    """[count, first, step, width, offset] of `numbers` times `scale`."""
    deltas = [*map(sub, numbers[1:], numbers)]
    few = set(deltas)
    step = gcd(*few)
    if step > 1:
        parts = {delta: delta // step for delta in few}
        deltas, few = [*map(parts.__getitem__, deltas)], {*parts.values()}
    low, high = min(few, default=0), max(few, default=0)
    width = next(code for code, bits in WIDTHS if -(1 << bits) <= low and high < 1 << bits)
    start = len(blob)
    blob += array(width, deltas).tobytes()
    return [len(numbers), numbers[0] * scale if numbers else 0, step * scale or 1, width, start]


def _values(blob: bytearray, values: Sequence[float]) -> Header:
    """In thousandths. Whole numbers, the common case, take the short way to the same bytes."""
    if _whole(values):
        return _column(blob, values, 1000)  # type: ignore[arg-type]
    return _column(blob, [*map(_milli, values)])


def _milli(value: float) -> int:
    return round(value * 1000)


def _series(blob: bytearray, series: Series) -> Header:
    return [series.metric, series.unit, _column(blob, series.times), _values(blob, series.values)]


def _readings(readings: Iterable[Reading]) -> Header:
    return [[r.metric, _milli(r.value), r.at, r.unit] for r in readings]


def _episode(blob: bytearray, episode: Episode) -> Header:
    series = [_series(blob, s) for s in episode.series]
    return [
        episode.kind,
        episode.start,
        episode.end,
        episode.label,
        episode.stages,
        _readings(episode.readings),
        series,
        # Left out where they say nothing: what was packed before keeps its hash.
        *([episode.zones] if episode.zones or episode.notes else []),
        *([episode.notes] if episode.notes else []),
    ]


def _document(blob: bytearray, document: Document) -> Header:
    series = [_series(blob, s) for s in document.series]
    episode = _episode(blob, document.episode) if document.episode else None
    mark = [1] if document.manual else []  # left out where it says nothing: what was packed before keeps its hash
    return [document.id, document.offset, _readings(document.readings), series, episode, *mark]


def _dates(blob: bytearray, document: Document) -> Header:
    return [document.as_of, [_column(blob, s.as_of) if s.as_of else None for s in document.series]]


# ---------------------------------------------------------------- reading


def _read_column(blob: memoryview, header: Header) -> list[int]:
    count, first, step, width, start = header
    if count == 0:
        return []
    deltas = array(width)
    deltas.frombytes(blob[start : start + (count - 1) * deltas.itemsize])
    return list(accumulate(deltas if step == 1 else [d * step for d in deltas], initial=first))


def _read_value(milli: int) -> float:
    return milli // 1000 if milli % 1000 == 0 else milli / 1000


def _read_values(blob: memoryview, header: Header) -> list[float]:
    count, first, step, width, start = header
    if first % 1000 == 0 and step % 1000 == 0:
        return list(_read_column(blob, [count, first // 1000, step // 1000, width, start]))
    return [_read_value(milli) for milli in _read_column(blob, header)]


def _read_series(blob: memoryview, header: Header, dates: memoryview, stamps: Header | None) -> Series:
    metric, unit, times, values = header
    as_of = _read_column(dates, stamps) if stamps else ()
    return Series(metric, _read_column(blob, times), _read_values(blob, values), unit, as_of)


def _read_readings(rows: Header) -> tuple[Reading, ...]:
    return tuple(Reading(metric, _read_value(milli), at, unit) for metric, milli, at, unit in rows)


def _read_episode(blob: memoryview, header: Header) -> Episode:
    kind, start, end, label, stages, readings, series, *rest = header
    zones, notes = (*rest, (), ())[:2]
    return Episode(
        kind,
        start,
        end,
        label,
        tuple((a, b, name) for a, b, name in stages),
        _read_readings(readings),
        tuple(_read_series(blob, s, blob, None) for s in series),
        tuple((name, minutes) for name, minutes in zones),
        tuple((name, said) for name, said in notes),
    )


def _read_document(header: Header, stamps: Header, blob: memoryview, dates: memoryview, day: str) -> Document:
    id_, offset, readings, series, episode, *mark = header
    as_of, series_dates = stamps
    return Document(
        id_,
        day,
        offset,
        as_of,
        _read_readings(readings),
        tuple(_read_series(blob, s, dates, d) for s, d in zip(series, series_dates, strict=True)),
        _read_episode(blob, episode) if episode else None,
        bool(mark),
    )
