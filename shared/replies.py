"""What every answer passes on its way out: a tag to ask again with, gzip, and the limit of what Lambda can answer."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from shared.api import error_response

Reply = dict[str, Any]
Door = Callable[[Mapping[str, Any], Any], Reply]

WORTH_PACKING = 1_024
LARGEST = 5_900_000
"""Lambda answers at most 6 MB, of which the envelope takes a little: developer guide, "Lambda quotas"."""
READ = {"cache-control": "private, no-cache", "vary": "authorization, x-user-id, accept-encoding"}
"""Health data is nobody else's, and is asked about again each time: with the tag, at the price of a 304."""


def outgoing(door: Door) -> Door:
    """The door, with the headers and the encoding that the caller asked for."""

    def handler(event: Mapping[str, Any], context: Any) -> Reply:
        reply = door(event, context)
        asked = {name.lower(): value for name, value in event["headers"].items()}
        if event["requestContext"]["http"]["method"] == "GET" and reply["statusCode"] == 200:
            reply = tagged(reply, asked.get("if-none-match", ""))
        return fitting(packed(reply, asked.get("accept-encoding", "")), event)

    return handler


def tagged(reply: Reply, seen: str) -> Reply:
    """Weak, because the same tag stands for the answer packed and plain (RFC 9110 §8.8.1). 304 where it was seen."""
    tag = f'W/"{hashlib.sha256(reply["body"].encode()).hexdigest()[:32]}"'
    headers = {**reply["headers"], **READ, "etag": tag}
    if seen.strip() == "*" or tag.removeprefix("W/") in (t.strip().removeprefix("W/") for t in seen.split(",")):
        return {**reply, "statusCode": 304, "headers": {**READ, "etag": tag}, "body": ""}
    return {**reply, "headers": headers}


def packed(reply: Reply, accepted: str) -> Reply:
    """API Gateway does not compress, so we do."""
    body = (reply.get("body") or "").encode()
    if len(body) < WORTH_PACKING or not takes_gzip(accepted):
        return reply
    headers = {**reply["headers"], "content-encoding": "gzip"}
    small = base64.b64encode(gzip.compress(body, 6, mtime=0)).decode()
    return {**reply, "headers": headers, "body": small, "isBase64Encoded": True}


def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding names gzip and does not weigh it with zero."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def fitting(reply: Reply, event: Mapping[str, Any]) -> Reply:
    body = reply.get("body") or ""
    if len(body) + body.count('"') <= LARGEST:  # Lambda carries the body as a JSON string, each quote of it escaped
        return reply
    said = "the answer is larger than 6 MB; ask for less at once, or accept gzip"
    error = error_response(413, "too_large", said, None, event["requestContext"]["requestId"])
    return {"statusCode": 413, "headers": {"content-type": "application/json"}, "body": error.body}
