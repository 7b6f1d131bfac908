"""Why a message failed, which SQS does not carry; and the dead letters of people who are gone.

pk M#<message>   sk M   error, said, at: of the last failure, for as long as the message may lie among the dead letters
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from shared import connections, control
from shared.jobs import now_ms
from shared.log import logger
from shared.model import DAY
from shared.settings import settings
from shared.signed import AwsError, call

HIDDEN_S = 60
NOTED_DAYS = 15
"""A dead letter lives for 14, counted from the day on which it was first sent."""


def note(message: str, error: str, said: str) -> None:
    """At every failure: a worker that is killed at the last one leaves the reason of the one before. Nothing is made
    worse where the note cannot be written."""
    expires = (now_ms() + NOTED_DAYS * DAY) // 1000
    noted = {"error": error, "said": said, "at": now_ms(), "expires": expires}
    try:
        control.put({"pk": f"M#{message}", "sk": "M", **noted})
    except AwsError as failed:
        logger().warning("not noted", extra={"message_id": message, "error": str(failed)})


def cause(message: str) -> str:
    """The kind of the last error and our own words about it; empty where no worker lived to say."""
    noted = control.get(f"M#{message}", "M", consistent=False)
    return ": ".join(filter(None, (noted["error"], noted["said"]))) if noted else ""


Letter = tuple[str, str]
"""Its queue, and the handle to delete it by."""


def about(user: str) -> list[Letter]:
    """The messages of the person, and of connections that are no more. Each is looked at once: all come back when
    their minute is over, those that are not deleted by then."""
    queues = settings().dead_letter_queues
    return [(queue, m["ReceiptHandle"]) for queue in queues for m in _all(queue) if is_gone(read(m["Body"]), user)]


def drop(letters: Iterable[Letter]) -> None:
    for queue, handle in letters:
        call("sqs", "AmazonSQS.DeleteMessage", {"QueueUrl": queue, "ReceiptHandle": handle})


def is_gone(told: dict[str, Any], user: str) -> bool:
    connection = told.get("connection")
    return told.get("user") == user or bool(connection and connections.load(connection) is None)


def _all(queue: str) -> Iterator[dict[str, Any]]:
    while messages := _receive(queue):
        yield from messages


def _receive(queue: str) -> list[dict[str, Any]]:
    request = {"QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": HIDDEN_S}
    found: list[dict[str, Any]] = call("sqs", "AmazonSQS.ReceiveMessage", request).get("Messages", [])
    return found


def read(body: str) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}  # not one of ours: it stays for the operator
    return told if isinstance(told, dict) else {}
