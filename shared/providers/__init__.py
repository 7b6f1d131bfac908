"""The vocabulary: what a provider is. Each folder here holds one, as PROVIDER in its spec.py.

A spec is data; where a vendor is odd, the same value holds a function. Nothing here touches AWS or the network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal, TypeAlias, cast

from shared.errors import ProviderChangedError, TributaryError, UnknownProviderError
from shared.model import KINDS, Kind
from shared.providers.asking import (
    ByDate,
    ByInstant,
    ByPath,
    Request,
    Token,
    Window,
    as_epoch,
    as_naive_utc,
    as_utc,
    in_turn,
    one_page,
)
from shared.providers.cadence import RHYTHMS, Cadence, Rhythm
from shared.providers.hooks import (
    Event,
    HmacSignature,
    Hook,
    Point,
    PublishedKey,
    SecretPath,
    Subscription,
    Subscriptions,
    Webhook,
)
from shared.providers.hosted import Guest, Hosted, Member
from shared.providers.reading import Json, Map, attempt, bury, dig, per_record, regular
from shared.values import dataclass, field, replace

__all__ = [
    "RHYTHMS", "Account", "Archive", "ByDate", "ByInstant", "ByPath", "Cadence", "Event", "FileUpload", "Guest",
    "HmacSignature", "Holder", "Hook", "Hosted", "Json", "Limit", "Map", "Member", "OAuth2", "Part", "Permissions",
    "PhonePush", "Point", "Provider", "PublishedKey", "Refusal", "Request", "Resource", "Rhythm", "RowError",
    "SecretPath", "Subscription", "Subscriptions", "Token", "Upload", "Webhook", "Window", "as_epoch", "as_naive_utc",
    "as_utc", "attempt", "bury", "dig", "house", "in_turn", "one_page", "per_record", "regular",
]  # fmt: skip

# ---------------------------------------------------------------- resources


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Resource:
    """One kind of data the provider can be asked for, and what it becomes.

    `replace` resources say which documents exist in the days asked for, so what vanished at the vendor vanishes here;
    `merge` resources only add and correct. `padding` widens the question by days whose answer is not ours to believe.
    `current` resources say how things stand and take no window. Any of the `scopes` opens a resource; one with a space
    in it means both. `series` and `totals` are the metrics this resource owns in its provider: one owner each; `spots`
    are single readings at an instant, which several resources may have.
    """

    name: str
    map: Map
    records: str = ""
    fetch: Callable[[Window], Request] | None = None
    fetch_one: Callable[[str], Request] | None = None
    next_page: Callable[[Request, Json], Request | None] = one_page
    """What else to ask after this reply, be it a page or a document."""
    together: bool | Callable[[Sequence[Json]], Json] = False
    """All pages of an answer are mapped as one: a record is read by the help of another. A function makes one of pages
    of several kinds."""
    late_days: int = 1
    """How many days back a poll asks: what is measured on one day may be told on another."""
    current: bool = False
    """Asked for only where the window reaches today; a figure without a day is of the day it was asked."""
    later: bool = False
    """The answer to `fetch` only says that the vendor took the question: what was asked for comes by webhook."""
    dated: bool = True
    """False where the `as_of` of its documents counts the vendor's versions, and is no time of telling."""
    mode: Literal["replace", "merge"] = "replace"
    padding: int = 0
    max_days: int = 30
    reach_days: int | None = None
    """How many days back, today included, the vendor answers for; nothing older is asked. None: no limit."""
    scopes: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    series: frozenset[str] = frozenset()
    totals: frozenset[str] = frozenset()
    spots: frozenset[str] = frozenset()
    cadence: Cadence = "steady"
    version: int = 1
    """Raise it when the mapping changes what it yields: replayed sections are then rewritten."""

    @property
    def rhythm(self) -> Rhythm:
        return RHYTHMS[self.cadence]

    def envelope(self, reply: Any) -> Json:
        """The reply as the mapping reads it: bare records and lists of them are put where the vendor would."""
        if isinstance(reply, Mapping) and dig(reply, self.records) is not None:
            return reply
        records = reply if isinstance(reply, list) else [reply] if reply else []
        wrapped: Json = bury(records, self.records)
        return wrapped

    def part(self, payload: Json) -> Json:
        """Of a push for several resources, what this one's mapping reads."""
        top = self.records.partition(".")[0]
        return {top: payload[top]}

    def joined(self, pages: Sequence[Json]) -> Sequence[Json]:
        """The pages as the mapping reads them: one by one, or the records of all in one envelope."""
        if callable(self.together):
            return [self.together(pages)]
        if not self.together:
            return pages
        lists = [dig(page, self.records) for page in pages]
        if not all(isinstance(records, list) for records in lists):
            raise ProviderChangedError(f"a reply holds no list at {self.records!r}")
        return [bury([record for records in lists for record in records], self.records)]


