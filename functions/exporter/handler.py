"""SQS exports: one export an invocation, from the tables to a file in the bucket. Only this function carries what
writes Parquet."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.exporting.job import deliver
from shared.jobs import RECEIVES, now_ms


def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    until = now_ms() + context.get_remaining_time_in_millis() * 9 // 10  # the rest is for putting the file

    def finish(record: SQSRecord) -> None:
        last = int(record["attributes"].get("ApproximateReceiveCount", 1)) >= RECEIVES
        deliver(record.message_id, record.body, last, until)

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event, finish, processor, context)
