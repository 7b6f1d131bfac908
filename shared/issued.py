"""Secrets that vendors sign their webhooks with and show once, when the webhook is made: sealed in the Control table.

pk W#<provider>   sk W   webhook (its id at the vendor), salt, sealed
"""

from __future__ import annotations

import os
import time

from shared import control
from shared.errors import RetryLaterError
from shared.values import dataclass, field
from shared.vault import Owner, seal, unseal

KEPT_S = 60
AGAIN_S = 5
_kept: dict[str, tuple[float, str]] = {}


@dataclass(frozen=True)
class Issued:
    webhook: str
    secret: str = field(repr=False)


def known(provider: str) -> Issued | None:
    item = control.get(f"W#{provider}", "W")
    if item is None:
        return None
    webhook = str(item["webhook"])
    return Issued(webhook, unseal(owner(provider, webhook, item["salt"]), "hook", item["sealed"]).decode())


def keep(provider: str, made: Issued, seen: Issued | None) -> None:
    """If what is kept is still what was `seen` before the webhook was made. Raises RetryLaterError where another worker
    made one meanwhile: who looks again finds out whose is alive."""
    salt = os.urandom(32)
    given = {
        "webhook": made.webhook,
        "salt": salt,
        "sealed": seal(owner(provider, made.webhook, salt), "hook", made.secret.encode()),
        **({"seen": seen.webhook} if seen else {}),
    }
    unchanged = "webhook = :seen" if seen else "attribute_not_exists(pk)"
    told = "SET webhook = :webhook, salt = :salt, sealed = :sealed"
    if not control.update(f"W#{provider}", "W", told, given, unchanged):
        raise RetryLaterError("another worker is making this webhook", AGAIN_S)


def at_the_door(provider: str) -> list[str]:
    """What a call may be signed with; read at most once a minute while there is one."""
    at, secret = _kept.get(provider, (0.0, ""))
    if not secret or time.monotonic() - at > KEPT_S:
        found = known(provider)
        secret = found.secret if found else ""
        _kept[provider] = (time.monotonic(), secret)
    return [secret] if secret else []


def owner(provider: str, webhook: str, salt: bytes) -> Owner:
    """Nobody's: it is the app's, not a person's."""
    return Owner("", provider, webhook, salt)
