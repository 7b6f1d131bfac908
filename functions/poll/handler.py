"""The one-minute rule: queue the segments whose minute has come. SQS segments: queue every poll that is due on one.
An operator's {"segments": ["17#0", …]}: ask for everything on these now."""

from __future__ import annotations

from typing import Any

from shared import jobs, ring
from shared.jobs import now_ms


def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    if "Records" in event:
        return {"queued": sum(ring.look(jobs.read(record["body"])) for record in event["Records"])}
    if "segments" in event:
        now = now_ms()
        return {"queued": sum(ring.look(ring.clocked(segment, now, forced=True)) for segment in event["segments"])}
    return {"segments": ring.walk(now_ms())}
