"""What reaches a door and is secret: sealed with its connection's key before it leaves it, in the message or, large,
in S3."""

from __future__ import annotations

import base64

from shared import objects
from shared.connections import Connection
from shared.jobs import new_id
from shared.vault import seal, unseal

INLINE_AT_MOST = 190_000
"""Bytes sealed; 256 kB once they are base64."""


def enclose(held: Connection, plain: bytes) -> str:
    """What a job carries as its `payload` or its `callback`."""
    sealed = seal(held.owner, "payload", plain)
    if len(sealed) <= INLINE_AT_MOST:
        return base64.b64encode(sealed).decode()
    key = f"inbox/{new_id()}"
    objects.put(key, sealed)
    return f"s3:{key}"


def disclose(held: Connection, enclosed: str) -> bytes:
    """Raises UnsealError where the connection it was meant for is another."""
    if enclosed.startswith("s3:"):
        return unseal(held.owner, "payload", objects.get(enclosed.removeprefix("s3:")))
    return unseal(held.owner, "payload", base64.b64decode(enclosed))
