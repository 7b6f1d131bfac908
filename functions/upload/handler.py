"""POST /v1/uploads: a file of the person's own."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from shared import uploads
from shared.api import answers, resolver, user
from shared.schemas import UploadError, UploadReply

app = resolver()


@app.post("/v1/uploads", summary="Upload a file of readings", tags=["upload"], responses=answers(UploadReply, 202))
def upload(zone: Annotated[str, Query(description="IANA zone of times without an offset")] = "") -> Any:
    event = app.current_event
    body = event.body or ""
    raw = base64.b64decode(body) if event.is_base64_encoded else body.encode()
    job, read = uploads.receive(user(app), raw, event.headers.get("content-type", ""), zone)
    errors = [UploadError(line=e.line, column=e.column, message=e.message) for e in read.errors]
    reply = UploadReply(job=job, rows=read.rows, errors=errors)
    return reply.model_dump(), HTTPStatus.ACCEPTED if job else HTTPStatus.BAD_REQUEST


handler = app.resolve
