"""A large file as a job: read where it lies, a few megabytes at a time, and queued part by part for the workers.

The same file makes the same parts, and a part is named by its number and what is in it. So whoever died in it, or ran
out of time, is followed by one who reads from the start, passes over the parts that are queued, and queues the rest; a
part queued twice is written once (see the write protocol in shared/commit.py). The file goes when all of it is queued.
"""

from __future__ import annotations

import io
from typing import Any
from zlib import crc32

import orjson

from shared import connections, files, imports, jobs, payloads, progress
from shared.aws import s3
from shared.connections import Connection
from shared.control import Item, get
from shared.errors import BadRequestError
from shared.jobs import Job, now_ms
from shared.log import logger
from shared.providers import Part
from shared.settings import settings
from shared.values import replace

AHEAD = 4 * 1024 * 1024
"""Bytes fetched at once."""
TOO_LARGE, UNREADABLE, GONE = "too_large", "unreadable", "no_connection"


def read(job: Job, until: int = 0) -> None:
    """`until` (milliseconds): then a copy of the job goes on, unless not one part was new by then."""
    found, key = record(job), imports.key(job.user, job.tracked)
    if found and job.part not in found.get("done", ()):
        try:
            if not queued(job, found, key, until):
                return
        except BadRequestError:
            progress.finish(job.tracked, job.part, cause=UNREADABLE)
    files.drop(key)


def queued(job: Job, found: Item, key: str, until: int) -> bool:
    """Whether the reading is over. Raises BadRequestError for a file that is not what it was said to be."""
    held = connections.load(job.connection)
    if held is None or held.state != "active":
        progress.finish(job.tracked, job.part, cause=GONE)
        return True
    counts, new = dict.fromkeys(("parts", "records", "not_read", "at_fault"), 0), 0
    _, read_parts = imports.archive(imports.media_type(job.user, job.tracked))
    for number, part in enumerate(read_parts(io.BufferedReader(Remote(key), AHEAD))):
        plain = orjson.dumps(part.payload)
        name = f"{held.provider}:{number:05}.{crc32(plain):08x}"
        if part.payload and name not in found.get("windows", ()):
            if not enqueue(job, held, name, part, plain):
                return True
            new += 1
        told = (int(bool(part.payload)), part.records, part.not_read, part.at_fault)
        counts = {what: counts[what] + count for what, count in zip(counts, told, strict=True)}
        if until and now_ms() > until:
            return put_off(job, new)
    progress.tell(job.tracked, job.part, counts)
    progress.finish(job.tracked, job.part)
    logger().info("imported", extra={"job": job.id, **counts})
    return True


def enqueue(job: Job, held: Connection, name: str, part: Part, plain: bytes) -> bool:
    """False where the job is no more: the person is being erased."""
    payload = payloads.enclose(held, plain)
    piece = Job(
        id=f"{job.id}.{name}", reason="upload", as_of=job.as_of, connection=held.id, resources=tuple(part.payload),
        tracked=job.tracked, part=name, payload=payload,
    )  # fmt: skip
    jobs.send(settings().bulk_queue, [piece])
    return progress.extend(job.tracked, name)


def put_off(job: Job, new: int) -> bool:
    if new:
        jobs.send(settings().imports_queue, [replace(job, attempt=job.attempt + 1)])
        return False
    progress.finish(job.tracked, job.part, cause=TOO_LARGE)
    return True


def record(job: Job) -> Item | None:
    return get(f"J#{job.tracked}", "J")


class Remote(io.RawIOBase):
    """An object of the bucket as a file. Put again while it is read, it is no longer the same: that raises."""

    def __init__(self, key: str) -> None:
        self._bucket, self._key = settings().raw_bucket, key
        head = s3().head_object(Bucket=self._bucket, Key=key)
        self._size, self._etag, self._at = head["ContentLength"], head["ETag"], 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        last = min(self._at + len(buffer), self._size) - 1
        if last < self._at:
            return 0
        span = f"bytes={self._at}-{last}"
        found = s3().get_object(Bucket=self._bucket, Key=self._key, Range=span, IfMatch=self._etag)
        body = found["Body"].read()
        buffer[: len(body)] = body
        self._at += len(body)
        return len(body)
