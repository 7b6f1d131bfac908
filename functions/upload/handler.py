"""POST /v1/uploads: a file of the person's own; a large one goes to the bucket, and only its place is asked here."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query

from shared import imports, uploads
from shared.api import answers, fault, iso, resolver, user
from shared.schemas import JobReply, LargeUpload, UploadError, UploadPlace, UploadRefusal, UploadReply

app = resolver()
Reconnect = Annotated[bool, Query(description="The person asks for it after having disconnected")]
ANSWERS: Any = {**answers(UploadReply, 202, 409), 400: answers(UploadRefusal, 400)[400]}


@app.post("/v1/uploads", summary="Upload a file of readings", tags=["upload"], responses=ANSWERS)
def upload(
    zone: Annotated[str, Query(description="IANA zone of times without an offset")] = "",
    dates: Annotated[
        Literal["DMY", "MDY", ""], Query(description="Which comes first, where the file leaves it open")
    ] = "",
    reconnect: Reconnect = False,
) -> Any:
    event = app.current_event
    body = event.body or ""
    raw = base64.b64decode(body) if event.is_base64_encoded else body.encode()
    job, read = uploads.receive(user(app), raw, event.headers.get("content-type", ""), zone, dates, reconnect)
    errors = [UploadError(line=e.line, column=e.column, message=e.message) for e in read.errors]
    reply = UploadReply(job=job, rows=read.rows, errors=errors).model_dump()
    if job:
        return reply, HTTPStatus.ACCEPTED
    refusal = fault(app, 400, "bad_request", "no row of the file could be read", "body")
    return {**json.loads(refusal.body or ""), **reply}, HTTPStatus.BAD_REQUEST


@app.post(
    "/v1/uploads/large", summary="A place for a large file", tags=["upload"], responses=answers(UploadPlace, 201, 413)
)
def large(request: LargeUpload) -> tuple[UploadPlace, int]:
    place = imports.place(user(app), request.type, request.bytes)
    shown = UploadPlace(upload=place.id, url=place.url, headers=dict(place.headers), expires_at=iso(place.until))
    return shown, HTTPStatus.CREATED


@app.post(
    "/v1/uploads/large/<upload>", summary="Read a large file", tags=["upload"], responses=answers(JobReply, 202, 409)
)
def begin(upload: str, reconnect: Reconnect = False) -> tuple[JobReply, int]:
    return JobReply(job=imports.begin(user(app), upload, reconnect)), HTTPStatus.ACCEPTED


handler = app.resolve
