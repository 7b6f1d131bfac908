"""AWS's services as our code asks them. Those of every sync are signed by ourselves; S3's rarer ways, such as links and
lists, are botocore's, which is loaded for the first of them."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import orjson

from shared import wire
from shared.signed import ATTEMPTS, AwsError, Codec, call

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client

_making = Lock()


class Service:
    """A JSON service of AWS: `put_item(**request)` is its operation `PutItem`, with requests and replies as botocore
    has them. Members of these names hold bytes (`blobs`). Each operation raises AwsError."""

    def __init__(self, name: str, target: str, version: str, *blobs: str, attempts: int = ATTEMPTS) -> None:
        self._name, self._target, self._version, self._attempts = name, target, version, attempts
        self._codec = Codec(lambda told: orjson.dumps(told, default=_text), lambda reply: read(reply, *blobs))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        target = f"{self._target}.{''.join(map(str.capitalize, name.split('_')))}"

        def operation(**request: Any) -> Any:
            return call(self._name, target, request, self._version, self._codec, self._attempts)

        self.__dict__[name] = operation  # found without us from now on
        return operation


@cache
def dynamodb() -> DynamoDBClient:
    return cast("DynamoDBClient", Service("dynamodb", "DynamoDB_20120810", "1.0", "B"))


@cache
def kms() -> KMSClient:
    return cast("KMSClient", Service("kms", "TrentService", "1.1", "Plaintext", "CiphertextBlob"))


@cache
def logs() -> Any:
    """Asked only for what may be lost or asked again: so with less patience than the others."""
    return Service("logs", "Logs_20140328", "1.1", attempts=2)


@cache
def s3() -> S3Client:
    """Links to objects under our own key have to be signed by version 4, which is not the default everywhere. Making a
    client is not thread-safe; using one is."""
    import botocore.session
    from botocore.config import Config

    with _making:
        config = Config(
            signature_version="s3v4",
            retries={"mode": "standard", "max_attempts": ATTEMPTS},
            connect_timeout=wire.CONNECT_S,
            read_timeout=wire.READ_S,
        )
        return cast("S3Client", botocore.session.get_session().create_client("s3", config=config))


def stood(refused: AwsError) -> dict[str, Any]:
    """The item that was in a write's way, where the write asked to be told."""
    item: dict[str, Any] = read(refused.reply, "B").get("Item", {})
    return item


def read(reply: bytes, *blobs: str) -> Any:
    told = orjson.loads(reply)
    if any(f'"{name}"'.encode() in reply for name in blobs):
        _open(told, blobs)
    return told


def _open(told: dict[str, Any], blobs: tuple[str, ...]) -> None:
    """Base64 becomes bytes, in place, however deep. An attribute that is called `B` holds no text, but a value."""
    for name, held in told.items():
        if isinstance(held, dict):
            _open(held, blobs)
        elif isinstance(held, list):
            for each in held:
                if isinstance(each, dict):
                    _open(each, blobs)
        elif name in blobs and isinstance(held, str):
            told[name] = a2b_base64(held)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return b2a_base64(value, newline=False).decode()
    raise TypeError(f"not sent to AWS: {type(value).__name__}")
