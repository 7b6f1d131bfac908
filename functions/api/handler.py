"""The reads: connections, merged days, one metric, a job's progress, the catalogue, and the API's own description."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from shared import schemas, views
from shared.api import acts_for_all, answers, resolver, user, window
from shared.requests import EVERYONE

app = resolver()
From = Annotated[date, Query(alias="from", description="First local day")]
Source = Annotated[str, Query(description="One source only")]
To = Annotated[date, Query(description="Last local day, included")]
Fresh = Annotated[bool, Query(description="Read what was written a moment ago, at twice the price")]


@app.get("/v1/connections", summary="Connections", tags=["read"], responses=answers(schemas.Connections))
def connections() -> schemas.Connections:
    return views.connection_list(user(app))


@app.get("/v1/consents", summary="The consent ledger", tags=["read"], responses=answers(schemas.Consents))
def consents() -> schemas.Consents:
    return views.consent_list(user(app))


@app.get("/v1/days", summary="Merged days", tags=["read"], responses=answers(schemas.Days))
def days(first: From, to: To, fresh: Fresh = False) -> schemas.Days:
    return views.day_list(user(app), *window(first, to), fresh)


@app.get("/v1/metrics", summary="The metric catalogue", tags=["read"], responses=answers(schemas.Metrics))
def catalogue() -> schemas.Metrics:
    return views.catalogue()


@app.get(
    "/v1/metrics/<metric>", summary="One metric, every sample", tags=["read"], responses=answers(schemas.MetricSeries)
)
def metric(metric: str, first: From, to: To, source: Source = "", fresh: Fresh = False) -> schemas.MetricSeries:
    return views.metric_series(user(app), metric, *window(first, to), source, fresh)


@app.get("/v1/jobs/<job>", summary="A job's progress", tags=["read"], responses=answers(schemas.Job))
def job(job: str) -> schemas.Job:
    return views.job(job, EVERYONE if acts_for_all(app) else user(app))


@app.get("/v1/openapi.json", include_in_schema=False)
def description() -> Response[str]:
    return Response(200, "application/json", views.description())


handler = app.resolve
