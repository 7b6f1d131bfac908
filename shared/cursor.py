"""Where the next page begins, as an opaque word. It holds only a place in the caller's own data, and a checksum that
ties it to the question it was an answer to."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import NamedTuple

import orjson

from shared.errors import BadRequestError

CHECK = 6


class Place(NamedTuple):
    """The last row given: its section, and its instant in milliseconds."""

    day: str
    source: str
    resource: str
    at: int

    @property
    def section(self) -> tuple[str, str, str]:
        return self[:3]


START = Place("", "", "", 0)


def write(question: object, place: Place) -> str:
    body = orjson.dumps(tuple(place))
    return base64.urlsafe_b64encode(_check(question, body) + body).decode().rstrip("=")


def read(question: object, cursor: str) -> Place:
    """START for an empty cursor. Raises BadRequestError for one we did not give, or gave to another question."""
    if not cursor:
        return START
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    check, body = raw[:CHECK], raw[CHECK:]
    if not body or check != _check(question, body):
        raise BadRequestError("not a cursor of this question; take `next_cursor` as it is", "cursor")
    return Place(*orjson.loads(body))


def _check(question: object, body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=CHECK, key=hashlib.sha256(repr(question).encode()).digest()).digest()
