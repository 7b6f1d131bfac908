"""What our code asks of AWS over its own wire, seen where it leaves the process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from shared import wire
from shared.wire import Answer

OF_S3 = {"PUT": "PutObject", "GET": "GetObject"}


class Asked(NamedTuple):
    """`told` as it travels: binaries are base64. Of S3 it is nothing, and the object is the `path`."""

    service: str
    operation: str
    told: Any
    path: str
    headers: Mapping[str, str]
    body: bytes


def asked(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """The service is the one that the request is signed for."""
    service, target = headers["authorization"].split("/")[3], headers.get("x-amz-target", "")
    operation = target.partition(".")[2] or OF_S3[method]
    return Asked(service, operation, json.loads(body) if target else {}, path, headers, body)


def nothing(*_: Any) -> None:
    """Of what is only looked at on its other side."""


@contextmanager
def watched(
    before: Callable[[Asked], Any] = nothing, after: Callable[[Asked, Answer], Any] = nothing
) -> Iterator[None]:
    exchange = wire.exchange

    def through(origin: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        call = asked(method, path, headers, body)
        before(call)
        answer = exchange(origin, method, path, headers, body)
        after(call, answer)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "exchange", through)
        yield
