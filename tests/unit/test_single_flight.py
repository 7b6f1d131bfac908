"""Refreshing under many workers, in random orders, with crashes, against a vendor that kills a used refresh token.

The real `tokens.access_token` runs in greenlets over moto's DynamoDB; before each AWS call, and before and after
the vendor's, a seeded explorer decides who goes on, who dies there, and when the clock jumps past a lease while
somebody hangs in the middle of a call.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from urllib.parse import parse_qs

import httpx
import pytest
from greenlet import GreenletExit, getcurrent, greenlet

from shared import connections, tokens, vendor
from shared.apps import App
from shared.errors import ReconnectError, RetryLaterError
from shared.providers import OAuth2, Provider
from tests.functions.deployed import TOLD
from tests.functions.standing import ENV
from tests.functions.system import forget, make_resources
from tests.functions.wired import watched

PROVIDER = Provider(
    id="ring", name="Ring", docs="https://ring.example", kind="ring", base_url="https://ring.example", resources=(),
    auth=OAuth2(authorize_url="https://ring.example/a", token_url="https://ring.example/t", scopes=("all",)),
)  # fmt: skip


@dataclass
class Vendor:
    """Single-use refresh tokens: each works once, and only the last one issued is alive."""

    alive: str = "refresh-0"
    issued: int = 0
    refusals: int = 0

    def token(self, request: httpx.Request) -> httpx.Response:
        pause()
        given = parse_qs(request.content.decode())["refresh_token"][0]
        if given != self.alive:
            self.refusals += 1
            return httpx.Response(400, json={"error": "invalid_grant"})
        self.issued += 1
        self.alive = f"refresh-{self.issued}"
        reply = {"access_token": f"access-{self.issued}", "refresh_token": self.alive, "expires_in": 3600}
        pause()  # the reply is on its way: who dies here has lost it
        return httpx.Response(200, json=reply)


explorer: greenlet | None = None


def pause() -> None:
    """Hands control to the explorer, if one is running."""
    if explorer is not None and getcurrent() is not explorer:
        explorer.switch()


@dataclass
class Worker:
    number: int
    due: int = 0
    green: greenlet | None = None
    got: str = ""


@dataclass
class Run:
    """One schedule. A message given up is delivered again after the wait it asked for, a dead worker's at once."""

    random: Random
    connection: str
    workers: list[Worker]
    clock: int = 1_000_000_000_000
    crashes: int = 2
    jumps: int = 3

    def play(self) -> None:
        while waiting := [w for w in self.workers if not w.got]:
            ready = [w for w in waiting if w.due <= self.clock]
            if not ready:
                self.clock = min(w.due for w in waiting)
                continue
            hanging = [w for w in self.workers if w.green]
            if hanging and self.jumps and self.random.random() < 0.05:
                self.jumps -= 1
                self.clock += tokens.LEASE_MS + 1
                continue
            worker = self.random.choice(ready)
            if worker.green and self.crashes and self.random.random() < 0.06:
                self.crashes -= 1
                worker.green.throw(GreenletExit)
                worker.green = None
                continue
            self.step(worker)

    def step(self, worker: Worker) -> None:
        if worker.green is None:
            worker.green = greenlet(self.message)
            worker.green.switch(worker)
        else:
            worker.green.switch()

    def message(self, worker: Worker) -> None:
        held = connections.load(self.connection)
        assert held
        try:
            worker.got = tokens.access_token(PROVIDER, App("id", "secret"), held)
        except RetryLaterError as wait:
            worker.due = self.clock + round(wait.after * 1000)
        except ReconnectError as error:
            worker.got = f"reconnect: {error.cause}"
        worker.green = None


@pytest.fixture(scope="module")
def backend(aws: str) -> Iterator[None]:
    httpx.post(f"{aws}/moto-api/reset")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**dict.fromkeys(TOLD, "1"), **ENV, "AWS_ENDPOINT_URL": aws}.items():
            patch.setenv(name, value)
        for name, value in make_resources(aws, {}).items():
            patch.setenv(name, value)
        with watched(before=lambda call: pause() if call.service == "dynamodb" else None):
            yield
        forget()


def schedule(
    seed: int, count: int, monkeypatch: pytest.MonkeyPatch, crashes: int = 2, jumps: int = 3, alive: str = "refresh-0"
) -> tuple[Run, Vendor]:
    global explorer
    explorer = None
    ring = Vendor(alive)
    transport = httpx.MockTransport(ring.token)
    monkeypatch.setattr(vendor, "client", lambda: httpx.Client(transport=transport))
    run = Run(Random(seed), "", [Worker(n) for n in range(count)], crashes=crashes, jumps=jumps)
    monkeypatch.setattr(tokens, "now_ms", lambda: run.clock)
    monkeypatch.setattr(connections, "now_ms", lambda: run.clock)
    held = connections.establish(f"user-{os.urandom(8).hex()}", PROVIDER, "", (), "UTC")
    tokens.keep(
        PROVIDER, held, {"access_token": "access-0", "refresh_token": "refresh-0", "expires_in": 1}, consented=True
    )
    run.connection, run.clock = held.id, run.clock + 10_000
    explorer = getcurrent()
    run.play()
    explorer = None
    return run, ring


@pytest.mark.parametrize("count", [2, 3, 5])
def test_no_healthy_connection_is_condemned(backend: None, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = set()
    for seed in range(50):
        run, ring = schedule(seed, count, monkeypatch)
        held = connections.load(run.connection)
        assert held
        healthy = tokens.opened(held)["refresh_token"] == ring.alive
        ends.add((healthy, held.state, held.cause))
        assert held.generation == ring.issued + 1 or not healthy, (seed, held.generation, ring.issued)
        if healthy:
            assert held.state == "active", f"seed {seed}: condemned in good health"
        else:
            assert held.state == "reconnect", f"seed {seed}"
    assert (True, "active", "") in ends
    assert (False, "reconnect", "refresh_reply_lost") in ends, "no schedule lost a reply: the crashes came too early"


def test_a_reply_lost_in_a_crash_is_named_as_such(backend: None, monkeypatch: pytest.MonkeyPatch) -> None:
    causes = set()
    for seed in range(60):
        run, ring = schedule(2_000 + seed, 2, monkeypatch, crashes=1, jumps=0)
        held = connections.load(run.connection)
        assert held
        if tokens.opened(held)["refresh_token"] != ring.alive:
            causes.add((held.state, held.cause))
    assert causes == {("reconnect", "refresh_reply_lost")}


def test_without_crashes_each_generation_is_refreshed_once(backend: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(20):
        run, ring = schedule(1_000 + seed, 4, monkeypatch, crashes=0, jumps=0)
        assert (ring.issued, ring.refusals) == (1, 0)
        assert {worker.got for worker in run.workers} == {"access-1"}


def test_a_grant_ended_at_the_vendor_is_condemned_for_what_it_is(
    backend: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, ring = schedule(7, 1, monkeypatch, crashes=0, jumps=0, alive="another")
    held = connections.load(run.connection)
    assert held
    assert (held.state, held.cause, ring.refusals) == ("reconnect", "invalid_grant", 2)
