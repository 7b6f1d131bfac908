"""What became of one message: how it ended in one word, and what each resource brought. Pure. It is told three times,
as an event of the person's, as a count of the pass that queued it, and as a window of the job it is part of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from shared.connections import Connection
from shared.errors import NotGrantedError, RetryLaterError, cause_of
from shared.jobs import Job
from shared.model import Document
from shared.values import dataclass, field
from shared.visits import Question, Visit

ASKED = "asked"
"""The vendor took the question, and sends what was asked for by webhook."""
State = Literal["written", "unchanged", "waiting", "failed", "dropped", "done"]
"""`done` is work other than a sync; `waiting` and, unless it was the last time, `failed` come again."""


@dataclass(frozen=True)
class Result:
    """One resource's answer. The counts are of all it held, news or not, so that a window asked for twice says the
    same; only `written` (days whose section changed) and the sleeps and workouts on those days are of what was new."""

    days: int = 0
    documents: int = 0
    samples: int = 0
    skipped: int = 0
    cause: str = ""
    waiting: bool = False
    written: tuple[str, ...] = ()
    sleeps: int = 0
    workouts: int = 0

    @property
    def failed(self) -> bool:
        """What the person or their plan does not give is not missing, and what is on its way is not yet."""
        return self.cause not in ("", ASKED, NotGrantedError.cause)

    def plus(self, other: Result) -> Result:
        """The parts that a window was asked for in, as one."""
        return Result(
            self.days + other.days,
            self.documents + other.documents,
            self.samples + other.samples,
            self.skipped + other.skipped,
            other.cause if other.failed and not self.failed else self.cause or other.cause,
            self.waiting or other.waiting,
            self.written + other.written,
            self.sleeps + other.sleeps,
            self.workouts + other.workouts,
        )


@dataclass(frozen=True)
class Outcome:
    """`fetched` is when the first question to the vendor began; `final` a failure that is not tried again; `same` the
    ids of other hints that this errand answered."""

    job: Job
    state: State
    cause: str = ""
    held: Connection | None = None
    results: Mapping[str, Result] = field(default_factory=dict)
    fetched: int = 0
    refreshed: int = 0
    final: bool = False
    same: tuple[str, ...] = ()


def results(visit: Visit) -> dict[str, Result]:
    """By resource, of what was answered, asked for or refused."""
    found: dict[str, Result] = {}
    for question in (q for q in visit.questions if q.filed or q.error or q.ordered):
        found[question.resource.name] = found.get(question.resource.name, Result()).plus(result(question))
    return found


def result(question: Question) -> Result:
    changes = question.filed.changes if question.filed else []
    written = {announcement.key for announcement in question.said}
    new = [document for change in changes if change.key in written for document in change.news.documents]
    documents = [document for change in changes for document in change.news.documents]
    return Result(
        days=sum(bool(change.news.documents) for change in changes),
        documents=sum(bool(document.id) for document in documents),
        samples=sum(map(samples, documents)),
        skipped=len(question.filed.skipped) if question.filed else 0,
        cause=cause_of(question.error) if question.error else ASKED if question.ordered else "",
        waiting=isinstance(question.error, RetryLaterError),
        written=tuple(sorted(key.day for key in written)),
        sleeps=sum(kind(document) in ("sleep", "nap") for document in new),
        workouts=sum(kind(document) == "workout" for document in new),
    )


def samples(document: Document) -> int:
    """Every value in it."""
    parts = (document, document.episode) if document.episode else (document,)
    return sum(len(part.readings) + sum(len(series.times) for series in part.series) for part in parts)


def kind(document: Document) -> str:
    return document.episode.kind if document.episode else ""


def ended(visit: Visit, found: Mapping[str, Result]) -> tuple[State, str]:
    """How a visit ended that raised nothing, and why not better."""
    if not found:
        granted = any(name in visit.connection.resources for name in visit.job.resources or visit.connection.resources)
        return "unchanged", "already_known" if granted else NotGrantedError.cause
    causes = [result.cause for result in found.values() if result.cause]
    if waiting := [result.cause for result in found.values() if result.waiting]:
        return "waiting", waiting[0]
    if any(result.written for result in found.values()):
        return "written", ""
    if ASKED in causes:
        return "unchanged", ASKED
    if len(causes) == len(found):
        return "failed", causes[0]
    return "unchanged", ""
