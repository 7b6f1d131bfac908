"""Connecting a person on a page of the vendor's own, which our app's key opens: an aggregator's. There is no code and
no token; what comes back through the browser is checked with the vendor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from shared import connections, consents, control, tokens, zones
from shared.apps import App, Apps
from shared.budget import Budget
from shared.connections import Connection
from shared.providers import Guest, Hosted, Json, Provider, Request
from shared.providers.registry import provider as provider_of
from shared.settings import settings
from shared.vendor import call, converse


def guest(provider: Provider, apps: Apps, user: str, state: str) -> Guest:
    """The state travels in the address to come back to, and is good once, as at any vendor."""
    back = f"{settings().public_url}/v1/callback/{provider.id}?{urlencode({'state': state})}"
    return Guest(apps.hooks.reference(provider.id, user), back, f"{back}&error=access_denied", provider.upstream)


def page(provider: Provider, auth: Hosted, app: App, who: Guest) -> str:
    """The address to send the person to."""
    return app.url(converse(auth.page(who), asking(provider, auth, app, who)))


def arrived(
    provider: Provider, auth: Hosted, apps: Apps, query: Mapping[str, str], known: control.Item
) -> tuple[Provider, Connection]:
    """Who came back, as the vendor itself says, and to which source. Raises ForbiddenError for anybody else.

    That they are the person who set out is certain, so another id of theirs at the vendor is no other person's.
    """
    app, user = apps.app(provider.id), str(known["user"])
    who = guest(provider, apps, user, query["state"])
    member = converse(auth.arrived(who, query), asking(provider, auth, app, who))
    source = provider_of(f"{provider.house}.{member.upstream}") if member.upstream else provider
    zone = zones.of(user).history[-1][1]
    held = connections.establish(user, source, member.account, member.scopes, zone, switch=True)
    # The ledger knows of the consent before anything is fetched on its strength.
    consents.record(apps.hooks.key, user, "granted", source.id, member.scopes, known["text"])
    tokens.keep_membership(source, held)
    return source, held


def asking(provider: Provider, auth: Hosted, app: App, who: Guest) -> Callable[[Request], Json]:
    """With the app's key, and within the limit if that can be: a person is waiting."""
    budget = Budget.of(provider, app)
    if auth.token:
        budget.insist()
    token = tokens.credential(provider, auth, app, who.reference, budget)

    def ask(request: Request) -> Json:
        budget.insist()
        reply: Json = call(provider, app, request, token, budget).json
        return reply

    return ask
