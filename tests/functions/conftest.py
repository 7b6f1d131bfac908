from collections.abc import Iterator

import httpx
import pytest
from moto.server import ThreadedMotoServer

from tests.functions.standing import backend, vendors
from tests.functions.system import System


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def sandbox() -> Iterator[httpx.Client]:
    with vendors() as client:
        yield client


@pytest.fixture
def system(aws: str, sandbox: httpx.Client) -> Iterator[System]:
    with backend(aws, sandbox) as made:
        yield made
