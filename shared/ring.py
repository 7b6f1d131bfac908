"""The ring of catch-up polling: a walker queues the segments whose minute has come, a look queues what is due on one.

No scan, and no index write per poll: the index projects only what rarely changes. Segments are queued before the
watermark moves, so a walker that dies repeats itself, which is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from shared import connections, control, jobs, runs
from shared.control import Item
from shared.jobs import Job, now_ms
from shared.log import logger
from shared.model import DAY, MINUTE
from shared.providers.registry import provider, providers
from shared.settings import settings
from shared.timetable import LOOK, LOOK_MINUTES, WAKE_HOUR, due

WATERMARK = ("K#ring", "watermark")


def walk(now: int) -> int:
    """Queues the segments whose minute has come since the last walk; returns how many. After an outage only the last
    half hour counts: every connection is visited within it."""
    minute = now // MINUTE
    mark = control.get(*WATERMARK)
    walked = mark["walked"] if mark else minute - 1
    passed = [at * MINUTE for at in range(max(walked, minute - LOOK_MINUTES) + 1, minute + 1)]
    shards = settings().ring_shards
    looks = [clocked(s, at) for at in passed for s in connections.segments(shards, [at // MINUTE % LOOK_MINUTES])]
    jobs.send(settings().segments_queue, looks)
    for midnight in (at for at in passed if at % DAY == 0):
        run = runs.name(midnight, "renew")
        renewed = [subscribe(run, p.id) for p in providers() if renews(p.id, "app")]
        runs.began(run, len(renewed), "apps")
        jobs.send(settings().fresh_queue, renewed)
    condition = "attribute_not_exists(walked) OR (walked = :before AND walked < :now)"
    control.update(*WATERMARK, "SET walked = :now", {"now": minute, "before": walked}, condition)
    return len(looks)


def clocked(segment: str, at: int, forced: bool = False) -> Job:
    id_ = f"look.{segment}.{at // MINUTE}"
    return Job(id=id_, task="look", reason="poll", as_of=at, segment=segment, forced=forced)


def look(job: Job) -> int:
    """A poll for each connection on one page of a segment with something due, or for all where the look is `forced`;
    returns how many. Who comes after is another look, so that no segment outgrows an invocation."""
    page, rest = control.on_ring(job.segment, job.after)
    found = list(polls(job, page))
    runs.began(run_of(job), len(found), job.page)
    if job.as_of % DAY < LOOK and not job.forced:
        renew(job, page)
    jobs.send(settings().fresh_queue, found)
    if rest:
        jobs.send(settings().segments_queue, [replace(job, after=rest)])
    logger().info("ring", extra={"segment": job.segment, "seen": len(page), "queued": len(found)})
    return len(found)


def run_of(look: Job) -> str:
    return runs.name(look.as_of, "asked" if look.forced else "poll")


def polls(job: Job, page: Iterable[Item]) -> Iterator[Job]:
    for item in page:
        granted, silent = item.get("resources", set()), bool(item.get("silent_since"))
        source, wake = provider(item["provider"]), item.get("wake", WAKE_HOUR)
        asked = sorted(granted) if job.forced else due(source, granted, item["zone"], job.as_of, wake, silent)
        if asked:
            whose = item["pk"].removeprefix("C#")
            yield Job(
                id=f"poll.{whose}.{job.as_of // MINUTE}", reason="poll", as_of=job.as_of, connection=whose,
                resources=tuple(asked), forced=job.forced, run=run_of(job),
            )  # fmt: skip


def renew(job: Job, page: Iterable[Item]) -> None:
    """Once a day: each person's own subscriptions. Vendors drop them silently; those of an app are the walker's."""
    run = runs.name(job.as_of, "renew")
    mine = (item for item in page if renews(item["provider"], "connection"))
    renewed = [subscribe(run, item["provider"], item["pk"].removeprefix("C#")) for item in mine]
    runs.began(run, len(renewed), job.page)
    jobs.send(settings().fresh_queue, renewed)


def renews(provider_id: str, per: str) -> bool:
    wished = provider(provider_id).subscriptions
    return wished is not None and wished.per == per


def subscribe(run: str, provider_id: str, connection: str = "") -> Job:
    now = now_ms()
    id_ = f"subscribe.{provider_id}.{connection}.{now}"
    return Job(id=id_, task="subscribe", reason="poll", as_of=now, provider=provider_id, connection=connection, run=run)
