"""What the vendor sent, kept sealed before anything made of it is written. One object per worker invocation.

A segment holds one answer: how it was come by, then its pages, separated by RFC 7464's record separator, deflated,
sealed with the connection's key. A section points at its segment: `key,offset,length`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime

import orjson

from shared import objects
from shared.jobs import new_id
from shared.providers import Window
from shared.values import dataclass
from shared.vault import Owner, seal, unseal

SEPARATOR = b"\x1e"


@dataclass(frozen=True)
class Answered:
    """A vendor's answer, and what a replay must know of it: how old its knowledge is, and which days it answers for
    (None: a document or a push, which speaks only of what it holds)."""

    pages: Sequence[bytes]
    as_of: int
    window: Window | None = None

    def plain(self) -> bytes:
        days = [self.window.first.isoformat(), self.window.last.isoformat()] if self.window else None
        return SEPARATOR.join([orjson.dumps({"as_of": self.as_of, "window": days}), *self.pages])

    @classmethod
    def read(cls, plain: bytes) -> Answered:
        head, *pages = plain.split(SEPARATOR)
        told = orjson.loads(head)
        return cls(pages, told["as_of"], Window(*map(date.fromisoformat, told["window"])) if told["window"] else None)


class RawObject:
    """Segments gathered for one PUT."""

    def __init__(self) -> None:
        self.key = f"raw/{datetime.now(UTC):%Y/%m/%d}/{new_id()}"
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, owner: Owner, answered: Answered) -> str:
        """Where the segment will be once `keep` has returned."""
        sealed = seal(owner, "raw", zlib.compress(answered.plain(), 1))
        pointer = f"{self.key},{self._length},{len(sealed)}"
        self._parts.append(sealed)
        self._length += len(sealed)
        return pointer

    def keep(self) -> None:
        if self._parts:
            objects.put(self.key, b"".join(self._parts))


def fetch(owner: Owner, pointer: str) -> Answered:
    """The answer a section was mapped from. Raises as `objects.get` where it has expired, and UnsealError."""
    key, offset, length = pointer.split(",")
    return Answered.read(zlib.decompress(unseal(owner, "raw", objects.get(key, int(offset), int(length)))))
