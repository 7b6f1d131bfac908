"""SQS fresh and bulk: the corridor. Of a batch, only what failed is given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared import batches
from shared.jobs import now_ms
from shared.settings import settings
from shared.sync import Batch

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    records = event["Records"]
    half = context.get_remaining_time_in_millis() // 2  # the other half is for the work itself
    receives = {record["messageId"]: batches.receives(record) for record in records}
    batch = Batch(queue_of(records[0]["eventSourceARN"]), now_ms() + half, receives)
    batch.open((record["messageId"], record["body"]) for record in records)
    batch.keep_raw()
    batch.write()
    reply = batches.each(records, lambda record: batch.finish(record["messageId"]))
    batch.tell()
    batch.measure()
    return reply


def queue_of(arn: str) -> str:
    """Where a copy of a message that must wait goes: back to the queue it came from."""
    queues = (settings().fresh_queue, settings().bulk_queue)
    return next(url for url in queues if url.rsplit("/", 1)[-1] == arn.rsplit(":", 1)[-1])
