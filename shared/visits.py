"""What one job asks of one connection: its questions to the vendor, and what came back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared import sections
from shared.budget import Budget
from shared.commit import Announcement, Proposal
from shared.connections import Connection
from shared.errors import TributaryError
from shared.filing import Answer, Filed
from shared.jobs import Job, now_ms
from shared.judging import LOOK_BACK, look_back, worth_asking
from shared.local_time import Zones, local_day
from shared.payloads import disclose
from shared.providers import Provider, Request, Resource, Window
from shared.values import dataclass, field

VENDOR_LAG_MS = 5_000


@dataclass
class Question:
    """One resource over one window (or one document, or a payload already here), its answer, and what was announced
    of that."""

    resource: Resource
    window: Window | None = None
    request: Request | None = None
    pages: list[bytes] = field(default_factory=list)
    replies: list[Any] = field(default_factory=list)
    as_of: int = 0
    filed: Filed | None = None
    proposed: dict[sections.Key, Proposal] = field(default_factory=dict)
    """What the answer makes of the sections, as they were when it came."""
    changed: bool = False
    said: list[Announcement] = field(default_factory=list)
    begun: bool = False
    """A section of it was written by this very job, which may have died before it filled the slot and announced."""
    raw: str = ""
    error: TributaryError | None = None

    @property
    def ordered(self) -> bool:
        """The vendor is only asked to send it: its answer holds nothing."""
        return self.resource.later and self.window is not None


@dataclass
class Visit:
    job: Job
    connection: Connection
    provider: Provider
    zones: Zones
    questions: list[Question]
    budget: Budget = field(default_factory=Budget)
    refreshed: int = 0
    """How often its token was renewed."""
    walked: dict[tuple[tuple[str, ...], frozenset[str]], list[sections.Key]] = field(default_factory=dict)
    """Where documents that are no more were found, by the resources looked through and the ids looked for."""

    def renewed(self) -> None:
        self.refreshed += 1

    def answer(self, question: Question) -> Answer:
        resource, hook = question.resource, self.provider.webhook
        return Answer(
            self.connection.user,
            self.provider,
            resource,
            question.replies,
            question.as_of,
            self.zones,
            window=None if resource.current else question.window,  # how things stand may have been so for long
            unsigned=bool(self.job.payload and hook and not hook.proves_data),
        )


def plan(job: Job, held: Connection, provider: Provider, zones: Zones) -> Visit:
    """Only resources the person granted are asked for; a job that names none means all of them. A poll leaves out what
    need not be asked after all; a forced one nothing but what the vendor forbids."""
    wanted = job.resources or held.resources
    resources = [r for r in provider.resources if r.name in wanted and r.name in held.resources]
    asked: Iterable[tuple[Resource, timedelta]] = ((r, look_back(r)) for r in resources)
    if job.reason == "poll" and not (job.forced and provider.timer_polling):
        asked = worth_asking(job.as_of, held, provider, resources, recent(1, zones).last)
    found = [q for resource, back in asked for q in questions(job, held, resource, zones, back)]
    return Visit(job, held, provider, zones, found)


def questions(
    job: Job, held: Connection, resource: Resource, zones: Zones, back: timedelta = LOOK_BACK
) -> Iterator[Question]:
    if job.payload:
        yield Question(resource)
    elif job.callback:
        yield Question(resource, request=Request(url=disclose(held, job.callback).decode()))
    elif job.document and resource.fetch_one and not job.deleted:
        yield Question(resource, request=resource.fetch_one(job.document))
    elif resource.fetch and not job.deleted:
        window = within_reach(days_of(job, held, resource, zones, back), resource, zones)
        parts = window.split(resource.max_days) if window and not satisfied(job, held, resource, window) else []
        for part in parts:
            yield Question(resource, part, resource.fetch(part.padded(resource.padding)))


def days_of(job: Job, held: Connection, resource: Resource, zones: Zones, back: timedelta) -> Window | None:
    """A poll asks from the day before its cursor's, or from further `back`; everything else says its days itself."""
    if job.reason != "poll":
        return job.days()
    today = date.fromisoformat(local_day(now_ms(), None, zones))
    connected = datetime.fromtimestamp(held.created / 1000, UTC).date()
    cursor = held.cursors.get(resource.name)
    start = date.fromisoformat(cursor) if cursor else connected
    return Window(min(start - LOOK_BACK, today - back), today)


def within_reach(window: Window | None, resource: Resource, zones: Zones) -> Window | None:
    """The days of the window that the vendor answers for."""
    days = 1 if resource.current else resource.reach_days
    if window is None or days is None:
        return window
    oldest = recent(days, zones).first
    return Window(max(window.first, oldest), window.last) if window.last >= oldest else None


def satisfied(job: Job, held: Connection, resource: Resource, window: Window) -> bool:
    """A hint needs no call where a fetch of these days *began* after the hint came (with a margin for the vendor's own
    delay), by another job: so a burst is one fetch and a replay costs none."""
    if job.reason != "webhook":
        return False
    keys = [sections.Key(held.user, d.isoformat(), held.provider, resource.name) for d in window.days()]
    found = sections.read(keys).values()
    return all(s.rev and s.as_of > job.as_of + VENDOR_LAG_MS and s.by != job.id for s in found)


def recent(days: int, zones: Zones) -> Window:
    """The last `days` local days, today included."""
    today = date.fromisoformat(local_day(now_ms(), None, zones))
    return Window(today - timedelta(days=days - 1), today)


def beyond(days: int, held_back: int, zones: Zones) -> Window:
    """The `days` local days before the last `held_back`."""
    last = recent(held_back + 1, zones).first
    return Window(last - timedelta(days=days - 1), last)
