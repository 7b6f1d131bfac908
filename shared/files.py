"""A person's own files in the bucket: exports on their way out, large uploads on their way in.

s3 <prefix>/<the person's pseudonym>/…
"""

from __future__ import annotations

import hashlib

from shared.aws import s3
from shared.settings import settings


def folder(prefix: str, user: str) -> str:
    """Names in a bucket reach its access logs: nobody's id stands in one."""
    return f"{prefix}/{hashlib.sha256(user.encode()).hexdigest()}/"


def kept(prefix: str, user: str) -> list[str]:
    """The keys of the person's files."""
    pages = s3().get_paginator("list_objects_v2").paginate(Bucket=settings().raw_bucket, Prefix=folder(prefix, user))
    return [found["Key"] for page in pages for found in page.get("Contents", [])]


def drop(key: str) -> None:
    s3().delete_object(Bucket=settings().raw_bucket, Key=key)