# ---------------------------------------------------------------- connecting


@dataclass(frozen=True, eq=False, repr=False)
class Holder:
    """Who holds a grant, for the call that ends it. `now` in seconds."""

    client_id: str
    client_secret: str
    access_token: str
    account: str
    now: int
    refresh_token: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Permissions:
    """The call that says what the person lets us have, for a vendor whose `scope` does not, and how to read it."""

    request: Request
    read: Callable[[Any], frozenset[str]]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class OAuth2:
    """How a person connects. The defaults are RFC 6749; say only what differs."""

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]
    scope_separator: str = " "
    client_auth: Literal["body", "basic"] = "body"
    pkce: bool = True
    authorize_params: Mapping[str, str] = field(default_factory=dict)
    token_params: Mapping[str, str] = field(default_factory=dict)
    refresh_params: Mapping[str, str] = field(default_factory=dict)
    dead_grant: frozenset[str] = frozenset({"invalid_grant"})
    """The errors by which the token endpoint says that the grant itself is gone."""
    read_token: Callable[[Json], Json] = lambda reply: reply
    granted: Callable[[str], frozenset[str]] = lambda scope: frozenset(scope.replace(",", " ").split())
    permissions: Permissions | None = None
    """Then `scopes` are what we hope for, and none are named to the vendor."""
    register: Callable[[str], Request] | None = None
    """(account) → the call, with the new token, that the vendor wants before any other."""
    revoke: Callable[[Holder], Generator[Request, Json, None]] | None = None
    """Ends the grant at the vendor: yields requests, is sent their replies. None where the vendor has no such call."""
    about: Callable[[Request, str], Request] = lambda request, account: request
    """The question as it is asked of one person, where the token alone does not say whose."""
    issuer: str = ""
    """Who answers the authorization request, where it says so in the answer (RFC 9207): nobody else is believed."""


@dataclass(frozen=True)
class RowError:
    line: int
    column: str  # empty where the whole row is at fault
    message: str  # why, never what the row holds


@dataclass(frozen=True)
class Upload:
    payload: Json  # what the mapping reads
    rows: int  # those in the payload
    errors: tuple[RowError, ...]  # those left out of it


@dataclass(frozen=True, eq=False, repr=False)
class FileUpload:
    """No account to connect: the person hands us a file. `formats` are the media types accepted."""

    formats: tuple[str, ...]
    read: Callable[[bytes, str, str | None, str], Upload]
    """(bytes, media type, IANA zone or None, order) → what is in them. The zone is that of times without an offset; the
    order is that of day and month, "DMY" or "MDY", or "" where only the file can say. Raises BadRequestError for the
    file as a whole, naming the `dates` or `zone` that it has to be sent with."""


@dataclass(frozen=True)
class Part:
    """Some of a large file: by resource what its mapping reads, and how many records that is, how many were not ours to
    read, and how many made no sense."""

    payload: Json
    records: int
    not_read: int
    at_fault: int


Archive: TypeAlias = Callable[[BinaryIO], Iterator[Part]]
"""Reads a file that is larger than memory, part by part; the same file makes the same parts. Raises BadRequestError for
one that is not what it was said to be."""


@dataclass(frozen=True, eq=False, repr=False)
class PhonePush:
    """No account to connect: the person's phone pushes what its health store holds. `types` are the store's own names
    of what it holds, each with the resource that reads it; `archives` the store's own exports, by their media type."""

    types: Mapping[str, str]
    archives: Mapping[str, Archive] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """Where the vendor's own id of the person is found: in the token reply, or by one call."""

    at: str
    request: Request | None = None
    needed: bool = False
    """Nothing can be asked without it."""


# ---------------------------------------------------------------- the provider

SERVER_NAME = r"[a-z0-9][a-z0-9-]{0,39}"


def house(provider_id: str) -> str:
    """The provider itself or, of one of an aggregator's sources, the aggregator."""
    return provider_id.partition(".")[0]


