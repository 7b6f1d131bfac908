"""Connecting a person: the authorization request, and the code that comes back (RFC 6749 §4.1, RFC 7636, RFC 9700). Of
a vendor with a page of its own, shared/hosted.py."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from shared import connections, consents, control, hosted, jobs, tokens, visits, zones
from shared.apps import App, Apps
from shared.budget import Budget
from shared.connections import Connection
from shared.discovery import settled
from shared.errors import BadRequestError, ExpiredError, ForbiddenError, NotGrantedError, TributaryError
from shared.jobs import Job, new_id, now_ms
from shared.local_time import Zones
from shared.log import logger
from shared.model import MINUTE
from shared.progress import open_job
from shared.providers import Hosted, Json, OAuth2, Provider, Request, Window, dig
from shared.schemas import ConnectRequest
from shared.settings import settings
from shared.values import dataclass
from shared.vendor import Reply, call

STATE_LIVES_MS = 10 * MINUTE
FRESH_DAYS, BULK_WINDOW_DAYS = 7, 15


@dataclass(frozen=True)
class Started:
    """Where to send the person: straight to the vendor, or by a link a browser may open once."""

    authorize_url: str
    link: str
    expires_at: int


def start(user: str, provider: Provider, apps: Apps, wish: ConnectRequest) -> Started:
    """Raises BadRequestError naming the field at fault."""
    if not provider.connects:
        raise BadRequestError(f"{provider.name} is not connected by signing in", "provider")
    app = apps.app(provider.id)
    allowed(wish.return_url)
    if wish.timezone:
        zones.moved_to(user, zones.known(wish.timezone))
    state, expires = secrets.token_urlsafe(32), now_ms() + STATE_LIVES_MS
    url = page(settled(provider, app), app, apps, user, state)
    ticket = secrets.token_urlsafe(32)
    told = {"return_url": wish.return_url, "text": wish.consent_text}
    # So that it is found if the person is erased.
    control.put({"pk": f"U#{user}", "sk": f"S#{digest(state)}", "expires": expires // 1000})
    remember("S", state, expires, user=user, provider=provider.id, switch=wish.switch_account, **told)
    remember("L", ticket, expires, provider=provider.id, url=url)
    return Started(url, f"{settings().public_url}/v1/connect/{provider.id}?ticket={ticket}", expires)


def follow(provider: str, ticket: str) -> str:
    """The authorize URL behind a one-time link. Raises ExpiredError for one used, unknown or too old."""
    return str(recall("L", ticket, provider, "ticket")["url"])


def finish(provider: Provider, apps: Apps, query: Mapping[str, str]) -> tuple[Connection, str]:
    """Of who came back with a yes: the connection, its first sync queued, and where the person wanted to land.

    Raises BadRequestError where that is no answer of this vendor's, ExpiredError for a replayed state.
    """
    if isinstance(provider.auth, OAuth2) and "code" not in query:
        raise BadRequestError("this address is for coming back from a consent page", "code")
    known = spent(query["state"], provider.id)
    if isinstance(provider.auth, Hosted):
        source, held = hosted.arrived(provider, provider.auth, apps, query, known)
    else:
        source, held = provider, granted(provider, apps, query, known)
    if source.exclusive_grant:
        connections.supersede(held)
    first_sync(source, held)
    return held, str(known["return_url"])


def granted(provider: Provider, apps: Apps, query: Mapping[str, str], known: control.Item) -> Connection:
    """Exchanges the code at once (codes live for seconds) and keeps the tokens."""
    app = apps.app(provider.id)
    provider = settled(provider, app)
    assert isinstance(provider.auth, OAuth2)
    if query.get("iss", provider.auth.issuer) != provider.auth.issuer and provider.auth.issuer:
        raise ForbiddenError("another server answered than was asked; start connecting again")
    reply = exchange(provider, app, apps, query["state"], query["code"])
    account = account_of(provider, app, reply)
    admit(provider, app, reply, account)
    history = zones.of(known["user"])
    if history == Zones() and provider.zone_request:
        ask_zone(known["user"], provider, app, provider.zone_request, reply)
        history = zones.of(known["user"])
    scopes = permitted(provider, app, reply)
    zone = history.history[-1][1]
    held = connections.establish(known["user"], provider, account, scopes, zone, known["switch"])
    # The ledger knows of the consent before any token is kept on its strength.
    consents.record(apps.hooks.key, held.user, "granted", provider.id, scopes, known["text"])
    tokens.keep_granted(provider, held, reply)
    return held


def landing(provider: str, state: str) -> str:
    """Where a person who said no wanted to go; the state is spent."""
    return str(spent(state, provider)["return_url"])


# ---------------------------------------------------------------- parts


def page(provider: Provider, app: App, apps: Apps, user: str, state: str) -> str:
    if isinstance(provider.auth, Hosted):
        return hosted.page(provider, provider.auth, app, hosted.guest(provider, apps, user, state))
    assert isinstance(provider.auth, OAuth2)
    return authorize_url(provider, provider.auth, app, apps, state)


def authorize_url(provider: Provider, auth: OAuth2, app: App, apps: Apps, state: str) -> str:
    params = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": redirect_uri(provider.id),
        "state": state,
        **auth.authorize_params,
    }
    if auth.permissions is None:
        params["scope"] = auth.scope_separator.join(auth.scopes)
    if auth.pkce:
        digest = hashlib.sha256(verifier(apps, state).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        params |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    return f"{app.url(auth.authorize_url)}?{urlencode(params)}"


def redirect_uri(provider: str) -> str:
    return f"{settings().public_url}/v1/callback/{provider}"


def verifier(apps: Apps, state: str) -> str:
    """The PKCE verifier is derived from the state, so that nothing secret need be stored between the two requests."""
    derived = hmac.digest(apps.hooks.key, b"pkce|" + state.encode(), "sha256")
    return base64.urlsafe_b64encode(derived).decode().rstrip("=")


def exchange(provider: Provider, app: App, apps: Apps, state: str, code: str) -> Json:
    auth = provider.auth
    assert isinstance(auth, OAuth2)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri(provider.id)}
    if auth.pkce:
        form["code_verifier"] = verifier(apps, state)
    budget = Budget.of(provider, app)
    budget.insist()
    return tokens.grant(provider, app, form, budget)


def account_of(provider: Provider, app: App, reply: Json) -> str:
    """The vendor's own id of the person, so that its webhooks find them."""
    where = provider.account
    if where.request:
        reply = ask_now(provider, app, where.request, reply).json
    found = dig(reply, where.at) if where.at else None
    if where.needed and not found:
        raise ForbiddenError(f"{provider.name} did not say whose data this is; start connecting again")
    return "" if found is None else str(found)


