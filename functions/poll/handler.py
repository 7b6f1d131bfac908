"""The one-minute rule: queue the segments whose minute has come. SQS segments: queue every poll that is due on one.
An operator's {"segments": ["17#0", …]}: poll these people now, or with {"review": true} review their fortnight."""

from __future__ import annotations

from typing import Any, Literal

from shared import jobs, ring
from shared.jobs import now_ms


def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    if "Records" in event:
        return {"queued": sum(ring.look(jobs.read(record["body"])) for record in event["Records"])}
    if "segments" in event:
        now = now_ms()
        reason: Literal["poll", "review"] = "review" if event.get("review") else "poll"
        looks = [ring.clocked(segment, now, forced=True, reason=reason) for segment in event["segments"]]
        return {"queued": sum(map(ring.look, looks))}
    return {"segments": ring.walk(now_ms())}
