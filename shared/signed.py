"""Calls AWS JSON services without botocore: one signed POST (Signature Version 4) over a kept-alive connection.

The doors make one or two such calls in their whole life; importing botocore for them would triple a cold start.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import ssl
import time
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

ATTEMPTS = 3
TIMEOUT_S = 5


_one_at_a_time = Lock()


class AwsError(Exception):
    """AWS refused the call, or could not be reached."""


def call(service: str, target: str, request: dict[str, Any], version: str = "1.0") -> dict[str, Any]:
    """Raises AwsError after three tries; 4xx other than throttling are not tried again."""
    body = json.dumps(request).encode()
    for attempt in range(ATTEMPTS):
        try:
            with _one_at_a_time:
                status, reply = _post(service, target, body, version)
        except (OSError, http.client.HTTPException) as error:
            _connection.cache_clear()
            status, reply = 599, type(error).__name__.encode()
        if status == 200:
            answer: dict[str, Any] = json.loads(reply or b"{}")
            return answer
        if status < 500 and b"Throttl" not in reply:
            break
        time.sleep(0.05 * 4**attempt)
    raise AwsError(f"{target} answered {status}")


def _post(service: str, target: str, body: bytes, version: str) -> tuple[int, bytes]:
    connection = _connection(service)
    headers = sign(service, f"{connection.host}:{connection.port}", target, body, version, time.gmtime())
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    return response.status, response.read()


@cache
def _connection(service: str) -> http.client.HTTPConnection:
    override = os.environ.get("AWS_ENDPOINT_URL")
    url = urlsplit(override or f"https://{service}.{os.environ['AWS_REGION']}.amazonaws.com")
    if url.scheme == "http":
        return http.client.HTTPConnection(str(url.hostname), url.port or 80, timeout=TIMEOUT_S)
    return http.client.HTTPSConnection(str(url.hostname), url.port or 443, timeout=TIMEOUT_S, context=_trusted())


@cache
def _trusted() -> ssl.SSLContext:
    """Reading the authorities takes longer than a call: once for all services, and AWS's own where they are told."""
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))


def sign(service: str, host: str, target: str, body: bytes, version: str, now: time.struct_time) -> dict[str, str]:
    """The headers of a signed POST to `/`."""
    env, stamp = os.environ, time.strftime("%Y%m%dT%H%M%SZ", now)
    scope = f"{stamp[:8]}/{env['AWS_REGION']}/{service}/aws4_request"
    headers = {"content-type": f"application/x-amz-json-{version}", "host": host, "x-amz-date": stamp}
    if token := env.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    headers["x-amz-target"] = target
    signed = ";".join(headers)
    listed = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"POST\n/\n\n{listed}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{env['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}".encode(), "sha256").hex()
    credential = f"Credential={env['AWS_ACCESS_KEY_ID']}/{scope}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={signed}, Signature={signature}"}
