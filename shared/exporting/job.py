"""The export as a job: reads, writes one file beside the process, and puts it in one call.

An erasure takes the job's record away before it takes the files. So the record is looked for before the file is put
and once more behind it, and a file without one goes. A worker that is killed in between is followed by a repetition,
which finds no record and does the same.
"""

from __future__ import annotations

from tempfile import TemporaryFile

from shared import control, exports, files, progress
from shared.aws import s3
from shared.control import Item
from shared.errors import TooLargeError
from shared.exporting.formats import WRITERS
from shared.exporting.person import person
from shared.jobs import Job
from shared.log import logger
from shared.settings import settings

TOO_LARGE = "too_large"


def export(job: Job, until: int = 0) -> None:
    """`until` (milliseconds): what is not read by then is too large, which trying again would not change."""
    key = exports.key(job.user, job.tracked, job.part)
    found = record(job)
    if found and not found.get("done"):
        try:
            perform(job, key, until)
        except TooLargeError:
            progress.finish(job.tracked, job.part, cause=TOO_LARGE)
    if not record(job):
        files.drop(key)


def perform(job: Job, key: str, until: int) -> None:
    window = job.days()
    assert window is not None
    with TemporaryFile() as file:
        written = WRITERS[job.part](person(job.user, window, until), file)
        size = file.tell()
        file.seek(0)
        if not record(job):
            return
        shown = f'attachment; filename="tributary.{exports.ENDINGS[job.part]}"'
        kind = "application/zip" if job.part == "parquet" else "application/gzip"
        s3().put_object(Bucket=settings().raw_bucket, Key=key, Body=file, ContentType=kind, ContentDisposition=shown)
    counts = {"records": written.records, "left_out": written.left_out, "bytes": size}
    logger().info("exported", extra={"job": job.id, "format": job.part, **counts})
    progress.tell(job.tracked, job.part, counts)
    progress.finish(job.tracked, job.part)


def record(job: Job) -> Item | None:
    return control.get(f"J#{job.tracked}", "J")
