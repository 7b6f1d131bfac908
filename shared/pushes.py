"""A batch that a phone pushes: read at the door item by item, so that each is answered at once, and queued as one job.

pk U#<user>   sk I#<provider>#<key>   job, hash, as_of: a push that was heard, for 30 days

The answer is a pure function of the batch and of that item, so a phone that got none asks again and gets the same. So
does its job: queued twice, it is done once (see the write protocol in shared/commit.py).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from shared import control, handed, jobs, payloads, zones
from shared.connections import Connection
from shared.errors import BadRequestError, ConflictError, TooLargeError, UnknownProviderError
from shared.jobs import Job, new_id, now_ms
from shared.model import DAY
from shared.providers import PhonePush, Provider
from shared.providers.registry import provider, providers
from shared.push_items import Read, fault_of
from shared.push_shapes import PushBatch, PushReply
from shared.settings import settings

LARGEST = 5_000_000
"""Bytes, unpacked."""
MOST = 2_000
KEPT_DAYS = 30


class Heard(NamedTuple):
    """A push by its key: the job that it is, and when it was first heard."""

    job: str
    as_of: int


def receive(user: str, platform: str, key: str, body: bytes, encoding: str = "") -> PushReply:
    """Raises BadRequestError where the batch as a whole cannot be taken."""
    source, push = phone(platform)
    plain = unpacked(body, encoding)
    batch = envelope(plain)
    held = handed.connected(user, source, batch.reconnect, batch.consent_text, batch.time_zone)
    heard = remembered(user, source.id, key, plain)
    read = Read(source, push.types, heard.as_of)
    upserts, deletes = [read.upsert(raw) for raw in batch.upserts], [read.delete(raw) for raw in batch.deletes]
    if read.parts:
        queue(batch, held, heard, read.parts)
    good = sum(result.status == "accepted" for result in (*upserts, *deletes))
    return PushReply(
        id=heard.job,
        accepted=good,
        rejected=len(upserts) + len(deletes) - good,
        upserts=upserts,
        deletes=deletes,
        acknowledged=batch.cursors,
    )


def queue(batch: PushBatch, held: Connection, heard: Heard, parts: Mapping[str, Any]) -> None:
    payload = payloads.enclose(held, orjson.dumps(parts))
    job = Job(
        id=heard.job, reason="push", as_of=heard.as_of, connection=held.id, resources=tuple(parts), payload=payload
    )
    jobs.send(settings().fresh_queue if batch.stage == "daily" else settings().bulk_queue, [job])


# ---------------------------------------------------------------- the batch


def phone(platform: str) -> tuple[Provider, PhonePush]:
    source = provider(platform)
    if not isinstance(source.auth, PhonePush):
        known = ", ".join(p.id for p in providers() if isinstance(p.auth, PhonePush))
        raise UnknownProviderError(f"no phone pushes for {source.name}; known are {known}", "platform")
    return source, source.auth


def unpacked(body: bytes, encoding: str) -> bytes:
    if encoding.strip().lower() not in ("", "identity", "gzip"):
        raise BadRequestError("send the batch plain or in gzip", "content-encoding")
    plain = body
    if encoding.strip().lower() == "gzip":
        unzip = zlib.decompressobj(wbits=31)
        try:
            plain = unzip.decompress(body, LARGEST + 1)
        except zlib.error as error:
            raise BadRequestError("the body is not gzip", "body") from error
        if not unzip.eof and len(plain) <= LARGEST:
            raise BadRequestError("the body ends too soon", "body")
    if len(plain) > LARGEST:
        raise TooLargeError(f"a batch of over {LARGEST / 1e6:g} MB; split it", "body")
    return plain


def envelope(plain: bytes) -> PushBatch:
    try:
        told = orjson.loads(plain)
        orjson.dumps(told)  # it reads lists in lists in lists that it does not write
        batch = PushBatch.model_validate(told)
    except ValidationError as error:
        where, why = fault_of(error, "body")
        raise BadRequestError(why, where) from None
    except (orjson.JSONDecodeError, TypeError) as error:
        raise BadRequestError("the body is not JSON", "body") from error
    if len(batch.upserts) + len(batch.deletes) > MOST:
        raise TooLargeError(f"a batch of over {MOST} items; split it", "upserts")
    zones.known(batch.time_zone, "time_zone")
    return batch


def remembered(user: str, source: str, key: str, plain: bytes) -> Heard:
    """Of several deliveries with one key the first is remembered. Raises ConflictError where they differ."""
    digest, now = hashlib.sha256(plain).digest(), now_ms()
    place = f"U#{user}", f"I#{source}#{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    known = control.get(*place)
    if known is None:
        item: control.Item = {"pk": place[0], "sk": place[1], "job": new_id(), "hash": digest, "as_of": now}
        fresh = control.put({**item, "expires": (now + KEPT_DAYS * DAY) // 1000}, "attribute_not_exists(pk)")
        known = item if fresh else control.get(*place) or item
    if known["hash"] != digest:
        raise ConflictError("this key was used for another batch; take a new one", "idempotency-key")
    return Heard(known["job"], known["as_of"])
