"""Asks a visit's questions, all at once, and files what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import orjson

from shared import connections, jobs, sections, tokens, vendor
from shared.apps import App, Apps
from shared.budget import Budget
from shared.commit import Change, proposals
from shared.discovery import settled
from shared.errors import ProviderChangedError, ReconnectError, RetryLaterError, TributaryError
from shared.filing import Filed, file
from shared.jobs import now_ms
from shared.knowledge import News
from shared.payloads import disclose
from shared.providers import Hosted, OAuth2, Request
from shared.sections import Key, Section
from shared.values import replace
from shared.visits import Question, Visit

PARALLEL = 3 * jobs.TOGETHER
"""A poll asks for three resources, mostly. Most of it waits for the vendor, and little for a processor."""


@cache
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(PARALLEL, thread_name_prefix="fetch")


def prepare(visit: Visit, credentials: Apps, bulk: bool = False, until: int = 0) -> None:
    """Says how many questions are about to be asked, so that the first of all who prepare leases turns for them.

    Until `until` (milliseconds) there is time to wait for the turn of what is begun; `bulk` work leaves others theirs.
    """
    if asked := to_ask(visit):
        app = credentials.app(visit.provider.id)
        visit.budget = Budget.of(visit.provider, app, visit.connection.id, bulk, until)
        visit.budget.expect(len(asked))


def to_ask(visit: Visit) -> list[Question]:
    return [question for question in visit.questions if question.request]


def answer(visit: Visit, credentials: Apps) -> None:
    """Fills in every question of a prepared visit: its pages, what they become, and whether that differs from what is
    stored.

    What the vendor refuses stays with its question as `error`; what we do not understand is raised.
    """
    for question in visit.questions:
        question.as_of = visit.job.as_of
    if visit.job.payload:
        hand_out(visit)
    if asked := to_ask(visit):
        ask_all(visit, asked, credentials.app(visit.provider.id))
    compare(visit)


def ask_all(visit: Visit, asked: list[Question], app: App) -> None:
    try:
        visit.provider = settled(visit.provider, app)
        token = tokens.access_token(visit.provider, app, visit.connection, renewed=visit.renewed)
    except Exception as error:
        visit.budget.expect(-len(asked))
        if not isinstance(error, ReconnectError | RetryLaterError):
            raise
        for question in asked:
            question.error = error
    else:
        list(pool().map(asking(visit, app, token), asked))


def hand_out(visit: Visit) -> None:
    """What a door received; of a push or a file, to each resource its own part."""
    plain = disclose(visit.connection, visit.job.payload)
    told = orjson.loads(plain)
    for question in visit.questions:
        part = told if visit.job.reason == "webhook" else question.resource.part(told)
        question.pages, question.replies = [plain if part is told else orjson.dumps(part)], [part]


def asking(visit: Visit, app: App, token: str) -> Callable[[Question], None]:
    def ask(question: Question) -> None:
        assert question.request
        question.as_of = now_ms()
        try:
            replies = pages(visit, question, app, token)
            if not question.ordered:
                question.pages += [reply.body for reply in replies]
                question.replies += [enveloped(question, reply.json) for reply in replies]
        except TributaryError as error:
            question.error = error

    return ask


def enveloped(question: Question, reply: Any) -> Any:
    """A document asked for by its id comes bare; mappings read the envelope."""
    return reply if question.window else question.resource.envelope(reply)


def pages(visit: Visit, question: Question, app: App, token: str) -> list[vendor.Reply]:
    assert question.request
    follow = question.resource.next_page
    asked = question.request
    ask = partial(vendor.pages, visit.provider, app, follow=follow, budget=visit.budget)

    def call(token: str) -> list[vendor.Reply]:
        """A vendor that says the person must act has ended the connection."""
        try:
            return ask(personal(visit, asked), token)
        except ReconnectError as error:
            connections.suspend(visit.connection.id, error.cause, visit.connection.generation)
            raise

    return tokens.outliving(visit.provider, app, visit.connection, token, call, visit.renewed)


def personal(visit: Visit, request: Request) -> Request:
    """Whose it is, where what authenticates the call does not say; and so with all that is asked after it."""
    auth = visit.provider.auth
    if not isinstance(auth, Hosted | OAuth2):
        return request
    following = request.then and personal(visit, request.then)
    return replace(auth.about(request, visit.connection.account), then=following)


def compare(visit: Visit) -> None:
    """Maps the answers, and looks once what of them all is new."""
    for question in visit.questions:
        if question.error is None and not question.ordered:
            try:
                question.filed = mapped(visit, question)
            except ProviderChangedError as error:  # the reply is kept all the same: it is what shows why
                question.error = error
    filed = [(question, question.filed.changes) for question in visit.questions if question.filed]
    here = stored(visit, (change for _, changes in filed for change in changes))
    for question, changes in filed:
        question.proposed = proposals(here, changes, visit.job.id)
        question.changed = any(made.differs for made in question.proposed.values())
        question.begun = any(made.seen.by == visit.job.id for made in question.proposed.values())


def stored(visit: Visit, changes: Iterable[Change]) -> dict[Key, Section]:
    """Sections as they are now; at half the price, and perhaps a moment old, where that mends itself: what may only
    have left goes with the next news of it, and a day that is polled is asked for again (a put is refused where it was
    old)."""
    firmly, loosely, leaving = list[Key](), list[Key](), list[Change]()
    polled = visit.job.reason == "poll"
    for change in changes:
        if change.leaves:
            leaving.append(change)
        else:
            (loosely if polled and change.news.whole else firmly).append(change.key)
    here = sections.read(firmly, loosely)
    before = known(visit, here) if polled else frozenset()
    left = [change.key for change in leaving if change.news.moved or not named(change) <= before]
    return {change.key: Section(change.key) for change in leaving} | sections.read((), left) | here


def known(visit: Visit, here: Mapping[Key, Section]) -> frozenset[tuple[str, str]]:
    """The documents that were where they are now before: they left nothing behind that the polls of those days would
    not find. What this job has written itself it may not have finished."""
    settled = ((key, section) for key, section in here.items() if section.by != visit.job.id)
    return frozenset((key.resource, id_) for key, section in settled for id_ in section.ids)


def named(change: Change) -> frozenset[tuple[str, str]]:
    return frozenset((change.key.resource, id_) for id_ in change.news.deleted)


def mapped(visit: Visit, question: Question) -> Filed:
    """What the replies become. Raises ProviderChangedError."""
    filed = file(visit.answer(question))
    if question.window is None and filed.deletions:
        changes = {change.key: change for change in filed.changes}
        for change in departed(visit, question, frozenset(filed.deletions)):
            changes[change.key] = changes[change.key].without(change.news.deleted) if change.key in changes else change
        filed = replace(filed, changes=list(changes.values()))
    return filed


def departed(visit: Visit, question: Question, ids: frozenset[str]) -> Iterator[Change]:
    """A document asked for by its id, or told of, may turn out to be none any more, wherever it was."""
    # Whoever tells of them may not say of which resource they are: one walk finds those of all.
    told = bool(visit.job.payload)
    wanted = tuple(q.resource.name for q in visit.questions) if told else (question.resource.name,)
    if (wanted, ids) not in visit.walked:
        where = visit.connection.user, visit.provider.id
        for name in wanted if told else ():
            # First of all: what was pushed before the deletion may still be on its way.
            sections.bury(*where, name, ids, question.as_of)
        visit.walked[wanted, ids] = list(sections.holding(*where, wanted, ids, visit.job.id))
    for key in visit.walked[wanted, ids]:
        if key.resource.partition("@")[0] == question.resource.name:
            news, kind = News(question.as_of, deleted=ids), visit.provider.kind_of(key.resource)
            yield Change(key, news, kind, version=question.resource.version)