def permitted(provider: Provider, app: App, reply: Json) -> frozenset[str]:
    """What the person lets us have, in the vendor's words."""
    if provider.permissions:
        return provider.permissions.read(ask_now(provider, app, provider.permissions.request, reply).json)
    assert isinstance(provider.auth, OAuth2)
    return provider.auth.granted(str(reply.get("scope") or ""))


def ask_zone(user: str, provider: Provider, app: App, request: Request, reply: Json) -> None:
    """Where a person who never said so lives. A vendor that does not tell keeps nobody from connecting."""
    try:
        name = provider.zone(ask_now(provider, app, request, reply).json)
    except TributaryError as error:
        logger().info("a zone was not told", extra={"provider": provider.id, "error": type(error).__name__})
    else:
        zones.learned(user, name or "")


def ask_now(provider: Provider, app: App, request: Request, reply: Json) -> Reply:
    """With the token just given, and within the limit if that can be."""
    budget = Budget.of(provider, app)
    budget.insist()
    return call(provider, app, request, str(reply["access_token"]), budget)


def admit(provider: Provider, app: App, reply: Json, account: str) -> None:
    """Registers the person where the vendor wants that before it answers. Raises ForbiddenError where it refuses."""
    assert isinstance(provider.auth, OAuth2)
    if provider.auth.register:
        try:
            ask_now(provider, app, provider.auth.register(account), reply)
        except NotGrantedError as error:
            raise ForbiddenError(
                f"{provider.name} asks for the person's own consent first: give it in its app, then connect again"
            ) from error


def first_sync(provider: Provider, held: Connection) -> None:
    """The last days at once, the rest in windows behind them, and the subscriptions that keep it fresh."""
    history = zones.of(held.user)
    recent = visits.recent(FRESH_DAYS, history)
    older = settings().backfill_days
    before = visits.beyond(min(older, provider.history_days or older), FRESH_DAYS, history)
    tracked = backfill(held, "backfill", [recent], before.split(BULK_WINDOW_DAYS))
    connections.change(held.id, backfill=tracked)
    if provider.subscriptions:
        job = Job(
            id=new_id(), task="subscribe", reason="sync", as_of=now_ms(), provider=provider.id, connection=held.id
        )
        jobs.send(settings().fresh_queue, [job])


def backfill(held: Connection, action: str, fresh: list[Window], bulk: list[Window]) -> str:
    """A tracked job of one message per window; returns its id."""
    id_, now = new_id(), now_ms()

    def job(window: Window) -> Job:
        days = (window.first.isoformat(), window.last.isoformat())
        part = f"{held.provider}:{days[0]}:{days[1]}"
        return Job(
            id=f"{id_}.{part}", reason="backfill", as_of=now, connection=held.id, window=days, tracked=id_, part=part
        )

    first, rest = [job(w) for w in fresh], [job(w) for w in bulk]
    open_job(id_, held.user, action, [j.part for j in first + rest])
    jobs.send(settings().fresh_queue, first)
    jobs.send(settings().bulk_queue, rest)
    return id_


def allowed(return_url: str) -> None:
    """Only to origins the operator configured: an open redirect is a phishing tool."""
    if return_url:
        parts = urlsplit(return_url)
        # urlsplit drops line breaks from what it parses; the header we would send them in does not.
        known = f"{parts.scheme}://{parts.netloc}" in settings().return_origins
        if not known or not return_url.isprintable():
            raise BadRequestError("return_url must be on one of the configured origins", "return_url")


def remember(kind: str, secret: str, expires: int, **values: str | bool) -> None:
    control.put({"pk": f"{kind}#{digest(secret)}", "sk": kind, "until": expires, "expires": expires // 1000, **values})


def recall(kind: str, secret: str, provider: str, param: str) -> control.Item:
    """Taken out as it is read: of two who present the same secret, one gets it."""
    item = control.take(f"{kind}#{digest(secret)}", kind)
    if item is None or item["until"] < now_ms() or item["provider"] != provider:
        raise ExpiredError("used before, unknown, or over ten minutes old; start connecting again", param)
    return item


def spent(state: str, provider: str) -> control.Item:
    known = recall("S", state, provider, "state")
    control.take(f"U#{known['user']}", f"S#{digest(state)}")
    return known


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
