"""The one-minute rule: queue every poll that is due. An operator's {"segments": ["17#0", …]} asks for all at once."""

from __future__ import annotations

from typing import Any

from shared import ring
from shared.jobs import now_ms


def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    if "segments" in event:
        return {"queued": ring.look(event["segments"], now_ms(), everything=True)}
    return {"queued": ring.walk(now_ms())}
