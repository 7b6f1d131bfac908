"""What an operator debugs with, without AWS: what a vendor's reply becomes, and whether a webhook is accepted."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ops.explain import explain
from shared import webhooks
from shared.apps import EVERYBODY, App, Hooks
from shared.errors import BadRequestError
from shared.jobs import now_ms
from shared.local_time import Zones
from shared.model import Skipped
from shared.providers import Event, FileUpload, HmacSignature, Provider, Resource, RowError, SecretPath, dig
from shared.zones import known

JSON, CSV = "application/json", "text/csv"
MILLISECONDS_FROM = 10**11


def read(path: str) -> bytes:
    """A file, or standard input for `-`."""
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadRequestError(f"{path}: {error.strerror}", "file") from error


def parse(path: str) -> Any:
    try:
        return json.loads(read(path))
    except ValueError as error:
        raise BadRequestError(f"{path} is not JSON: {error}", "file") from error


def zones(name: str) -> Zones:
    return Zones(((0, known(name)),)) if name else Zones()


# ---------------------------------------------------------------- map


def mapped(provider: Provider, resource: Resource, path: str, zone: str, expand: bool) -> list[dict[str, Any]]:
    """Rows as `ops.explain` describes them; what a file's bad rows are, after the good ones."""
    body = read(path)
    reply, errors = opened(provider, resource, body, path, zone)
    try:
        found = explain(provider, resource, reply, zones(zone), expand)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as wrong:
        raise BadRequestError(f"not a reply {provider.name} documents ({type(wrong).__name__})", "file") from wrong
    return found + [{"skipped": e.line, "reason": e.message, "field": e.column} for e in errors]


def opened(
    provider: Provider, resource: Resource, body: bytes, path: str, zone: str
) -> tuple[Any, tuple[RowError, ...]]:
    """The reply in a file: the vendor's JSON or, where people hand us files, such a file."""
    reply = None
    if media_type(body) == JSON:
        try:
            reply = json.loads(body)
        except ValueError as error:
            raise BadRequestError(f"{path} is not JSON: {error}", "file") from error
    if isinstance(provider.auth, FileUpload) and dig(reply, resource.records) is None:
        upload = provider.auth.read(body, media_type(body), zone or None, "")
        return upload.payload, upload.errors
    if reply is None:
        raise BadRequestError(f"{path} is not JSON, which {provider.name} answers in", "file")
    return reply, ()


def media_type(body: bytes) -> str:
    """JSON starts with a bracket; the header of a CSV file does not."""
    return JSON if body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[") else CSV


# ---------------------------------------------------------------- verify


@dataclass(frozen=True)
class Proof:
    """What the operator knows: the app's client secret (or, where each connection has its own, that one), the address
    the webhook came to, and the key that addresses and connection secrets are derived from."""

    secret: str = ""
    path: str = ""
    hook_key: str = ""
    hook_generation: int = 1


def verified(provider: Provider, headers: Any, body: bytes, proof: Proof, now: int) -> dict[str, Any]:
    """Whether the door takes the webhook, why not, and the events in it."""
    hook = webhooks.hook_of(provider)
    if not isinstance(headers, Mapping):
        raise BadRequestError("the headers must be a JSON object of names and values", "headers")
    hooks = Hooks(proof.hook_key.encode(), proof.hook_generation)
    addressed = hook.path == "connection" or isinstance(hook.proof, SecretPath)
    with_address = addressed and bool(proof.path and proof.hook_key)
    key = proof.path.rstrip("/").rpartition("/")[2] if with_address else hooks.path(provider.id, EVERYBODY)
    call = webhooks.Call({str(name).lower(): str(value) for name, value in headers.items()}, body, key, now)
    derived = with_address and isinstance(hook.proof, HmacSignature) and hook.proof.key == "connection"
    if isinstance(hook.proof, HmacSignature) and not derived and not proof.secret:
        raise BadRequestError(f"{provider.name} signs its webhooks: give the secret with --secret", "secret")
    answer: dict[str, Any] = {"accepted": True, "why": None, "connection": None, "events": []}
    if addressed and not with_address:
        answer["note"] = "address not checked: give --path and --hook-key"
    named = call.headers.get(hook.proof.names_app, "") if isinstance(hook.proof, SecretPath) else ""
    app = App(named, proof.secret, webhook_secret=proof.secret)
    try:
        answer["connection"], events = webhooks.accept(provider, app, hooks, call, [proof.secret])
    except BadRequestError as refused:
        return {**answer, "accepted": False, "why": str(refused)}
    return {**answer, "events": [described(event) for event in events]}


def described(event: Event | Skipped) -> dict[str, Any]:
    if isinstance(event, Skipped):
        return {"skipped": event.index, "reason": event.reason, "field": event.field}
    told = {name: told for name, told in vars(event).items() if told != getattr(Event, name)}
    if event.window:
        told["window"] = [event.window.first.isoformat(), event.window.last.isoformat()]
    return told


def instant(text: str) -> int:
    """Milliseconds of an ISO 8601 instant (UTC where it names no offset) or of a Unix time; now for none."""
    if not text:
        return now_ms()
    if text.isascii() and text.isdigit():
        return int(text) if int(text) >= MILLISECONDS_FROM else int(text) * 1000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequestError("--now takes an ISO 8601 instant or a Unix time", "now") from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
