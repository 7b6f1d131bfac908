"""What every fake cloud shares: its door (log, faults, limits), its consent page, its webhooks."""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from html import escape
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import anyio
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.faults import REQUEST_FAULTS, Fault, Faults
from sandbox.grants import Grant, Grants, InvalidGrantError, Tokens
from sandbox.life import PEOPLE, Person
from sandbox.limits import Limit as Limit
from sandbox.limits import Meter
from sandbox.people import person as known_person
from sandbox.webhooks import Sender, Webhook, with_query
from sandbox.world import World

Holdings = dict[str, dict[str, float | None]]
"""By resource as an app asks for it: each record's id (each sample's instant in milliseconds), and its headline figure
if it has one."""


class Refused(Exception):
    """Ends a call with this answer."""

    def __init__(self, response: Response) -> None:
        self.response = response


def refuse(status: int, body: object = None) -> Refused:
    return Refused(Response(status_code=status) if body is None else JSONResponse(body, status))


@dataclass(frozen=True)
class Call:
    """One request, already read."""

    method: str
    url_path: str
    path: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    asked: tuple[tuple[str, str], ...] = ()
    """The query with what it says twice."""

    @property
    def form(self) -> dict[str, str]:
        return dict(self.fields())

    def fields(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode(), keep_blank_values=True)

    @property
    def params(self) -> dict[str, str]:
        """Query and form together, for vendors that take either."""
        return {**self.query, **self.form}

    def json(self) -> dict[str, Any]:
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            raise refuse(400, {"detail": "The body is not JSON."}) from None
        return value if isinstance(value, dict) else {}

    @property
    def bearer(self) -> str:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else ""


@dataclass(frozen=True)
class Change:
    """Something that happened to a person and that clouds may tell: night | steps | weigh | delete."""

    kind: str
    person: Person
    day: date
    at: int
    record: str = ""  # which record a `delete` removed: nap, night, workout, weight, carbs