@dataclass(frozen=True, eq=False, repr=False)
class Refusal:
    """An answer that is an error: its status, its headers by names in lower case, and its body."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Limit:
    """What the vendor allows: `calls` in any `seconds`, to our app as a whole or to each person of it."""

    calls: int
    seconds: int
    whose: Literal["app", "user"] = "app"

    def __post_init__(self) -> None:
        if self.calls < 1 or self.seconds < 1 or self.whose not in ("app", "user"):
            raise ValueError("a limit is calls ≥ 1 in seconds ≥ 1, whose app or user")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Provider:
    """A value that tells the corridor what differs. `kind` is what the person wears or steps on."""

    id: str
    name: str
    docs: str
    kind: Kind
    base_url: str
    auth: OAuth2 | Hosted | FileUpload | PhonePush
    resources: tuple[Resource, ...]
    limits: tuple[Limit, ...] = ()
    """As documented; an operator whose plan differs says so in the app's credentials."""
    account: Account = Account("")
    webhook: Webhook | None = None
    subscriptions: Subscriptions | None = None
    check: Callable[[Json], None] = lambda reply: None
    """Raises what a 2xx reply says in its body, for vendors that put the status there."""
    verdict: Callable[[Refusal], TributaryError | None] = lambda refusal: None
    """What a refusal asks of us, where its status alone does not say so."""
    zone: Callable[[Json], str | None] = lambda reply: None
    """The IANA zone of the wearer, where a reply names one."""
    zone_request: Request | None = None
    """Asked once when connecting, where only this reply names the zone."""
    successor: str = ""
    """The provider that takes over from this one: its 410 says that the whole service has ended."""
    history_days: int | None = None
    timer_polling: bool = True
    """False where the vendor forbids asking by the clock: then its webhooks are all there is, watched for silence."""
    exclusive_grant: bool = False
    """True where the vendor keeps one live grant an account: a second person's consent ends the first one's."""
    discover: Callable[[Provider], Generator[Request, Json, Provider]] | None = None
    """Of what many run and nobody owns: given the provider with the address of one server, the provider as that server
    says it is, its `auth` filled in. The operator lists servers by names, each `<id>.<name>` a provider of its own."""
    upstreams: Mapping[str, tuple[str, Kind]] = field(default_factory=dict)
    """An aggregator's sources by their ids, each with its name and kind. Each is connected, stored and weighed as a
    provider of its own, `<id>.<upstream>`; credentials, webhooks and limits are the aggregator's."""

    @property
    def house(self) -> str:
        """Under which id its credentials are kept, its webhooks come and its calls are counted."""
        return self.id if self.discover else house(self.id)

    @property
    def upstream(self) -> str:
        """Which of an aggregator's sources it is; "" for the aggregator, and for who is none."""
        return self.id.partition(".")[2]

    @property
    def connects(self) -> bool:
        """Whether people connect to it by consenting on a page of the vendor's."""
        return isinstance(self.auth, OAuth2 | Hosted)

    @property
    def permissions(self) -> Permissions | None:
        return self.auth.permissions if isinstance(self.auth, OAuth2) else None

    def through(self, upstream: str) -> Provider:
        """Raises UnknownProviderError."""
        if self.discover and re.fullmatch(SERVER_NAME, upstream, re.ASCII):
            return replace(self, id=f"{self.id}.{upstream}", name=f"{self.name} ({upstream})")
        if upstream not in self.upstreams:
            raise UnknownProviderError(f"{self.name} has no source of that name here", "provider")
        name, kind = self.upstreams[upstream]
        return replace(self, id=f"{self.id}.{upstream}", name=f"{name} ({self.name})", kind=kind)

    def resource(self, name: str) -> Resource:
        """Also by the name of a section, which may go on with `@` and the app (see `Document.app`)."""
        plain = name.partition("@")[0]
        for resource in self.resources:
            if resource.name == plain:
                return resource
        raise ProviderChangedError(f"{self.id} has no resource {name!r}")

    def kind_of(self, name: str) -> Kind:
        """What the person wore or stepped on for a section of this name."""
        kind = name.partition("@")[2].partition(":")[0]
        return cast(Kind, kind) if kind in KINDS else self.kind

    def tells(self, resource: Resource) -> bool:
        """Whether the vendor's webhooks say when this resource has news."""
        return self.webhook is not None and bool(resource.topics)

    @property
    def pushes(self) -> bool:
        return any(map(self.tells, self.resources))

    def for_topic(self, topic: str) -> tuple[str, ...]:
        """The resources to look at when the vendor says `topic` changed."""
        return tuple(r.name for r in self.resources if topic in r.topics)

    def __post_init__(self) -> None:
        names = [r.name for r in self.resources]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.id}: two resources share a name")
        for owned in ("series", "totals"):
            metrics = [m for r in self.resources for m in getattr(r, owned)]
            if len(set(metrics)) != len(metrics):
                raise ValueError(f"{self.id}: two resources own the {owned} of one metric")
        if self.subscriptions and not self.webhook:
            raise ValueError(f"{self.id}: subscriptions lead to no webhook")
