"""Jobs that ask the vendor nothing."""

from __future__ import annotations

from zlib import crc32

from shared import connections, consents, control, jobs, runs, sections, tokens
from shared.commit import Change, commit, publish
from shared.connections import Connection
from shared.discovery import settled
from shared.errors import ReconnectError
from shared.jobs import Job
from shared.knowledge import News
from shared.log import logger
from shared.progress import finish
from shared.providers import OAuth2
from shared.providers.registry import provider
from shared.secret import apps
from shared.settings import settings
from shared.values import replace
from shared.writing import announce


def fan_out(job: Job, people: list[str], queue: str) -> None:
    """A vendor's event about one account becomes a job for each person who connected it. A visit to one person only is
    made at once: see shared/sync.py. A word may move the account itself, so that it would not be found again."""
    if not people:
        logger().info("nobody here is connected to that account", extra={"job": job.id, "provider": job.provider})
    jobs.send(queue, [for_person(job, connection) for connection in people])


def for_person(job: Job, connection: str) -> Job:
    """Under an id that is the same however many others connect the account meanwhile: what a dead worker wrote by it
    is known again. It does not name the connection, which may be gone when the id is told."""
    return replace(job, id=f"{job.id}.{crc32(connection.encode()):08x}", account="", connection=connection)


def forget(job: Job, held: Connection) -> None:
    """The vendor deleted a document: it goes from its section, and is refused where it comes late."""
    source = provider(held.provider)
    for name in job.resources:
        # First of all: an answer fetched before the deletion may still be on its way.
        sections.bury(held.user, source.id, name, [job.document], job.as_of)
        for key in sections.holding(held.user, source.id, [name], [job.document], job.id):
            news = News(job.as_of, deleted=frozenset({job.document}))
            kind, version = source.kind_of(key.resource), source.resource(name).version
            said = commit(sections, Change(key, news, kind, version=version), job.id)
            announce([said] if said else [])


def goodbye(job: Job, held: Connection) -> None:
    """The person ended the grant at the vendor, it says; whether the grant lives is seen by renewing its token, where
    there is one. Where there is none the goodbye named the grant itself, and was signed. A late goodbye to an earlier
    grant ends nothing. Raises RetryLaterError until the vendor has refused twice."""
    if not concerns(job, held):
        return
    source, credentials = provider(held.provider), apps()
    if isinstance(source.auth, OAuth2):
        try:
            app = credentials.app(source.id)
            source = settled(source, app)
            tokens.access_token(source, app, held, rejected=tokens.opened(held)["access_token"])
            return
        except ReconnectError:
            pass
    consents.record(credentials.hooks.key, held.user, "withdrawn", held.provider, cause="revoked_at_vendor")
    connections.suspend(held.id, "revoked_at_vendor")


def rename(job: Job, held: Connection) -> None:
    """The vendor calls the same person by another id from now on."""
    if job.successor != held.account:
        connections.rename(held, job.successor)


def worry(job: Job, held: Connection) -> None:
    """The source refuses the aggregator, which has not given up: so neither do we, and tell the person. News that came
    since, or a new consent, is the better word."""
    if held.state == "active" and held.since <= job.as_of and held.last_push_at <= job.as_of:
        connections.change(held.id, trouble_since=job.as_of)


def concerns(job: Job, held: Connection) -> bool:
    """A grant that was seen to be over and not yet called so, too: whoever saw it may have died right then."""
    return held.since <= job.as_of if held.state == "active" else held.cause in tokens.CONDEMNED.values()


def aggregate(job: Job) -> None:
    """Fills the slots of these days again from their sections."""
    window = job.days()
    assert window is not None
    for section in sections.sections(job.user, window.first.isoformat(), window.last.isoformat(), consistent=True):
        publish(sections, section, provider(section.key.source).kind_of(section.key.resource))
    if job.tracked:
        finish(job.tracked, job.part)


def everyone(job: Job) -> None:
    """A job for each connection of the chosen services on one page of a ring segment; then the next page."""
    found, rest = control.on_ring(job.segment, job.after)
    chosen = [item for item in found if not job.services or item["provider"] in job.services]
    runs.began(job.run, len(chosen), job.page)
    jobs.send(settings().bulk_queue, [for_one(job, item["pk"].removeprefix("C#")) for item in chosen])
    if rest:
        jobs.send(settings().bulk_queue, [replace(job, after=rest)])
    elif job.tracked:
        finish(job.tracked, job.part)


def for_one(job: Job, connection: str) -> Job:
    return Job(
        id=f"{job.id}.{connection}", reason=job.reason, as_of=job.as_of, connection=connection, window=job.window,
        run=job.run,
    )  # fmt: skip
