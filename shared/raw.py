"""What the vendor sent, kept sealed before anything made of it is written. One object per worker invocation.

A segment holds the pages of one answer, separated by RFC 7464's record separator, deflated, sealed with the
connection's key. A section points at its segment: `key,offset,length`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime

from shared.aws import s3
from shared.jobs import new_id
from shared.settings import settings
from shared.vault import Owner, seal, unseal

SEPARATOR = b"\x1e"


class RawObject:
    """Segments gathered for one PUT."""

    def __init__(self) -> None:
        self.key = f"raw/{datetime.now(UTC):%Y/%m/%d}/{new_id()}"
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, owner: Owner, pages: Sequence[bytes]) -> str:
        """Where the segment will be once `keep` has returned."""
        sealed = seal(owner, "raw", zlib.compress(SEPARATOR.join(pages), 1))
        pointer = f"{self.key},{self._length},{len(sealed)}"
        self._parts.append(sealed)
        self._length += len(sealed)
        return pointer

    def keep(self) -> None:
        if self._parts:
            s3().put_object(Bucket=settings().raw_bucket, Key=self.key, Body=b"".join(self._parts))


def fetch(owner: Owner, pointer: str) -> list[bytes]:
    """The pages a section was mapped from."""
    key, offset, length = pointer.split(",")
    span = f"bytes={offset}-{int(offset) + int(length) - 1}"
    reply = s3().get_object(Bucket=settings().raw_bucket, Key=key, Range=span)
    return zlib.decompress(unseal(owner, "raw", reply["Body"].read())).split(SEPARATOR)
