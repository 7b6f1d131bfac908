"""Terra: a widget that signs people in to other vendors' clouds, and webhooks that carry what those told it."""

import hmac
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from sandbox.aggregator import page
from sandbox.cloud import Call, Change, Cloud, Limit, plain_door, refuse
from sandbox.clouds.terra import records
from sandbox.clouds.terra.records import Record
from sandbox.grants import Grant, Grants
from sandbox.life import Person
from sandbox.people import person as known_person
from sandbox.webhooks import Webhook, with_query

API = "/api/v2"
MONTH = timedelta(days=31)
CHUNK = 10
VERSION = "2022-03-16"


@dataclass
class User:
    """One consent: a person, at one source, under what our app calls them."""

    person: str
    provider: str
    reference: str | None
    active: bool = True
    user_id: str = field(default_factory=lambda: str(uuid4()))

    def shown(self) -> Record:
        return {
            "user_id": self.user_id,
            "provider": self.provider,
            "reference_id": self.reference,
            "scopes": "ACTIVITY_EXPORT,HEALTH_EXPORT",
            "active": self.active,
            "created_at": "2026-10-01T08:00:00.000000+00:00",
            "last_webhook_update": None,
        }


class Terra(Cloud):
    name = "terra"
    hosts = ("https://access.tryterra.co", "https://widget.tryterra.co")
    limit = Limit(calls=850, seconds=3600, whose="user")  # 6,000 days, asked for by the week
    deletable = ("workout",)

    def open_grants(self) -> Grants:
        self.users: dict[str, User] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.newest = 0
        return Grants(code_seconds=1, access_seconds=1)  # nobody gets any

    @property
    def webhook_secret(self) -> str:
        return "not-a-signing-secret-terra"

    def doors(self) -> list[BaseRoute]:
        return [
            self.door("/api/widget/session", self.open_session, "POST"),
            plain_door("/session/{session_id}", self.widget, "GET", "POST"),
            self.door(f"{API}/userInfo", self.user_info),
            self.door(f"{API}/auth/deauthenticateUser", self.deauthenticate, "DELETE"),
            *(self.door(f"{API}/{kind}", self.data) for kind in records.KINDS),
        ]

    def too_many(self, retry_after: int) -> Response:
        headers = {"retry-after": str(retry_after), "x-terra-ratelimit-rule": "r2"}
        return JSONResponse({"status": "error", "message": "rate limit exceeded"}, 429, headers=headers)

    def holder(self, call: Call) -> Grant | None:
        user = self.users.get(call.query.get("user_id", ""))
        return Grant(user.user_id, user.person, ()) if user else None

    # --- the widget

    def _check_key(self, call: Call) -> None:
        if (call.headers.get("dev-id"), call.headers.get("x-api-key")) != (self.client_id, self.client_secret):
            raise refuse(403, {"status": "error", "message": "Invalid credentials"})

    def open_session(self, call: Call) -> Response:
        self._check_key(call)
        session = str(uuid4())
        self.sessions[session] = call.json()
        self.grants.issued.add(session)
        url = f"https://widget.tryterra.co/session/{session}"
        return JSONResponse({"status": "success", "session_id": session, "url": url, "expires_in": 86_400}, 201)

    def widget(self, call: Call) -> Response:
        """GET shows the page; POST decides. A session is good for one decision."""
        session = self.sessions.get(call.path["session_id"])
        if session is None:
            return HTMLResponse("This session has ended.", 410)
        offered = [name for name in str(session.get("providers") or "").split(",") if name in records.TOLD]
        if call.method == "GET":
            return HTMLResponse(page("terra", offered))
        form = call.form
        del self.sessions[call.path["session_id"]]
        if form.get("decision") != "allow":
            return RedirectResponse(with_query(session["auth_failure_redirect_url"], reason="cancelled"), 302)
        chosen = form.get("provider") or ("GARMIN" if "GARMIN" in offered else offered[0])
        user = self._connect(known_person(form.get("person", "")), chosen, session.get("reference_id"))
        back = {"user_id": user.user_id, "reference_id": user.reference or "", "resource": user.provider}
        return RedirectResponse(with_query(session["auth_success_redirect_url"], **back), 302)

    def _connect(self, person: Person, provider: str, reference: str | None) -> User:
        """A person who is connected there already becomes somebody new, and the one before is no more."""
        made = User(person.name, provider, reference)
        self.grants.people.add(person.name)
        old = next(
            (u for u in self.users.values() if u.active and (u.provider, u.reference) == (provider, reference)), None
        )
        if old:
            del self.users[old.user_id]
            self._tell({"type": "user_reauth", "status": "warning", "old_user": old.shown(), "new_user": made.shown()})
        else:
            self._tell({"type": "auth", "status": "success", "user": made.shown()})
        self.users[made.user_id] = made
        return made

    # --- the API

    def _user(self, call: Call) -> User:
        self._check_key(call)
        user = self.users.get(call.query.get("user_id", ""))
        if user is None:
            raise refuse(404, {"status": "error", "message": "user does not exist"})
        return user

    def user_info(self, call: Call) -> Response:
        user = self._user(call)
        return JSONResponse({"status": "success", "user": user.shown(), "is_authenticated": user.active})

    def deauthenticate(self, call: Call) -> Response:
        user = self._user(call)
        del self.users[user.user_id]
        self._tell({"type": "deauth", "status": "success", "message": "", "user": user.shown()})
        return JSONResponse({"status": "success"})

    def end(self, person: Person) -> list[Webhook]:
        """Ended at the source: Terra tells, and goes on naming them."""
        ended = [user for user in self.users.values() if user.person == person.name and user.active]
        for user in ended:
            user.active = False
        told = {"type": "access_revoked", "status": "warning", "message": ""}
        return [hook for user in ended if (hook := self._hook({**told, "user": user.shown()}))]

    def data(self, call: Call) -> Response:
        """By the webhook unless told otherwise; over a month, by the webhook all the same, in chunks."""
        user, kind = self._user(call), call.url_path.rpartition("/")[2]
        try:
            first, end = (date.fromisoformat(call.query[name]) for name in ("start_date", "end_date"))
        except (KeyError, ValueError):
            raise refuse(400, {"status": 400, "title": "Bad Request", "detail": "start_date and end_date"}) from None
        if end <= first:
            raise refuse(400, {"status": 400, "title": "Bad Request", "detail": "end_date is excluded"})
        found = list(self._records(user, kind, first, end))
        if call.query.get("with_samples") != "true":
            found = [_without_samples(record) for record in found]
        frame = {"status": "success", "type": kind, "user": user.shown(), "version": VERSION}
        if end - first <= MONTH and call.query.get("to_webhook") == "false":
            return JSONResponse({**frame, "data": found})
        return JSONResponse(self._send_chunks(user, kind, found))

    def _records(self, user: User, kind: str, first: date, end: date) -> Iterator[Record]:
        tell, person = records.TOLD[user.provider].get(kind), known_person(user.person)
        if tell and user.active:
            for day in self.world.days(person, first, end - timedelta(days=1)):
                yield from tell(self.world, person, day)

    def _send_chunks(self, user: User, kind: str, found: list[Record]) -> Record:
        reference, trace, who = str(uuid4()), secrets.token_hex(8), {"user": user.shown()}
        parts = [found[n : n + CHUNK] for n in range(0, len(found), CHUNK)]
        accepted = {"status": "processing", "type": "large_request_processing", "reference": reference, **who}
        self._tell(accepted)
        self._tell({"type": "large_request_sending", "reference": reference, "expected_payloads": len(parts), **who})
        hooks = [
            self._hook(self._event(user, kind, part), f"{trace}:chunk:{n}", reference) for n, part in enumerate(parts)
        ]
        self.sender.send([hook for hook in hooks if hook])
        return {**accepted, "trace_id": trace}

    # --- the webhooks

    def announce(self, change: Change) -> list[Webhook]:
        """A watch sends its day with every night. A sensor sends its own, whatever happens."""
        kinds = {"night": ("sleep", "daily"), "steps": ("daily",), "weigh": ("body",), "delete": ("activity",)}
        hooks = []
        for user in self.users.values():
            if user.person != change.person.name or not user.active:
                continue
            told = ("body",) if user.provider == "FREESTYLELIBRE" else kinds.get(change.kind, ())
            for kind in told:
                found = list(self._changed(user, kind, change))
                hook = self._hook(self._event(user, kind, found)) if found else None
                hooks += [hook] if hook else []
        return hooks

    def _changed(self, user: User, kind: str, change: Change) -> Iterator[Record]:
        if change.kind == "delete" and kind == "activity":
            if user.provider == "GARMIN":
                yield from records.activity(self.world, change.person, change.day, records.DELETED)
        else:
            yield from self._records(user, kind, change.day, change.day + timedelta(days=1))

    def _event(self, user: User, kind: str, found: list[Record]) -> Record:
        return {"type": kind, "status": "success", "version": VERSION, "user": user.shown(), "data": found}

    def _tell(self, event: Record) -> None:
        hook = self._hook(event)
        self.sender.send([hook] if hook else [])

    def _hook(self, event: Record, trace: str = "", reference: str = "") -> Webhook | None:
        if not self.dashboard_url:
            return None
        body, now = json.dumps(event, separators=(",", ":")).encode(), time.time_ns() // 1_000_000
        self.newest = max(now, self.newest + 1)  # what is sent later is ordered later
        headers = signed(self.webhook_secret, now // 1000, body)
        headers |= {"x-terra-trace-id": trace or secrets.token_hex(8), "terra-reference": reference or str(uuid4())}
        return Webhook(self.dashboard_url, {**headers, "x-terra-ordering-timestamp": str(self.newest)}, body)


def signed(secret: str, now: int, body: bytes) -> dict[str, str]:
    signature = hmac.new(secret.encode(), f"{now}.".encode() + body, sha256).hexdigest()
    return {"content-type": "application/json", "terra-signature": f"t={now},v1={signature}"}


def _without_samples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: [] if name.endswith("samples") else _without_samples(inner) for name, inner in value.items()}
    return value
