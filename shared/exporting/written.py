"""The file that a format writes into: gzip without a date, so that the same data is the same bytes."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from typing import BinaryIO

from shared.values import dataclass

CHUNK = 1_000
LEVEL = 6


@dataclass
class Written:
    """How much was written; `left_out` is what the format has no place for."""

    records: int = 0
    left_out: int = 0


def packed(
    out: BinaryIO, lines: Iterable[bytes], before: bytes = b"", between: bytes = b"\n", after: bytes = b"\n"
) -> int:
    """Writes the lines; returns how many there were."""
    count = 0
    with gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=out, mtime=0) as file:
        file.write(before)
        chunk: list[bytes] = []
        for count, line in enumerate(lines, 1):
            chunk += (between, line) if count > 1 else (line,)
            if len(chunk) >= CHUNK:
                file.write(b"".join(chunk))
                chunk.clear()
        file.write(b"".join(chunk) + after)
    return count
