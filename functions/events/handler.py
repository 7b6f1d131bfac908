"""GET /v1/events: what became of all that came in about the person."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from shared import views
from shared.api import EARLIEST, answers, resolver, user, window
from shared.replies import outgoing
from shared.schemas import Events

app = resolver()
KEPT = timedelta(days=30)
Since = Annotated[date | None, Query(alias="from", description="First day, UTC; else all that is kept")]
Until = Annotated[date | None, Query(alias="to", description="Last day, included; else today")]
Source = Annotated[str, Query(description="One provider only; a page may then be short")]
Page = Annotated[str, Query(description="`next` of the page before")]


@app.get("/v1/events", summary="What became of all that came in", tags=["read"], responses=answers(Events, 200, 429))
def events(first: Since = None, to: Until = None, provider: Source = "", page: Page = "") -> Events:
    last = to or datetime.now(UTC).date()
    start = first or max(last, EARLIEST + KEPT) - KEPT
    return views.event_list(user(app), *window(start, last), provider, page)


handler = outgoing(app.resolve)
