"""Links good once, states good once, and a clear landing for everybody who comes back otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from shared.providers import OAuth2
from shared.providers.registry import providers
from tests.functions.standing import ask, backend
from tests.functions.system import System

SOURCES = [p.id for p in providers() if isinstance(p.auth, OAuth2) and not p.discover]  # nobody is asked where to go
SOURCE, OTHER = SOURCES[:2]
HOME = "https://app.example/settings?tab=health"


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    with backend(aws) as system:
        yield system


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Eleven minutes have passed whenever the clock is next looked at."""

    def wait() -> None:
        now = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: now() + 11 * 60 * 10**9)

    return wait


def start(system: System, **body: str) -> dict[str, Any]:
    reply = ask(system, "POST", f"/v1/connect/{SOURCE}", json=body)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def state_of(started: dict[str, Any]) -> str:
    return str(parse_qs(urlsplit(started["authorize_url"]).query)["state"][0])


def come_back(system: System, source: str = SOURCE, accept: str = "text/html", **query: str) -> httpx.Response:
    return ask(system, "GET", f"/v1/callback/{source}", "", params=query, headers={"accept": accept})


@pytest.mark.parametrize("source", SOURCES)
def test_a_link_leads_to_the_vendor_once(standing: System, source: str) -> None:
    started = ask(standing, "POST", f"/v1/connect/{source}", json={}).json()
    path = started["link"].removeprefix(standing.url)
    first, second = (ask(standing, "GET", path, "") for _ in range(2))
    assert (first.status_code, first.headers["location"]) == (303, started["authorize_url"])
    assert first.headers["cache-control"] == "no-store"
    assert second.status_code == 410


def test_a_link_is_of_its_provider_and_of_its_ten_minutes(standing: System, later: Callable[[], None]) -> None:
    ticket = start(standing)["link"].partition("?")[2]
    assert ask(standing, "GET", f"/v1/connect/{OTHER}?{ticket}", "").status_code == 410
    ticket = start(standing)["link"].partition("?")[2]
    later()
    assert ask(standing, "GET", f"/v1/connect/{SOURCE}?{ticket}", "").status_code == 410


def check_nothing_is_connected(system: System) -> None:
    assert ask(system, "GET", "/v1/connections").json() == {"connections": []}
    kept = [(pk, sk) for pk, sk in system.items("Control") if not sk.startswith("S#")]
    assert not [pk for pk, _ in kept if pk.startswith(("C#", "U#", "X#"))]


def test_who_says_no_lands_where_they_wanted_and_the_state_is_spent(standing: System) -> None:
    state = state_of(start(standing, return_url=HOME))
    reply = come_back(standing, state=state, error="access_denied")
    assert (reply.status_code, reply.headers["location"]) == (303, f"{HOME}&error=access_denied&provider={SOURCE}")
    assert come_back(standing, state=state, error="access_denied").status_code == 410
    check_nothing_is_connected(standing)


def test_a_home_with_a_fragment_keeps_it(standing: System) -> None:
    state = state_of(start(standing, return_url="https://app.example/#/settings"))
    reply = come_back(standing, state=state, error="access_denied")
    assert reply.headers["location"] == f"https://app.example/?error=access_denied&provider={SOURCE}#/settings"


def test_who_says_no_and_has_no_home_reads_so(standing: System) -> None:
    page = come_back(standing, state=state_of(start(standing)), error="access_denied")
    assert (page.status_code, page.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert "was not connected" in page.text
    told = come_back(standing, accept="application/json", state=state_of(start(standing)), error="access_denied")
    assert (told.status_code, told.json()) == (400, {"error": "access_denied", "provider": SOURCE})


@pytest.mark.parametrize(
    "query", [{}, {"code": "c"}, {"state": "s"}, {"state": "guess", "code": "c"}, {"state": "", "code": "c"}]
)
def test_an_address_made_up_is_a_clear_page(standing: System, query: dict[str, str]) -> None:
    page = come_back(standing, **query)
    assert page.status_code == (410 if query.keys() == {"state", "code"} and query["state"] else 400)
    assert "<h1>Not connected</h1>" in page.text


def test_neither_another_providers_state_nor_an_old_one_is_good(standing: System, later: Callable[[], None]) -> None:
    state = state_of(start(standing))
    assert come_back(standing, OTHER, state=state, code="c").status_code == 410
    assert come_back(standing, "nobody", state=state, code="c").status_code == 404
    state = state_of(start(standing))
    later()
    assert come_back(standing, state=state, code="c").status_code == 410
    check_nothing_is_connected(standing)


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "&quot;"])
def test_a_page_repeats_nothing_of_the_address(standing: System, text: str) -> None:
    assert text not in come_back(standing, state=text, code=text).text
    assert text not in come_back(standing, state=state_of(start(standing)), error=text, error_description=text).text
