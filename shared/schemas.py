"""The shapes of the HTTP API: what a request may hold and what an answer does. Times are ISO 8601 UTC unless said."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A request: a field we do not know is a mistake worth telling."""

    model_config = ConfigDict(extra="forbid")


class ConnectRequest(Strict):
    return_url: str = Field("", description="Where the browser lands afterwards, on a configured origin")
    timezone: str = Field("", description="IANA zone the person lives in, e.g. Europe/Berlin")
    consent_text: str = Field("", description="Version of the words the person agreed to, kept in the consent ledger")
    switch_account: bool = Field(
        False, strict=True, description="Confirms a move to another account at the same provider"
    )


class ConnectReply(BaseModel):
    authorize_url: str = Field(description="The provider's consent page")
    link: str = Field(description="A one-time link that redirects a browser there")
    expires_at: str


class ProfileRequest(Strict):
    """What is left out stays as it was."""

    timezone: str = Field("", description="IANA zone the person lives in from now on")
    wake_hour: int | None = Field(None, ge=0, le=23, strict=True, description="When polling may expect the night")
    glucose_unit: Literal["", "mg/dL", "mmol/L"] = Field("", description="How glucose is answered")
    priority: dict[str, list[str]] = Field(
        default_factory=dict, description="Per metric, the sources that win a day, best first; [] forgets them"
    )


class Profile(BaseModel):
    timezone: str = Field(description="Empty until told, or learned from a provider")
    wake_hour: int
    glucose_unit: str
    priority: dict[str, list[str]]


class SyncRequest(Strict):
    action: Literal["sync", "backfill", "aggregate", "resume"] = Field(
        description="sync: fetch these days now; backfill: in tracked windows; aggregate: roll days up again; "
        "resume: ask again for what is not done of `job`"
    )
    job: str = Field("", description="The sync, refresh or backfill to resume")
    provider: str = Field("", description="One provider; all that are connected if neither is given")
    providers: list[str] = Field(default_factory=list)
    days: int = Field(2, ge=1, le=365, strict=True, description="The last so many local days, today included")
    everyone: bool = Field(False, strict=True, description="Every user of these providers; machine clients only")


class JobReply(BaseModel):
    job: str


class RefreshReply(JobReply):
    days: dict[str, int] = Field(description="Per provider, the last so many local days that are fetched")


class AskedDays(BaseModel):
    """Days of a resource that the vendor was asked to send: they come by its webhooks, if there is anything."""

    first: date | None
    last: date | None


class MissingDays(BaseModel):
    """Days of a resource that did not come, and why."""

    first: date | None
    last: date | None
    cause: str


class JobResource(BaseModel):
    """What came of one resource: counts of all that the vendor answered, news or not."""

    provider: str = Field(description="Or the part of the work, where it asks no provider")
    resource: str = Field(description="Empty: what failed is the whole window")
    days: int = Field(description="Days that hold something")
    documents: int
    samples: int
    skipped: int = Field(description="Records that could not be read, or hold impossible values")
    missing: list[MissingDays]
    asked: list[AskedDays] = Field(description="What the vendor sends later; nothing waits for it")


class Link(BaseModel):
    """Whoever holds the address can fetch the file, without a token: treat it as one."""

    url: str
    expires_at: str = Field(description="Of the address; ask for the job again to get another")
    kept_until: str = Field(description="Of the file; it is deleted then, or when the person is erased")


class Job(BaseModel):
    job: str
    action: str
    status: Literal["running", "completed", "partial", "failed"] = Field(
        description="partial: some of it came; resume it to ask for the rest"
    )
    created: str
    first: date | None = Field(description="The first local day asked for, where it asks for days")
    last: date | None
    windows: int
    done: int
    failed: list[str] = Field(description="Windows in which something failed")
    resources: list[JobResource]
    told: dict[str, str | int | dict[str, int]] = Field(
        description="What came of it: vendors' answers, what was deleted or exported, what a replay found"
    )
    link: Link | None = Field(description="To an export's file, once it is written")


class UploadError(BaseModel):
    line: int = Field(description="1-based; a CSV file's header is line 1, a JSON file's records are counted")
    column: str
    message: str


