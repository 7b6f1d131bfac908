"""A person's data as a file of their own: asked for as a tracked job, kept for a week, fetched by a link that lives for
minutes. What is written into it: `shared.exporting`.

s3 exports/<the person's pseudonym>/<job>.<ending>   under the job's own name, so that a repetition is the same object
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from shared import files, jobs, progress
from shared.aws import s3
from shared.control import Item
from shared.jobs import Job, new_id, now_ms
from shared.model import DAY
from shared.settings import settings
from shared.values import dataclass

Format = Literal["fhir", "omh", "ndjson", "parquet"]
ENDINGS = {
    "fhir": "fhir.json.gz", "omh": "omh.ndjson.gz", "ndjson": "ndjson.gz", "parquet": "parquet.zip",
}  # fmt: skip
PREFIX = "exports"
KEPT_DAYS = 7
"""By the bucket's lifecycle, which S3 carries out within a day."""
LINK_S = 15 * 60


@dataclass(frozen=True)
class Link:
    """Instants in milliseconds."""

    url: str
    until: int
    kept_until: int


def started(user: str, format: Format, first: date, last: date) -> str:
    """Queues the export of these local days; returns the job's id."""
    id_ = new_id()
    progress.open_job(id_, user, "export", [format])
    window = (first.isoformat(), last.isoformat())
    job = Job(id=id_, task="export", reason="sync", as_of=now_ms(), user=user, window=window, tracked=id_, part=format)
    jobs.send(settings().exports_queue, [job])
    return id_


def key(user: str, id_: str, format: str) -> str:
    return f"{folder(user)}{id_}.{ENDINGS[format]}"


def folder(user: str) -> str:
    return files.folder(PREFIX, user)


def link(item: Item, user: str) -> Link | None:
    """To the file of a job that wrote one which is still kept. Whoever holds it needs no token of ours."""
    kept_until = item["created"] + KEPT_DAYS * DAY
    if item["action"] != "export" or not item.get("done") or now_ms() > kept_until:
        return None
    [format] = item["windows"]
    asked = {"Bucket": settings().raw_bucket, "Key": key(user, item["pk"].removeprefix("J#"), format)}
    url = s3().generate_presigned_url("get_object", Params=asked, ExpiresIn=LINK_S)
    return Link(url, now_ms() + LINK_S * 1000, kept_until)


def kept(user: str) -> list[str]:
    """The keys of the person's files."""
    return files.kept(PREFIX, user)
