"""The walker of catch-up polling: every minute, the segments whose minute has come, and what is due on them.

No scan, and no index write per poll: the index projects only what rarely changes. Segments are queued before the
watermark moves, so a walker that dies repeats itself, which is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from shared import control, jobs, runs
from shared.connections import RING_MINUTES, SHARDS
from shared.jobs import Job, now_ms
from shared.log import logger
from shared.model import MINUTE
from shared.providers.registry import provider, providers
from shared.settings import settings
from shared.timetable import WAKE_HOUR, due

WATERMARK = ("K#ring", "watermark")
DAILY = 24 * 60


def walk(now: int) -> int:
    """Queues what is due since the last walk; returns how many polls. After an outage only the last half hour counts:
    every connection is visited within it."""
    minute = now // MINUTE
    mark = control.get(*WATERMARK)
    walked = mark["walked"] if mark else minute - 1
    queued = sum(visit(at) for at in range(max(walked, minute - RING_MINUTES) + 1, minute + 1))
    condition = "attribute_not_exists(walked) OR (walked = :before AND walked < :now)"
    control.update(*WATERMARK, "SET walked = :now", {"now": minute, "before": walked}, condition)
    return queued


def visit(minute: int) -> int:
    segments = [f"{minute % RING_MINUTES}#{shard}" for shard in range(SHARDS)]
    if minute % DAILY < RING_MINUTES:
        found = [item for segment in segments for item in control.on_ring(segment)]
        renew(found, minute % DAILY == 0, runs.name(minute * MINUTE, "renew"))
    return look(segments, minute * MINUTE)


def look(segments: Sequence[str], at: int, everything: bool = False) -> int:
    """Queues a poll for each connection of these segments with something due, or for all (an operator's "now")."""
    found, run = [], runs.name(at, "asked" if everything else "poll")
    for item in (item for segment in segments for item in control.on_ring(segment)):
        resources = item.get("resources", set())
        source, wake = provider(item["provider"]), item.get("wake", WAKE_HOUR)
        asked = tuple(sorted(resources)) if everything else due(source, resources, item["zone"], at, wake)
        if asked:
            connection = item["pk"].removeprefix("C#")
            id_ = f"poll.{connection}.{at // MINUTE}"
            found.append(Job(id=id_, reason="poll", as_of=now_ms(), connection=connection, resources=asked, run=run))
    runs.began(run, len(found), " ".join(segments))
    jobs.send(settings().fresh_queue, found)
    logger().info("ring", extra={"queued": len(found)})
    return len(found)


def renew(held: Iterable[control.Item], apps_too: bool, run: str) -> None:
    """Once a day: each person's own subscriptions, and those an app holds for everybody. Vendors drop them silently."""
    now = now_ms()
    wished = {p.id: p.subscriptions.per for p in providers() if p.subscriptions}
    whose = [
        (item["provider"], item["pk"].removeprefix("C#"))
        for item in held
        if wished.get(item["provider"]) == "connection"
    ]
    if apps_too:
        whose += [(p, "") for p, per in wished.items() if per == "app"]
    runs.began(run, len(whose))
    one = Job(id="", task="subscribe", reason="poll", as_of=now, run=run)
    found = [replace(one, id=f"subscribe.{p}.{c}.{now}", provider=p, connection=c) for p, c in whose]
    jobs.send(settings().fresh_queue, found)
