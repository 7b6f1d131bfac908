"""Waiting is not failing: when what must wait comes back, and what need not, since the next poll asks again."""

from __future__ import annotations

import random

from shared import jobs
from shared.errors import OverBudgetError, RateLimitedError, RetryLaterError
from shared.jobs import Job, now_ms
from shared.log import logger
from shared.looks import next_due
from shared.values import replace
from shared.visits import Question, Visit


def put_off(visit: Visit, waiting: list[Question], queue: str) -> None:
    """A copy comes back for these questions, but not for those of a poll that is looked at again before: its cursor
    stands where it stood."""
    job, names = visit.job, {question.resource.name for question in waiting}
    looks = {name: look for name in names if (look := next_look(visit, name))}
    wait = time_to_wait(visit, waiting, max(looks.values(), default=0))
    back = now_ms() + wait * 1000
    left = tuple(sorted(name for name in names if name not in looks or back < looks[name]))
    if left:
        ours = all(isinstance(question.error, OverBudgetError) for question in waiting)
        jobs.defer(queue, replace(job, resources=left), wait, ours)
    if len(left) < len(names):
        logger().info("left to the next poll", extra={"job": job.id, "resources": sorted(names.difference(left))})


def next_look(visit: Visit, resource: str) -> int | None:
    """When the ring asks for it again; None for what is not a poll's."""
    if visit.job.reason != "poll":
        return None
    return next_due(visit.provider, [resource], visit.connection.turn, now_ms())


def time_to_wait(visit: Visit, waiting: list[Question], latest: int) -> float:
    """Seconds. Those whom a limit stops come back one after another, if the line of those before them has an end."""
    errors = [question.error for question in waiting if isinstance(question.error, RetryLaterError)]
    after = max(error.after for error in errors)
    if visit.budget.app is None or not any(isinstance(error, RateLimitedError) for error in errors):
        return spread(after, visit.job)
    place = visit.budget.place(len(waiting), after, latest)
    return after + random.uniform(0.5, 1) * jobs.LONGEST_DELAY_S if place is None else place


def spread(after_s: float, job: Job) -> float:
    """Those who heard the same do not all come back at once; who waited often, the less."""
    return after_s + random.uniform(0, min(jobs.LONGEST_DELAY_S, after_s / 4 + 10 * job.attempt))
