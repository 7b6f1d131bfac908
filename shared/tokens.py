"""One access token, refreshed just in time, by one worker at a time.

Refresh tokens of most vendors are single-use: two refreshers at once destroy a healthy connection. So a refresh is done
under a lease that outlives the call's time-out; its success is written if `generation` is the one seen, whatever else
changed; and a refusal condemns only if the generation is still the same one lease later. Losers defer.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeVar

import orjson

from shared import connections, control
from shared.apps import App
from shared.budget import Budget
from shared.connections import Connection
from shared.errors import (
    NotGrantedError,
    ProviderChangedError,
    ReconnectError,
    RetiredError,
    RetryLaterError,
    TokenRejectedError,
    TributaryError,
)
from shared.jobs import now_ms
from shared.providers import Hosted, Json, OAuth2, Provider, Request
from shared.settings import settings
from shared.vault import is_current, seal, unseal
from shared.vendor import BUSY_S, call

T = TypeVar("T")
EARLY_MS = 120_000
LEASE_MS = 60_000
LOSER_WAITS_S = 3
UNKNOWN_LIFE_S = 3600
FOREVER_S = 100 * 365 * 86_400
TOKENS = "SET sealed = :sealed, token_expires = :expires, generation = :next, lease_until = :free"
CONDEMNED = {"ended": "invalid_grant", "lost": "refresh_reply_lost"}
DOUBTS = "suspect_since, refreshing_since, reply_lost"


def access_token(
    provider: Provider,
    app: App,
    held: Connection,
    rejected: str = "",
    parting: bool = False,
    renewed: Callable[[], None] = lambda: None,
) -> str:
    """A living access token. `rejected` is one the vendor has just refused; `parting` asks for one last use; `renewed`
    hears of a refresh that succeeded.

    Raises ReconnectError, or RetryLaterError while another worker refreshes.
    """
    if isinstance(provider.auth, Hosted):
        return app_key(provider, provider.auth, app, held, rejected, parting)
    if not isinstance(provider.auth, OAuth2):
        return ""
    for current in looks(held):
        if current is None or not is_usable(current, parting):
            raise ReconnectError(f"{provider.name} is not connected", current.cause if current else "gone")
        token = opened(current)["access_token"]
        if token != rejected and current.token_expires > now_ms() + EARLY_MS:
            seal_anew(current)
            return str(token)
    assert current is not None
    token = refresh(provider, app, current)
    renewed()
    return token


def looks(held: Connection) -> Iterator[Connection | None]:
    """As it was read and, only if that will not do, as it is."""
    yield held
    yield connections.load(held.id)


def is_usable(held: Connection, parting: bool) -> bool:
    return held.state == "active" or (parting and held.state == "disconnected")


def app_key(provider: Provider, auth: Hosted, app: App, held: Connection, rejected: str, parting: bool) -> str:
    """The app's own, where that authenticates every call. Refused, it says nothing of the person: no connection is
    condemned for it, and once the operator has corrected it (RetryLaterError) all go on."""
    if not is_usable(held, parting):
        raise ReconnectError(f"{provider.name} is not connected", held.cause)
    if rejected == app.client_secret:
        raise key_refused(provider)
    budget = Budget.of(provider, app, held.id)
    if auth.token:
        budget.take()
    return credential(provider, auth, app, held.account, budget)


def credential(provider: Provider, auth: Hosted, app: App, whose: str, budget: Budget) -> str:
    """The app's key or, where the vendor wants a token for each person, what the key is changed for, its turn taken.
    That is kept nowhere: another is to be had for one call, and does not end the one before."""
    if auth.token is None:
        return app.client_secret
    try:
        reply = call(provider, app, auth.token(app.client_id, app.client_secret, whose), None, budget).json
    except (TokenRejectedError, NotGrantedError) as error:
        raise key_refused(provider) from error
    if not reply.get("access_token"):
        raise ProviderChangedError(f"{provider.name} changed our app's key for no token")
    return str(reply["access_token"])


def key_refused(provider: Provider) -> RetryLaterError:
    return RetryLaterError(f"{provider.name} refuses our app's key", BUSY_S)


def keep_membership(provider: Provider, held: Connection) -> None:
    """That the person consented, where there is no token to keep."""
    keep_granted(provider, held, {"expires_in": FOREVER_S})


def state(held: Connection, now: int) -> Literal["none", "valid", "expiring", "expired"]:
    """Of the access token. One that is expiring or expired is renewed when it is next needed."""
    if not held.sealed:
        return "none"
    if held.token_expires > now + EARLY_MS:
        return "valid"
    return "expiring" if held.token_expires > now else "expired"


def outliving(
    provider: Provider,
    app: App,
    held: Connection,
    token: str,
    ask: Callable[[str], T],
    renewed: Callable[[], None] = lambda: None,
) -> T:
    """What `ask` returns. Some vendors kill the access token at every refresh: one that died under us is read again,
    then renewed, and asked with once more."""
    try:
        return ask(token)
    except TokenRejectedError:
        again = access_token(provider, app, held, rejected=token, renewed=renewed)
    try:
        return ask(again)
    except TokenRejectedError as error:
        raise RetryLaterError(f"{provider.name} refuses a token it has just given", BUSY_S) from error


def opened(held: Connection) -> Json:
    tokens: Json = orjson.loads(unseal(held.owner, "tokens", held.sealed))
    return tokens


def seal_anew(held: Connection) -> None:
    """Under the month's branch key, where they were sealed under an older one: a token that outlives the years does
    not keep an old key alive. Refreshed ones never get here."""
    if is_current(held.sealed):
        return
    sealed = seal(held.owner, "tokens", unseal(held.owner, "tokens", held.sealed))
    same = "generation = :seen AND sealed = :old"
    control.update(
        f"C#{held.id}",
        "C",
        "SET sealed = :sealed",
        {"sealed": sealed, "seen": held.generation, "old": held.sealed},
        same,
    )


def refresh(provider: Provider, app: App, held: Connection) -> str:
    auth, budget = provider.auth, Budget.of(provider, app, held.id)
    assert isinstance(auth, OAuth2)
    budget.take()  # first of all: who must wait for a turn holds up nobody who has one
    now = now_ms()
    if not _lease(held, now):
        raise RetryLaterError(f"another worker is refreshing the {provider.name} token", LOSER_WAITS_S)
    # Under the lease nobody else refreshes: what is read now says whether somebody began before us and never ended.
    held = connections.load(held.id) or held
    refresh_token = opened(held).get("refresh_token")
    if not refresh_token:
        raise _suspect(provider, held, now, "no_refresh_token")
    try:
        form = {**auth.refresh_params, "grant_type": "refresh_token", "refresh_token": refresh_token}
        reply = grant(provider, app, form, budget)
    except RetiredError as retired:
        raise condemn(provider, held, retired.cause) from retired
    except TributaryError as refused:
        # Only this speaks of the grant (RFC 6749 §5.2): a wrong client secret or a firewall says nothing about it.
        if isinstance(refused, ReconnectError) or refused.vendor_code in auth.dead_grant:
            raise _suspect(provider, held, now) from refused
        raise
    if not keep(provider, held, {"refresh_token": refresh_token, **reply}) and connections.load(held.id) is None:
        raise ReconnectError(f"{provider.name} was disconnected meanwhile", "gone")
    return str(reply["access_token"])


def grant(provider: Provider, app: App, form: Mapping[str, str], budget: Budget) -> Json:
    """One call to the token endpoint (RFC 6749 §4.1.3, §6), its turn taken; the reply in RFC 6749's shape."""
    auth = provider.auth
    assert isinstance(auth, OAuth2)
    request = Request(
        url=auth.token_url, method="POST", form={**auth.token_params, **form, **_client(auth, app)}, bearer=False,
        headers={"authorization": _basic(app)} if by_header(auth, app) else {},
    )  # fmt: skip
    reply = auth.read_token(call(provider, app, request, None, budget).json)
    if not reply.get("access_token"):
        raise ProviderChangedError(f"{provider.name} answered a token request without a token")
    return reply


