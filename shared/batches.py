"""What SQS is told of a batch: only the messages that failed are given back.

Powertools has this for every kind of batch there is, and is a tenth of a worker's cold start to load.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from shared import dead_letters
from shared.errors import TributaryError
from shared.jobs import RECEIVES
from shared.log import logger
from shared.signed import AwsError


def each(records: Iterable[dict[str, Any]], finish: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Finishes every one, whatever becomes of the others; notes why where that raises."""
    failed = []
    for record in records:
        try:
            finish(record)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message comes back
            note(record["messageId"], error)
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def note(message: str, error: Exception) -> None:
    """The type and our own words: another library's message may quote what it choked on."""
    kind, said = type(error).__name__, str(error) if isinstance(error, TributaryError | AwsError) else ""
    logger().error("failed", extra={"message_id": message, "error": kind, "said": said})
    dead_letters.note(message, kind, said)


def receives(record: dict[str, Any]) -> int:
    """How often it was delivered, this time included."""
    return int(record["attributes"].get("ApproximateReceiveCount", 1))


def is_last(record: dict[str, Any]) -> bool:
    """Should it fail, it is not delivered again."""
    return receives(record) >= RECEIVES
