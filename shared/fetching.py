"""Asks a visit's questions, all at once, and files what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import orjson

from shared import connections, sections, tokens, vendor
from shared.apps import App, Apps
from shared.budget import Budget
from shared.commit import Change, differs
from shared.errors import ProviderChangedError, ReconnectError, RetryLaterError, TributaryError
from shared.filing import Filed, file
from shared.jobs import now_ms
from shared.knowledge import News
from shared.payloads import disclose
from shared.providers import Hosted, Request
from shared.visits import Question, Visit

PARALLEL = 16


@cache
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(PARALLEL, thread_name_prefix="fetch")


def answer(visit: Visit, credentials: Apps, bulk: bool = False, until: int = 0) -> None:
    """Fills in every question: its pages, what they become, and whether that differs from what is stored.

    Until `until` (milliseconds) there is time to wait for the turn of what is begun; `bulk` work leaves others theirs.
    What the vendor refuses stays with its question as `error`; what we do not understand is raised.
    """
    for question in visit.questions:
        question.as_of = visit.job.as_of
        if visit.job.payload:
            question.pages = [disclose(visit.connection, visit.job)]
            question.replies = [orjson.loads(question.pages[0])]
    asked = [question for question in visit.questions if question.request]
    if asked:
        app = credentials.app(visit.provider.id)
        visit.budget = Budget.of(visit.provider, app, visit.connection.id, bulk, until)
        try:
            token = tokens.access_token(visit.provider, app, visit.connection, renewed=visit.renewed)
        except (ReconnectError, RetryLaterError) as error:
            for question in asked:
                question.error = error
        else:
            visit.budget.expect(len(asked))
            list(pool().map(asking(visit, app, token), asked))
    for question in visit.questions:
        if question.error is None:
            try:
                compare(visit, question)
            except ProviderChangedError as error:  # the reply is kept all the same: it is what shows why
                question.error = error


def asking(visit: Visit, app: App, token: str) -> Callable[[Question], None]:
    def ask(question: Question) -> None:
        assert question.request
        question.as_of = now_ms()
        try:
            for reply in pages(visit, question, app, token):
                question.pages.append(reply.body)
                question.replies.append(enveloped(question, reply.json))
        except TributaryError as error:
            question.error = error

    return ask


def enveloped(question: Question, reply: Any) -> Any:
    """A document asked for by its id comes bare; mappings read the envelope."""
    return reply if question.window else question.resource.envelope(reply)


def pages(visit: Visit, question: Question, app: App, token: str) -> list[vendor.Reply]:
    assert question.request
    follow = question.resource.next_page
    request = personal(visit, question.request)
    ask = partial(vendor.pages, visit.provider, app, request, follow=follow, budget=visit.budget)

    def call(token: str) -> list[vendor.Reply]:
        """A vendor that says the person must act has ended the connection."""
        try:
            return ask(token)
        except ReconnectError as error:
            connections.suspend(visit.connection.id, error.cause, visit.connection.generation)
            raise

    return tokens.outliving(visit.provider, app, visit.connection, token, call, visit.renewed)


def personal(visit: Visit, request: Request) -> Request:
    """Whose it is, where what authenticates the call does not say."""
    auth = visit.provider.auth
    return auth.about(request, visit.connection.account) if isinstance(auth, Hosted) else request


def compare(visit: Visit, question: Question) -> None:
    """Maps the answer and looks whether it says anything new."""
    question.filed = mapped(visit, question)
    stored = sections.read(change.key for change in question.filed.changes)
    question.changed = any(differs(stored[c.key], c, visit.job.id) for c in question.filed.changes)
    question.begun = any(section.by == visit.job.id for section in stored.values())


def mapped(visit: Visit, question: Question) -> Filed:
    """What the replies become. Raises ProviderChangedError."""
    filed = file(visit.answer(question))
    if question.window is None:
        filed.changes.extend(departed(visit, question, filed.deletions))
    return filed


def departed(visit: Visit, question: Question, ids: list[str]) -> Iterator[Change]:
    """A document asked for by its id may turn out to be none any more, wherever it was."""
    for id_ in ids:
        where = visit.connection.user, visit.provider.id, question.resource.name
        for key in sections.holding(*where, id_, visit.job.id):
            news = News(question.as_of, deleted=frozenset({id_}))
            yield Change(key, news, visit.provider.kind, version=question.resource.version)
