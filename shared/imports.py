"""A file too large for the door: put straight into the bucket by a link made for it, then read there as a tracked job.
How it is read: `shared.importing`.

s3 uploads/<the person's pseudonym>/<job>   from the PUT until the job has queued all of it

Until the second call has been answered, the file is still the sender's to keep: who dies in between asks again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared import control, files, handed, jobs, progress
from shared.aws import s3
from shared.errors import BadRequestError, NotFoundError, TooLargeError
from shared.jobs import Job, new_id, now_ms
from shared.providers import Archive, PhonePush, Provider
from shared.providers.registry import providers
from shared.settings import settings
from shared.values import dataclass

PREFIX = "uploads"
LARGEST = 5_000_000_000
"""Bytes: what S3 takes in one PUT."""
LINK_S = 60 * 60
WHOLE = "file"
"""The part of the job that is the file itself; the others are what is found in it."""
ID = re.compile(r"[0-9a-v]{32}", re.ASCII)


@dataclass(frozen=True)
class Place:
    """Where to PUT the file, with these headers. `until` in milliseconds."""

    id: str
    url: str
    headers: Mapping[str, str]
    until: int


def place(user: str, media_type: str, size: int) -> Place:
    """The link takes one object, of just this size and type."""
    archive(media_type)
    if size > LARGEST:
        raise TooLargeError(f"a file of over {LARGEST / 1e9:g} GB", "bytes")
    id_ = new_id()
    asked = {"Bucket": settings().raw_bucket, "Key": key(user, id_), "ContentType": media_type, "ContentLength": size}
    url = s3().generate_presigned_url("put_object", Params=asked, ExpiresIn=LINK_S)
    headers = {"content-type": media_type, "content-length": str(size)}
    return Place(id_, url, headers, now_ms() + LINK_S * 1000)


def begin(user: str, id_: str, reconnect: bool) -> str:
    """Queues the reading of a file that was put; returns the job's id, which is the upload's. Repeating it is harmless.

    Raises NotFoundError where there is no such file, ConflictError after the person has disconnected.
    """
    known = control.get(f"J#{id_}", "J") if ID.fullmatch(id_) else None
    if known and known["user"] == user and WHOLE in known.get("done", ()):
        return id_
    source, _ = archive(media_type(user, id_))
    held = handed.connected(user, source, reconnect)
    progress.open_job(id_, user, "upload", [WHOLE])
    created = progress.load(id_, user)["created"]
    job = Job(
        id=id_, task="import", reason="upload", as_of=created, user=user, connection=held.id, tracked=id_, part=WHOLE
    )
    jobs.send(settings().imports_queue, [job])
    return id_


def media_type(user: str, id_: str) -> str:
    """As the file was put. Raises NotFoundError."""
    if not ID.fullmatch(id_):
        raise NotFoundError("no such upload", "upload")
    try:
        return s3().head_object(Bucket=settings().raw_bucket, Key=key(user, id_))["ContentType"]
    except s3().exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
            raise
        raise NotFoundError("no such file: PUT it first, by the link you were given", "upload") from error


def archive(media_type: str) -> tuple[Provider, Archive]:
    """Whose files these are, and how they are read."""
    found = {
        media: (p, read)
        for p in providers()
        if isinstance(p.auth, PhonePush)
        for media, read in p.auth.archives.items()
    }
    if media_type not in found:
        raise BadRequestError(f"large files are {' or '.join(sorted(found))}", "type")
    return found[media_type]


def key(user: str, id_: str) -> str:
    return f"{files.folder(PREFIX, user)}{id_}"
