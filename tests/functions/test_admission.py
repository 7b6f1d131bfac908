"""A vendor that registers people before it answers, gives its webhook a secret of its own, and tokens without end."""

from __future__ import annotations

import hmac
import json
import time
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from shared import connections, issued, tokens
from shared.errors import ReconnectError, RetryLaterError
from shared.issued import Issued
from shared.jobs import Job, new_id, now_ms, write
from shared.providers.registry import provider
from shared.secret import apps
from shared.subscriptions import ensure
from tests.functions.standing import ask, rested
from tests.functions.system import System

pytestmark = pytest.mark.needs("polar")

SOURCE = "polar"
BODY = b'{"event":"SLEEP","user_id":1,"date":"2026-11-02","timestamp":"2026-11-02T06:31:07Z","url":"https://x"}'


@pytest.fixture
def system(standing: System) -> System:
    issued._kept.clear()  # as if a minute had passed
    return rested(standing)


def app() -> tuple[str, str]:
    found = apps().app(SOURCE)
    return found.client_id, found.client_secret


def webhooks(system: System, method: str = "GET", path: str = "", **body: Any) -> Any:
    """The app's own look at its webhook, past our code."""
    reply = system.sandbox.request(method, f"/{SOURCE}/v3/webhooks{path}", json=body or None, auth=app())
    return reply.json().get("data") if reply.content else reply.status_code


def subscribe() -> None:
    ensure(Job(id=new_id(), task="subscribe", reason="sync", as_of=now_ms(), provider=SOURCE))


def post(system: System, body: bytes, signature: str | None = None) -> int:
    headers = {"content-type": "application/json"}
    if signature is not None:
        headers["polar-webhook-signature"] = signature
    return httpx.post(f"{system.url}/v1/webhooks/{SOURCE}", content=body, headers=headers).status_code


def signed(secret: str) -> str:
    return hmac.digest(secret.encode(), BODY, "sha256").hex()


# ---------------------------------------------------------------- registration


def test_who_owes_the_vendor_a_consent_is_told_so_and_nothing_is_kept(system: System, user: str) -> None:
    started = ask(system, "POST", f"/v1/connect/{SOURCE}", user, json={}).json()
    form = {"person": "ben", "decision": "allow", "ticked": "1"}  # every box left empty
    back = system.sandbox.post(started["authorize_url"], data=form).headers["location"]
    reply = httpx.get(back, headers={"accept": "application/json"})
    assert reply.status_code == 403
    assert "consent" in reply.json()["error"]["message"]
    assert ask(system, "GET", "/v1/connections", user).json() == {"connections": []}


def test_who_is_registered_already_is_welcome_again(system: System, user: str) -> None:
    first = system.connect(SOURCE, user)
    registered = system.sandbox.get("/control/log").json()["requests"][SOURCE]["POST /v3/users"]
    assert system.connect(SOURCE, user)["connection"] == first["connection"]
    assert system.sandbox.get("/control/log").json()["requests"][SOURCE]["POST /v3/users"] == registered + 1


# ---------------------------------------------------------------- the webhook's secret


def test_the_secret_is_kept_sealed_and_proves_what_follows(system: System, user: str) -> None:
    assert post(system, BODY, signed("")) == 401  # nobody has told us a secret yet
    subscribe()
    kept, [standing] = issued.known(SOURCE), webhooks(system)
    assert kept
    assert standing["id"] == kept.webhook
    [item] = [item for (pk, _), item in system.items("Control").items() if pk == f"W#{SOURCE}"]
    assert kept.secret not in json.dumps(item, default=repr)
    assert post(system, BODY, signed(kept.secret)) == 200
    assert [post(system, BODY, wrong) for wrong in (None, "00", signed("another"))] == [401, 401, 401]
    assert post(system, b'{"event":"PING"}') == 200
    assert len(system.messages("fresh")) == 1
    subscribe()
    assert (issued.known(SOURCE), webhooks(system)) == (kept, [standing])


