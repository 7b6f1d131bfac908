"""DELETE /v1/connections/{id}: nothing more is fetched from now on; the vendor is told by the worker."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from shared import leaving
from shared.api import answers, resolver, user
from shared.schemas import JobReply

app = resolver()
Purge = Annotated[bool, Query(description="Delete what this source brought, too")]


@app.delete("/v1/connections/<connection>", summary="Disconnect", tags=["connect"], responses=answers(JobReply, 202))
def disconnect(connection: str, purge: Purge = False) -> tuple[JobReply, int]:
    return JobReply(job=leaving.asked(user(app), connection, purge)), HTTPStatus.ACCEPTED


handler = app.resolve
