"""Our own objects in the bucket: put whole, and read whole or by a span, by one signed request each."""

from __future__ import annotations

from urllib.parse import quote

from shared.settings import settings
from shared.signed import Request, ask, emulator, origin


def put(key: str, body: bytes) -> None:
    _ask("PUT", key, {}, body)


def get(key: str, offset: int = 0, length: int = 0) -> bytes:
    """With a `length`, so many bytes from `offset`. Raises AwsError, of the code `NoSuchKey` where it has expired."""
    return _ask("GET", key, {"range": f"bytes={offset}-{offset + length - 1}"} if length else {})


def _ask(method: str, key: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bucket is part of the host's name, as AWS wants it; an emulator has but one name."""
    bucket, path = settings().raw_bucket, f"/{quote(key)}"
    there, path = (emulator(), f"/{bucket}{path}") if emulator() else (origin(f"{bucket}.s3"), path)
    return ask(Request("s3", there, method, path, headers, body))
