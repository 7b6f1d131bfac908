"""What `POST /v1/sync` asks for, as jobs."""

from __future__ import annotations

from shared import connections, jobs, oauth, visits, zones
from shared.connections import RING_MINUTES, SHARDS, Connection
from shared.errors import BadRequestError, ForbiddenError
from shared.jobs import Job, new_id, now_ms
from shared.local_time import Zones
from shared.progress import open_job
from shared.providers import FileUpload, Window
from shared.providers.registry import provider
from shared.schemas import SyncRequest
from shared.settings import settings

EVERYONE = "everyone"


def sync(user: str, request: SyncRequest) -> str:
    """Queues the job and returns its id."""
    window = visits.recent(request.days, zones.of(user))
    if request.action == "aggregate":
        return aggregate(user, window)
    held = wanted(user, request)
    if request.action == "backfill":
        return tracked(user, "backfill", held, window.split(oauth.BULK_WINDOW_DAYS), settings().bulk_queue)
    return tracked(user, "sync", held, [window], settings().fresh_queue)


def wanted(user: str, request: SyncRequest) -> list[Connection]:
    """The person's living connections of the services named."""
    services = named(request)
    found = [c for c in connections.of_user(user) if not services or c.provider in services]
    living = [c for c in found if c.state == "active" and not isinstance(provider(c.provider).auth, FileUpload)]
    if not living:
        raise BadRequestError("nothing connected to sync; see GET /v1/connections", "provider")
    return living


def named(request: SyncRequest) -> list[str]:
    services = [*request.providers, *filter(None, [request.provider])]
    for service in services:
        provider(service)
    return services


def tracked(user: str, action: str, held: list[Connection], windows: list[Window], queue: str) -> str:
    """One message for each connection and window, one job to follow them by."""
    id_, now = new_id(), now_ms()
    found = [
        Job(
            id=f"{id_}.{c.id}.{w.first}", reason="sync", as_of=now, connection=c.id, tracked=id_,
            window=(w.first.isoformat(), w.last.isoformat()), part=f"{c.provider}:{w.first}:{w.last}",
        )
        for c in held
        for w in windows
    ]  # fmt: skip
    open_job(id_, user, action, [job.part for job in found])
    jobs.send(queue, found)
    return id_


def aggregate(user: str, window: Window) -> str:
    id_ = new_id()
    days = (window.first.isoformat(), window.last.isoformat())
    open_job(id_, user, "aggregate", ["days"])
    job = Job(id=id_, task="aggregate", reason="sync", as_of=now_ms(), user=user, window=days, tracked=id_, part="days")
    jobs.send(settings().fresh_queue, [job])
    return id_


def everyone(request: SyncRequest, machine: bool) -> str:
    """All users of the services named, ring segment by ring segment: an hourly maintenance, without a scan."""
    if not machine:
        raise ForbiddenError("only a machine client may sync everyone", "everyone")
    if request.action != "sync":
        raise BadRequestError("only `sync` can be asked for everyone", "action")
    window = visits.recent(request.days, Zones())
    id_, now = new_id(), now_ms()
    segments = [f"{minute}#{shard}" for minute in range(RING_MINUTES) for shard in range(SHARDS)]
    open_job(id_, EVERYONE, "sync", segments)
    found = [
        Job(
            id=f"{id_}.{segment}", task="everyone", reason="sync", as_of=now, services=tuple(named(request)),
            segment=segment, window=(window.first.isoformat(), window.last.isoformat()), tracked=id_, part=segment,
        )
        for segment in segments
    ]  # fmt: skip
    jobs.send(settings().bulk_queue, found)
    return id_
