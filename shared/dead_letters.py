"""Dead letters of people who are gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from shared import connections
from shared.settings import settings
from shared.signed import call

HIDDEN_S = 60


def drop(user: str) -> int:
    """Deletes the messages of the person, and of connections that are no more; returns how many."""
    return sum(_drop(queue, lambda told: is_gone(told, user)) for queue in settings().dead_letter_queues)


def is_gone(told: dict[str, Any], user: str) -> bool:
    connection = told.get("connection")
    return told.get("user") == user or bool(connection and connections.load(connection) is None)


def _drop(queue: str, wanted: Callable[[dict[str, Any]], bool]) -> int:
    """Looks at each message once: those not wanted come back when their minute is over."""
    dropped = 0
    while messages := _receive(queue):
        for message in messages:
            if wanted(_read(message["Body"])):
                request = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}
                call("sqs", "AmazonSQS.DeleteMessage", request)
                dropped += 1
    return dropped


def _receive(queue: str) -> list[dict[str, Any]]:
    request = {"QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": HIDDEN_S}
    found: list[dict[str, Any]] = call("sqs", "AmazonSQS.ReceiveMessage", request).get("Messages", [])
    return found


def _read(body: str) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}  # not one of ours: it stays for the operator
    return told if isinstance(told, dict) else {}
