"""Codes, access tokens and refresh tokens of one cloud, and what happened to those that were used twice."""

import base64
import secrets
import time
from dataclasses import dataclass, replace
from hashlib import sha256
from threading import Lock


class InvalidGrantError(Exception):
    """The code or refresh token is unknown, expired, already used, or belongs to another redirect_uri."""


@dataclass(frozen=True)
class Grant:
    """What one person allowed once; it outlives every refresh."""

    id: str
    person: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Tokens:
    grant: Grant
    access: str
    refresh: str
    expires_in: int


class Grants:
    """`grace`: a used refresh token dies only when the access token it bought is first used (Withings); with `repeats`
    it buys the same tokens again until then (Fitbit). Without `rotates` a refresh token lives on (Google).
    `one_access`: a refresh kills the access tokens before it (WHOOP). `code_kills`: a code used twice takes what it
    bought along (Polar)."""

    def __init__(
        self,
        *,
        code_seconds: int,
        access_seconds: int,
        grace: bool = False,
        repeats: bool = False,
        rotates: bool = True,
        one_access: bool = False,
        code_kills: bool = False,
    ) -> None:
        self.code_seconds, self.access_seconds, self.grace = code_seconds, access_seconds, grace or repeats
        self.repeats, self.rotates, self.one_access, self.code_kills = repeats, rotates, one_access, code_kills
        self._redeemed: dict[str, Grant] = {}
        self.refreshes = {"ok": 0, "reused": 0}
        self.people: set[str] = set()  # everybody who ever consented
        self.issued: set[str] = set()  # every code and token ever given out, for whoever looks for leaks
        self._codes: dict[str, tuple[Grant, str, float, str]] = {}
        self._access: dict[str, tuple[Grant, float]] = {}
        self._refresh: dict[str, Grant] = {}
        self._spent: set[str] = set()
        self._bought_with: dict[str, str] = {}
        self._bought: dict[str, Tokens] = {}
        self._lock = Lock()

    def code(self, person: str, scopes: tuple[str, ...], redirect_uri: str, challenge: str = "") -> str:
        code = secrets.token_urlsafe(24)
        grant = Grant(secrets.token_hex(8), person, scopes)
        self.issued.add(code)
        self.people.add(person)
        self._codes[code] = (grant, redirect_uri, time.time() + self.code_seconds, challenge)
        return code

    def redeem(self, code: str, redirect_uri: str, verifier: str = "") -> Tokens:
        grant, expected, expires, challenge = self._codes.pop(code, (None, "", 0.0, ""))
        if self.code_kills and code in self._redeemed:
            self.revoke(self._redeemed[code].person, self._redeemed[code].id)
        if grant is None or expected != redirect_uri or expires < time.time() or challenge not in ("", s256(verifier)):
            raise InvalidGrantError
        self._redeemed[code] = grant
        return self._issue(grant)

    def refresh(self, token: str) -> Tokens:
        with self._lock:
            grant = self._refresh.get(token)
            if grant is None:
                self.refreshes["reused"] += token in self._spent
                raise InvalidGrantError
            if not self.rotates:
                self.refreshes["ok"] += 1
                return self._issue(grant, token)
            if self.repeats and token in self._bought:
                return self._bought[token]
            if not self.grace:
                self._spend(token)
            if self.one_access:
                self._access = {t: held for t, held in self._access.items() if held[0].id != grant.id}
            self.refreshes["ok"] += 1
            tokens = self._bought[token] = self._issue(grant)
            if self.grace:
                self._bought_with[tokens.access] = token
            return tokens

    def holder(self, access: str) -> Grant | None:
        """Who an access token speaks for; None when it is unknown, expired or revoked."""
        grant, expires = self._access.get(access, (None, 0.0))
        if grant is None or expires < time.time():
            return None
        with self._lock:
            self._spend(self._bought_with.pop(access, ""))
        return grant

    def held_by(self, token: str) -> Grant | None:
        """The grant behind either kind of token, whether or not the access token still lives."""
        return self._access.get(token, (None, 0.0))[0] or self._refresh.get(token)

    def expire(self, access: str) -> bool:
        return self._access.pop(access, None) is not None

    def revoke(self, person: str, grant_id: str | None = None) -> None:
        """Forget one grant of the person, or all of them; a dead refresh token stays dead."""

        def dies(grant: Grant) -> bool:
            return grant.person == person and grant_id in (None, grant.id)

        with self._lock:
            self._access = {token: held for token, held in self._access.items() if not dies(held[0])}
            self._refresh = {token: grant for token, grant in self._refresh.items() if not dies(grant)}

    def permit(self, person: str, scopes: tuple[str, ...]) -> None:
        """The person's grants allow this from now on."""
        with self._lock:
            for grant in [g for g in self._refresh.values() if g.person == person]:
                changed = replace(grant, scopes=scopes)
                self._refresh = {t: changed if g.id == grant.id else g for t, g in self._refresh.items()}
                self._access = {t: (changed if g.id == grant.id else g, at) for t, (g, at) in self._access.items()}

    def scopes(self, person: str) -> tuple[str, ...]:
        """What a person's living grant allows; nothing without one."""
        return next((grant.scopes for grant in self._refresh.values() if grant.person == person), ())

    def connected(self, person: str) -> bool:
        return any(grant.person == person for grant in self._refresh.values())

    def _spend(self, token: str) -> None:
        if self._refresh.pop(token, None):
            self._spent.add(token)

    def _issue(self, grant: Grant, refresh: str = "") -> Tokens:
        tokens = Tokens(grant, secrets.token_urlsafe(24), refresh or secrets.token_urlsafe(32), self.access_seconds)
        self.issued |= {tokens.access, tokens.refresh}
        self._access[tokens.access] = (grant, time.time() + self.access_seconds)
        self._refresh[tokens.refresh] = grant
        return tokens


def s256(verifier: str) -> str:
    """The challenge that belongs to a PKCE verifier (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
