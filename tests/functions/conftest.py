from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from threading import RLock
from typing import Any

import httpx
import pytest
from moto.dynamodb.models import DynamoDBBackend
from moto.server import ThreadedMotoServer

from tests.functions.standing import backend, vendors
from tests.functions.system import System

USERS = count(1)
WRITES = ("put_item", "update_item", "delete_item", "transact_write_items")


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def atomic(monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB checks a condition and writes in one step; moto's server threads do not."""
    lock = RLock()

    def alone(write: Callable[..., Any]) -> Callable[..., Any]:
        def locked(*args: Any, **given: Any) -> Any:
            with lock:
                return write(*args, **given)

        return locked

    for name in WRITES:
        monkeypatch.setattr(DynamoDBBackend, name, alone(getattr(DynamoDBBackend, name)))


@pytest.fixture
def sandbox() -> Iterator[httpx.Client]:
    with vendors() as client:
        yield client


@pytest.fixture
def system(aws: str, sandbox: httpx.Client) -> Iterator[System]:
    with backend(aws, sandbox) as made:
        yield made


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    """One for a module, whose tests bring their own people."""
    with vendors(datetime.now(UTC)) as sandbox, backend(aws, sandbox) as system:
        yield system


@pytest.fixture
def user() -> str:
    """Somebody new."""
    return f"user{next(USERS)}"
