"""Google Health's webhooks: signed with a key that Google rotates, and carrying our own token. They hold no values.
https://developers.google.com/health/webhooks"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

from shared.errors import SkipRecordError
from shared.model import Skipped
from shared.providers import Event, Json, Point, PublishedKey, Window, attempt, dig
from shared.providers.google_health.mapping import civil_day

TINK = 1  # the first byte of a signature, before the key's id


def answer(body: bytes) -> int:
    return 201 if is_probe(body) else 204


def is_probe(body: bytes) -> bool:
    """When a subscriber is made, Google posts this twice: with our token (201 is right) and without (401)."""
    try:
        return len(body) < 100 and json.loads(body) == {"type": "verification"}
    except ValueError:
        return False


def read_event(body: bytes, for_topic: Callable[[str], tuple[str, ...]]) -> Iterator[Event | Skipped]:
    """The guide shows one notification, live endpoints get lists of up to 99, of many people. What is said of the
    same person's same days becomes one event."""
    if is_probe(body):
        return
    told = json.loads(body)
    found: dict[tuple[str, Window | None], dict[str, None]] = {}

    def note(notification: Json) -> Iterable[Any]:
        data = notification["data"]
        resources = for_topic(data["dataType"])
        for window in windows(data):
            found.setdefault((str(data["healthUserId"]), window), {}).update(dict.fromkeys(resources))
        return ()

    for index, notification in enumerate(told if isinstance(told, list) else [told]):
        yield from (fault for fault in attempt(index, note, notification) if isinstance(fault, Skipped))
    for (account, window), resources in found.items():
        if resources:
            yield Event(resources=tuple(resources), account=account, window=window)


def windows(data: Json) -> Iterator[Window | None]:
    """The days to ask for again, whether something came or went. A DELETE is never carried out by itself: Google sends
    some when a person withdraws, and their history is not ours to drop. What is really gone is not in the answer."""
    for interval in data.get("intervals") or [{}]:
        yield window(interval)


def window(interval: Json) -> Window | None:
    """Deletions may lack the civil interval, whole days the physical one. None: lately."""
    civil = dig(interval, "civilDateTimeInterval")
    if civil:
        return between(civil_day(civil["startDateTime"]), civil_day(civil["endDateTime"]))
    if iso := dig(interval, "civilIso8601TimeInterval"):
        return between(iso["startTime"][:10], iso["endTime"][:10])
    if physical := dig(interval, "physicalTimeInterval"):
        return between(physical["startTime"][:10], physical["endTime"][:10]).padded(1)
    return None


def between(first: str, last: str) -> Window:
    if last < first:
        raise SkipRecordError("an interval that ends before it starts")
    return Window(date.fromisoformat(first), date.fromisoformat(last))


# ---------------------------------------------------------------- the proof


def read_signature(header: str) -> tuple[str, bytes]:
    """base64 of 0x01, the key's id in four bytes, and the signature in DER (Tink's output prefix)."""
    try:
        raw = base64.b64decode(header, validate=True)
    except binascii.Error as wrong:
        raise ValueError("not base64") from wrong
    if len(raw) < 6 or raw[0] != TINK:
        raise ValueError("no Tink signature")
    return str(int.from_bytes(raw[1:5], "big")), raw[5:]


def read_keyset(keyset: Json) -> dict[str, Point]:
    """Tink's JSON keyset; each value is a protobuf EcdsaPublicKey, whose fields 3 and 4 are the coordinates."""
    found = {}
    for key in keyset["key"]:
        if key["status"] == "ENABLED" and key["outputPrefixType"] == "TINK":
            fields = dict(protobuf(base64.b64decode(key["keyData"]["value"])))
            # A coordinate may have a leading zero byte.
            found[str(key["keyId"])] = Point(*(int.from_bytes(fields[n], "big") for n in (3, 4)))
    return found


def protobuf(buffer: bytes) -> Iterator[tuple[int, bytes]]:
    """(field number, bytes) of the length-delimited fields; numbers, which we do not need, are passed over."""
    at = 0
    while at < len(buffer):
        tag, at = varint(buffer, at)
        value, at = varint(buffer, at)
        if tag & 7 == 2:
            yield tag >> 3, buffer[at : at + value]
            at += value
        elif tag & 7 != 0:
            raise ValueError("a wire type that EcdsaPublicKey does not use")


def varint(buffer: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(buffer):
            raise ValueError("a number without an end")
        value |= (buffer[at] & 0x7F) << shift
        if buffer[at] < 0x80:
            return value, at + 1
        at, shift = at + 1, shift + 7


PROOF = PublishedKey(
    # The second name is that of earlier deliveries.
    headers=("google-health-api-signature", "x-healthapi-signature"),
    keyset="https://www.gstatic.com/googlehealthapi/webhooks/webhooks_public_keyset.json",
    read_keyset=read_keyset,
    read_signature=read_signature,
    probe=is_probe,
)
