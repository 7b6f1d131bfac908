"""What the API says must be what its description says: every reply that a test gets is held against it."""

from __future__ import annotations

from functools import cache

import httpx
import schemathesis
from schemathesis.schemas import BaseSchema

from ops.openapi import description


@cache
def described() -> BaseSchema:
    return schemathesis.openapi.from_dict(description())


def as_described(reply: httpx.Response) -> httpx.Response:
    """Raises where it is not. Of vendors' and browsers' routes the description says nothing."""
    reply.read()
    operation = described().find_operation_by_path(reply.request.method, reply.request.url.path)
    if operation:
        operation.validate_response(reply)
    return reply
