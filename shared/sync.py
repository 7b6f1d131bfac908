"""The corridor: one batch of messages, from the queue to sections, days and announcements.

    open → token → fetch (the whole batch in parallel) → map → keep raw → write sections, fill slots → announce → done

A message is done only when its effect is durable. What must wait is sent as a copy and finished; what fails is given
back to the queue alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from shared import connections, dead_letters, jobs, zones
from shared.deferral import put_off, spread
from shared.erasure import erase
from shared.errands import aggregate, everyone, fan_out, forget, goodbye
from shared.errors import (
    NotGrantedError,
    OverBudgetError,
    ProviderChangedError,
    ReconnectError,
    RetryLaterError,
    TributaryError,
)
from shared.fetching import answer
from shared.jobs import Job
from shared.leaving import disconnect
from shared.log import logger
from shared.progress import finish
from shared.providers.registry import provider
from shared.raw import Answered, RawObject
from shared.replay import replay
from shared.secret import apps
from shared.settings import settings
from shared.subscriptions import ensure
from shared.visits import Visit, plan
from shared.writing import touch, write

OPENERS = 8
ERRANDS: dict[str, Callable[[Job], None]] = {
    "aggregate": aggregate,
    "everyone": everyone,
    "subscribe": ensure,
    "disconnect": disconnect,
    "erase": erase,
    "replay": replay,
}


@dataclass
class Errand:
    """A job on its way through, and its visit to a connection if it makes one."""

    job: Job
    visit: Visit | None = None
    done: bool = False
    early: bool = False


class Batch:
    """The messages of one invocation: `open` them all, `keep_raw` once, then `finish` each. `until` (milliseconds) is
    how long they can wait for their turns at a vendor's; what is bulk leaves it to others."""

    def __init__(self, queue: str, until: int = 0) -> None:
        self.queue, self.until = queue, until
        self._errands: dict[str, Future[Errand]] = {}

    def open(self, messages: Iterable[tuple[str, str]]) -> None:
        """Fetches and maps, all messages at once; hints that say the same share one errand. What goes wrong with a
        message is raised when that message is finished."""
        groups: dict[str, dict[str, str]] = {}
        for message_id, body in messages:
            groups.setdefault(jobs.hint(body) or message_id, {})[message_id] = body
        for group in groups.values():
            # The latest of them: a fetch that answers it answers the others.
            latest = max(group.values(), key=jobs.told_at)
            started = openers().submit(begin, latest, self.queue == settings().bulk_queue, self.until)
            self._errands |= dict.fromkeys(group, started)

    def keep_raw(self) -> None:
        """One object for everything that changed, or could not be read, before anything made of it is written."""
        kept = RawObject()
        opened = {id(future): future for future in self._errands.values() if future.exception() is None}
        for visit in filter(None, (future.result().visit for future in opened.values())):
            for question in visit.questions:
                if question.changed or isinstance(question.error, ProviderChangedError):
                    answered = Answered(question.pages, question.as_of, question.window)
                    question.raw = kept.add(visit.connection.owner, answered)
        kept.keep()

    def finish(self, message_id: str) -> None:
        """Raises what is to be tried again; a message that must wait has sent its copy."""
        try:
            errand = self._errands[message_id].result()
            if not errand.done:
                perform(errand, self.queue)
                errand.done = True
        except Exception as error:
            # The type and our own words: another library's message may quote what it choked on.
            said = str(error) if isinstance(error, TributaryError) else ""
            logger().error("failed", extra={"message_id": message_id, "error": type(error).__name__, "said": said})
            dead_letters.note(message_id, type(error).__name__, said)
            raise


@cache
def openers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(OPENERS, thread_name_prefix="open")


def begin(body: str, bulk: bool, until: int) -> Errand:
    """Reads the message, and asks the vendor what it must."""
    job = jobs.read(body)
    if jobs.too_early(job):
        return Errand(job, early=True)
    if job.task != "sync" or not job.connection or job.deleted or job.goodbye:
        return Errand(job)
    held = connections.load(job.connection)
    if held is None:
        logger().info("dropped: no such connection", extra={"job": job.id})
        return Errand(job, done=True)
    visit = plan(job, held, provider(held.provider), zones.of(held.user))
    answer(visit, apps(), bulk, until)
    return Errand(job, visit)


def perform(errand: Errand, queue: str) -> None:
    job = errand.job
    if errand.early:
        jobs.hop(queue, job)
        return
    if errand.visit:
        settle(errand.visit, queue)
        return
    try:
        run(job, queue)
    except RetryLaterError as error:
        jobs.defer(queue, job, spread(error.after, job), ours=isinstance(error, OverBudgetError))
    except ReconnectError as error:
        logger().info("not done", extra={"job": job.id, "task": job.task, "outcome": error.cause})


def run(job: Job, queue: str) -> None:
    if job.task in ERRANDS:
        ERRANDS[job.task](job)
    elif job.account and not job.connection:
        fan_out(job, queue)
    elif job.goodbye:
        goodbye(job)
    elif job.deleted:
        forget(job)


def settle(visit: Visit, queue: str) -> None:
    """Writes every answer that came; then says what is to become of those that did not."""
    job = visit.job
    write(visit)
    waiting = [q for q in visit.questions if isinstance(q.error, RetryLaterError)]
    for question in visit.questions:
        if isinstance(question.error, ProviderChangedError):
            raise question.error
        if isinstance(question.error, NotGrantedError | ReconnectError):
            outcome = {"job": job.id, "resource": question.resource.name, "outcome": type(question.error).__name__}
            logger().info("not synced", extra=outcome)
    touch(visit)
    if waiting:
        put_off(visit, waiting, queue)
    elif job.tracked:
        finish(job.tracked, job.part, failed=any(isinstance(q.error, ReconnectError) for q in visit.questions))
