"""The whole system: the CDK app deployed into the local AWS, the sandbox beside it, and the demo's own story."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from infra.api import ROUTES
from ops.client import token
from ops.local import Local, answers, local_system
from ops.processes import is_alive
from ops.stage import Stage
from ops.story import STEPS
from tests.e2e.leaks import leaks

# One system for the file: xdist keeps a group on one worker.
pytestmark = pytest.mark.needs("dexcom", "file_import", "oura", "withings")


@pytest.fixture(scope="module")
def system() -> Iterator[Local]:
    with local_system("e2e") as started:
        yield started
    assert not started.folder.exists()
    assert not any(map(is_alive, started.pids))
    assert not any(map(answers, (started.aws, started.sandbox)))


def call(system: Local, method: str, path: str, **headers: str) -> httpx.Response:
    return httpx.request(method, f"{system.api}{path}", headers=headers, timeout=30, trust_env=False)


def test_the_story_and_no_secret_is_left_in_plain_text_by_it(system: Local) -> None:
    with closing(Stage(system)) as stage:
        for step in STEPS:
            print(f"{step.title}: {step.play(stage)}")
        assert leaks(system, stage) == []


def test_every_user_route_refuses_a_caller_without_a_good_token(system: Local) -> None:
    bearer = token(system.issuer, grant_type="password", username="ada")
    forged = bearer[:-8] + ("A" * 8 if bearer[-8:] != "A" * 8 else "B" * 8)
    for route in ROUTES:
        if not route.proof:
            path = route.path.replace("{", "").replace("}", "")
            assert call(system, route.method, path).status_code == 401, route
            assert call(system, route.method, path, authorization=f"Bearer {forged}").status_code == 401, route


def test_a_browser_on_a_configured_origin_may_call_and_no_other(system: Local) -> None:
    asks = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}
    allowed = call(system, "OPTIONS", "/v1/days", origin=system.sandbox, **asks)
    assert allowed.headers["access-control-allow-origin"] == system.sandbox
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    foreign = call(system, "OPTIONS", "/v1/days", origin="https://elsewhere.example", **asks)
    assert "access-control-allow-origin" not in foreign.headers


def test_the_api_describes_itself_to_anybody(system: Local) -> None:
    reply = call(system, "GET", "/v1/openapi.json")
    assert reply.status_code == 200
    description = reply.json()
    assert description["openapi"].startswith("3.")
    told = {nameless(path) for path in description["paths"]}
    assert {nameless(route.path) for route in ROUTES if not route.proof} <= told


def nameless(path: str) -> str:
    """The path without what its parameters are called."""
    return re.sub(r"\{\w+\}", "{}", path)
