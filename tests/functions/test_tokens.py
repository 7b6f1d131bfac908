"""Refreshing over the sandbox, whose token endpoint kills a refresh token the moment it is used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from shared import connections, tokens, vault, vendor
from shared.apps import App
from shared.connections import Connection
from shared.errors import ReconnectError, RetryLaterError
from shared.providers import OAuth2
from shared.providers.registry import provider
from shared.secret import apps
from shared.values import replace
from tests.functions.standing import ask, backend, vendors
from tests.functions.system import System

pytestmark = pytest.mark.needs("oura")

SOURCE = provider("oura")
LEASE_S = tokens.LEASE_MS / 1000


@pytest.fixture(scope="module")
def system(aws: str) -> Iterator[System]:
    with vendors() as sandbox, backend(aws, sandbox) as system:
        yield system


@pytest.fixture
def held(system: System, user: str) -> Connection:
    """A connection whose token has run out."""
    told = system.connect(SOURCE.id, user)
    connections.change(told["connection"], token_expires=0)
    return load(told["connection"])


def load(id_: str) -> Connection:
    found = connections.load(id_)
    assert found
    return found


def app() -> App:
    return apps().app(SOURCE.id)


Count = Callable[[], tuple[int, int]]


@pytest.fixture
def refreshed(system: System) -> Count:
    """Since the test began: refreshes done, and refresh tokens used twice."""

    def now() -> tuple[int, int]:
        found = system.sandbox.get("/control/log").json()["refreshes"][SOURCE.id]
        return found["ok"], found["reused"]

    ok, reused = now()
    return lambda: (now()[0] - ok, now()[1] - reused)


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    later = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: later() + round(seconds * 1e9))


def spend(system: System, held: Connection) -> dict[str, Any]:
    """Uses the refresh token as a worker that dies before it can write what it got."""
    auth = SOURCE.auth
    assert isinstance(auth, OAuth2)
    form = {"grant_type": "refresh_token", "refresh_token": tokens.opened(held)["refresh_token"]}
    client = {"client_id": app().client_id, "client_secret": app().client_secret}
    reply = system.sandbox.post(app().url(auth.token_url), data={**form, **client})
    assert reply.status_code == 200
    found: dict[str, Any] = reply.json()
    return found


@pytest.fixture
def meanwhile() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Something happens while the vendor's answer is on its way."""
    heard = vendor.client().event_hooks
    yield lambda act: heard["response"].append(lambda response: act())
    vendor.client().event_hooks = {"request": [], "response": []}


During = Callable[[Callable[[], object]], None]


def test_of_many_at_once_one_refreshes_and_the_others_wait(refreshed: Count, held: Connection) -> None:
    together = Barrier(8)

    def worker(_: int) -> str:
        together.wait()
        try:
            return tokens.access_token(SOURCE, app(), held)
        except RetryLaterError as error:
            return f"in {error.after:g} s"

    app()
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(worker, range(8)))
    assert refreshed() == (1, 0)
    stored = tokens.opened(load(held.id))["access_token"]
    assert stored in told
    assert set(told) <= {stored, "in 3 s"}
    assert tokens.access_token(SOURCE, app(), held) == stored  # who comes back reads, and asks nobody
    assert refreshed() == (1, 0)


def test_success_is_kept_whatever_else_changed_meanwhile(held: Connection, meanwhile: During) -> None:
    meanwhile(lambda: connections.change(held.id, last_push_at=41, **{"cursor#sleep": "2026-11-20"}))
    token = tokens.access_token(SOURCE, app(), held)
    after = load(held.id)
    assert tokens.opened(after)["access_token"] == token
    assert (after.generation, after.last_push_at) == (held.generation + 1, 41)
    assert after.cursors == {"sleep": "2026-11-20"}


@pytest.mark.parametrize(
    "farewell",
    [connections.close, lambda held: connections.suspend(held.id, "revoked_at_vendor")],
    ids=["the person disconnects", "the vendor says goodbye"],
)
def test_a_refresh_under_way_does_not_undo_a_goodbye(
    system: System, held: Connection, meanwhile: During, farewell: Callable[[Connection], object]
) -> None:
    said: list[object] = []

    def once() -> None:
        if not said:
            said.append(farewell(held))

    meanwhile(once)
    tokens.access_token(SOURCE, app(), held)
    assert load(held.id).state != "active"
    assert "ring" not in system.items("Control")[f"C#{held.id}", "C"]


