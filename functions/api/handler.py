"""The other reads: connections, consents, a job's progress, the metric catalogue, the API's own description."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response

from shared import schemas, views
from shared.api import acts_for_all, answers, resolver, user
from shared.replies import outgoing
from shared.requests import EVERYONE

app = resolver()


@app.get("/v1/connections", summary="Connections", tags=["read"], responses=answers(schemas.Connections))
def connections() -> schemas.Connections:
    return views.connection_list(user(app))


@app.get("/v1/consents", summary="The consent ledger", tags=["read"], responses=answers(schemas.Consents))
def consents() -> schemas.Consents:
    return views.consent_list(user(app))


@app.get("/v1/metrics", summary="The metric catalogue", tags=["read"], responses=answers(schemas.Metrics))
def catalogue() -> schemas.Metrics:
    return views.catalogue()


@app.get("/v1/jobs/<job>", summary="A job's progress", tags=["read"], responses=answers(schemas.Job))
def job(job: str) -> schemas.Job:
    return views.job(job, EVERYONE if acts_for_all(app) else user(app))


@app.get("/v1/openapi.json", include_in_schema=False)
def description() -> Response[str]:
    return Response(200, "application/json", views.description())


handler = outgoing(app.resolve)