class UploadReply(BaseModel):
    job: str
    rows: int = Field(description="Good rows, queued")
    errors: list[UploadError]


class LargeUpload(Strict):
    type: str = Field(max_length=100, description="Of the file: application/zip for an export of Apple Health")
    bytes: int = Field(strict=True, ge=1, description="Its size, which the link then takes and no other")


class UploadPlace(BaseModel):
    """PUT the file to `url` with these headers, then POST /v1/uploads/large/{upload}. Keep it until then."""

    upload: str
    url: str
    headers: dict[str, str]
    expires_at: str


class Freshness(BaseModel):
    resource: str
    by: Literal["webhook", "polling"] = Field(description="How news of it is expected to reach us first")
    as_of: str | None = Field(description="When the newest news of it was known; null where there was none for a week")
    expected_lag_minutes: int | None = Field(
        description="What we know should be no older now, lost webhooks included; null where polling is not allowed"
    )
    actual_lag_minutes: int | None = Field(description="How long ago it was last known to be complete, to four hours")


class Connection(BaseModel):
    id: str
    provider: str
    name: str
    state: Literal["pending", "active", "degraded", "reconnect", "disconnected"]
    cause: str
    advice: str = Field(description="What to do about it; empty where there is nothing to do")
    since: str
    scopes: list[str]
    missing_scopes: list[str]
    resources: list[str]
    backfill: str = Field(description="The job that filled its history; see /v1/jobs/{job}")
    last_data_at: str | None
    last_push_at: str | None
    last_poll_at: str | None
    next_poll_at: str | None
    freshness: list[Freshness] = Field(description="By resource; empty unless it is connected")


class Connections(BaseModel):
    connections: list[Connection]


class WrittenDays(BaseModel):
    """Sections of one resource that an event changed."""

    resource: str
    days: int
    first: date | None
    last: date | None
    cause: str = Field(description="Why this resource did not come; empty where it did")


class Event(BaseModel):
    """One attempt to serve something that came in. What had to wait, or failed and was tried again, has several."""

    id: str = Field(description="Of the webhook's event, the upload, the push, or the job's window")
    reason: Literal["webhook", "poll", "review", "backfill", "sync", "upload", "push"]
    provider: str
    connection: str
    received: str = Field(description="When our door took it, or it was queued")
    fetched: str | None = Field(description="When the vendor was first asked; null where it was not")
    finished: str
    latency_ms: int = Field(description="From received to finished")
    outcome: Literal["written", "unchanged", "waiting", "failed", "dropped", "done"]
    cause: str
    final: bool = Field(description="A failure that is not tried again")
    attempt: int = Field(description="How often it had waited before")
    same: list[str] = Field(description="Ids of other events that said the same and were answered with it")
    resources: list[WrittenDays]


class Events(BaseModel):
    events: list[Event]
    next: str = Field(description="Ask for this `page` next; empty at the end")


class Consent(BaseModel):
    number: int
    at: str
    action: Literal["granted", "withdrawn"]
    provider: str
    scopes: list[str]
    text: str = Field(description="Version of the words agreed to")
    cause: str = Field(description="Why consent ended")
    hash: str


class Consents(BaseModel):
    consents: list[Consent]


class Metric(BaseModel):
    metric: str
    unit: str
    loinc: str
    day: str = Field(description="How many values become the day's one")
    reject: list[float] = Field(description="[low, high]: outside, a value is dropped")
    flag: list[float] = Field(description="[low, high]: outside, a value is kept and left out of averages")


class Metrics(BaseModel):
    metrics: list[Metric]


class Fault(BaseModel):
    type: Literal["invalid_request", "internal"]
    code: str = Field(description="One word for machines; the README lists them")
    message: str = Field(description="For people")
    param: str | None = Field(description="The field at fault")


class ErrorReply(BaseModel):
    """Every error has this shape."""

    error: Fault
    request_id: str


class UploadRefusal(ErrorReply, UploadReply):
    """Where rows are at fault, they are named."""

    errors: list[UploadError] = Field(default_factory=list)
    job: str = ""
    rows: int = 0


class GatewayReply(BaseModel):
    """API Gateway's own refusal, before the call reaches us: no valid token, or too many calls."""

    message: str