def test_neither_does_the_last_use_of_a_parting_connection(system: System, held: Connection, user: str) -> None:
    """A token that has run out is renewed once more, to be revoked; then it is forgotten all the same."""
    system.messages("fresh")
    assert ask(system, "DELETE", f"/v1/connections/{held.id}", user).status_code == 202
    system.work(("fresh",))
    item = system.items("Control")[f"C#{held.id}", "C"]
    assert item["state"]["S"] == "disconnected"
    assert not {"ring", "sealed"} & item.keys()


def test_a_token_refused_is_read_again_before_it_is_renewed(refreshed: Count, held: Connection) -> None:
    """Oura kills the old access token at every refresh: a 401 often only means that somebody was quicker."""
    stale = replace(held, token_expires=2**60)
    old = tokens.access_token(SOURCE, app(), stale)
    new = tokens.access_token(SOURCE, app(), held)
    assert tokens.access_token(SOURCE, app(), stale, rejected=old) == new
    assert refreshed() == (1, 0)
    assert tokens.access_token(SOURCE, app(), load(held.id), rejected=new) not in (old, new)
    assert refreshed() == (2, 0)


def test_tokens_that_live_long_move_to_the_months_key_when_used(
    system: System, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(vault, "_current_branch", lambda: "2020-01")
        held = load(system.connect(SOURCE.id, user)["connection"])
    assert not vault.is_current(held.sealed)
    token = tokens.access_token(SOURCE, app(), held)
    moved = load(held.id)
    assert vault.is_current(moved.sealed)
    assert (tokens.opened(moved)["access_token"], moved.generation) == (token, held.generation)
    tokens.access_token(SOURCE, app(), moved)
    assert load(held.id) == moved


def test_a_reply_lost_on_the_way_ends_in_reconnect_and_says_why(
    system: System, held: Connection, user: str, refreshed: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend(system, held)
    with pytest.raises(RetryLaterError) as first:
        tokens.access_token(SOURCE, app(), held)
    assert first.value.after >= LEASE_S
    pass_time(monkeypatch, LEASE_S / 2)
    with pytest.raises(RetryLaterError):  # within the lease nobody even asks
        tokens.access_token(SOURCE, app(), held)
    assert (load(held.id).state, refreshed()) == ("active", (1, 1))
    pass_time(monkeypatch, LEASE_S / 2 + 1)
    with pytest.raises(ReconnectError) as second:
        tokens.access_token(SOURCE, app(), held)
    assert second.value.cause in ("invalid_grant", "refresh_reply_lost")
    [shown] = ask(system, "GET", "/v1/connections", user).json()["connections"]
    assert (shown["state"], shown["cause"]) == ("reconnect", second.value.cause)
    asked = refreshed()
    with pytest.raises(ReconnectError):
        tokens.access_token(SOURCE, app(), load(held.id))
    assert refreshed() == asked


def test_a_refusal_that_only_echoes_anothers_success_condemns_nobody(
    system: System, held: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The winner's reply is written after we were refused: at the second look the generation is another."""
    won = spend(system, held)
    with pytest.raises(RetryLaterError):
        tokens.access_token(SOURCE, app(), held)
    assert tokens.keep(SOURCE, held, won)
    pass_time(monkeypatch, LEASE_S + 1)
    assert tokens.access_token(SOURCE, app(), held) == won["access_token"]
    with pytest.raises(RetryLaterError):  # a holder of the old generation gets no lease
        tokens.refresh(SOURCE, app(), held)
    after = load(held.id)
    assert (after.state, after.suspect_since, after.generation) == ("active", 0, held.generation + 1)


@pytest.mark.parametrize("trouble", ["our secret is wrong", "server_error", "rate_limit", "a firewall answers"])
def test_what_is_not_the_grants_fault_never_condemns_it(
    system: System, held: Connection, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Only `invalid_grant` (RFC 6749 §5.2) speaks of the grant: the operator's mistakes and the vendor's bad days
    would else send every person of that provider to the consent page again."""
    mine = replace(app(), client_secret="mistyped") if "secret" in trouble else app()
    if "firewall" in trouble:
        mine = replace(mine, urls={**mine.urls, "https://api.ouraring.com/oauth/token": f"{system.url}/v1/days"})
    elif "secret" not in trouble:
        system.sandbox.post("/control/faults", json={"provider": SOURCE.id, "kind": trouble, "times": 2})
    for _ in range(2):
        with pytest.raises(Exception) as refused:  # noqa: PT011
            tokens.access_token(SOURCE, mine, held)
        assert not isinstance(refused.value, ReconnectError)
        pass_time(monkeypatch, 2 * LEASE_S)
    assert load(held.id).state == "active"
    assert tokens.access_token(SOURCE, app(), held) == tokens.opened(load(held.id))["access_token"]


def test_what_the_spec_counts_as_the_grants_end_condemns_it_a_lease_later(
    held: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(SOURCE.auth, OAuth2)
    source = replace(SOURCE, auth=replace(SOURCE.auth, dead_grant=frozenset({"invalid_client"})))
    mine = replace(app(), client_secret="mistyped")
    with pytest.raises(RetryLaterError):
        tokens.access_token(source, mine, held)
    pass_time(monkeypatch, LEASE_S + 1)
    with pytest.raises(ReconnectError):
        tokens.access_token(source, mine, held)
    assert load(held.id).state == "reconnect"


def test_the_vendor_is_only_ever_asked_where_the_spec_says(held: Connection, meanwhile: During) -> None:
    urls: list[str] = []
    vendor.client().event_hooks["request"].append(lambda request: urls.append(str(request.url)))
    tokens.access_token(SOURCE, app(), held)
    assert isinstance(SOURCE.auth, OAuth2)
    assert urls == [httpx.URL(app().url(SOURCE.auth.token_url))]


# ---------------------------------------------------------------- grants


def come_back(system: System, **query: str) -> httpx.Response:
    return ask(system, "GET", f"/v1/callback/{SOURCE.id}", "", params=query)


def consent(system: System, user: str, person: str = "ada", **body: str) -> dict[str, str]:
    """To the consent page and back; what the vendor adds to our address."""
    started = ask(system, "POST", f"/v1/connect/{SOURCE.id}", user, json=body).json()
    allowed = system.sandbox.post(started["authorize_url"], data={"person": person, "decision": "allow"})
    return {k: v[0] for k, v in parse_qs(urlsplit(allowed.headers["location"]).query).items()}


def shown(system: System, user: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(system, "GET", "/v1/connections", user).json()["connections"]
    return found


def test_a_code_is_good_once_and_a_second_consent_keeps_the_connection(system: System, user: str) -> None:
    back = consent(system, user, return_url="https://app.example/")
    reply = come_back(system, **back)
    assert reply.status_code == 303
    assert reply.headers["location"].startswith(f"https://app.example/?connected={SOURCE.id}&connection=")
    assert come_back(system, **back).status_code == 410
    [first] = shown(system, user)
    assert come_back(system, **consent(system, user)).status_code == 200
    [second] = shown(system, user)
    assert (second["id"], second["state"]) == (first["id"], "active")
    assert shown(system, f"{user}-somebody-else") == []


def test_somebody_elses_account_and_a_code_the_vendor_refuses_change_nothing(system: System, user: str) -> None:
    refused = come_back(system, **{**consent(system, user), "code": "forged"})
    assert (refused.status_code, "<h1>Not connected</h1>" in refused.text) == (502, True)
    assert shown(system, user) == []
    assert come_back(system, **consent(system, user, "ada")).status_code == 200
    before = connected(system)
    system.messages("fresh")
    assert come_back(system, **consent(system, user, "ben")).status_code == 409
    assert (connected(system), system.messages("fresh")) == (before, [])


def connected(system: System) -> dict[tuple[str, str], Any]:
    """What the Control table says of connections."""
    return {key: item for key, item in system.items("Control").items() if key[0].startswith(("C#", "U#", "X#"))}
