"""POST /v1/exports: the person's data as a file; the job that writes it leads to a link."""

from __future__ import annotations

from http import HTTPStatus

from shared import exports
from shared.api import answers, resolver, user, window
from shared.reading_shapes import ExportRequest
from shared.schemas import JobReply

app = resolver()


@app.post("/v1/exports", summary="Export the person's data", tags=["export"], responses=answers(JobReply, 202))
def export(request: ExportRequest) -> tuple[JobReply, int]:
    days = window(request.first, request.last, None)
    return JobReply(job=exports.started(user(app), request.format, *days)), HTTPStatus.ACCEPTED


handler = app.resolve
