"""The operator's credentials at each provider, and the key our own webhook secrets are derived from.

One JSON secret in Secrets Manager:
    {"providers": {"<id>": {"client_id": "…", "client_secret": "…", "webhook_secret": "…", "hook_token": "…",
                            "urls": {"<vendor prefix>": "<our prefix>"}, "limits": [{"calls": 1500, "seconds": 60}],
                             "accept_unsigned_data": false, "server": "https://…", "hosts": ["…"]}},
     "hook_key": "…", "hook_generation": 1, "hook_rotated_at": 0}
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import BadRequestError, InvalidSignatureError
from shared.model import DAY
from shared.providers import Limit, house
from shared.values import dataclass, field

PREVIOUS_HOOKS_LIVE = 7 * DAY
EVERYBODY = "app"
"""Whose address it is, where one serves all connections: none has so short an id."""


@dataclass(frozen=True)
class App:
    """Our application at one provider. `webhook_secret` is what the vendor signs webhooks with, where that is a secret
    of its own. `urls` sends a vendor's URL prefixes elsewhere: a region, a newer authorization server, a sandbox."""

    client_id: str
    client_secret: str = field(repr=False)
    urls: Mapping[str, str] = field(default_factory=dict)
    hint_delay_s: int | None = None
    """How long hints wait so that a burst becomes one fetch; None leaves it to the provider's spec."""
    hook_token: str = field(default="", repr=False)
    """What the vendor says to prove itself to our webhook, where the vendor or the operator chose it."""
    limits: tuple[Limit, ...] | None = None
    """What our plan at the vendor allows; None leaves it to the provider's spec."""
    webhook_secret: str = field(default="", repr=False)
    accept_unsigned_data: bool = False
    """Whether data is taken from a webhook that proves nothing but that its sender knows the address."""
    server: str = ""
    """The address of the one server meant, of what many run. Nothing but this, and its `hosts`, is ever called."""
    hosts: tuple[str, ...] = ()
    """Where else that server may send us for a token, by names of hosts."""

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> App:
        limits = tuple(Limit(**limit) for limit in told.get("limits") or ())
        hosts = tuple(told.get("hosts") or ())
        return cls(**{**told, "limits": limits if told.get("limits") is not None else None, "hosts": hosts})

    def url(self, vendor: str) -> str:
        for prefix in sorted(self.urls, key=len, reverse=True):
            if vendor.startswith(prefix):
                return self.urls[prefix] + vendor[len(prefix) :]
        return vendor


@dataclass(frozen=True)
class Hooks:
    """Webhook secrets, derived and never stored, so that a door can check them without a read.

    Rotating raises the generation; the one before stays good for seven days.
    """

    key: bytes = field(repr=False)
    generation: int = 1
    rotated_at: int = 0

    def path(self, provider: str, connection: str) -> str:
        """The unguessable last part of a connection's webhook URL, or of everybody's."""
        return f"{connection}.{self._derive('path', provider, connection, self.generation)[:22]}"

    def connection(self, provider: str, path: str, now: int) -> str:
        """The connection a path belongs to; raises InvalidSignatureError for any we did not derive."""
        connection, _, mac = path.partition(".")
        for generation in self._living(now):
            if hmac.compare_digest(mac.encode(), self._derive("path", provider, connection, generation)[:22].encode()):
                return connection
        raise InvalidSignatureError("this webhook address is not one of ours")

    def secrets(self, provider: str, connection: str, now: int) -> list[str]:
        """The signing secrets of one connection, newest first."""
        return [self._derive("secret", provider, connection, generation) for generation in self._living(now)]

    def reference(self, provider: str, user: str) -> str:
        """What we call a person at a vendor that wants a name for them: always the same, and telling nobody theirs."""
        message = f"reference|{house(provider)}|{user}".encode()
        return hmac.digest(self.key, message, hashlib.sha256).hex()[:32]

    def token(self, provider: str) -> str:
        """What a vendor must echo to prove that its handshake answers a subscription of ours."""
        return self._derive("verify", provider, "", self.generation)

    def _living(self, now: int) -> Iterator[int]:
        yield self.generation
        if now < self.rotated_at + PREVIOUS_HOOKS_LIVE:
            yield self.generation - 1

    def _derive(self, purpose: str, provider: str, connection: str, generation: int) -> str:
        message = f"{purpose}|{provider}|{connection}|{generation}".encode()
        return base64.urlsafe_b64encode(hmac.digest(self.key, message, hashlib.sha256)).decode().rstrip("=")


@dataclass(frozen=True)
class Apps:
    hooks: Hooks
    providers: Mapping[str, App] = field(repr=False)

    @classmethod
    def read(cls, secret: Mapping[str, Any]) -> Apps:
        hooks = Hooks(secret["hook_key"].encode(), secret.get("hook_generation", 1), secret.get("hook_rotated_at", 0))
        return cls(hooks, {name: App.read(app) for name, app in secret["providers"].items()})

    def app(self, provider: str) -> App:
        """An aggregator's credentials are those of all its sources; a server's are nobody else's."""
        for name in (provider, house(provider)):
            if (found := self.providers.get(name)) and (name == provider or not found.server):
                return found
        raise BadRequestError(f"no application is configured for {provider}; see docs/operations.md", "provider")
