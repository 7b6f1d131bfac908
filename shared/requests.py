"""What `POST /v1/sync` and `POST /v1/refresh` ask for, as jobs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from shared import connections, jobs, oauth, progress, reach, runs, visits, zones
from shared.connections import Connection
from shared.errors import BadRequestError, ForbiddenError
from shared.jobs import Job, new_id, now_ms
from shared.local_time import Zones
from shared.progress import open_job
from shared.providers import Window
from shared.providers.registry import provider
from shared.schemas import SyncRequest
from shared.settings import settings

EVERYONE = "everyone"
RESUMABLE = ("sync", "refresh", "backfill")


def sync(user: str, request: SyncRequest) -> str:
    """Queues the job and returns its id."""
    if (request.action == "resume") != bool(request.job):
        raise BadRequestError("`resume` names the job to go on with, and nothing else does", "job")
    if request.action == "resume":
        return resume(user, request.job)
    window = visits.recent(request.days, zones.of(user))
    if request.action == "aggregate":
        return aggregate(user, window)
    held = wanted(user, named(request))
    if request.action == "backfill":
        windows = [(c, part) for c in held for part in window.split(oauth.BULK_WINDOW_DAYS)]
        return tracked(user, "backfill", windows, settings().bulk_queue)
    return tracked(user, "sync", [(c, window) for c in held], settings().fresh_queue)


def refresh(user: str) -> tuple[str, dict[str, int]]:
    """Queues a sync of as many days as each connection lacks; returns the job, and the days by provider."""
    held, lived = wanted(user), zones.of(user)
    today = visits.recent(1, lived).last
    known = reach.of(user, today)
    days = {c.provider: reach.refresh_days(c.provider, known, today) for c in held}
    windows = [(c, visits.recent(days[c.provider], lived)) for c in held]
    return tracked(user, "refresh", windows, settings().fresh_queue), days


def wanted(user: str, services: Collection[str] = ()) -> list[Connection]:
    """The person's living connections, of the services named if any are."""
    found = [c for c in connections.of_user(user) if not services or c.provider in services]
    living = [c for c in found if c.state == "active" and provider(c.provider).connects]
    if not living:
        raise BadRequestError("nothing connected to sync; see GET /v1/connections", "provider")
    return living


def named(request: SyncRequest) -> list[str]:
    services = [*request.providers, *filter(None, [request.provider])]
    for service in services:
        provider(service)
    return services


def tracked(user: str, action: str, windows: Sequence[tuple[Connection, Window]], queue: str) -> str:
    """One message for each window of a connection, one job to follow them by."""
    id_ = new_id()
    found = [part(id_, c, w.first.isoformat(), w.last.isoformat()) for c, w in windows]
    open_job(id_, user, action, [job.part for job in found])
    jobs.send(queue, found)
    return id_


def part(tracked: str, held: Connection, first: str, last: str, resources: tuple[str, ...] = ()) -> Job:
    """One window of a tracked job. Its id follows from what it is, so that asked again it finishes what it began."""
    name = f"{held.provider}:{first}:{last}"
    return Job(
        id=f"{tracked}.{name}", reason="sync", as_of=now_ms(), connection=held.id, resources=resources,
        window=(first, last), tracked=tracked, part=name,
    )  # fmt: skip


def resume(user: str, id_: str) -> str:
    """Queues what is not done of a job again: windows that failed, and windows whose message is lost."""
    item = progress.load(id_, user)
    if item["action"] not in RESUMABLE:
        raise BadRequestError(f"only {', '.join(RESUMABLE)} can be resumed", "job")
    living = {held.provider: held for held in connections.of_user(user) if held.state == "active"}
    left = [(progress.part(name), resources) for name, resources in progress.unfinished(item).items()]
    found = [part(id_, living[p.provider], p.first, p.last, rs) for p, rs in left if p.provider in living]
    if left and not found:
        raise BadRequestError("what is left needs a connection that is not active; see GET /v1/connections", "job")
    if found:
        progress.reopen(id_, [job.part for job in found])
        jobs.send(settings().bulk_queue if item["action"] == "backfill" else settings().fresh_queue, found)
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
    segments = connections.segments(settings().ring_shards)
    open_job(id_, EVERYONE, "sync", segments)
    found = [
        Job(
            id=f"{id_}.{segment}", task="everyone", reason="sync", as_of=now, services=tuple(named(request)),
            segment=segment, window=(window.first.isoformat(), window.last.isoformat()), tracked=id_, part=segment,
            run=runs.name(now, f"everyone {id_[-6:]}"),
        )
        for segment in segments
    ]  # fmt: skip
    jobs.send(settings().bulk_queue, found)
    return id_
