"""The keys that vendors publish to sign their webhooks with: fetched when one is needed, kept for a day.

A key id we do not know may be a new one, so it is looked for again, but at most once a minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from threading import Lock
from typing import Any

from shared.apps import App
from shared.errors import ProviderUnavailableError
from shared.providers import Point, PublishedKey

FRESH_S, AGAIN_S = 86_400, 60
TIMEOUT_S = 3.0
LARGEST = 1_000_000

_kept: dict[str, tuple[float, Mapping[str, Point]]] = {}
_fetching = Lock()


def key(proof: PublishedKey, app: App, id: str) -> Point | None:
    """Raises ProviderUnavailableError where the keys cannot be had: better no answer than a wrong one."""
    url = app.url(proof.keyset)
    with _fetching:
        fetched, keys = _kept.get(url, (0.0, {}))
        age = time.monotonic() - fetched if url in _kept else FRESH_S + 1
        if age > FRESH_S or (id not in keys and age > AGAIN_S):
            keys = read(proof, fetch(url))
            _kept[url] = (time.monotonic(), keys)
        return keys.get(id)


def read(proof: PublishedKey, body: bytes) -> Mapping[str, Point]:
    try:
        return proof.read_keyset(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise ProviderUnavailableError(f"the published keys: {type(wrong).__name__}", AGAIN_S) from wrong


def fetch(url: str) -> bytes:
    """One GET, without a client that would cost more to import than to use; redirects are not followed."""
    import http.client  # costs as much as all the rest of this door: only for those who need it
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    kind: Any = http.client.HTTPConnection if parts.scheme == "http" else http.client.HTTPSConnection
    connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        reply = connection.getresponse()
        if reply.status == 200:
            return bytes(reply.read(LARGEST))
        raise ProviderUnavailableError(f"the published keys: status {reply.status}", AGAIN_S)
    except (OSError, http.client.HTTPException) as error:
        raise ProviderUnavailableError(f"the published keys: {type(error).__name__}", AGAIN_S) from error
    finally:
        connection.close()
