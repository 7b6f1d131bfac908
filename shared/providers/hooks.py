"""Webhooks: what proves a call, what it tells, and how it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from re import Pattern
from typing import Any, Literal

from shared.model import Skipped
from shared.providers.asking import Request, Window
from shared.providers.reading import Json
from shared.values import dataclass


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class HmacSignature:
    """A keyed hash over the raw body (after the timestamp, where there is one).

    `key` says whose secret it is: the provider app's client secret, one derived for the connection in the path, one
    the vendor issued when the webhook was made (see `Subscriptions.issued`), or one of its own that the vendor's site
    shows the operator. `key_suffix` follows it in the key. `stamped` headers read `t=<time>,v1=<hash>`: what is hashed
    is the time, a full stop and the body, and while a secret is replaced there are several `v1`.

    `either` is for a vendor that does not say how it spells the hash. `covers` tells what is hashed of a body that is
    not hashed whole: any of these texts. Then all else in it is anybody's, and its event only a hint to fetch. Raises
    what a body of another shape does to it.
    """

    header: str
    digest: Literal["sha256", "sha1"] = "sha256"
    encoding: Literal["hex", "base64", "either"] = "hex"
    prefix: str = ""
    timestamp_header: str | None = None
    stamped: bool = False
    tolerance_s: int = 300
    key: Literal["client_secret", "connection", "issued", "webhook_secret"] = "client_secret"
    key_suffix: str = ""
    covers: Callable[[bytes], Iterable[str]] | None = None


@dataclass(frozen=True)
class Point:
    """A public key on the curve P-256."""

    x: int
    y: int


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PublishedKey:
    """ECDSA (P-256, SHA-256) over the raw body, by a key that the vendor publishes at `keyset` and rotates; the
    signature is in any of `headers`, and tells the key's id.

    The call also carries our token, as `Bearer`. It is looked at first, so that strangers cost neither a fetch nor a
    curve; and it is all that is asked of a `probe`, a body without news that only looks whether we know the token.
    """

    headers: tuple[str, ...]
    keyset: str
    read_keyset: Callable[[Json], Mapping[str, Point]]
    read_signature: Callable[[str], tuple[str, bytes]]
    """The header → the key's id and the signature in DER. Raises ValueError for anything else."""
    probe: Callable[[bytes], bool] = lambda body: False


@dataclass(frozen=True, eq=False, repr=False)
class SecretPath:
    """The vendor signs nothing: the unguessable path is the proof, and the event only a hint to fetch. Data in it is
    refused, unless the operator accepts that anybody who learns the path can write it. `names_app` is the header, if
    there is one, in which the vendor names our app: a call for another is refused."""

    names_app: str = ""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What one webhook says: these resources changed, for this account, perhaps this document or these days.

    `document` asks for one record; `deleted` says it is gone; `payload` is the data itself, in the shape the
    resource's mapping reads, `as_of` its own age where it tells one (so that a replay is no news); `callback` is the
    vendor's own address of it, with a secret in it; `goodbye` says the person ended the grant at the vendor,
    `permissions` that they changed what we may have, `successor` that the account goes by another id from now on,
    `trouble` that an aggregator is refused by its source, and has not given up.
    """

    resources: tuple[str, ...] = ()
    account: str | None = None
    window: Window | None = None
    document: str | None = None
    deleted: bool = False
    payload: Json | None = None
    as_of: int | None = None
    callback: str = ""
    goodbye: bool = False
    permissions: bool = False
    successor: str = ""
    trouble: bool = False

    @property
    def is_word(self) -> bool:
        """Of the vendor, about the connection: there is nothing to ask for."""
        return self.goodbye or self.trouble or bool(self.successor)

    @property
    def is_secret(self) -> bool:
        """It holds what nobody may read in a queue: health data, or an address with a token in it."""
        return self.payload is not None or bool(self.callback)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Webhook:
    """How the vendor calls us. `path` says whether the address is the app's or one connection's."""

    proof: HmacSignature | PublishedKey | SecretPath
    read: Callable[[bytes, datetime], Iterable[Event | Skipped]]
    path: Literal["app", "connection"] = "app"
    handshake: Callable[[Mapping[str, str], str], Json | None] | None = None
    """(query, our verification token) → the JSON to answer, or None to refuse. Absent: GET and HEAD are welcome."""
    is_ping: Callable[[bytes], bool] = lambda body: False
    """Does this body only ask whether anybody is at home? Then it needs no proof, and tells nothing."""
    callbacks: Pattern[str] | None = None
    """What the whole of an address in an event must match to be followed. None: none is."""
    answer: Callable[[bytes], int] = lambda body: 200
    """The status the vendor wants to hear for a body that was taken."""
    refusal: int = 401
    """And for a call without its proof."""
    hint_delay_s: int = 20
    """Hints wait this long, so that a vendor's burst becomes one fetch."""
    sent_header: str = ""
    """The header that dates what is sent, in milliseconds, the same at every attempt: a late attempt is old news."""
    largest: int = 1_000_000
    """Bytes. What carries its data may be larger than a hint; API Gateway and Lambda take 4.5 MB at most."""

    @property
    def proves_data(self) -> bool:
        """Whether its proof is one of every byte in the body."""
        partly = isinstance(self.proof, HmacSignature) and self.proof.covers is not None
        return not partly and not isinstance(self.proof, SecretPath)


@dataclass(frozen=True, eq=False, repr=False)
class Hook:
    """Our side of a subscription: where the vendor is to call, the app's credentials, and whose it is."""

    url: str
    token: str
    client_id: str
    client_secret: str
    connection: str = ""


@dataclass(frozen=True)
class Subscription:
    """The vendor's side of one. `expires` is in milliseconds; None means it lasts. No `url`: the vendor knows one
    address of ours, and all its subscriptions lead there."""

    topic: str
    id: str
    url: str = ""
    expires: int | None = None

    def leads_to(self, url: str) -> bool:
        return self.url in ("", url)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Subscriptions:
    """How webhooks are asked for. `per` app: one set for everybody; `per` connection: one set a person."""

    per: Literal["app", "connection"]
    topics: tuple[str, ...]
    listing: Callable[[Hook], Request]
    read: Callable[[Any], Iterable[Subscription]]
    create: Callable[[Hook, str], Request]
    renew: Callable[[Hook, Subscription], Request] | None = None
    delete: Callable[[Hook, Subscription], Request] | None = None
    issued: Callable[[Any], tuple[str, str] | None] | None = None
    """The reply to `create` → the new subscription's id and the secret that will sign its webhooks, where the vendor
    makes one and shows it only then."""
    renew_before: timedelta = timedelta(days=14)
