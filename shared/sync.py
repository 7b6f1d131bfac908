"""The corridor: one batch of messages, from the queue to sections, days and announcements.

    open → token → fetch (the whole batch in parallel) → map → keep raw → write sections, fill slots → announce → done

A message is done only when its effect is durable. What must wait is sent as a copy and finished; what fails is given
back to the queue alone. Sections and slots of the whole batch are written before any of it is announced, so that ten
announcements share a call; a message is closed (its notes, its cursors) once its own are durable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache

from shared import connections, events, jobs, log, outcomes, runs, zones
from shared.commit import Announcement
from shared.connections import Connection
from shared.deferral import put_off, spread
from shared.errands import fan_out, for_person, forget, goodbye, rename, worry
from shared.errors import (
    NotGrantedError,
    OverBudgetError,
    ProviderChangedError,
    ReconnectError,
    RetryLaterError,
    cause_of,
)
from shared.fetching import answer, prepare
from shared.freshness import measured
from shared.jobs import Job, now_ms
from shared.log import logger
from shared.outcomes import Outcome, State
from shared.progress import finish, note
from shared.providers.registry import provider
from shared.raw import Answered, RawObject
from shared.secret import apps
from shared.settings import settings
from shared.signed import AwsError
from shared.values import dataclass, field, replace
from shared.visits import Visit, plan
from shared.writing import announce, close, write

NOT_HERE = "no_connection"


@dataclass
class Errand:
    """A message on its way through: its job once it is read, its visit to a connection if it makes one, and what became
    of it. `last`: should it fail, it is not delivered again. `same` are other hints that it answers, `people` the
    connections of the account that it is about, and `error` is why its answers or their announcements were not taken.
    """

    body: str
    last: bool = False
    same: tuple[str, ...] = ()
    people: list[str] = field(default_factory=list)
    job: Job | None = None
    held: Connection | None = None
    visit: Visit | None = None
    error: BaseException | None = None
    state: State | None = None
    cause: str = ""
    done: bool = False
    early: bool = False

    def outcome(self) -> Outcome | None:
        """None for a message that could not be read, and for one that was only passed on."""
        if self.job is None or self.state is None:
            return None
        asked = self.visit.questions if self.visit else []
        return Outcome(
            self.job,
            self.state,
            self.cause,
            self.held,
            outcomes.results(self.visit) if self.visit else {},
            min((question.as_of for question in asked if question.request), default=0),
            self.visit.refreshed if self.visit else 0,
            final=self.done or self.last,
            same=(*self.job.same, *self.same),
        )


class Batch:
    """The messages of one invocation: `open` them all, `keep_raw`, `write`, `finish` each, then `tell` and `measure`.
    `until` (milliseconds) is how long they can wait for their turns at a vendor's; what is bulk leaves it to others.
    `receives` says how often each was delivered, where it is not the first time."""

    def __init__(self, queue: str, until: int = 0, receives: Mapping[str, int] | None = None) -> None:
        self.queue, self.until = queue, until
        self._receives = receives or {}
        self._errands: dict[str, tuple[Errand, Future[None]]] = {}

    def open(self, messages: Iterable[tuple[str, str]]) -> None:
        """Fetches and maps, all messages at once; hints that say the same share one errand. What goes wrong with a
        message is raised when that message is finished. All have said how much they will ask before the first asks, so
        that turns at a vendor are leased for all."""
        groups: dict[str, dict[str, str]] = {}
        for message_id, body in messages:
            groups.setdefault(jobs.hint(body) or message_id, {})[message_id] = body
        bulk, errands = self.queue == settings().bulk_queue, list(map(self._errand, groups.values()))
        begun = [openers().submit(begin, errand, bulk, self.until) for errand in errands]
        wait(begun)
        for group, errand, started in zip(groups.values(), errands, begun, strict=True):
            self._errands |= dict.fromkeys(group, (errand, openers().submit(ask, errand, started)))

    def keep_raw(self) -> None:
        """One object for everything that changed, or could not be read, before anything made of it is written."""
        kept = RawObject()
        for _, visit in self._visits():
            for question in visit.questions:
                if question.changed or isinstance(question.error, ProviderChangedError):
                    answered = Answered(question.pages, question.as_of, question.window)
                    question.raw = kept.add(visit.connection.owner, answered)
        kept.keep()

    def write(self) -> None:
        """Sections and slots of all; then what they say, ten announcements to a call. Where one of these is not taken,
        each message with a part in it fails: it comes back, finds what it wrote, and says it again."""
        said: list[tuple[Errand, Announcement]] = []
        for errand, written in [(errand, openers().submit(write, visit)) for errand, visit in self._visits()]:
            errand.error = written.exception()
            said += [] if errand.error else ((errand, announcement) for announcement in written.result())
        for start in range(0, len(said), jobs.BATCH):
            ten = said[start : start + jobs.BATCH]
            try:
                announce(announcement for _, announcement in ten)
            except AwsError as error:
                for errand, _ in ten:
                    errand.error = error

    def finish(self, message_id: str) -> None:
        """Raises what is to be tried again; a message that must wait has sent its copy."""
        errand, begun = self._errands[message_id]
        try:
            begun.result()
            if errand.error:
                raise errand.error
            if not errand.done:
                perform(errand, self.queue)
                errand.done = True
        except Exception as error:
            fail(errand, error)
            raise

    def tell(self) -> None:
        """What became of each: to the people, and to the passes that queued them."""
        found = [outcome for outcome in (errand.outcome() for errand in self._all()) if outcome]
        events.keep(found, openers())
        runs.count(found)

    def measure(self) -> None:
        """How fresh was what is now written."""
        visits = [errand.visit for errand in self._all() if errand.done and errand.visit]
        for name, values in measured(visits, now_ms()).items():
            log.measure(name, values)

    def _errand(self, group: Mapping[str, str]) -> Errand:
        """The latest of them: a fetch that answers it answers the others."""
        latest = max(group, key=lambda message_id: jobs.told_at(group[message_id]))
        last = self._receives.get(latest, 1) >= jobs.RECEIVES
        return Errand(group[latest], last, tuple(jobs.id_of(group[m]) for m in group if m != latest))

    def _visits(self) -> list[tuple[Errand, Visit]]:
        """Of all that were opened, each once."""
        opened = {id(errand): errand for errand, begun in self._errands.values() if begun.exception() is None}
        return [(errand, errand.visit) for errand in opened.values() if errand.visit]

    def _all(self) -> Iterable[Errand]:
        """Each once, however many messages share it."""
        return {id(errand): errand for errand, _ in self._errands.values()}.values()


@cache
def openers() -> ThreadPoolExecutor:
    """As many as there are messages in a full batch: they do nothing but wait for others."""
    return ThreadPoolExecutor(jobs.TOGETHER, thread_name_prefix="open")


def begin(errand: Errand, bulk: bool, until: int) -> None:
    """Reads the message, and plans what to ask the vendor."""
    errand.job = job = jobs.read(errand.body)
    if jobs.too_early(job):
        errand.early = True
        return
    if errand.last and job.tracked:
        # Should this attempt take the worker with it, nobody is left to say so.
        finish(job.tracked, job.part, cause="interrupted")
    if job.account and not job.connection:
        # What a hint tells of, the first fill of whoever connects this very moment asks for.
        errand.people = connections.of_account(job.provider, job.account, loosely=True)
        if len(errand.people) == 1 and is_visit(job):
            errand.job = job = for_person(job, errand.people[0])
    if not job.connection or not is_visit(job):
        return
    errand.held = connections.load(job.connection)
    if errand.held is None:
        logger().info("dropped: no such connection", extra={"reason": job.reason, "tracked": job.tracked})
        errand.state, errand.cause, errand.done = "dropped", NOT_HERE, True
        if job.tracked:
            finish(job.tracked, job.part, cause=NOT_HERE)
        return
    errand.visit = plan(job, errand.held, provider(errand.held.provider), zones.of(errand.held.user))
    prepare(errand.visit, apps(), bulk, until)


def ask(errand: Errand, begun: Future[None]) -> None:
    begun.result()
    if errand.visit:
        answer(errand.visit, apps())


def perform(errand: Errand, queue: str) -> None:
    job = errand.job
    assert job is not None
    if errand.early:
        jobs.hop(queue, job)
        return
    if errand.visit:
        settle(errand.visit, queue)
        errand.state, errand.cause = outcomes.ended(errand.visit, outcomes.results(errand.visit))
        return
    try:
        run(errand, job, queue)
    except RetryLaterError as error:
        jobs.defer(queue, job, spread(error.after, job), ours=isinstance(error, OverBudgetError))
        errand.state, errand.cause = "waiting", error.cause
    except (ReconnectError, NotGrantedError) as error:
        logger().info("not done", extra={"job": job.id, "task": job.task, "outcome": error.cause})
        errand.state, errand.cause = "failed", error.cause


def run(errand: Errand, job: Job, queue: str) -> None:
    if job.account and not job.connection:
        fan_out(replace(job, same=errand.same), errand.people, queue)
        if not errand.people:
            errand.state, errand.cause = "dropped", NOT_HERE
    elif job.task != "sync":
        from shared.tasks import TASKS  # what few batches hold

        TASKS[job.task](job)
        errand.state = "done"
    elif is_word(job):
        errand.held = connections.load(job.connection)
        if errand.held is None:
            errand.state, errand.cause = "dropped", NOT_HERE
            return
        (goodbye if job.goodbye else rename if job.successor else worry if job.trouble else forget)(job, errand.held)
        errand.state = "done"


def is_visit(job: Job) -> bool:
    return job.task == "sync" and not is_word(job)


def is_word(job: Job) -> bool:
    """The vendor's word about the connection or a document: there is nothing to ask for."""
    return bool(job.deleted or job.goodbye or job.successor or job.trouble)


