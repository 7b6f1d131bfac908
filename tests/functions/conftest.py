from collections.abc import Iterator
from threading import Thread

import httpx
import pytest
import uvicorn
from moto.server import ThreadedMotoServer

from sandbox.__main__ import listen
from sandbox.app import Options, build
from tests.functions.system import System, forget, make_resources, serve

ENV = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_SERVICE_NAME": "test",
    "RETURN_ORIGINS": "https://app.example",
    "LONGEST_JOB_S": "1",
    "BACKUP_DAYS": "7",
}


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def sandbox() -> Iterator[httpx.Client]:
    listener = listen(0)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(build(Options(base_url)), log_level="warning", ws="none", lifespan="off"))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    with httpx.Client(base_url=base_url, timeout=60) as client:
        yield client
    server.should_exit = True
    thread.join(timeout=5)
    listener.close()


@pytest.fixture
def system(aws: str, sandbox: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    httpx.post(f"{aws}/moto-api/reset")
    for name, value in {**ENV, "AWS_ENDPOINT_URL": aws}.items():
        monkeypatch.setenv(name, value)
    apps = {name: {**app, "hint_delay_s": 0} for name, app in sandbox.get("/control/apps").json().items()}
    env = make_resources(aws, apps)
    server, url = serve()
    for name, value in {**env, "PUBLIC_URL": url, "DEAD_LETTER_QUEUES": env["DEAD_QUEUE"]}.items():
        monkeypatch.setenv(name, value)
    yield System(url, sandbox, env, aws)
    forget()
    server.shutdown()
    server.server_close()
