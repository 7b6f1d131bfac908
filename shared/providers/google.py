"""What Google's services have in common: one sign-in, and one shape of errors.
https://developers.google.com/identity/protocols/oauth2/web-server"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from shared.providers import Holder, OAuth2, Request
from shared.providers.reading import Json, dig


def sign_in(*scopes: str) -> OAuth2:
    return OAuth2(
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://oauth2.googleapis.com/token",
        scopes=scopes,
        revoke=revoke,
        # Without these two a person who comes back yields no refresh token.
        authorize_params={"access_type": "offline", "prompt": "consent"},
    )


def revoke(holder: Holder) -> Generator[Request, Json, None]:
    """Either token ends the whole grant."""
    url = "https://oauth2.googleapis.com/revoke"
    yield Request(url=url, method="POST", form={"token": holder.access_token}, bearer=False)


def reasons(body: Any) -> frozenset[str]:
    """{"error": {"details": [{"reason": …}]}}, and of older services {"error": {"errors": [{"reason": …}]}}."""
    return frozenset(_reasons(body))


def _reasons(body: Any) -> Iterator[str]:
    for where in ("error.details", "error.errors"):
        for part in dig(body, where) or ():
            if reason := dig(part, "reason"):
                yield str(reason)
