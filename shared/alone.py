"""A queue that is served one message an invocation: each is a whole person's work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import dead_letters, jobs, progress
from shared.errors import TributaryError, cause_of
from shared.jobs import RECEIVES, Job, now_ms
from shared.log import logger

Work = Callable[[Job, int], None]
"""(job, until): what has to be done by then, in milliseconds."""


def serve(event: dict[str, Any], context: LambdaContext, work: Work) -> PartialItemFailureResponse:
    until = now_ms() + context.get_remaining_time_in_millis() * 9 // 10  # the rest is for ending it well

    def finish(record: SQSRecord) -> None:
        last = int(record["attributes"].get("ApproximateReceiveCount", 1)) >= RECEIVES
        deliver(record.message_id, record.body, last, until, work)

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event, finish, processor, context)


def deliver(message: str, body: str, last: bool, until: int, work: Work) -> None:
    """One message. `last`: should it fail, it is not delivered again. Raises what is to be tried again."""
    job = jobs.read(body)
    try:
        if last:
            # Should this attempt take the process with it, nobody is left to say so.
            progress.finish(job.tracked, job.part, cause="interrupted")
        work(job, until)
    except Exception as error:
        # The type and our own words: another library's message may quote what it choked on.
        said = str(error) if isinstance(error, TributaryError) else ""
        logger().error("failed", extra={"message_id": message, "error": type(error).__name__, "said": said})
        if last:
            progress.finish(job.tracked, job.part, cause=cause_of(error))
        dead_letters.note(message, type(error).__name__, said)
        raise
