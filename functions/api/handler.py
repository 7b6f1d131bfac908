"""The reads: connections, merged days, one metric, a job's progress, the catalogue, and the API's own description."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import schemas, views
from shared.api import answers, is_machine, resolver, user, window
from shared.requests import EVERYONE

app = resolver()
From = Annotated[date, Query(alias="from", description="First local day")]
To = Annotated[date, Query(description="Last local day, included")]
Fresh = Annotated[bool, Query(description="Read what was written a moment ago, at twice the price")]


@app.get(
    "/v1/connections", summary="What the person has connected", tags=["read"], responses=answers(schemas.Connections)
)
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
def metric(
    metric: str, first: From, to: To, source: Annotated[str, Query()] = "", fresh: Fresh = False
) -> schemas.MetricSeries:
    return views.metric_series(user(app), metric, *window(first, to), source, fresh)


@app.get("/v1/jobs/<job>", summary="A job's progress", tags=["read"], responses=answers(schemas.Job))
def job(job: str) -> schemas.Job:
    everyones = is_machine(app) and "tributary-user" not in app.current_event.headers
    return views.job(job, EVERYONE if everyones else user(app))


@app.get("/v1/openapi.json", summary="This description", tags=["read"], include_in_schema=False)
def description() -> Response[str]:
    path = Path(__file__).parents[2] / "docs" / "openapi.json"
    return Response(200, "application/json", path.read_text(encoding="utf-8"))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
