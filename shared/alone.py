"""A queue that is served one message an invocation: each is a whole person's work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shared import batches, jobs, progress
from shared.errors import cause_of
from shared.jobs import Job, now_ms

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

Work = Callable[[Job, int], None]
"""(job, until): what has to be done by then, in milliseconds."""


def serve(event: dict[str, Any], context: LambdaContext, work: Work) -> dict[str, Any]:
    until = now_ms() + context.get_remaining_time_in_millis() * 9 // 10  # the rest is for ending it well

    def finish(record: dict[str, Any]) -> None:
        deliver(record["body"], batches.is_last(record), until, work)

    return batches.each(event["Records"], finish)


def deliver(body: str, last: bool, until: int, work: Work) -> None:
    """One message. `last`: should it fail, it is not delivered again. Raises what is to be tried again."""
    job = jobs.read(body)
    try:
        if last:
            # Should this attempt take the process with it, nobody is left to say so.
            progress.finish(job.tracked, job.part, cause="interrupted")
        work(job, until)
    except Exception as error:
        if last:
            progress.finish(job.tracked, job.part, cause=cause_of(error))
        raise