def test_a_secret_that_was_lost_on_the_way_is_made_again(system: System) -> None:
    """A worker died between the vendor's answer and our table: nobody can know that webhook's events any more."""
    subscribe()
    before = issued.known(SOURCE)
    system.aws("dynamodb").delete_item(TableName="Control", Key={"pk": {"S": f"W#{SOURCE}"}, "sk": {"S": "W"}})
    subscribe()
    after = issued.known(SOURCE)
    assert before
    assert after
    assert after.secret != before.secret
    assert [webhook["id"] for webhook in webhooks(system)] == [after.webhook]


def test_of_two_who_make_it_at_once_neither_overwrites_the_others(system: System) -> None:
    subscribe()
    seen = issued.known(SOURCE)
    issued.keep(SOURCE, Issued("w2", "second"), seen)
    with pytest.raises(RetryLaterError):
        issued.keep(SOURCE, Issued("w3", "third"), seen)
    subscribe()  # what is kept is of no living webhook
    kept, [standing] = issued.known(SOURCE), webhooks(system)
    assert kept
    assert standing["id"] == kept.webhook


def test_a_webhook_switched_off_is_switched_on_and_one_for_less_is_replaced(system: System) -> None:
    subscribe()
    [standing] = webhooks(system)
    webhooks(system, "POST", "/deactivate")
    subscribe()
    assert webhooks(system) == [standing]
    webhooks(system, "PATCH", f"/{standing['id']}", events=["SLEEP"])
    subscribe()
    [replaced] = webhooks(system)
    assert (replaced["id"] != standing["id"], replaced["events"]) == (True, standing["events"])


def test_another_systems_webhook_is_its_own_affair(system: System) -> None:
    subscribe()
    [standing] = webhooks(system)
    webhooks(system, "DELETE", f"/{standing['id']}")
    elsewhere = system.url.replace("127.0.0.1", "localhost") + f"/v1/webhooks/{SOURCE}"
    webhooks(system, "POST", events=["SLEEP"], url=elsewhere)
    subscribe()
    [theirs] = webhooks(system)
    assert theirs["url"] == elsewhere
    webhooks(system, "DELETE", f"/{theirs['id']}")


# ---------------------------------------------------------------- how far back it answers


def test_after_a_long_silence_polling_goes_on_from_what_is_still_answered(system: System, user: str) -> None:
    told = system.connect(SOURCE, user)
    system.messages("fresh")
    today = datetime.now(ZoneInfo("Europe/Berlin")).date()
    connections.change(told["connection"], **{"cursor#sleep": f"{today - timedelta(days=60)}"})
    poll = Job(id=new_id(), reason="poll", as_of=now_ms(), connection=told["connection"], resources=("sleep",))
    assert system.deliver("fresh", [{"MessageId": "m", "Body": write(poll)}]) == []
    after = connections.load(told["connection"])
    assert after
    assert after.cursors == {"sleep": f"{today}"}
    days = [sk.split("#")[1] for pk, sk in system.items() if pk == user and sk.startswith("P#")]
    assert min(days) >= f"{today - timedelta(days=25)}"


# ---------------------------------------------------------------- tokens without end


def test_a_refusal_is_looked_at_twice_before_the_person_must_come_back(
    system: System, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = system.connect(SOURCE, user)
    held = connections.load(told["connection"])
    assert held
    source, ours = provider(SOURCE), apps().app(SOURCE)
    token = tokens.access_token(source, ours, held)
    with pytest.raises(RetryLaterError):
        tokens.access_token(source, ours, held, rejected=token)
    assert tokens.access_token(source, ours, held) == token  # the vendor may have had a bad minute
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + (tokens.LEASE_MS + 1) * 1_000_000)
    with pytest.raises(ReconnectError) as refused:
        tokens.access_token(source, ours, held, rejected=token)
    assert refused.value.cause == "no_refresh_token"
    [shown] = ask(system, "GET", "/v1/connections", user).json()["connections"]
    assert (shown["state"], shown["cause"]) == ("reconnect", "no_refresh_token")
