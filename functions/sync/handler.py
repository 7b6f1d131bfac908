"""POST /v1/sync: fetch days now, backfill them in windows, resume such a job, or roll days up again. POST /v1/refresh:
what is missing."""

from __future__ import annotations

from http import HTTPStatus

from shared import requests
from shared.api import answers, is_machine, resolver, user
from shared.schemas import JobReply, RefreshReply, SyncRequest

app = resolver()


@app.post("/v1/sync", summary="Sync, backfill or aggregate", tags=["sync"], responses=answers(JobReply, 202))
def sync(request: SyncRequest) -> tuple[JobReply, int]:
    job = requests.everyone(request, is_machine(app)) if request.everyone else requests.sync(user(app), request)
    return JobReply(job=job), HTTPStatus.ACCEPTED


@app.post("/v1/refresh", summary="Sync what is missing", tags=["sync"], responses=answers(RefreshReply, 202))
def refresh() -> tuple[RefreshReply, int]:
    job, days = requests.refresh(user(app))
    return RefreshReply(job=job, days=days), HTTPStatus.ACCEPTED


handler = app.resolve
