"""How fresh what we know is, beside how fresh it was promised to be. Pure functions of what is stored.

The promise: whatever was due by the timetable half an hour ago has been asked for. A webhook brings most news within
minutes; polling is what can be promised, for it finds what the webhooks missed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

from shared.connections import Connection
from shared.looks import last_due
from shared.model import DAY, HOUR, MINUTE
from shared.providers import Provider, Resource, house
from shared.timetable import LOOK
from shared.values import dataclass
from shared.visits import Question, Visit

SILENT_AFTER = DAY
QUIET_AFTER = 2 * DAY
PUSHES_NOTED, POLLS_NOTED = 6 * HOUR, 4 * HOUR
"""How old the connection's note of either may be before it is written anew: days decide about what was pushed, but
hours about polls."""
TOLD_WITHIN = 15 * MINUTE
"""From our door's hearing of news to its being there to read."""


@dataclass(frozen=True)
class Freshness:
    """`expected` and `actual` in milliseconds: the oldest that knowledge of this resource should be now, and how long
    ago it was last known to be complete. `as_of` dates the newest news of it; 0 where there was none lately."""

    resource: str
    by: Literal["webhook", "polling"]
    expected: int | None
    actual: int | None
    as_of: int


def of(held: Connection, provider: Provider, as_of: Mapping[str, int], now: int) -> list[Freshness]:
    """`as_of` dates the newest knowledge of each resource, as the latest days have it."""
    if not provider.connects:
        return []
    granted = [r for r in provider.resources if r.name in held.resources]
    return [one(held, provider, r, as_of.get(r.name, 0), now) for r in granted]


def one(held: Connection, provider: Provider, resource: Resource, as_of: int, now: int) -> Freshness:
    by: Literal["webhook", "polling"] = "webhook" if provider.tells(resource) and not held.silent_since else "polling"
    promised = last_due(provider, resource.name, held.turn, now - LOOK)
    complete = max(as_of, asked(held, provider, resource, now))
    return Freshness(
        resource.name, by, now - promised if promised else None, now - complete if complete else None, as_of
    )


def asked(held: Connection, provider: Provider, resource: Resource, now: int) -> int:
    """When it was last asked for: at its last look, if polls ran then. The connection knows that as nearly as it
    notes them."""
    due = last_due(provider, resource.name, held.turn, now)
    if due is None:
        return held.last_push_at
    return due if held.last_poll_at > due - POLLS_NOTED else held.last_poll_at


# ---------------------------------------------------------------- webhooks gone silent


def heard(held: Connection) -> int:
    return max(held.last_push_at, held.since)


def unannounced(visit: Visit, now: int) -> bool:
    """The poll brought news that the vendor's webhooks should have told, and they have told nothing for a day."""
    news = [q for q in visit.questions if q.changed and visit.provider.tells(q.resource)]
    return visit.job.reason == "poll" and bool(news) and now - heard(visit.connection) > SILENT_AFTER


def is_silent(held: Connection, provider: Provider, now: int) -> bool:
    """A provider that may not be polled is silent where it has not spoken for two days."""
    return bool(held.silent_since) or (not provider.timer_polling and now - heard(held) > QUIET_AFTER)


# ---------------------------------------------------------------- measured


Measures = Mapping[str, list[float]]


def measured(visits: Iterable[Visit], now: int) -> Mapping[str, Measures]:
    """By provider: `Lag` of what was news, in seconds; `PromiseUsed`, the same as a part of what was promised; and for
    each poll of a provider with webhooks, whether those are `Silent`."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for visit in visits:
        mine = found[house(visit.provider.id)]
        if visit.job.reason == "poll" and visit.provider.pushes:
            mine["Silent"].append(float(is_silent(visit.connection, visit.provider, now)))
        for question in visit.questions:
            if question.changed and (lag := lag_of(visit, question, now)):
                mine["Lag"].append(round(lag[0] / 1000, 3))
                mine["PromiseUsed"].append(round(lag[0] / lag[1], 3))
    return found


def lag_of(visit: Visit, question: Question, now: int) -> tuple[int, int] | None:
    """How old the news was when it could be read, and how old it might have been.

    Since the vendor's own version of the record, where there is one. Else since our door was told; else, and then it is
    the most that it can have been, since we asked before. A vendor that may not be polled sends months of history as it
    sends news, so that how old its records are says nothing.
    """
    if visit.job.reason == "webhook":
        since, promised = visit.job.as_of, TOLD_WITHIN
    elif visit.job.reason == "poll":
        look = visit.job.as_of
        before = last_due(visit.provider, question.resource.name, visit.connection.turn, look)
        if before is None:
            return None
        since, promised = before, look - before + LOOK
    else:
        return None
    dated = version(question, now) if visit.provider.timer_polling else None
    return max(0, now - (dated or since)), promised


def version(question: Question, now: int) -> int | None:
    """The newest date that the vendor itself gives a record of this answer."""
    assert question.filed
    if not question.resource.dated:
        return None
    dated = (d.as_of for change in question.filed.changes for d in change.news.documents if d.as_of)
    return max((at for at in dated if at <= now), default=None)
