"""Goodbye to a connection, at the vendor and here. Every step may be repeated.

The door closes the connection at once, so that nothing more is fetched for it; the worker then ends the grant at the
vendor, takes the tokens away and, where asked, the data.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal

from shared import connections, consents, jobs, progress, sections, tokens
from shared.apps import App
from shared.budget import Budget
from shared.connections import Connection
from shared.discovery import settled
from shared.errors import NotFoundError, RetryLaterError, TributaryError
from shared.jobs import Job, new_id, now_ms
from shared.log import logger
from shared.providers import Holder, Hosted, Json, OAuth2, Provider, Request
from shared.providers.registry import provider
from shared.secret import apps
from shared.settings import settings
from shared.subscriptions import listed, our_side
from shared.vendor import ask, converse

Outcome = Literal["revoked", "refused by the vendor", "the vendor has no revocation", "nothing to revoke"]


def asked(user: str, connection: str, purge: bool) -> str:
    """Closes the person's connection and queues the rest; returns the job's id. Raises NotFoundError."""
    held = connections.load(connection)
    if held is None or held.user != user:
        raise NotFoundError("no such connection", "connection")
    connections.close(held)
    id_ = new_id()
    progress.open_job(id_, user, "disconnect", [held.provider])
    job = Job(
        id=id_, task="disconnect", reason="sync", as_of=now_ms(), connection=held.id, deleted=purge, tracked=id_,
        part=held.provider,
    )  # fmt: skip
    jobs.send(settings().fresh_queue, [job])
    return id_


def disconnect(job: Job) -> None:
    """With `deleted`, the data this source brought goes too. Who connected again meanwhile keeps all of it."""
    held = connections.load(job.connection)
    if held and held.state == "disconnected":
        progress.tell(job.tracked, held.provider, part(held))
        consents.record(apps().hooks.key, held.user, "withdrawn", held.provider, cause="disconnected")
        if job.deleted:
            # The connection last of all: as long as it is here, a repetition goes through all of this again.
            sections.purge(held.user, held.provider)
            connections.delete(held)
        else:
            connections.forget_tokens(held)
    progress.finish(job.tracked, job.part)


def part(held: Connection) -> Outcome:
    """Ends the grant at the vendor and removes the person's own subscriptions. A refusal is an answer; only a vendor
    that cannot be reached is tried again (RetryLaterError)."""
    source = provider(held.provider)
    if not source.connects or not held.sealed:
        return "nothing to revoke"
    app = apps().app(source.id)
    try:
        source = settled(source, app)
        token = tokens.access_token(source, app, held, parting=True)
        unsubscribe(source, app, held, token)
        asking = goodbye(source, app, held, token)
        if asking is None:
            return "the vendor has no revocation"
        converse(asking, lambda request: ask(source, app, request, token, Budget.of(source, app, held.id)).json)
    except RetryLaterError:
        raise
    except TributaryError as error:
        logger().info("the vendor refused a goodbye", extra={"provider": source.id, "error": type(error).__name__})
        return "refused by the vendor"
    return "revoked"


def unsubscribe(source: Provider, app: App, held: Connection, token: str) -> None:
    wished = source.subscriptions
    if wished is None or wished.per != "connection" or wished.delete is None:
        return
    hook, budget = our_side(source, app, held.id), Budget.of(source, app, held.id)
    for standing in listed(source, wished, app, hook, token, budget):
        if standing.leads_to(hook.url):
            ask(source, app, wished.delete(hook, standing), token, budget)


def goodbye(source: Provider, app: App, held: Connection, token: str) -> Generator[Request, Json, None] | None:
    """What the spec says ends a grant; None where nothing does."""
    if isinstance(source.auth, Hosted):
        return source.auth.leave(held.account)
    if not isinstance(source.auth, OAuth2) or source.auth.revoke is None:
        return None
    kept = connections.load(held.id) or held  # renewed a moment ago, perhaps
    renews = str(tokens.opened(kept).get("refresh_token") or "")
    return source.auth.revoke(Holder(app.client_id, app.client_secret, token, held.account, now_ms() // 1000, renews))