def keep_granted(provider: Provider, held: Connection, reply: Json) -> None:
    """Tokens from a new consent win over whatever a refresh wrote meanwhile."""
    while not keep(provider, held, reply, consented=True):
        found = connections.load(held.id)
        if found is None:
            raise ReconnectError(f"{provider.name} was disconnected meanwhile", "gone")
        held = found


def keep(provider: Provider, held: Connection, reply: Json, consented: bool = False) -> bool:
    """Writes new tokens before their first use: if the generation is the one seen, whatever else changed.

    A refresh brings back a connection that we condemned too soon; one that was ended on purpose only a new consent.
    """
    life = int(reply.get("expires_in") or UNKNOWN_LIFE_S)
    plain = orjson.dumps({name: reply[name] for name in ("access_token", "refresh_token") if reply.get(name)})
    fresh = {
        "sealed": seal(held.owner, "tokens", plain),
        "expires": now_ms() + life * 1000,
        "next": held.generation + 1,
        "free": 0,
        "seen": held.generation,
    }
    looked_at = provider.timer_polling or provider.pushes
    ring = {"ring": connections.segment(held.id, settings().ring_shards)} if looked_at else {}
    since = {"since": now_ms()} if consented else {}
    causes = {} if consented else CONDEMNED
    still = (
        "generation = :seen" if consented else "generation = :seen AND (#state = :active OR cause IN (:ended, :lost))"
    )
    given = {**fresh, **ring, **since, **causes, "active": "active"}
    moved = "".join(f", {name} = :{name}" for name in (*ring, *since))
    revive = f"{TOKENS}, #state = :active{moved} REMOVE cause, trouble_since, {DOUBTS}"
    if control.update(f"C#{held.id}", "C", revive, given, still, {"#state": "state"}):
        return True
    return control.update(f"C#{held.id}", "C", f"{TOKENS} REMOVE {DOUBTS}", fresh, "generation = :seen")


