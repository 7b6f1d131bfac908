"""The AWS clients, made once per process and only when asked for. botocore's own: boto3 makes the very same, and loads
a transfer library and multiprocessing first."""

from __future__ import annotations

from functools import cache
from threading import RLock
from typing import TYPE_CHECKING, Any, cast

import botocore.session
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
def _session() -> Any:
    return botocore.session.get_session()


def _client(service: str, **differently: Any) -> Any:
    with _making:
        return _session().create_client(service, config=CONFIG.merge(Config(**differently)))


@cache
def dynamodb() -> DynamoDBClient:
    return cast("DynamoDBClient", _client("dynamodb"))


@cache
def s3() -> S3Client:
    """Links to objects under our own key have to be signed by version 4, which is not the default everywhere."""
    return cast("S3Client", _client("s3", signature_version="s3v4"))


@cache
def logs() -> Any:
    """Asked only for what may be lost or asked again: so with less patience than the others."""
    return _client("logs", retries={"mode": "standard", "max_attempts": 2})


@cache
def kms() -> KMSClient:
    return cast("KMSClient", _client("kms"))
