"""What a person lets us have, asked of the vendor again when it says that they changed it."""

from __future__ import annotations

from shared import connections, consents, tokens
from shared.budget import Budget
from shared.jobs import Job
from shared.providers.registry import provider
from shared.secret import apps
from shared.vendor import ask

CHANGED = "changed_at_vendor"


def ask_again(job: Job) -> None:
    """The event is not believed: it may be anybody's."""
    held = connections.load(job.connection)
    if held is None or held.state != "active":
        return
    source, credentials = provider(held.provider), apps()
    if source.permissions is None:
        return
    app, request = credentials.app(source.id), source.permissions.request
    budget, token = Budget.of(source, app, held.id), tokens.access_token(source, app, held)
    reply = tokens.outliving(source, app, held, token, lambda living: ask(source, app, request, living, budget))
    allowed = source.permissions.read(reply.json)
    if allowed != set(held.scopes):
        # The ledger first, as when they connected. Who died behind it has said so already.
        last = consents.last(held.user, source.id) or {}
        if (last.get("cause"), last.get("scopes")) != (CHANGED, sorted(allowed)):
            consents.record(credentials.hooks.key, held.user, "granted", source.id, allowed, cause=CHANGED)
        connections.allow(held.id, source, allowed)
