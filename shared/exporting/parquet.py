"""Everything, as Parquet: a ZIP with a folder for each kind of row, in it files of so many rows each.

arro3 is Rust's own Parquet writer behind a small Python door. It is imported here and nowhere else.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from shared.exporting.person import Person
from shared.exporting.rows import KINDS, Row, Type, everything
from shared.exporting.written import Written

PART = 200_000
"""Rows of one file, and held at once of each kind."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)


def write(person: Person, out: BinaryIO) -> Written:
    written = Written()
    with zipfile.ZipFile(out, "w") as archive:
        for kind, number, rows in parts(everything(person)):
            name = zipfile.ZipInfo(f"{kind}/{number:05}.parquet", LONG_AGO)
            archive.writestr(name, table(kind, rows))
            written.records += len(rows)
    return written


def parts(found: Iterable[tuple[str, Row]]) -> Iterator[tuple[str, int, list[Row]]]:
    """Kind, number and rows of each file. A kind without rows has one file without rows: its columns are known."""
    held: dict[str, list[Row]] = {kind: [] for kind in KINDS}
    numbers = dict.fromkeys(KINDS, 0)
    for kind, row in found:
        held[kind].append(row)
        if len(held[kind]) == PART:
            yield kind, numbers[kind], held[kind]
            held[kind], numbers[kind] = [], numbers[kind] + 1
    for kind, rows in held.items():
        if rows or not numbers[kind]:
            yield kind, numbers[kind], rows


def table(kind: str, rows: list[Row]) -> bytes:
    from arro3.core import RecordBatch
    from arro3.io import write_parquet

    columns = list(zip(*rows, strict=True)) or [()] * len(KINDS[kind])
    arrays = [column(type_, list(cells)) for type_, cells in zip(KINDS[kind].values(), columns, strict=True)]
    file = io.BytesIO()
    batch = RecordBatch.from_arrays(arrays, names=list(KINDS[kind]))
    write_parquet(batch, file, compression="zstd(3)", created_by="tributary")
    return file.getvalue()


def column(type_: Type, cells: list[Any]) -> Any:
    from arro3.core import Array, DataType

    plain: dict[Type, Callable[[], DataType]] = {
        "text": DataType.utf8, "number": DataType.float64, "whole": DataType.int64, "flag": DataType.bool,
        "instant": DataType.int64,
    }  # fmt: skip
    if type_ == "words":
        return words(cells)
    if type_ == "number":
        cells = [None if cell is None else float(cell) for cell in cells]
    made = Array(cells, type=plain[type_]())
    return made.cast(DataType.timestamp("ms", tz="UTC")) if type_ == "instant" else made


def words(cells: list[list[str]]) -> Any:
    from arro3.core import Array, DataType, list_array

    ends = [0]
    for cell in cells:
        ends.append(ends[-1] + len(cell))
    flat = Array([word for cell in cells for word in cell], type=DataType.utf8())
    return list_array(Array(ends, type=DataType.int32()), flat)
