"""Everything, as newline-delimited JSON: each line an object that names its `kind`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO

import orjson

from shared.exporting.person import Person
from shared.exporting.rows import KINDS, Row, everything
from shared.exporting.written import Written, packed

COLUMNS = {kind: tuple(columns) for kind, columns in KINDS.items()}
INSTANTS = {kind: [name for name, type_ in columns.items() if type_ == "instant"] for kind, columns in KINDS.items()}


def write(person: Person, out: BinaryIO) -> Written:
    return Written(packed(out, lines(everything(person))))


def lines(found: Iterable[tuple[str, Row]]) -> Iterator[bytes]:
    for kind, row in found:
        line = dict(zip(COLUMNS[kind], row, strict=True))
        for name in INSTANTS[kind]:
            line[name] = datetime.fromtimestamp(line[name] / 1000, UTC)
        yield orjson.dumps({"kind": kind, **line}, option=orjson.OPT_UTC_Z)
