"""WHOOP API v2: pages of at most 25, newest first, and one grant whose refresh kills every token before it."""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from hashlib import sha256
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, Change, Cloud, Limit, refuse
from sandbox.clouds.whoop import records
from sandbox.clouds.whoop.records import Record
from sandbox.grants import Grants
from sandbox.life import PEOPLE, Person
from sandbox.webhooks import Webhook
from sandbox.world import World

SMALL, LARGEST = 10, 25
SHORTEST_STATE = 8
Tell = Callable[[World, Person, date], Iterator[Record]]
READ = ("recovery", "cycles", "sleep", "workout", "profile", "body_measurement")


class Whoop(Cloud):
    name = "whoop"
    hosts = ("https://api.prod.whoop.com",)
    limit = Limit(calls=100, seconds=60)  # and 10,000 a day
    deletable = ("nap", "night", "workout")

    def open_grants(self) -> Grants:
        return Grants(code_seconds=600, access_seconds=3600, one_access=True)

    def all_scopes(self) -> tuple[str, ...]:
        return ("offline", *(f"read:{name}" for name in READ))

    def doors(self) -> list[BaseRoute]:
        v2 = "/developer/v2"
        return [
            self.door("/oauth/oauth2/auth", self.authorize, "GET", "POST"),
            self.door("/oauth/oauth2/token", self.token, "POST"),
            self.door(f"{v2}/user/access", self.revoke, "DELETE"),
            self.door(f"{v2}/user/profile/basic", self.profile),
            self.door(f"{v2}/user/measurement/body", self.body),
            *self._collection(f"{v2}/activity/sleep", "sleep", records.sleeps, "sleep_id"),
            *self._collection(f"{v2}/activity/workout", "workout", records.workout, "workout_id"),
            *self._collection(f"{v2}/cycle", "cycles", records.cycle, "cycle_id"),
            self.door(f"{v2}/recovery", self.recoveries),
            self.door(f"{v2}/cycle/{{cycle_id}}/recovery", self.recovery_of),
        ]

    def too_many(self, retry_after: int) -> Response:
        """Without Retry-After, which nobody documents."""
        window = f"{self.limit.calls};window={self.limit.seconds}, 10000;window=86400"
        limits = {"limit": f"{self.limit.calls}, {window}", "remaining": "0", "reset": str(retry_after)}
        return Response(status_code=429, headers={f"x-ratelimit-{name}": value for name, value in limits.items()})

    # --- OAuth

    def authorize(self, call: Call) -> Response:
        if len(call.query.get("state", "")) < SHORTEST_STATE:
            return HTMLResponse("state must have 8 characters or more.", 400)
        return self.consent(call)

    def token(self, call: Call) -> Response:
        """The secret goes in the body, and a refresh says `offline` again."""
        form = call.form
        if "authorization" in call.headers:
            raise refuse(401, {"error": "invalid_client"})
        if form.get("grant_type") == "refresh_token" and "offline" not in form.get("scope", "").split():
            raise refuse(400, {"error": "invalid_request"})
        tokens = self.token_reply(call)
        reply = {
            "access_token": tokens.access,
            "expires_in": tokens.expires_in,
            "scope": " ".join(tokens.grant.scopes),
            "token_type": "bearer",
        }
        lasting = "offline" in tokens.grant.scopes
        return JSONResponse({**reply, "refresh_token": tokens.refresh} if lasting else reply)

    def revoke(self, call: Call) -> Response:
        grant = self.holder(call)
        if grant is None:
            raise refuse(401)
        self.grants.revoke(grant.person, grant.id)
        return Response(status_code=204)

    def _reader(self, call: Call, scope: str) -> Person:
        """401 is the only refusal documented, for a dead token and for a missing scope."""
        grant = self.holder(call)
        if grant is None or f"read:{scope}" not in grant.scopes:
            raise refuse(401)
        return PEOPLE[grant.person]

    # --- data

    def profile(self, call: Call) -> Response:
        person = self._reader(call, "profile")
        names = {"first_name": person.name.title(), "last_name": "Sandbox", "email": f"{person.name}@example.org"}
        return JSONResponse({"user_id": records.user_id(self.world, person), **names})

    def body(self, call: Call) -> Response:
        return JSONResponse(records.body(self.world, self._reader(call, "body_measurement")))

    def _collection(self, path: str, scope: str, tell: Tell, id_name: str) -> list[BaseRoute]:
        def listed(call: Call) -> Response:
            return page(call, [(record["start"], record) for _, record in self._all(call, scope, tell)])

        def one(call: Call) -> Response:
            return self._one(call, scope, tell, "id", call.path[id_name])

        return [self.door(path, listed), self.door(f"{path}/{{{id_name}}}", one)]

    def recoveries(self, call: Call) -> Response:
        """Found by the start of their sleeps, which they do not show."""
        person, found = self._reader(call, "recovery"), self._all(call, "recovery", records.recovery)
        return page(call, [(records.time(self.world.life.sleeps(person, day)[0].start), each) for day, each in found])

    def recovery_of(self, call: Call) -> Response:
        return self._one(call, "recovery", records.recovery, "cycle_id", call.path["cycle_id"])

    def _all(self, call: Call, scope: str, tell: Tell) -> Iterator[tuple[date, Record]]:
        """The records of the days that may hold the span asked for."""
        person = self._reader(call, scope)
        start, end = (instant(call.query[name]) if name in call.query else None for name in ("start", "end"))
        first = start.date() - timedelta(days=2) if start else None
        for day in self.world.days(person, first, end.date() + timedelta(days=2) if end else None):
            yield from ((day, record) for record in tell(self.world, person, day))

    def _one(self, call: Call, scope: str, tell: Tell, field: str, id_: str) -> Response:
        for _, record in self._all(call, scope, tell):
            if str(record[field]) == id_:
                return JSONResponse(record)
        raise refuse(404)

    # --- webhooks, to the address in the dashboard

    def announce(self, change: Change) -> list[Webhook]:
        if not self.dashboard_url or not self.grants.connected(change.person.name):
            return []
        return [self._event(change, kind, id_) for kind, id_ in self._told(change)]

    def _told(self, change: Change) -> list[tuple[str, str]]:
        """(type, id) of each event. Cycles have none; a recovery goes by its sleep."""
        person, day = change.person, change.day
        if change.kind == "delete" and change.record == "workout":
            return [("workout.deleted", records.workout_id(self.world, person, day))]
        if change.kind == "delete" and change.record == "nap":
            return [("sleep.deleted", records.sleep_id(self.world, person, day, "nap"))]
        night = records.sleep_id(self.world, person, day, "night")
        if change.kind == "delete" and change.record == "night":
            return [("sleep.deleted", night), ("recovery.deleted", night)]
        return [("sleep.updated", night), ("recovery.updated", night)] if change.kind == "night" else []

    def _event(self, change: Change, kind: str, id_: str) -> Webhook:
        trace = self.world.identify("whoop", "trace", kind, id_, change.at)
        event = {"user_id": records.user_id(self.world, change.person), "id": id_, "type": kind, "trace_id": trace}
        body = json.dumps(event, separators=(",", ":")).encode()
        return Webhook(self.dashboard_url, signed(self.client_secret, time.time_ns() // 1_000_000, body), body)


def signed(secret: str, milliseconds: int, body: bytes) -> dict[str, str]:
    digest = hmac.new(secret.encode(), str(milliseconds).encode() + body, sha256).digest()
    return {
        "content-type": "application/json",
        "x-whoop-signature": base64.b64encode(digest).decode(),
        "x-whoop-signature-timestamp": str(milliseconds),
    }


# ---------------------------------------------------------------- pages


def page(call: Call, found: list[tuple[str, Record]]) -> Response:
    """Those that start in [start, end), newest first. A nextToken only continues its own query."""
    limit = _limit(call.query.get("limit", str(SMALL)))
    start, end = (instant(call.query[name]) if name in call.query else None for name in ("start", "end"))
    kept = [
        (at, record)
        for at, record in found
        if (start is None or instant(at) >= start) and (end is None or instant(at) < end)
    ]
    rows = [record for _, record in sorted(kept, key=lambda row: row[0], reverse=True)]
    query = urlencode(sorted((k, v) for k, v in call.query.items() if k != "nextToken"))
    offset = _offset(call.query["nextToken"], query) if call.query.get("nextToken") else 0
    body: Record = {"records": rows[offset : offset + limit]}
    if offset + limit < len(rows):
        body["next_token"] = base64.urlsafe_b64encode(json.dumps([offset + limit, query]).encode()).decode()
    return JSONResponse(body)


def _limit(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= LARGEST:
        raise refuse(400)
    return int(text)


def instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise refuse(400) from None
    if at.tzinfo is None:
        raise refuse(400)
    return at


def _offset(token: str, query: str) -> int:
    try:
        offset, made_for = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError):
        raise refuse(400) from None
    if made_for != query:
        raise refuse(400)
    return int(offset)
