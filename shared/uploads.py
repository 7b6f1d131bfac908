"""A file the person hands us: read at the door, row by row, so that what is wrong with it can be said at once."""

from __future__ import annotations

import orjson

from shared import handed, jobs, payloads, zones
from shared.errors import BadRequestError
from shared.jobs import Job, new_id, now_ms
from shared.local_time import Zones
from shared.progress import open_job
from shared.providers import FileUpload, Provider, Upload
from shared.providers.registry import providers
from shared.settings import settings

LARGEST = 4_500_000
"""Bytes: what fits through API Gateway and Lambda once it is base64."""


def receive(
    user: str, body: bytes, media_type: str, zone: str = "", dates: str = "", reconnect: bool = False
) -> tuple[str, Upload]:
    """Queues the good rows as a tracked job and returns its id with the bad ones. `zone` and `dates` say what the file
    does not: see `shared.providers.FileUpload`.

    Raises BadRequestError where nothing in the file can be used, or it does not say enough to read it.
    """
    if len(body) > LARGEST:
        raise BadRequestError(f"a file of over {LARGEST / 1e6} MB; split it", "body")
    source, auth = reader(media_type)
    upload = auth.read(body, media_type, clock(user, zone), dates)
    if not upload.rows:
        return "", upload
    held = handed.connected(user, source, reconnect)
    id_ = new_id()
    open_job(id_, user, "upload", [source.id])
    job = Job(
        id=id_, reason="upload", as_of=now_ms(), connection=held.id, resources=held.resources, tracked=id_,
        part=source.id, payload=payloads.enclose(held, orjson.dumps(upload.payload)),
    )  # fmt: skip
    jobs.send(settings().fresh_queue, [job])
    return id_, upload


def clock(user: str, zone: str) -> str | None:
    """The zone named, or where the person was last known to be; None where nobody has said: no time is read in it."""
    if zone:
        return zones.known(zone, "zone")
    lived = zones.of(user)
    return None if lived == Zones() else lived.history[-1][1]


def reader(media_type: str) -> tuple[Provider, FileUpload]:
    """The provider that reads such files."""
    plain = media_type.partition(";")[0].strip().lower()
    readers = [(p, p.auth) for p in providers() if isinstance(p.auth, FileUpload)]
    for source, auth in readers:
        if plain in auth.formats:
            return source, auth
    known = sorted(media for _, auth in readers for media in auth.formats)
    raise BadRequestError(f"send the file as {' or '.join(known)}", "content-type")
