"""A running backend and its vendors: a fresh one a test, or one for a module whose tests bring their own people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import RLock, Thread
from typing import Any

import httpx
import pytest
import uvicorn
from moto.dynamodb.models import DynamoDBBackend
from moto.server import ThreadedMotoServer

from sandbox.__main__ import listen
from sandbox.app import Options, build
from shared.providers.registry import providers
from tests.functions.described import as_described
from tests.functions.system import System, forget, make_resources, serve

WRITES = ("put_item", "update_item", "delete_item", "transact_write_items")
ENV = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_SERVICE_NAME": "test",
    "RETURN_ORIGINS": "https://app.example",
    "LONGEST_JOB_S": "1",
    "BACKUP_DAYS": "7",
    "RAW_DAYS": "30",
}


@contextmanager
def moto() -> Iterator[str]:
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


@contextmanager
def vendors(now: datetime | None = None) -> Iterator[httpx.Client]:
    """With `now`, lives that stand still: asked twice, a vendor says the same."""
    listener = listen(0)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = build(Options(base_url, now=now))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="off"))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    with httpx.Client(base_url=base_url, timeout=60) as client:
        yield client
    server.should_exit = True
    thread.join(timeout=5)
    listener.close()


@contextmanager
def backend(
    aws: str, sandbox: httpx.Client | None = None, limits: dict[str, list[dict[str, object]]] | None = None
) -> Iterator[System]:
    """Without a sandbox for what never gets as far as a vendor. `limits` as an operator gives them, by provider."""
    httpx.post(f"{aws}/moto-api/reset")
    known = sandbox.get("/control/apps").json() if sandbox else {}
    # No budget unless a test brings one: it would be waited for.
    apps = {p.id: {"client_id": "id", "client_secret": "s"} for p in providers()} | {
        name: {**app, "hint_delay_s": 0, "limits": (limits or {}).get(name, [])} for name, app in known.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENV, "AWS_ENDPOINT_URL": aws}.items():
            patch.setenv(name, value)
        env = make_resources(aws, apps)
        server, url = serve()
        for name, value in {**env, "PUBLIC_URL": url, "DEAD_LETTER_QUEUES": env["DEAD_QUEUE"]}.items():
            patch.setenv(name, value)
        with httpx.Client() as nobody:
            yield System(url, sandbox or nobody, env, aws)
        forget()
        server.shutdown()
        server.server_close()


def rested(system: System) -> System:
    """Its queues empty, its vendors well."""
    system.sandbox.delete("/control/faults")
    for queue in ("fresh", "bulk", "changes"):
        system.messages(queue)
    return system


def ask(system: System, method: str, path: str, bearer: str = "ada", **request: object) -> httpx.Response:
    """A door that answers nothing at all has raised, which API Gateway tells as a 500."""
    given = request.pop("headers", {})
    assert isinstance(given, dict)
    headers = {**({"authorization": f"Bearer {bearer}"} if bearer else {}), **given}
    try:
        reply = httpx.request(method, system.url + path, headers=headers, timeout=30, **request)  # type: ignore[arg-type]
    except httpx.RemoteProtocolError:
        return httpx.Response(500)
    return as_described(reply)
