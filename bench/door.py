"""The webhook door: events that one processor core takes in a second, from API Gateway's event to the answer.

Everything is in it but the socket: the proof, the reading, the jobs, and the signed calls to SQS that make them
durable. The events are told as vendors do: Oura one by one, Fitbit many people's at once.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

from bench import memory
from bench.row import Row, at_least, rate
from shared.jobs import now_ms
from shared.providers import HmacSignature
from shared.providers.registry import provider
from shared.webhooks import hook_of, sign

PEER, TIMES = 350, 8
"""Events a second that one process of the open-source peer takes, and how many times that is asked for."""
BATCH = 500


def single() -> Any:
    return {
        "event_type": "update", "data_type": "daily_readiness", "object_id": "7be1c9d0-2b1a-4c2f-8a7e-0b8e2f1a5d10",
        "event_time": "2026-11-20T06:00:00+00:00", "user_id": "7a6d9c3e-1f2b-4e8a-9b5c-3d2e1f0a9b8c",
    }  # fmt: skip


def batch() -> Any:
    """Of so many people."""
    return [
        {"collectionType": "sleep", "date": "2026-11-20", "ownerId": f"ABC{n}", "ownerType": "user",
         "subscriptionId": f"S{n}"}
        for n in range(BATCH)
    ]  # fmt: skip


def request(name: str, told: Any) -> dict[str, Any]:
    """A proven webhook of the vendor's, as API Gateway hands it over."""
    body, proof = json.dumps(told).encode(), hook_of(provider(name)).proof
    assert isinstance(proof, HmacSignature)
    stamp = str(now_ms() // 1000) if proof.timestamp_header else ""
    headers = {proof.header: sign(proof, "secret", body, stamp), "content-type": "application/json"}
    if proof.timestamp_header:
        headers[proof.timestamp_header] = stamp
    return {
        "version": "2.0", "pathParameters": {"provider": name}, "headers": headers, "queryStringParameters": None,
        "requestContext": {"http": {"method": "POST"}, "requestId": "r"}, "isBase64Encoded": True,
        "body": base64.b64encode(body).decode(),
    }  # fmt: skip


def rows(tiny: bool = False) -> Iterator[Row]:
    from functions.webhook.handler import handler

    asked = {"one at a time": ("oura", single(), 1), f"a vendor's batch of {BATCH}": ("fitbit", batch(), BATCH)}
    with memory.standing(), open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        for name, (source, told, events) in asked.items():
            event = request(source, told)
            assert handler(event, None)["statusCode"] < 300, name
            found = events * rate(lambda event=event: handler(event, None), tiny)  # type: ignore[misc]
            yield at_least(f"webhook door, {name}", found, PEER * TIMES, "events/s")
