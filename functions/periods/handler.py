"""The reads of a stretch of days as a whole: glucose, a summary, and how far the data reaches."""

from __future__ import annotations

from shared import period_views as views
from shared import reading_shapes as shapes
from shared.api import answers, resolver, user, window
from shared.params import Fresh, From, Readings, Source, To, Unit
from shared.replies import outgoing

app = resolver()
A_QUARTER = 92


@app.get("/v1/glucose", summary="Glucose, with trend and ranges", tags=["read"], responses=answers(shapes.Glucose))
def glucose(
    first: From, to: To, unit: Unit = None, source: Source = "", readings: Readings = True, fresh: Fresh = False
) -> shapes.Glucose:
    return views.glucose_of(user(app), *window(first, to, A_QUARTER), unit or "", source, readings, fresh)


@app.post(
    "/v1/summary",
    summary="A period, and the one before",
    tags=["read"],
    responses=answers(shapes.SummaryReply, 200, 413),
)
def summary(request: shapes.SummaryRequest) -> shapes.SummaryReply:
    return views.summary(user(app), request)


@app.get("/v1/recent", summary="How far the data reaches", tags=["read"], responses=answers(shapes.Recent))
def recent() -> shapes.Recent:
    return views.recent(user(app))


handler = outgoing(app.resolve)
