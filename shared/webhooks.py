"""Is this webhook the vendor's? Pure: no network, no AWS, the clock is an argument."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from shared.apps import EVERYBODY, App, Hooks
from shared.errors import BadRequestError, InvalidSignatureError, NotFoundError
from shared.model import Skipped
from shared.providers import Event, HmacSignature, Json, Point, Provider, PublishedKey, SecretPath, Webhook
from shared.values import dataclass, replace

LONGEST_STAMP = 13
"""Digits: milliseconds until the year 2286."""

Keys = Callable[[PublishedKey, App, str], Point | None]
"""(what signs, our application, the key's id) → the key the vendor publishes under that id, if it does."""


@dataclass(frozen=True)
class Call:
    """One HTTP request as it came: header names in lower case, the body's bytes untouched."""

    headers: Mapping[str, str]
    body: bytes
    path: str | None
    now: int


def no_keys(proof: PublishedKey, app: App, id: str) -> None:
    """For whoever has no way to ask the vendor: then nothing that a published key should prove is proven."""


def accept(
    provider: Provider, app: App, hooks: Hooks, call: Call, issued: Sequence[str] = (), keys: Keys = no_keys
) -> tuple[str | None, list[Event | Skipped]]:
    """The connection the address names (None for an app-wide one) and the events read from a proven call. `issued` are
    the vendor's own secrets, for a proof that rests on them; `keys` finds those that it publishes.

    Raises InvalidSignatureError where the proof is missing, wrong or stale, BadRequestError where the body that was
    proven cannot be read. One bad event in a batch does not lose the rest: it comes back as Skipped.
    """
    webhook = hook_of(provider)
    try:
        connection = proven(provider, webhook, app, hooks, call, issued, keys)
        return connection, [] if webhook.is_ping(call.body) else read(webhook, app, call)
    except InvalidSignatureError as refused:
        refused.status = webhook.refusal
        raise


def read(webhook: Webhook, app: App, call: Call) -> list[Event | Skipped]:
    """What a proven call tells."""
    try:
        events = list(webhook.read(call.body, datetime.fromtimestamp(call.now / 1000, UTC)))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as wrong:
        raise BadRequestError(
            f"the body is not one this provider documents ({type(wrong).__name__})", "body"
        ) from wrong
    if not webhook.proves_data and not app.accept_unsigned_data:
        refuse_data(events)
    at = sent(webhook, call)
    return [followable(webhook, index, dated(event, at)) for index, event in enumerate(events)]


def refuse_data(events: Iterable[Event | Skipped]) -> None:
    """The whole call, so that the vendor keeps it until it is told to send hints, or we to take data."""
    if any(isinstance(event, Event) and event.payload is not None for event in events):
        raise InvalidSignatureError("data that nobody signed; only with accept_unsigned_data is it taken")


def followable(webhook: Webhook, index: int, event: Event | Skipped) -> Event | Skipped:
    """The event, unless it would have us call an address that is not the vendor's."""
    if isinstance(event, Skipped) or not event.callback:
        return event
    known = webhook.callbacks is not None and webhook.callbacks.fullmatch(event.callback)
    return event if known else Skipped(index, "not an address of the vendor's", "callback")


def proven(
    provider: Provider, webhook: Webhook, app: App, hooks: Hooks, call: Call, issued: Sequence[str], keys: Keys
) -> str | None:
    """The connection the address names. A ping need prove no more. Raises InvalidSignatureError."""
    connection = address(provider, webhook, hooks, call)
    if webhook.is_ping(call.body):
        return connection
    if isinstance(webhook.proof, HmacSignature):
        by_connection = webhook.proof.key == "connection" and connection is not None
        ours = hooks.secrets(provider.id, connection or "", call.now) if by_connection else [app.client_secret]
        # Nothing is proven by a secret that nobody entered.
        theirs = {"issued": issued, "webhook_secret": [app.webhook_secret] if app.webhook_secret else []}
        verify(webhook.proof, theirs.get(webhook.proof.key, ours), call)
    elif isinstance(webhook.proof, PublishedKey):
        carries_token(app.hook_token or hooks.token(provider.id), call)
        if not webhook.proof.probe(call.body):
            verify_published(webhook.proof, app, call, keys)
    elif call.headers.get(webhook.proof.names_app, app.client_id) != app.client_id:
        raise InvalidSignatureError("the webhook is for another app")
    return connection


def answer(
    provider: Provider, hooks: Hooks, path: str | None, query: Mapping[str, str], now: int, app: App | None = None
) -> Json | None:
    """The reply to a GET or HEAD: the echoed challenge, or None where nothing but a welcome is asked for."""
    webhook = hook_of(provider)
    if webhook.handshake is None and path is None:
        return None  # a vendor that looks whether anybody is at home before it knows an address
    address(provider, webhook, hooks, Call({}, b"", path, now))
    if webhook.handshake is None:
        return None
    echoed = webhook.handshake(query, (app.hook_token if app else "") or hooks.token(provider.id))
    if echoed is None:
        refused = InvalidSignatureError("the handshake does not carry our verification token")
        refused.status = webhook.refusal
        raise refused
    return echoed


def sent(webhook: Webhook, call: Call) -> int | None:
    """When the vendor says it sent this first. Not signed, so that it cannot make anything younger than now."""
    stamp = call.headers.get(webhook.sent_header, "").strip()
    return min(int(stamp), call.now) if is_stamp(stamp) else None


def dated(event: Event | Skipped, at: int | None) -> Event | Skipped:
    return replace(event, as_of=at) if isinstance(event, Event) and event.as_of is None else event


def hook_of(provider: Provider) -> Webhook:
    if provider.webhook is None:
        raise NotFoundError(f"{provider.name} sends no webhooks", "provider")
    return provider.webhook


def address(provider: Provider, webhook: Webhook, hooks: Hooks, call: Call) -> str | None:
    if webhook.path == "app" and not isinstance(webhook.proof, SecretPath):
        return None
    named = hooks.connection(provider.id, call.path or "", call.now)
    return None if named == EVERYBODY else named


def verify(proof: HmacSignature, secrets: Sequence[str], call: Call) -> None:
    """Constant-time, over the raw bytes. A timestamp is part of what is signed and must be recent."""
    header = call.headers.get(proof.header, "").strip().removeprefix(proof.prefix)
    if not header:
        raise InvalidSignatureError(f"the header {proof.header} is missing")
    stamp, given = told(proof, header, call)
    if stamp is not None:
        fresh(proof, stamp, call.now)
    bodies = covered(proof, call.body)
    wanted = [made for body in bodies for secret in secrets for made in signatures(proof, secret, body, stamp or "")]
    if not any(hmac.compare_digest(one.encode(), want.encode()) for one in given for want in wanted):
        raise InvalidSignatureError(f"the signature in {proof.header} does not match the body")


def covered(proof: HmacSignature, body: bytes) -> Sequence[bytes]:
    """What is hashed: the body, or any of these parts of it."""
    if proof.covers is None:
        return [body]
    try:
        return [part.encode() for part in proof.covers(body)]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as wrong:
        raise InvalidSignatureError("the body does not hold what is signed of it") from wrong


def carries_token(token: str, call: Call) -> None:
    given = call.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise InvalidSignatureError("the header authorization is missing or does not carry our token")


def verify_published(proof: PublishedKey, app: App, call: Call, keys: Keys) -> None:
    given = next((call.headers[name] for name in proof.headers if call.headers.get(name)), "")
    if not given:
        raise InvalidSignatureError(f"the header {proof.headers[0]} is missing")
    try:
        id_, signature = proof.read_signature(given.strip())
    except ValueError as wrong:
        raise InvalidSignatureError(f"the header {proof.headers[0]} holds no signature") from wrong
    key = keys(proof, app, id_)
    if key is None:
        raise InvalidSignatureError("signed with a key the vendor does not publish")
    from shared.curve import is_signed  # costs as much as all the rest of this door: only for those who need it

    if not is_signed(call.body, signature, key):
        raise InvalidSignatureError(f"the signature in {proof.headers[0]} does not match the body")


def told(proof: HmacSignature, header: str, call: Call) -> tuple[str | None, list[str]]:
    """The time in what is signed, None where there is none, and the signatures given."""
    given, stamp = [header], None
    if proof.stamped:
        parts = [(name.strip(), value.strip()) for name, _, value in (p.partition("=") for p in header.split(","))]
        given = [value for name, value in parts if name == "v1"]
        stamp = next((value for name, value in parts if name == "t"), "")
    elif proof.timestamp_header:
        stamp = call.headers.get(proof.timestamp_header, "").strip()
    lowered = [one.lower() for one in given] if proof.encoding != "base64" else []
    return stamp, lowered if proof.encoding == "hex" else [*given, *lowered]


def is_stamp(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_STAMP


def fresh(proof: HmacSignature, stamp: str, now: int) -> None:
    where = proof.timestamp_header or proof.header
    if not is_stamp(stamp):
        raise InvalidSignatureError(f"the header {where} is missing or not a Unix time")
    # Vendors do not say whether they count seconds or milliseconds: the number of digits does.
    at = int(stamp) if len(stamp) > 11 else int(stamp) * 1000
    if abs(now - at) > proof.tolerance_s * 1000:
        raise InvalidSignatureError(f"the webhook is stale: {where} is over {proof.tolerance_s} s away")


def signatures(proof: HmacSignature, secret: str, body: bytes, stamp: str) -> list[str]:
    """In each of the spellings that will do."""
    signed = (f"{stamp}." if proof.stamped else stamp).encode() + body
    digest = hmac.digest((secret + proof.key_suffix).encode(), signed, proof.digest)
    spelled = {"hex": digest.hex(), "base64": base64.b64encode(digest).decode()}
    return [spelled[proof.encoding]] if proof.encoding in spelled else list(spelled.values())


def sign(proof: HmacSignature, secret: str, body: bytes, stamp: str = "") -> str:
    """What the vendor would send in the header."""
    made = signatures(proof, secret, body, stamp)[0]
    return f"t={stamp},v1={made}" if proof.stamped else proof.prefix + made
