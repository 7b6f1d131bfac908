"""The AWS clients, made once per process and only when asked for."""

from __future__ import annotations

from functools import cache
from threading import RLock
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client

CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 4}, connect_timeout=3, read_timeout=10, max_pool_connections=32
)


# Making a client is not thread-safe; using one is.
_making = RLock()


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session()


@cache
def dynamodb() -> DynamoDBClient:
    with _making:
        return _session().client("dynamodb", config=CONFIG)


@cache
def s3() -> S3Client:
    """Links to objects under our own key have to be signed by version 4, which is not the default everywhere."""
    with _making:
        return _session().client("s3", config=CONFIG.merge(Config(signature_version="s3v4")))


@cache
def logs() -> Any:
    """Asked only for what may be lost or asked again: so with less patience than the others."""
    with _making:
        return _session().client("logs", config=CONFIG.merge(Config(retries={"mode": "standard", "max_attempts": 2})))


@cache
def kms() -> KMSClient:
    with _making:
        return _session().client("kms", config=CONFIG)
