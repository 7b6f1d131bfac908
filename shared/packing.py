"""A section's documents as bytes: text and columns of deltas in one stream of deflate, at level 1.

    version (1 byte) | deflate( lengths | content header | dates header | content columns | dates columns )

Values are kept in thousandths, times in milliseconds. A column is its first value, the greatest common divisor of its
deltas, and the deltas over it in the smallest integers: the low bytes of all, then the next. Whole numbers below 256
are their differences, a byte each. Columns are read in the order in which they were written. Content and dates are
apart because only content is hashed: the same readings fetched again an hour later are the same section.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import accumulate, chain, repeat
from math import gcd
from operator import attrgetter, is_, lt, sub
from typing import Any, NamedTuple, TypeVar

import orjson

from shared import octets
from shared.model import Document, Episode, Reading, Series, Stage, Ticks
from shared.values import replace

VERSION = 3
LENGTHS = struct.Struct("<III")
WIDTHS = {1: "b", 2: "h", 4: "i", 8: "q"}
LONG = 256
"""So many bytes of columns are worth tables of their own."""
Header = Sequence[Any]
T = TypeVar("T", Document, Episode)
K = TypeVar("K")
V = TypeVar("V")


class Packed(NamedTuple):
    """`digest` is of the content (without its dates, before any compression); `documents` as `unpack` gives them."""

    data: bytes
    digest: bytes
    documents: list[Document]


class UnsortedError(Exception):
    """The deltas of a column tell that its times are not in order."""


def pack(documents: Iterable[Document]) -> Packed:
    ordered = sorted(documents, key=attrgetter("id"))
    try:
        return _packed([settled(document, kept) for document in ordered])
    except UnsortedError:
        return _packed([settled(document, normal) for document in ordered])


def _packed(documents: list[Document]) -> Packed:
    content, dates = list[bytes](), list[bytes]()
    head = orjson.dumps([_document(content, document) for document in documents])
    dated = orjson.dumps([_dates(dates, document) for document in documents])
    columns = b"".join(content)
    text = LENGTHS.pack(len(head), len(dated), len(columns)) + head + dated
    digest = hashlib.sha256(head + columns).digest()
    return Packed(bytes([VERSION]) + _deflated(text, [*content, *dates]), digest, documents)


def _deflated(text: bytes, columns: list[bytes]) -> bytes:
    """Text repeats its words. Of numbers some are frequent, in each column other ones and in each of its bytes; where
    they repeat, it is one many times over."""
    if sum(map(len, columns)) < LONG:
        return zlib.compress(text + b"".join(columns), 1, wbits=-15)
    words = zlib.compressobj(1, zlib.DEFLATED, -15)
    numbers = zlib.compressobj(1, zlib.DEFLATED, -15, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    parts = [words.compress(text), words.flush(zlib.Z_SYNC_FLUSH)]
    for column in columns:
        parts += numbers.compress(column), numbers.flush(zlib.Z_BLOCK)
    return b"".join([*parts, numbers.flush()])


def unpack(packed: bytes, day: str) -> list[Document]:
    """Raises ValueError for a version this code does not know."""
    if packed[0] != VERSION:
        raise ValueError(f"packed section of version {packed[0]}; this code reads {VERSION}")
    body = zlib.decompress(packed[1:], wbits=-15)
    head, dated, columns = LENGTHS.unpack_from(body)
    start, middle = LENGTHS.size + head, LENGTHS.size + head + dated
    headers, stamps = orjson.loads(body[LENGTHS.size : start]), orjson.loads(body[start:middle])
    content, dates = BytesIO(body[middle : middle + columns]), BytesIO(body[middle + columns :])
    return [_read_document(h, s, content, dates, day) for h, s in zip(headers, stamps, strict=True)]


def settled(document: Document, each: Callable[[Series], Series]) -> Document:
    """As it is kept, `each` series too. Most come so."""
    episode = _settled(document.episode, each) if document.episode else None
    found = _settled(document, each)
    return found if episode is document.episode else replace(found, episode=episode)


def _settled(part: T, each: Callable[[Series], Series]) -> T:
    readings = [reading if type(reading.value) is int else _reading(reading) for reading in part.readings]
    series = [*map(each, part.series)]
    if all(map(is_, readings, part.readings)) and all(map(is_, series, part.series)):
        return part
    return replace(part, readings=tuple(readings), series=tuple(series))


def _reading(reading: Reading) -> Reading:
    value = _kept(reading.value)
    same = value == reading.value and type(value) is type(reading.value)
    return reading if same else Reading(reading.metric, value, reading.at, reading.unit)


def normal(series: Series) -> Series:
    """Sorted by time, one value an instant: the later of two in the same delivery."""
    times, values, dated = series.times, series.values, series.as_of
    if not all(map(lt, times, times[1:])):
        last = {at: n for n, at in enumerate(times)}
        order = [last[at] for at in sorted(last)]
        times, values = [times[n] for n in order], [values[n] for n in order]
        dated = [dated[n] for n in order] if dated else ()
        series = Series(series.metric, times, values, series.unit, dated)
    return kept(series)


def kept(series: Series) -> Series:
    """Its values in whole thousandths."""
    if _whole(series.values):
        return series
    return Series(series.metric, series.times, _each(_kept, series.values), series.unit, series.as_of)


def _whole(values: Sequence[float]) -> bool:
    """Only a sum of whole numbers is one."""
    return type(sum(values)) is int


def _each(do: Callable[[K], V], values: Iterable[K]) -> list[V]:
    """A column says the same few values over and over."""
    done = {value: do(value) for value in set(values)}
    return [*map(done.__getitem__, values)]


def _kept(value: float) -> float:
    return value if type(value) is int else _read_value(round(value * 1000))


# ---------------------------------------------------------------- writing


def _column(blob: list[bytes], numbers: Sequence[int], rising: bool = False) -> Header:
    """[count, first, step, bytes each]. Where all deltas are one, that is the step.

    Raises UnsortedError for numbers that are to be `rising`, and are not."""
    if len(numbers) < 2:
        return [len(numbers), *(numbers or [0]), 1, 0]
    if isinstance(numbers, range):
        return [len(numbers), numbers.start, numbers.step, 0]
    each, counts = (numbers.each, numbers.counts) if isinstance(numbers, Ticks) else (1, numbers)
    deltas = _deltas(counts)
    few = set(deltas)
    low, high = min(few), max(few)
    if rising and low <= 0:
        raise UnsortedError
    step, width = low, 0
    if low != high:
        step = gcd(*few)
        width = next(size for size in WIDTHS if max(high, -1 - low) // step < 1 << 8 * size - 1)
        blob += _bytes(deltas, {delta: delta // step for delta in few}, width)
    return [len(numbers), numbers[0], step * each, width]


def _deltas(numbers: Sequence[int]) -> Sequence[int]:
    """As bytes if they can be: small ones are handled all at once."""
    after = numbers[1:]
    try:
        return bytes(map(sub, after, numbers))
    except ValueError:
        return [*map(sub, after, numbers)]


def _bytes(deltas: Sequence[int], steps: Mapping[int, int], width: int) -> Iterator[bytes]:
    """So many steps each: the low bytes of all, then the next, since each kind has its own frequencies."""
    if isinstance(deltas, bytes) and width == 1:
        table = bytearray(256)
        for delta, count in steps.items():
            table[delta] = count
        yield deltas.translate(table)
    else:
        raw = array(WIDTHS[width], [*map(steps.__getitem__, deltas)]).tobytes()
        yield from (raw[byte::width] for byte in range(width))


def _values(blob: list[bytes], values: Sequence[float]) -> Header:
    """In thousandths. Whole numbers that a byte holds, as most sensors tell them, are said by [count] alone."""
    try:
        blob.append(octets.apart(bytes(values)))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return _column(blob, _each(_milli, values))
    return [len(values)]


def _milli(value: float) -> int:
    return round(value * 1000)


def _series(blob: list[bytes], series: Series) -> Header:
    return [series.metric, series.unit, _column(blob, series.times, rising=True), _values(blob, series.values)]


def _readings(readings: Sequence[Reading]) -> Header:
    """What is measured, how much in thousandths; and when, and in whose unit, where any of them says."""
    if not readings:
        return []
    times, units = [r.at for r in readings], [r.unit for r in readings]
    said = [times if set(times) != {None} else [], units if any(units) else []]
    return [[r.metric for r in readings], [round(r.value * 1000) for r in readings], *said]


def _stages(stages: Sequence[Stage]) -> Header:
    """Where the first begins, how long each lasts, how long it is to the next where any has to be waited for, and their
    names."""
    if not stages:
        return []
    starts, ends, names = zip(*stages, strict=True)
    waits = [*map(sub, starts[1:], ends)]
    return [starts[0], [*map(sub, ends, starts)], waits if any(waits) else [], names]


def _episode(blob: list[bytes], episode: Episode) -> Header:
    series = [_series(blob, s) for s in episode.series]
    return [
        episode.kind,
        episode.start,
        episode.end,
        episode.label,
        _stages(episode.stages),
        _readings(episode.readings),
        series,
        episode.zones,
        episode.notes,
    ]


def _document(blob: list[bytes], document: Document) -> Header:
    series = [_series(blob, s) for s in document.series]
    episode = _episode(blob, document.episode) if document.episode else None
    return [document.id, document.offset, _readings(document.readings), series, episode, document.manual]


def _dates(blob: list[bytes], document: Document) -> Header:
    return [document.as_of, [_column(blob, s.as_of) if s.as_of else None for s in document.series]]


# ---------------------------------------------------------------- reading


def _read_column(blob: BytesIO, header: Header) -> Sequence[int]:
    count, first, step, width = header
    if not width:
        return range(first, first + count * step, step) if step else [first] * count
    raw = bytearray((count - 1) * width)
    for byte in range(width):
        raw[byte::width] = blob.read(count - 1)
    deltas = array(WIDTHS[width])
    deltas.frombytes(raw)
    return list(accumulate(deltas if step == 1 else [d * step for d in deltas], initial=first))


def _read_value(milli: int) -> float:
    return milli // 1000 if milli % 1000 == 0 else milli / 1000


def _read_values(blob: BytesIO, header: Header) -> list[float]:
    if len(header) == 1:
        return list(octets.together(blob.read(*header)))
    return _each(_read_value, _read_column(blob, header))


def _read_series(blob: BytesIO, header: Header, dates: BytesIO, stamps: Header | None) -> Series:
    metric, unit, times, values = header
    as_of = _read_column(dates, stamps) if stamps else ()
    return Series(metric, _read_column(blob, times), _read_values(blob, values), unit, as_of)


def _read_readings(
    metrics: Header = (), values: Header = (), times: Header = (), units: Header = ()
) -> Iterator[Reading]:
    """A value for each metric; an instant and a unit, where any is told."""
    for metric, milli, at, unit in zip(metrics, values, times or repeat(None), units or repeat(""), strict=False):
        yield Reading(metric, _read_value(milli), at, unit)


def _read_stages(start: int = 0, lasting: Header = (), waits: Header = (), names: Header = ()) -> Iterator[Stage]:
    for length, wait, name in zip(lasting, chain(waits, repeat(0)), names, strict=False):
        yield start, start + length, name
        start += length + wait


def _read_episode(blob: BytesIO, header: Header) -> Episode:
    kind, start, end, label, stages, readings, series, zones, notes = header
    return Episode(
        kind,
        start,
        end,
        label,
        tuple(_read_stages(*stages)),
        tuple(_read_readings(*readings)),
        tuple(_read_series(blob, s, blob, None) for s in series),
        tuple((name, minutes) for name, minutes in zones),
        tuple((name, said) for name, said in notes),
    )


def _read_document(header: Header, stamps: Header, blob: BytesIO, dates: BytesIO, day: str) -> Document:
    id_, offset, readings, series, episode, manual = header
    as_of, series_dates = stamps
    return Document(
        id_,
        day,
        offset,
        as_of,
        tuple(_read_readings(*readings)),
        tuple(_read_series(blob, s, dates, d) for s, d in zip(series, series_dates, strict=True)),
        _read_episode(blob, episode) if episode else None,
        manual,
    )
