"""The webhook door, for every provider that calls us: it opens to proofs only, and says little."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from shared.apps import App, Hooks
from shared.jobs import Job, read
from shared.providers import HmacSignature, Provider
from shared.providers.registry import provider, providers
from shared.webhooks import sign
from tests.functions.standing import ask, backend
from tests.functions.system import System
from tests.functions.test_errors import kept

pytestmark = pytest.mark.needs("oura")

HOOKS = Hooks(b"test-hook-key")
HOOKED = [pytest.param(p, id=p.id) for p in providers() if p.webhook]
BY_CONNECTION = [pytest.param(p, id=p.id) for p in providers() if p.webhook and p.webhook.path == "connection"]
CHALLENGED = [pytest.param(p, id=p.id) for p in providers() if p.webhook and p.webhook.handshake]
WRONG = dict.fromkeys(("verification_token", "verify"), "wrong")
MUTE = [pytest.param(p, id=p.id) for p in providers() if not p.webhook]


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    with backend(aws) as system:
        yield system


def address(source: Provider, connection: str = "c0ffee") -> str:
    assert source.webhook
    path = f"/v1/webhooks/{source.id}"
    return f"{path}/{HOOKS.path(source.id, connection)}" if source.webhook.path == "connection" else path


@pytest.mark.parametrize("source", HOOKED)
def test_a_handshake_is_answered(standing: System, source: Provider) -> None:
    """Some vendors call with HEAD or GET before they believe in an address."""
    assert source.webhook
    token, handshake = HOOKS.token(source.id), source.webhook.handshake
    query = {"verification_token": token, "verify": token, "challenge": "42"} if handshake else {}
    replies = [ask(standing, method, address(source), "", params=query) for method in ("HEAD", "GET")]
    assert [r.status_code for r in replies] == [source.webhook.answer(b"")] * 2
    echoed = handshake(query, token) if handshake else None
    assert replies[1].text == (json.dumps(echoed) if echoed else "")


@pytest.mark.parametrize("query", [{}, {"challenge": "42"}, {"challenge": "42", **WRONG}])
@pytest.mark.parametrize("source", CHALLENGED)
def test_a_challenge_without_our_token_is_refused(standing: System, source: Provider, query: dict[str, str]) -> None:
    reply = ask(standing, "GET", address(source), "", params=query)
    assert source.webhook
    assert reply.status_code == source.webhook.refusal
    assert "42" not in reply.text


@pytest.mark.parametrize("source", BY_CONNECTION)
def test_an_address_nobody_derived_is_refused(standing: System, source: Provider) -> None:
    """Whatever is asked of it, and also where the one of another connection was changed a little."""
    before, good = kept(standing), address(source)
    other = address(source, "other").rsplit(".", 1)[1]
    for path in (
        f"{good}x",
        good[:-1],
        f"{good.rsplit('.', 1)[0]}.{other}",
        f"{good}%C3%A9",
    ):
        for method in ("POST", "GET", "HEAD"):
            assert ask(standing, method, path, "", content=b"x=1").status_code == 401, path
    assert ask(standing, "POST", f"/v1/webhooks/{source.id}", "", content=b"x=1").status_code == 401
    assert kept(standing) == before


@pytest.mark.parametrize("source", BY_CONNECTION)
def test_a_vendor_may_look_whether_anybody_is_at_home(standing: System, source: Provider) -> None:
    """Before it knows an address: it is told so, and nothing else."""
    for method in ("GET", "HEAD"):
        reply = ask(standing, method, f"/v1/webhooks/{source.id}", "")
        assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("source", HOOKED)
def test_a_call_without_proof_leaves_nothing(standing: System, source: Provider) -> None:
    """To the app's address, or to a connection's that was guessed."""
    before = kept(standing)
    for body in (b"", b"{}", b"\xff", b"[" * 9000):
        path = address(source).replace(HOOKS.path(source.id, "c0ffee"), "c0ffee.AAAAAAAAAAAAAAAAAAAAAA")
        assert source.webhook
        assert ask(standing, "POST", path, "", content=body).status_code == source.webhook.refusal
    assert kept(standing) == before


@pytest.mark.parametrize("source", HOOKED)
def test_a_body_over_the_limit_is_too_large(standing: System, source: Provider) -> None:
    assert source.webhook
    most = source.webhook.largest
    assert ask(standing, "POST", address(source), "", content=bytes(most + 1)).status_code == 413
    assert ask(standing, "POST", address(source), "", content=bytes(most)).status_code in (400, 401, 404)


@pytest.mark.parametrize("source", MUTE)
def test_who_sends_no_webhooks_has_no_door(standing: System, source: Provider) -> None:
    for name in (source.id, "nobody"):
        assert ask(standing, "POST", f"/v1/webhooks/{name}", "").status_code == 404
        assert ask(standing, "GET", f"/v1/webhooks/{name}", "").status_code == 404


@pytest.mark.parametrize("source", BY_CONNECTION)
def test_the_log_names_the_route_and_never_the_secret_in_it(
    standing: System, source: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(standing, "POST", address(source), "", content=b"userid=40871923")
    ask(standing, "GET", address(source), "")
    logged = capsys.readouterr()
    told = [json.loads(line) for line in logged.out.splitlines() if line.startswith('{"provider"')]
    assert [(line["provider"], line["method"]) for line in told] == [(source.id, "POST"), (source.id, "GET")]
    secret = HOOKS.path(source.id, "c0ffee").split(".")[1]
    assert secret not in logged.out + logged.err
    assert "40871923" not in logged.out + logged.err


# ---------------------------------------------------------------- one true vendor


def tell(standing: System, event: str, data: str = "workout", app: App = App("id", "s")) -> list[Job]:  # noqa: B008
    """A signed event; what is on the queue at once."""
    source = provider("oura")
    assert source.webhook
    assert isinstance(source.webhook.proof, HmacSignature)
    now = datetime.now(UTC).isoformat()
    body = json.dumps(
        {"event_type": event, "data_type": data, "object_id": "d1", "event_time": now, "user_id": "u1"}
    ).encode()
    stamp = str(int(time.time()))
    headers = {
        "x-oura-timestamp": stamp,
        "x-oura-signature": sign(source.webhook.proof, app.client_secret, body, stamp).upper(),
        "content-type": "application/json",
    }
    assert ask(standing, "POST", address(source), "", content=body, headers=headers).status_code == 200
    return [read(message["Body"]) for message in standing.messages("fresh")]


def test_hints_wait_so_that_a_burst_is_one_and_deletions_do_not(standing: System) -> None:
    assert tell(standing, "update") == []
    [job] = tell(standing, "delete")
    assert (job.deleted, job.document, job.account, job.resources) == (True, "d1", "u1", ("workout",))
    assert (job.provider, job.connection, job.reason) == ("oura", "", "webhook")
    assert abs(job.as_of - time.time() * 1000) < 60_000


def test_what_we_do_not_follow_is_taken_and_says_nothing(standing: System) -> None:
    assert tell(standing, "delete", "session") == []
