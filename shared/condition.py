"""How a connection is, in the person's words: a pure function of what is stored, so nothing need keep it up to date."""

from __future__ import annotations

from typing import Literal

from shared.connections import Connection
from shared.model import DAY
from shared.providers import OAuth2, PhonePush, Provider
from shared.providers.registry import provider as provider_of
from shared.values import dataclass

QUIET_MS = 2 * DAY
State = Literal["pending", "active", "degraded", "reconnect", "disconnected"]
ADVICE = {
    "pending": "Finish connecting at the provider, or start again.",
    "invalid_grant": "The provider ended our access. Connect again.",
    "refresh_reply_lost": "A reply of the provider was lost while access was renewed. Connect again.",
    "no_refresh_token": "Access has ended, and the provider does not renew it. Connect again.",
    "server_changed": "The server that this was connected to has another address now. Connect again.",
    "revoked_at_vendor": "Access was ended at the provider. Connect again to go on.",
    "account_not_linked": "This account holds no health data yet. Set it up in the provider's app, then connect again.",
    "provider_retired": "The provider has ended this service.",
    "superseded": "This provider account was connected by somebody else, and allows one at a time. Connect again.",
    "missing_scopes": "Some kinds of data were not allowed. Connect again and allow them to get them.",
    "push_silent": "The provider has stopped telling us of news. We ask it more often instead: nothing need be done.",
    "source_refuses": "The source no longer lets the data through. Connect again if this does not pass in a day.",
    "no_data": "Nothing new for two days. Open the provider's app and let it sync.",
    "disconnected_by_user": "",
}


@dataclass(frozen=True)
class Condition:
    state: State
    cause: str
    since: int
    successor: str = ""

    @property
    def advice(self) -> str:
        said = ADVICE.get(self.cause or self.state, "")
        instead = self.cause == "provider_retired" and self.successor
        return f"{said} Connect {self.successor} instead." if instead else said


def of(held: Connection, provider: Provider, now: int) -> Condition:
    if held.state != "active":
        instead = provider_of(provider.successor).name if provider.successor else ""
        return Condition(held.state, held.cause, held.since, instead)
    if held.trouble_since:
        return Condition("degraded", "source_refuses", held.trouble_since)
    heard = max(held.last_data_at, held.since)
    # Where nothing is asked more than once a day, news is rare: silence is no fault.
    lively = any(resource.cadence != "rare" for resource in provider.resources)
    if lively and (provider.connects or isinstance(provider.auth, PhonePush)) and now - heard > QUIET_MS:
        return Condition("degraded", "no_data", heard + QUIET_MS)
    if missing_scopes(held, provider):
        return Condition("degraded", "missing_scopes", held.since)
    if held.silent_since:
        return Condition("degraded", "push_silent", held.silent_since)
    return Condition("active", "", held.since)


def missing_scopes(held: Connection, provider: Provider) -> list[str]:
    """What was asked for and not granted; a vendor that does not say granted all of it."""
    if not isinstance(provider.auth, OAuth2) or not (held.scopes or provider.permissions):
        return []
    return sorted(set(provider.auth.scopes) - set(held.scopes))
