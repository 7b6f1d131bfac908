"""Where a server's doors are, of a provider that many run: the server says so itself, and is asked once a day."""

from __future__ import annotations

from shared.apps import App
from shared.budget import Budget
from shared.errors import BadRequestError
from shared.jobs import now_ms
from shared.model import DAY
from shared.providers import Provider
from shared.values import replace
from shared.vendor import call, converse

_kept: dict[tuple[str, str], tuple[int, Provider]] = {}
"""By provider and the address asked: when it was, and the provider as that server says it is."""


def settled(provider: Provider, app: App) -> Provider:
    """The provider as its server says it is; itself, where its addresses are constants.

    Raises BadRequestError where the operator has listed no server, and else as `shared.vendor.call`.
    """
    if provider.discover is None:
        return provider
    if not app.server.startswith("https://"):
        raise BadRequestError(f"no server is configured for {provider.id}; see docs/operations.md", "provider")
    place, now = (provider.id, app.url(app.server)), now_ms()
    asked, found = _kept.get(place, (now - DAY, provider))
    if asked <= now - DAY:
        found = described(replace(provider, base_url=app.server.rstrip("/")), app)
        _kept[place] = now, found
    return found


def described(provider: Provider, app: App) -> Provider:
    assert provider.discover
    budget = Budget.of(provider, app)
    budget.insist()
    return converse(provider.discover(provider), lambda request: call(provider, app, request, None, budget).json)