def _lease(held: Connection, now: int) -> bool:
    return control.update(
        f"C#{held.id}",
        "C",
        "SET lease_until = :until, refreshing_since = if_not_exists(refreshing_since, :now)",
        {"until": now + LEASE_MS, "now": now, "seen": held.generation},
        "generation = :seen AND (attribute_not_exists(lease_until) OR lease_until < :now)",
    )


def _suspect(provider: Provider, held: Connection, now: int, cause: str = "") -> Exception:
    """The first refusal may be the echo of somebody's success that is not written yet: look again a lease later.

    Where an earlier refresh began and never ended, the vendor has probably spent the token on a reply we lost.
    """
    current = connections.load(held.id) or held
    lost = current.reply_lost or held.refreshing_since < now or current.lease_until != held.lease_until
    if held.suspect_since and now - held.suspect_since >= LEASE_MS:
        return condemn(provider, held, cause or ("refresh_reply_lost" if lost else "invalid_grant"))
    given: dict[str, Any] = {"since": held.suspect_since or now, "lost": lost, "seen": held.generation}
    noted = "SET suspect_since = :since, reply_lost = :lost REMOVE refreshing_since"
    control.update(f"C#{held.id}", "C", noted, given, "generation = :seen")
    return RetryLaterError(f"{provider.name} refused our tokens; looking again", LEASE_MS / 1000 + 1)


def condemn(provider: Provider, held: Connection, cause: str) -> ReconnectError:
    connections.suspend(held.id, cause, held.generation)
    return ReconnectError(f"{provider.name} must be connected again", cause)


def _client(auth: OAuth2, app: App) -> dict[str, str]:
    """An app without a secret is a public client, and says only who it is (RFC 6749 §3.2.1)."""
    if by_header(auth, app):
        return {}
    secret = {"client_secret": app.client_secret} if app.client_secret else {}
    return {"client_id": app.client_id, **secret}


def by_header(auth: OAuth2, app: App) -> bool:
    return auth.client_auth == "basic" and bool(app.client_secret)


def _basic(app: App) -> str:
    return "Basic " + base64.b64encode(f"{app.client_id}:{app.client_secret}".encode()).decode()
