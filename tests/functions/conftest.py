from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from threading import RLock
from typing import Any

import httpx
import pytest
from moto.dynamodb.models import DynamoDBBackend
from moto.server import ThreadedMotoServer

from tests.functions.aggregators import control
from tests.functions.standing import backend, vendors
from tests.functions.system import System

USERS = count(1)
WRITES = ("put_item", "update_item", "delete_item", "transact_write_items")


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        make_atomic(patch)
        server.start()
        _, port = server.get_host_and_port()
        yield f"http://127.0.0.1:{port}"
        server.stop()


def make_atomic(patch: pytest.MonkeyPatch) -> None:
    """DynamoDB checks a condition and writes in one step; moto's server threads do not."""
    lock = RLock()

    def alone(write: Callable[..., Any]) -> Callable[..., Any]:
        def locked(*args: Any, **given: Any) -> Any:
            with lock:
                return write(*args, **given)

        return locked

    for name in WRITES:
        patch.setattr(DynamoDBBackend, name, alone(getattr(DynamoDBBackend, name)))


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """Marked `still`, its lives stand still, so that asked twice a vendor says the same."""
    with vendors(datetime.now(UTC) if request.node.get_closest_marker("still") else None) as client:
        yield client


@pytest.fixture
def system(aws: str, sandbox: httpx.Client) -> Iterator[System]:
    with backend(aws, sandbox) as made:
        yield made


@pytest.fixture
def hooked(system: System, request: pytest.FixtureRequest) -> System:
    """The operator has entered the webhook's address on the site of the module's aggregator."""
    house = request.module.HOUSE
    control(system, "dashboard", provider=house, url=f"{system.url}/v1/webhooks/{house}")
    return system


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    """One for a module, whose tests bring their own people."""
    with vendors(datetime.now(UTC)) as sandbox, backend(aws, sandbox) as system:
        yield system


@pytest.fixture
def user() -> str:
    """Somebody new."""
    return f"user{next(USERS)}"
