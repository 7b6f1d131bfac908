"""The provider secret, read once per container and again every five minutes."""

from __future__ import annotations

import json
import time
from threading import Lock

from shared.apps import Apps
from shared.settings import settings
from shared.signed import call

FRESH_S = 300
_read: tuple[float, Apps] | None = None
_reading = Lock()


def apps() -> Apps:
    global _read
    with _reading:
        if _read is None or time.monotonic() - _read[0] > FRESH_S:
            reply = call("secretsmanager", "secretsmanager.GetSecretValue", {"SecretId": settings().app_secret}, "1.1")
            _read = (time.monotonic(), Apps.read(json.loads(reply["SecretString"])))
        return _read[1]
