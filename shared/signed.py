"""AWS without botocore: requests signed by Signature Version 4, over `shared.wire`, tried again where that may help.

botocore takes longer to import than a function to start, and a third of a millisecond of each call.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from shared import wire

ATTEMPTS = 4
PAUSE_S = 0.1
"""At most, before the second attempt; four times as long before each further one."""
THROTTLED = frozenset({
    "BandwidthLimitExceeded", "LimitExceededException", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "RequestTimeout", "RequestTimeoutException", "SlowDown", "ThrottledException", "Throttling", "ThrottlingException",
    "TooManyRequestsException", "TransactionInProgressException",
})  # fmt: skip
"""Refusals that pass. https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""
CODE = re.compile(rb'"__type"\s*:\s*"(?:[^"#]*#)?(\w+)|<Code>(\w+)</Code>')
"""In JSON, perhaps behind the service's name, or in S3's XML."""


class AwsError(Exception):
    """AWS refused the call, or could not be reached (`status` 0). `code` is AWS's word for it. `reply` is its answer,
    which may hold an item: it is in no text of this error."""

    def __init__(self, said: str, code: str = "", status: int = 0, reply: bytes = b"") -> None:
        super().__init__(said)
        self.code, self.status, self.reply = code, status, reply


class Codec(NamedTuple):
    """How a service's requests become JSON, and its answers values."""

    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]


PLAIN = Codec(lambda told: json.dumps(told).encode(), json.loads)
"""Quick to import: the doors' own."""


class Request(NamedTuple):
    """`path` as it is sent, with what it must quote quoted."""

    service: str
    origin: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


def call(
    service: str,
    target: str,
    told: Mapping[str, Any],
    version: str = "1.0",
    codec: Codec = PLAIN,
    attempts: int = ATTEMPTS,
) -> Any:
    """An operation of one of AWS's JSON services. Raises AwsError."""
    headers = {"content-type": f"application/x-amz-json-{version}", "x-amz-target": target}
    request = Request(service, origin(service), "POST", "/", headers, codec.write(told))
    return codec.read(ask(request, attempts) or b"{}")


def origin(service: str) -> str:
    return emulator() or f"https://{service}.{os.environ['AWS_REGION']}.amazonaws.com"


def emulator() -> str:
    """What stands in for all of AWS, where something does."""
    return os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/")


def ask(request: Request, attempts: int = ATTEMPTS) -> bytes:
    """The body of the answer. What was not answered, or refused for now, is asked again, which may repeat what took
    effect. Raises AwsError."""
    what = request.headers.get("x-amz-target", f"{request.method} of {request.service}")
    for attempt in range(attempts):
        try:
            status, body = _sent(request)
        except OSError as error:
            refused = AwsError(f"{what} was not answered ({type(error).__name__})")
        else:
            if status < 300:
                return body
            code = _code(body)
            refused = AwsError(f"{what} was refused: {status} {code}".rstrip(), code, status, body)
            if status < 500 and code not in THROTTLED:
                break
        if attempt + 1 < attempts:
            time.sleep(PAUSE_S * 4**attempt * os.urandom(1)[0] / 255)
    raise refused


def _code(reply: bytes) -> str:
    found = CODE.search(reply)
    return (found[1] or found[2]).decode() if found else ""


def _sent(request: Request) -> wire.Answer:
    headers = sign(request, time.gmtime())
    return wire.exchange(request.origin, request.method, request.path, headers, request.body)


def sign(request: Request, now: time.struct_time) -> dict[str, str]:
    """The request's headers and those that prove it is ours; all of them are signed."""
    env, stamp = os.environ, time.strftime("%Y%m%dT%H%M%SZ", now)
    digest = hashlib.sha256(request.body).hexdigest()
    told = {**request.headers, "host": request.origin.partition("://")[2], "x-amz-date": stamp}
    if token := env.get("AWS_SESSION_TOKEN"):
        told["x-amz-security-token"] = token
    if request.service == "s3":
        told["x-amz-content-sha256"] = digest
    headers = {name: told[name] for name in sorted(told)}
    names = ";".join(headers)
    listed = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"{request.method}\n{request.path}\n\n{listed}\n{names}\n{digest}"
    scope = f"{stamp[:8]}/{env['AWS_REGION']}/{request.service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(_key(env["AWS_SECRET_ACCESS_KEY"], scope), to_sign.encode(), "sha256").hex()
    credential = f"Credential={env['AWS_ACCESS_KEY_ID']}/{scope}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"}


@lru_cache(maxsize=16)
def _key(secret: str, scope: str) -> bytes:
    """Good for a day, a region and a service."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
