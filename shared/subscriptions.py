"""Keeps the webhooks we asked for alive: create what is missing, renew what ends soon. The spec says how."""

from __future__ import annotations

from functools import partial

from shared import connections, issued, tokens
from shared.apps import EVERYBODY, App
from shared.budget import Budget
from shared.errors import NotGrantedError
from shared.issued import Issued
from shared.jobs import Job, now_ms
from shared.log import logger
from shared.progress import finish
from shared.providers import Hook, Provider, Request, SecretPath, Subscription, Subscriptions
from shared.providers.registry import provider
from shared.secret import apps
from shared.settings import settings
from shared.vendor import ask


def ensure(job: Job) -> None:
    """For the app as a whole, or for one connection, as the provider does it. Safe to repeat."""
    source = provider(job.provider)
    wished = source.subscriptions
    if wished is None:
        return
    app = apps().app(source.id)
    if wished.per == "app":
        stand(source, app, job)
    elif held := connections.load(job.connection):
        token = tokens.access_token(source, app, held)
        tokens.outliving(source, app, held, token, partial(stand, source, app, job))
    if job.tracked:
        finish(job.tracked, job.part)


def stand(source: Provider, app: App, job: Job, token: str = "") -> None:
    """Every topic we wish for stands at the vendor afterwards, and leads to us alone."""
    wished = source.subscriptions
    assert wished
    whose = job.connection if wished.per == "connection" else ""
    hook, budget = our_side(source, app, whose), Budget.of(source, app, whose)
    seen = issued.known(source.id) if wished.issued else None
    found = listed(source, wished, app, hook, token, budget)
    standing = {s.topic: s for s in found if s.leads_to(hook.url) and is_ours(wished, s, seen)}
    cancel(source, app, hook, [s for s in found if s not in standing.values()], token, budget)
    refused = 0
    for topic in wished.topics:
        for request in due(wished, hook, topic, standing.get(topic)):
            try:
                reply = ask(source, app, request, token, budget).json
            except NotGrantedError:  # the person or the plan does not give this topic; polling still covers it
                refused += 1
                continue
            if wished.issued and (made := wished.issued(reply)):
                issued.keep(source.id, Issued(*made), seen)
    counts = {"provider": source.id, "standing": len(standing), "refused": refused}
    logger().info("subscriptions", extra={"job": job.id, **counts})


def listed(
    source: Provider, wished: Subscriptions, app: App, hook: Hook, token: str, budget: Budget
) -> list[Subscription]:
    """Those that stand at the vendor. Who may not see the list is told of none, and may still ask for each."""
    try:
        return list(wished.read(ask(source, app, wished.listing(hook), token, budget).json))
    except NotGrantedError:
        return []


def is_ours(wished: Subscriptions, standing: Subscription, seen: Issued | None) -> bool:
    """Is it for something we want to hear, and do we know the secret it is signed with, if it has one?"""
    known = wished.issued is None or (seen is not None and seen.webhook == standing.id)
    return standing.topic in wished.topics and known


def cancel(source: Provider, app: App, hook: Hook, others: list[Subscription], token: str, budget: Budget) -> None:
    """Ends those of ours that are of no use any more; another system's are its own affair."""
    ours = address(source)
    if source.subscriptions and source.subscriptions.delete:
        for old in others:
            if old.url.startswith(ours):
                ask(source, app, source.subscriptions.delete(hook, old), token, budget)


def address(source: Provider) -> str:
    return f"{settings().public_url}/v1/webhooks/{source.id}"


def our_side(source: Provider, app: App, connection: str) -> Hook:
    hooks = apps().hooks
    url, hook = address(source), source.webhook
    if connection or (hook and isinstance(hook.proof, SecretPath)):
        url += "/" + hooks.path(source.id, connection or EVERYBODY)
    return Hook(url, app.hook_token or hooks.token(source.id), app.client_id, app.client_secret, connection)


def due(wished: Subscriptions, hook: Hook, topic: str, standing: Subscription | None) -> list[Request]:
    """The one call this subscription needs now, if any."""
    if standing is None:
        return [wished.create(hook, topic)]
    soon = now_ms() + round(wished.renew_before.total_seconds() * 1000)
    if wished.renew and standing.expires is not None and standing.expires < soon:
        return [wished.renew(hook, standing)]
    return []
