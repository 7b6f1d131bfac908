"""Connecting through an aggregator: its own page, opened with our app's key, instead of a grant of the person's."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

from shared.errors import BadRequestError
from shared.providers.asking import Request
from shared.providers.reading import Json
from shared.values import dataclass, field


@dataclass(frozen=True)
class Guest:
    """A person on their way to the vendor's page, and back. `reference` is what we call them there: derived, the same
    each time, and nobody else's. `upstream` is the one source they asked for, if they did; they come `home` if they
    agree, and `refused` if not."""

    reference: str
    home: str
    refused: str
    upstream: str = ""

    @property
    def wish(self) -> str:
        """The source asked for, where the vendor has no page to choose one at. Raises BadRequestError."""
        if not self.upstream:
            raise BadRequestError("there is no page to choose a source at: name it behind a full stop", "provider")
        return self.upstream


def account(user: str, source: str) -> str:
    """One of a person's sources, at an aggregator that has one user for all of them."""
    return f"{user}/{source}"


def parts(account: str) -> tuple[str, str]:
    """The user, and the source."""
    user, _, source = account.partition("/")
    return user, source


@dataclass(frozen=True)
class Member:
    """Whom the vendor says it has connected: by its own id, to which upstream, and what they allowed."""

    account: str
    upstream: str = ""
    scopes: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Hosted:
    """The app's key authenticates every call, so there is no token to keep, renew or lose. All three are spoken to with
    it: a generator yields requests, and is sent their replies.

    `page` returns the address to send the person to. `arrived` is given the query they came back with, which passed
    through their browser and proves nothing: it asks the vendor who that is, and raises ForbiddenError where that is
    not the guest. `leave` ends it at the vendor.
    """

    page: Callable[[Guest], Generator[Request, Json, str]]
    arrived: Callable[[Guest, Mapping[str, str]], Generator[Request, Json, Member]]
    leave: Callable[[str], Generator[Request, Json, None]]
    headers: Callable[[str, str], Mapping[str, str]]
    """(client id, key) → what authenticates a call."""
    token: Callable[[str, str, str], Request] | None = None
    """(client id, key, account or reference) → the call that changes the key for a token of one person's, which then
    takes the key's place; for a vendor that wants that."""
    about: Callable[[Request, str], Request] = lambda request, account: request
    """The question as it is asked of one person, where the key alone does not say whose."""
