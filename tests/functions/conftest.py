from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import httpx
import pytest

from tests.functions.aggregators import control
from tests.functions.standing import backend, vendors
from tests.functions.system import System

USERS = count(1)


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
