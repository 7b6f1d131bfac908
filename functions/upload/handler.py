"""POST /v1/uploads: a file of the person's own."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from shared import uploads
from shared.api import answers, fault, resolver, user
from shared.schemas import UploadError, UploadRefusal, UploadReply

app = resolver()
ANSWERS: Any = {**answers(UploadReply, 202, 409), 400: answers(UploadRefusal, 400)[400]}


@app.post("/v1/uploads", summary="Upload a file of readings", tags=["upload"], responses=ANSWERS)
def upload(zone: Annotated[str, Query(description="IANA zone of times without an offset")] = "") -> Any:
    event = app.current_event
    body = event.body or ""
    raw = base64.b64decode(body) if event.is_base64_encoded else body.encode()
    job, read = uploads.receive(user(app), raw, event.headers.get("content-type", ""), zone)
    errors = [UploadError(line=e.line, column=e.column, message=e.message) for e in read.errors]
    reply = UploadReply(job=job, rows=read.rows, errors=errors).model_dump()
    if job:
        return reply, HTTPStatus.ACCEPTED
    refusal = fault(app, 400, "bad_request", "no row of the file could be read", "body")
    return {**json.loads(refusal.body or ""), **reply}, HTTPStatus.BAD_REQUEST


handler = app.resolve