def fail(errand: Errand, error: Exception) -> None:
    """Notes why; the last time, in the report of the job as well, which nobody else would finish."""
    job, came = errand.job, {}
    if errand.visit and isinstance(error, ProviderChangedError):  # everything else was written
        came = outcomes.results(errand.visit)
    refused = [result.cause for result in came.values() if result.failed]
    errand.state, errand.cause = "failed", refused[0] if refused else cause_of(error)
    if errand.last and job and job.tracked:
        finish(job.tracked, job.part, came, "" if refused else errand.cause)


def settle(visit: Visit, queue: str) -> None:
    """Closes the visit, whose answers are written; then says what is to become of those that did not come."""
    job = visit.job
    close(visit)
    waiting = [q for q in visit.questions if isinstance(q.error, RetryLaterError)]
    for question in visit.questions:
        if isinstance(question.error, ProviderChangedError):
            raise question.error
        if isinstance(question.error, NotGrantedError | ReconnectError):
            outcome = {"job": job.id, "resource": question.resource.name, "outcome": type(question.error).__name__}
            logger().info("not synced", extra=outcome)
    if waiting:
        if job.tracked:
            note(job.tracked, job.part, outcomes.results(visit))
        put_off(visit, waiting, queue)
    elif job.tracked:
        finish(job.tracked, job.part, outcomes.results(visit))
