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
from itertools import accumulate
from math import gcd
from operator import sub
from typing import Any

import orjson

from shared.model import Document, Episode, Reading, Series

VERSION = 1
LENGTHS = struct.Struct("<III")
WIDTHS = (("b", 7), ("h", 15), ("i", 31), ("q", 63))
Header = list[Any]


def pack(documents: Iterable[Document]) -> tuple[bytes, bytes]:
    """The packed bytes, and the hash of the content in them (without its dates, before any compression)."""
    ordered = sorted(documents, key=lambda document: document.id)
    content, dates = bytearray(), bytearray()
    head = orjson.dumps([_document(content, document) for document in ordered])
    dated = orjson.dumps([_dates(dates, document) for document in ordered])
    body = LENGTHS.pack(len(head), len(content), len(dated)) + head + content + dated + dates
    digest = hashlib.sha256(head + content).digest()
    return bytes([VERSION]) + zlib.compress(body, 1, wbits=-15), digest


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


def normal(series: Series) -> Series:
    """Sorted by time, one value an instant: the later of two in the same delivery."""
    times = series.times
    if all(map(int.__lt__, times, times[1:])):
        return series
    dated: Sequence[int | None] = series.as_of or [None] * len(times)
    rows = {t: (v, a) for t, v, a in zip(times, series.values, dated, strict=True)}
    order = sorted(rows)
    stamps = [a for t in order if (a := rows[t][1]) is not None]
    return Series(series.metric, order, [rows[t][0] for t in order], series.unit, stamps)


# ---------------------------------------------------------------- writing


def _column(blob: bytearray, numbers: Sequence[int], scale: int = 1) -> Header:
    """[count, first, step, width, offset] of `numbers` times `scale`."""
    deltas = list(map(sub, numbers[1:], numbers))
    low, high = (min(deltas), max(deltas)) if deltas else (0, 0)
    step = abs(low) if low == high else gcd(*deltas)
    if step > 1:
        deltas = [low // step] * len(deltas) if low == high else [delta // step for delta in deltas]
        low, high = low // step, high // step
    width = next(code for code, bits in WIDTHS if -(1 << bits) <= low and high < 1 << bits)
    start = len(blob)
    blob += array(width, deltas).tobytes()
    return [len(numbers), numbers[0] * scale if numbers else 0, step * scale or 1, width, start]


def _values(blob: bytearray, values: Sequence[float]) -> Header:
    """In thousandths. Whole numbers, the common case, take the short way to the same bytes."""
    if {*map(type, values)} <= {int}:
        return _column(blob, values, 1000)  # type: ignore[arg-type]
    return _column(blob, [round(value * 1000) for value in values])


def _milli(value: float) -> int:
    return round(value * 1000)


def _series(blob: bytearray, series: Series) -> Header:
    ordered = normal(series)
    return [
        ordered.metric,
        ordered.unit,
        _column(blob, ordered.times),
        _values(blob, ordered.values),
    ]


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
    return [document.as_of, [_column(blob, s.as_of) if s.as_of else None for s in map(normal, document.series)]]


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
