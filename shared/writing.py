"""Puts a visit's answers into the Data table and tells the app what changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from shared import connections, jobs, sections, zones
from shared.commit import Announcement, Change, Proposal, commit, proposal, proposals
from shared.freshness import POLLS_NOTED, PUSHES_NOTED, unannounced
from shared.jobs import now_ms
from shared.local_time import Zones
from shared.log import logger
from shared.model import Document
from shared.settings import settings
from shared.timetable import LOOK
from shared.values import replace
from shared.visits import Question, Visit

STAMPS = {"webhook": "last_push_at", "push": "last_push_at", "poll": "last_poll_at"}
NOTED = {"last_push_at": PUSHES_NOTED, "last_poll_at": POLLS_NOTED, "last_data_at": PUSHES_NOTED}


def write(visit: Visit) -> list[Announcement]:
    """Sections and their slots; what is to be announced before the visit is closed. Repeating it is harmless."""
    learn_zone(visit)
    return [said for question in visit.questions if question.filed is not None for said in written(visit, question)]


def close(visit: Visit) -> None:
    """Notes on the connection, and cursors: one write at most, and most syncs none."""
    moves = moved(visit) if visit.job.reason == "poll" else {}
    stamps = stamped(visit, news=any(question.said for question in visit.questions), anyway=bool(moves))
    if stamps or moves:
        connections.note(visit.connection.id, stamps, moves)


def moved(visit: Visit) -> dict[str, tuple[str, str]]:
    """By resource, from where to where its cursor moves: from the oldest day, and no further than the first part that
    was not answered. A write whose condition fails is paid for like any other: where the cursor stands there already,
    none is tried."""
    stuck, moves = set[str](), dict[str, tuple[str, str]]()
    parts = [(q.window, q) for q in visit.questions if q.window]
    for window, question in sorted(parts, key=lambda part: part[0].first):
        name = question.resource.name
        if question.filed is None:
            stuck.add(name)
        if name not in stuck and visit.connection.cursors.get(name, "") < window.last.isoformat():
            before = (window.first - timedelta(days=1)).isoformat()
            # Not from inside the window where the vendor no longer answers for the days since.
            before = min(before, visit.connection.cursors.get(name, before))
            start, _ = moves.get(name, (before, ""))
            moves[name] = start, window.last.isoformat()
    return moves


def learn_zone(visit: Visit) -> None:
    """A person who never said where they live is where their provider says."""
    if visit.zones == Zones():
        named = (visit.provider.zone(reply) for question in visit.questions for reply in question.replies)
        if name := next(filter(None, named), None):
            zones.learned(visit.connection.user, name)


def written(visit: Visit, question: Question) -> list[Announcement]:
    assert question.filed is not None
    if question.filed.skipped:
        reasons = sorted({f"{skip.reason} {skip.field}".strip() for skip in question.filed.skipped})
        counts = {"resource": question.resource.name, "skipped": len(question.filed.skipped), "reasons": reasons}
        logger().warning("records skipped", extra={"job": visit.job.id, **counts})
    if not (question.changed or question.begun):
        return []
    proposed = latest(visit, question)
    living = unburied(visit, question, {key: made.seen for key, made in proposed.items()})
    for change in question.filed.changes:
        made, known = proposed.get(change.key), change.only(living)
        if made and known is not change:
            made = proposal(made.seen, known, visit.job.id)
        if made:
            raw = pointer(question, change, made.seen)
            announcement = commit(sections, replace(known, raw=raw), visit.job.id, made.pointing(raw))
            question.said += [announcement] if announcement else []
    return question.said


def latest(visit: Visit, question: Question) -> dict[sections.Key, Proposal]:
    """What was proposed when the answer came; anew of sections that this visit has written since."""
    assert question.filed is not None
    behind = {announcement.key for asked in visit.questions for announcement in asked.said}
    again = [change for change in question.filed.changes if change.key in behind]
    kept = {key: made for key, made in question.proposed.items() if key not in behind}
    return kept | proposals(sections.read(change.key for change in again), again, visit.job.id)


def pointer(question: Question, change: Change, section: sections.Section) -> str:
    """The reply; or none where it only tells that documents are gone, and the section stays made of what it was."""
    assert question.filed is not None
    news, gone = change.news, change.news.deleted.intersection(section.ids)
    only_gone = gone <= set(question.filed.deletions) and not (news.whole or news.documents or news.moved)
    return "" if only_gone else question.raw


def unburied(
    visit: Visit, question: Question, stored: Mapping[sections.Key, sections.Section]
) -> Callable[[Document], bool]:
    """Tells the documents that were deleted after they were fetched; only those not here yet need asking about."""
    assert question.filed is not None
    here = {key: frozenset(section.ids) for key, section in stored.items()}
    changes = [change for change in question.filed.changes if change.key in here]
    new = [d.id for c in changes for d in c.news.documents if d.id and d.id not in here[c.key]]
    where = visit.connection.user, visit.provider.id, question.resource.name
    # What a poll lists and should not, the next one does not.
    graves = sections.buried(*where, new, now_ms(), loosely=visit.job.reason == "poll")
    return lambda document: graves.get(document.id, 0) <= (document.as_of or question.as_of)


def announce(said: Iterable[Announcement]) -> None:
    """Identifiers only: what changed is read by whoever hears of it."""
    bodies = [
        json.dumps({"id": a.id, "user": a.key.user, "day": a.key.day, "source": a.key.source,
                    "resource": a.key.resource, "revision": a.rev})
        for a in said
    ]  # fmt: skip
    jobs.send_bodies(settings().changes_queue, bodies)


def stamped(visit: Visit, news: bool, anyway: bool) -> dict[str, int]:
    """That the connection lives, now and then, and whenever it is written to `anyway`. What brings news notes that a
    look sooner: what does not would note its own part, and the news the other an hour later.

    Whether its webhooks are trusted is noted at once. That alone is on the ring, too: polling slows where they are.
    """
    held, now = visit.connection, now_ms()
    stamp = STAMPS.get(visit.job.reason)
    seen = {"last_data_at"} if news else set()
    seen |= {stamp} if stamp and answered(visit) else set()
    soon = LOOK if news else 0
    stale = anyway or any(now - getattr(held, name) > NOTED[name] - soon for name in seen)
    stamps = dict.fromkeys(seen, now) if stale else {}
    if visit.job.reason == "webhook" and held.silent_since:
        stamps |= {"silent_since": 0, "last_push_at": now}
    elif visit.job.reason == "webhook" and 0 < held.trouble_since <= visit.job.as_of:
        stamps |= {"trouble_since": 0, "last_push_at": now}
    elif not held.silent_since and unannounced(visit, now):
        stamps["silent_since"] = now
    return stamps


def answered(visit: Visit) -> bool:
    """Nothing was asked, or some of it was answered."""
    return not visit.questions or any(question.filed for question in visit.questions)
