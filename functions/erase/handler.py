"""DELETE /v1/user: everything kept about the person goes; the job's report is the receipt."""

from __future__ import annotations

from http import HTTPStatus

from shared import erasure
from shared.api import answers, resolver, user
from shared.schemas import JobReply

app = resolver()


@app.delete("/v1/user", summary="Erase the person", tags=["erase"], responses=answers(JobReply, 202))
def erase() -> tuple[JobReply, int]:
    return JobReply(job=erasure.started(user(app))), HTTPStatus.ACCEPTED


handler = app.resolve