@dataclass
class Cloud:
    """A provider's cloud. A subclass in sandbox/clouds/ says what is particular to the vendor."""

    world: World
    sender: Sender = field(init=False)
    grants: Grants = field(init=False)
    faults: Faults = field(default_factory=Faults)
    requests: Counter[str] = field(default_factory=Counter)
    dashboard_url: str = ""  # where the operator told the vendor's site to send webhooks
    pushes: bool = False  # and that they carry the data, where the vendor leaves the choice
    meters: list[Meter] = field(default_factory=list)  # of the limits that are enforced

    name: ClassVar[str]
    hosts: ClassVar[tuple[str, ...]]
    limit: ClassVar[Limit]
    scope_separator: ClassVar[str] = " "
    deletable: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        self.sender = Sender(self.name, self.faults)
        self.grants = self.open_grants()

    # --- what a vendor says in its own way

    def open_grants(self) -> Grants:
        raise NotImplementedError

    def doors(self) -> list[BaseRoute]:
        raise NotImplementedError

    def too_many(self, retry_after: int) -> Response:
        return Response(status_code=429, headers={"retry-after": str(retry_after)})

    def unavailable(self) -> Response:
        return Response("upstream connect error", status_code=503)

    def announce(self, change: Change) -> list[Webhook]:
        """The webhooks this change causes; none for a vendor that has none."""
        return []

    def permitted(self, person: Person) -> list[Webhook]:
        """The webhooks that tell that a person changed what their grants allow; none at most vendors."""
        return []

    def holdings(self, person: Person, day: date) -> Holdings:
        """What an app that has read everything knows of this day; nothing for a cloud that nobody checks by it."""
        return {}

    def enter(self, url: str) -> None:
        """The operator tells the vendor's own site where to send webhooks. Raises ValueError where it will not."""
        self.dashboard_url = url

    # --- the app that the backend plays

    @property
    def client_id(self) -> str:
        return f"sandbox-{self.name}-client"

    @property
    def client_secret(self) -> str:
        return f"not-a-secret-{self.name}"

    @property
    def hook_token(self) -> str:
        """What proves a call to our webhook, where the vendor or its customer chooses it; nothing for most."""
        return ""

    @property
    def webhook_secret(self) -> str:
        """What webhooks are signed with, of vendors with a secret of its own for that."""
        return ""

    @property
    def entered(self) -> dict[str, Any]:
        """What else the operator writes beside the credentials."""
        return {}

    def end(self, person: Person) -> list[Webhook]:
        """The person ends every grant in the vendor's own app. The webhooks this causes; none at most vendors."""
        self.grants.revoke(person.name)
        return []

    # --- the door

    def door(self, path: str, answer: Callable[[Call], Response], *methods: str) -> Route:
        """A route that logs the call, lets a fault have it, and otherwise runs `answer` in a thread."""

        async def endpoint(request: Request) -> Response:
            call = await read(request)
            label = self.label(call, path)
            self.requests[label] += 1
            fault = self._fault(call, label)
            if fault and fault.kind == "slow":
                await anyio.sleep(fault.seconds)
            if wait := self._over_limit(call):
                return self.too_many(wait)
            if fault and fault.kind == "rate_limit":
                return self.too_many(fault.retry_after)
            if fault and fault.kind == "server_error":
                return self.unavailable()
            if fault and fault.kind == "gone":  # the vendor has turned the service off
                return Response(status_code=410)
            if fault and fault.kind == "nonsense":  # a login page, a changed format: nothing anybody documented
                return HTMLResponse("<!doctype html><title>Hello</title>")
            return await answered(answer, call)

        return Route(path, endpoint, methods=list(methods) or ["GET"])

    def label(self, call: Call, path: str) -> str:
        for name, value in call.path.items():
            if not name.endswith("id"):
                path = path.replace("{" + name + "}", value)
        return f"{call.method} {path}"

    def _fault(self, call: Call, label: str) -> Fault | None:
        kinds = REQUEST_FAULTS if call.bearer else tuple(k for k in REQUEST_FAULTS if k != "expire_tokens")
        fault = self.faults.take(kinds, label) or (None if by_browser(call) else self.faults.draw(kinds))
        if fault and fault.kind == "expire_tokens":
            self.grants.expire(call.bearer)
        return fault

    def _over_limit(self, call: Call) -> int:
        """In how many seconds to come again. A browser at the consent page is no call of the app's."""
        if by_browser(call):
            return 0
        grant = self.holder(call)
        return max((meter.refuse_for(grant.person if grant else "") for meter in self.meters), default=0)

    # --- OAuth

    def consent(self, call: Call) -> Response:
        """GET shows the page; POST to the same URL with person and decision decides, so a script can too."""
        asked = call.query
        if asked.get("client_id") != self.client_id or "redirect_uri" not in asked:
            return HTMLResponse("Unknown client_id, or no redirect_uri.", 400)
        if asked.get("response_type", "code") != "code":
            return HTMLResponse("Only response_type=code.", 400)
        scopes = [scope for scope in asked.get("scope", "").split(self.scope_separator) if scope]
        if call.method == "GET":
            return HTMLResponse(_consent_page(self.name, scopes))
        return self._decide(call, scopes or list(self.all_scopes()))

    def all_scopes(self) -> tuple[str, ...]:
        return ()

    def _decide(self, call: Call, scopes: list[str]) -> Response:
        redirect_uri, form = call.query["redirect_uri"], call.form
        state = {"state": call.query["state"]} if "state" in call.query else {}
        if form.get("decision") != "allow":
            return RedirectResponse(with_query(redirect_uri, error="access_denied", **state), 302)
        try:
            person = known_person(form.get("person", ""))
        except KeyError:
            return HTMLResponse("Unknown person.", 400)
        if "ticked" in form:  # the page was used, so an unticked box means no
            scopes = [value for name, value in call.fields() if name == "scope"]
        code = self.grants.code(person.name, tuple(scopes), redirect_uri, call.query.get("code_challenge", ""))
        return RedirectResponse(with_query(redirect_uri, code=code, **state), 302)

    def is_our_client(self, call: Call) -> bool:
        scheme, _, basic = call.headers.get("authorization", "").partition(" ")
        pair = (call.params.get("client_id"), call.params.get("client_secret"))
        if scheme.lower() == "basic":
            try:
                pair = tuple(base64.b64decode(basic).decode().split(":", 1))  # type: ignore[assignment]
            except (binascii.Error, UnicodeDecodeError):
                return False
        return pair == (self.client_id, self.client_secret)

    def exchange(self, form: dict[str, str]) -> Tokens:
        """A code or a refresh token for new tokens; InvalidGrantError if it is dead, KeyError if one is missing."""
        if form["grant_type"] == "refresh_token":
            return self.grants.refresh(form["refresh_token"])
        if form["grant_type"] == "authorization_code":
            return self.grants.redeem(form["code"], form["redirect_uri"], form.get("code_verifier", ""))
        raise refuse(400, {"error": "unsupported_grant_type"})

    def token_reply(self, call: Call) -> Tokens:
        """The plain OAuth 2 token endpoint with its plain errors."""
        if not self.is_our_client(call):
            raise refuse(400, {"error": "invalid_client"})
        try:
            return self.exchange(call.form)
        except InvalidGrantError:
            raise refuse(400, {"error": "invalid_grant"}) from None
        except KeyError:
            raise refuse(400, {"error": "invalid_request"}) from None

    def holder(self, call: Call) -> Grant | None:
        return self.grants.holder(call.bearer)


def by_browser(call: Call) -> bool:
    return "redirect_uri" in call.query


async def read(request: Request) -> Call:
    return Call(
        method=request.method,
        url_path=request.url.path,
        path={name: str(value) for name, value in request.path_params.items()},
        query=dict(parse_qsl(request.url.query, keep_blank_values=True)),
        headers=dict(request.headers),
        body=await request.body(),
        asked=tuple(parse_qsl(request.url.query, keep_blank_values=True)),
    )


async def answered(answer: Callable[[Call], Response], call: Call) -> Response:
    try:
        return await run_sync(answer, call)
    except Refused as refused:
        return refused.response


def plain_door(path: str, answer: Callable[[Call], Response], *methods: str) -> Route:
    """A route of the sandbox's own, that no fault touches."""

    async def endpoint(request: Request) -> Response:
        return await answered(answer, await read(request))

    handler: Callable[[Request], Awaitable[Response]] = endpoint
    return Route(path, handler, methods=list(methods) or ["GET"])


def _consent_page(provider: str, scopes: list[str]) -> str:
    people = "".join(f'<option value="{name}">{name.title()}</option>' for name in PEOPLE)
    boxes = "".join(
        f'<label><input type="checkbox" name="scope" value="{escape(s)}" checked> {escape(s)}</label><br>'
        for s in scopes
    )
    return f"""<!doctype html><meta charset="utf-8"><title>{provider} (sandbox)</title>
<style>body{{font:16px/1.6 system-ui;max-width:26rem;margin:4rem auto}}button{{font:inherit;padding:.4rem 1rem}}</style>
<h1>{provider.title()}</h1><p>This is a sandbox: nobody's data, no password.</p>
<form method="post"><input type="hidden" name="ticked" value="1">
<p><label>Sign in as <select name="person">{people}</select></label></p><p>{boxes}</p>
<button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></form>"""
