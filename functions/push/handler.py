"""POST /v1/push/{platform}: what the health store of a person's phone holds."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Header

from shared import pushes
from shared.api import answers, resolver, user
from shared.push_shapes import PushReply
from shared.replies import outgoing

app = resolver()
ANSWERS: Any = answers(PushReply, 202, 409, 413)
Key = Annotated[
    str,
    Header(
        alias="idempotency-key", min_length=1, max_length=200,
        description="Of this batch alone: sent again with it, the batch is taken once",
    ),
]  # fmt: skip


@app.post("/v1/push/<platform>", summary="Push from the phone", tags=["push"], responses=ANSWERS)
def push(platform: str, idempotency_key: Key) -> tuple[PushReply, int]:
    event = app.current_event
    body = event.body or ""
    raw = base64.b64decode(body) if event.is_base64_encoded else body.encode()
    encoding = event.headers.get("content-encoding", "")
    return pushes.receive(user(app), platform, idempotency_key, raw, encoding), HTTPStatus.ACCEPTED


handler = outgoing(app.resolve)
