"""One sync that asks a vendor for everything at once: how long it takes, beside its slowest reply.

The vendor is slow and the table is in memory, so what is seen is whether the questions wait for each other.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache
from statistics import median
from typing import Any

import httpx

from bench import memory
from bench.memory import Memory
from bench.row import Row, at_most
from shared import fetching, vendor
from shared.connections import establish, load
from shared.jobs import Job, now_ms
from shared.local_time import Zones
from shared.providers.registry import provider
from shared.secret import apps
from shared.tokens import keep_granted
from shared.visits import Visit, plan

SLOWEST_S, OTHERS_S = 0.4, 0.3
TIMES = 9
ZONE = "Europe/Berlin"


def slow(request: httpx.Request) -> httpx.Response:
    time.sleep(SLOWEST_S if request.url.path.endswith("/sleep") else OTHERS_S)
    return httpx.Response(200, json={"data": []})


def connected(user: str, account: str, token: str) -> str:
    """A person at Oura, with a token that lives for a day."""
    source = provider("oura")
    held = establish(user, source, account, source.auth.scopes, ZONE)  # type: ignore[union-attr]
    keep_granted(source, held, {"access_token": token, "refresh_token": token, "expires_in": 86_400})
    return held.id


def visit(connection: str) -> Visit:
    held = load(connection)
    assert held is not None
    job = Job(id="j", reason="backfill", as_of=now_ms(), connection=connection, window=("2026-11-14", "2026-11-20"))
    return plan(job, held, provider(held.provider), Zones(((0, ZONE),)))


def wall(asked: Visit) -> float:
    begun = time.perf_counter()
    fetching.prepare(asked, apps())
    fetching.answer(asked, apps())
    took = time.perf_counter() - begun
    assert not [question.error for question in asked.questions if question.error]
    return took


def rows(tiny: bool = False) -> Iterator[Row]:
    client: Any = vendor.client
    vendor.client = cache(lambda: httpx.Client(transport=httpx.MockTransport(slow)))
    try:
        with memory.standing() as aws:
            yield row(aws, 1 if tiny else TIMES)
    finally:
        vendor.client = client


def row(aws: Memory, times: int) -> Row:
    connection = connected("somebody", "account", "token")
    asked = len(visit(connection).questions)
    found = median(wall(visit(connection)) for _ in range(times)) / SLOWEST_S
    return at_most(f"{asked} questions of one sync: time, by the slowest reply's", found, 1.3, "×")
