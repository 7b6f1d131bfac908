"""The ring of catch-up polling: a walker queues the segments whose minute has come, a look queues what is due on one.

No scan, and no index write per poll: the index projects only what rarely changes. Segments are queued before the
watermark moves, so a walker that dies repeats itself, which is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from shared import connections, control, jobs, runs
from shared.control import Item
from shared.jobs import Job, now_ms
from shared.log import logger
from shared.model import DAY, MINUTE
from shared.providers.registry import provider, providers
from shared.settings import settings
from shared.timetable import LOOK, LOOK_MINUTES, REVIEW_DAYS, WAKE_HOUR, due, is_reviewed, last_days
from shared.values import replace

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


def clocked(segment: str, at: int, forced: bool = False, reason: Literal["poll", "review"] = "poll") -> Job:
    id_ = f"look.{segment}.{at // MINUTE}"
    return Job(id=id_, task="look", reason=reason, as_of=at, segment=segment, forced=forced)


def look(job: Job) -> int:
    """A poll for each connection on one page of a segment with something due, a review for each whose week is over;
    a `forced` look is one or the other for all. No vendor is asked by it that forbids the clock. Returns how many. Who
    comes after is another look, so that no segment outgrows an invocation."""
    page, rest = control.on_ring(job.segment, job.after)
    found = list(polls(job, page)) if job.reason == "poll" else []
    again = list(reviews(job, page))
    runs.began(run_of(job), len(found) + len(again), job.page)
    if job.as_of % DAY < LOOK and not job.forced:
        renew(job, page)
    jobs.send(settings().fresh_queue, found)
    jobs.send(settings().bulk_queue, again)
    if rest:
        jobs.send(settings().segments_queue, [replace(job, after=rest)])
    logger().info("ring", extra={"segment": job.segment, "seen": len(page), "queued": len(found) + len(again)})
    return len(found) + len(again)


def run_of(look: Job) -> str:
    kind = "asked" if look.forced else "poll"
    return runs.name(look.as_of, kind if look.reason == "poll" else f"{kind} review")


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


def reviews(job: Job, page: Iterable[Item]) -> Iterator[Job]:
    """The last fortnight once more, of whoever's hour of the week this look is. It is in no hurry."""
    for item in page:
        source, whose, zone = provider(item["provider"]), item["pk"].removeprefix("C#"), item["zone"]
        weekday, wake = connections.weekday_of(whose), item.get("wake", WAKE_HOUR)
        forced = job.reason == "review" and source.timer_polling
        if forced or (not job.forced and is_reviewed(source, weekday, zone, job.as_of, wake)):
            days = last_days(REVIEW_DAYS, zone, job.as_of)
            yield Job(
                id=f"review.{whose}.{job.as_of // MINUTE}", reason="review", as_of=job.as_of, connection=whose,
                window=(days.first.isoformat(), days.last.isoformat()), run=run_of(job),
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
