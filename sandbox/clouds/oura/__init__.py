"""Oura API v2 as its documentation and the recorded calls describe it."""

import base64
import binascii
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, Change, Cloud, Holdings, Limit, refuse
from sandbox.clouds.oura.documents import COLLECTIONS, Document, identity
from sandbox.clouds.oura.subscriptions import Subscriptions
from sandbox.grants import Grants
from sandbox.life import Person, midnight
from sandbox.people import person as known_person
from sandbox.webhooks import Webhook
from sandbox.world import utc_iso

DOCUMENTS_PER_PAGE = 20
ROWS_PER_PAGE = 500
# Recorded: these two leave `end_date` itself out, all others include it.
END_EXCLUSIVE = {"daily_activity", "sleep"}
SCOPE_OF = {
    **dict.fromkeys(("daily_activity", "daily_readiness", "daily_sleep", "daily_stress", "sleep"), "daily"),
    "daily_spo2": "spo2",
    "vO2_max": "heart_health",
    "heartrate": "heartrate",
    "workout": "workout",
}


class Oura(Cloud):
    name = "oura"
    hosts = ("https://api.ouraring.com", "https://cloud.ouraring.com")
    limit = Limit(calls=5000, seconds=300)
    deletable = ("nap", "night", "workout")

    def open_grants(self) -> Grants:
        self.subscriptions = Subscriptions()
        return Grants(code_seconds=600, access_seconds=86_400)

    def all_scopes(self) -> tuple[str, ...]:
        return ("email", "personal", "session", "tag", "stress", *sorted(set(SCOPE_OF.values())))

    def doors(self) -> list[BaseRoute]:
        data, hooks = "/v2/usercollection", "/v2/webhook/subscription"
        return [
            self.door("/oauth/authorize", self.consent, "GET", "POST"),
            self.door("/oauth/token", self.token, "POST"),
            self.door("/oauth/revoke", self.revoke, "GET", "POST"),
            self.door(f"{data}/personal_info", self.personal_info),
            self.door(f"{data}/heartrate", self.heartrate),
            self.door(f"{data}/{{collection}}", self.documents),
            self.door(f"{data}/{{collection}}/{{document_id}}", self.document),
            self.door(f"{hooks}/renew/{{id}}", self.renew, "PUT"),
            self.door(f"{hooks}/{{id}}", self.subscription, "GET", "PUT", "DELETE"),
            self.door(hooks, self.subscribe, "GET", "POST"),
        ]

    def too_many(self, retry_after: int) -> Response:
        limits = {"limit": self.limit.calls, "window": self.limit.seconds, "reset": retry_after, "tier": "app"}
        headers = {f"x-ratelimit-{name}": str(value) for name, value in limits.items()}
        body = {"detail": "Request Rate Limit Exceeded"}
        return JSONResponse(body, 429, headers={"retry-after": str(retry_after), **headers})

    # --- OAuth

    def token(self, call: Call) -> Response:
        tokens = self.token_reply(call)
        return JSONResponse(
            {
                "token_type": "bearer",
                "access_token": tokens.access,
                "refresh_token": tokens.refresh,
                "expires_in": tokens.expires_in,
                # live servers prefix what they granted
                "scope": " ".join(f"extapi:{scope}" for scope in tokens.grant.scopes),
            }
        )

    def revoke(self, call: Call) -> Response:
        grant = self.grants.holder(call.params.get("access_token", ""))
        if grant:
            self.grants.revoke(grant.person, grant.id)
        return Response(status_code=200)

    def _reader(self, call: Call, collection: str) -> Person:
        """Whose token this is, if it may read the collection: 401 when dead, 403 without the scope."""
        grant = self.holder(call)
        if grant is None:
            raise refuse(401, {"detail": "The access token expired, is malformed or was revoked."})
        scope = SCOPE_OF.get(collection)
        if scope and not {scope, f"extapi:{scope}", f"{scope}Daily"} & set(grant.scopes):
            raise refuse(403)
        return known_person(grant.person)

    # --- data

    def personal_info(self, call: Call) -> Response:
        person = self._reader(call, "personal_info")
        grant = self.holder(call)
        shown: Document = {"id": self.user_id(person)}
        if grant and "personal" in {scope.removeprefix("extapi:") for scope in grant.scopes}:
            weighings = self.world.weighings(person)
            shown |= {"age": person.age, "height": person.height, "biological_sex": person.sex}
            shown["weight"] = weighings[-1].kg if weighings else person.weight
        return JSONResponse(shown)

    def documents(self, call: Call) -> Response:
        collection = self._collection(call)
        person = self._reader(call, collection)
        first, last = self._window(call.query, person, collection)
        days = self.world.days(person, first, last)
        found = [doc for day in days for doc in COLLECTIONS[collection](self.world, person, day)]
        return _paged(call, found, DOCUMENTS_PER_PAGE)

    def document(self, call: Call) -> Response:
        collection = self._collection(call)
        person = self._reader(call, collection)
        for day in reversed(list(self.world.days(person))):
            for found in COLLECTIONS[collection](self.world, person, day):
                if found["id"] == call.path["document_id"]:
                    return JSONResponse(found)
        raise refuse(404, {"detail": "Document not found."})

    def heartrate(self, call: Call) -> Response:
        person, now = self._reader(call, "heartrate"), self.world.now()
        end = _instant(call.query, "end_datetime", now)
        start = _instant(call.query, "start_datetime", end - 86_400)
        _in_order(start, end)
        rows = [
            {"timestamp": utc_iso(at, millis=True), "timestamp_unix": at * 1000, "bpm": bpm, "source": source}
            for at, bpm, source in self.world.heart(person, start, end)
        ]
        return _paged(call, rows[-1:] if call.query.get("latest") == "true" else rows, ROWS_PER_PAGE)

    def _collection(self, call: Call) -> str:
        collection = call.path["collection"]
        if collection not in COLLECTIONS:
            raise refuse(404, {"detail": "Not Found"})
        return collection

    def _window(self, query: dict[str, str], person: Person, collection: str) -> tuple[date, date]:
        """First and last day, both included, as this collection reads its `end_date`."""
        last = _day(query, "end_date", self.world.today(person))
        first = _day(query, "start_date", last - timedelta(days=1))
        _in_order(first, last)
        # seen: "any daily: end_date=D leaves D out, end_date=DT23:59:59 has it"
        exclusive = collection in END_EXCLUSIVE and "T" not in query.get("end_date", "")
        return first, last - timedelta(days=1) if exclusive else last

    def holdings(self, person: Person, day: date) -> Holdings:
        found: Holdings = {
            name.lower(): {str(doc["id"]): _headline(name, doc) for doc in documents(self.world, person, day)}
            for name, documents in COLLECTIONS.items()
        }
        beats = self.world.heart(person, midnight(person, day), midnight(person, day + timedelta(days=1)))
        return {**found, "heartrate": {str(at * 1000): bpm for at, bpm, _ in beats}}

    # --- webhooks

    def _check_app(self, call: Call) -> None:
        app = (call.headers.get("x-client-id"), call.headers.get("x-client-secret"))
        if app != (self.client_id, self.client_secret):
            raise refuse(401, {"detail": "Invalid client."})

    def subscribe(self, call: Call) -> Response:
        self._check_app(call)
        if call.method == "GET":
            return JSONResponse([subscription.shown() for subscription in self.subscriptions.all()])
        return JSONResponse(self.subscriptions.create(call.json()).shown(), 201)

    def subscription(self, call: Call) -> Response:
        self._check_app(call)
        id = call.path["id"]
        if call.method == "DELETE":
            self.subscriptions.delete(id)
            return Response(status_code=204)
        if call.method == "PUT":
            return JSONResponse(self.subscriptions.update(id, call.json()).shown())
        return JSONResponse(self.subscriptions.get(id).shown())

    def renew(self, call: Call) -> Response:
        self._check_app(call)
        return JSONResponse(self.subscriptions.renew(call.path["id"]).shown())

    def user_id(self, person: Person) -> str:
        return self.world.identify("oura", person.name)

    def announce(self, change: Change) -> list[Webhook]:
        if not self.grants.connected(change.person.name):
            return []
        return [hook for event, data, extra in _told(change) for hook in self._event(change, event, data, extra)]

    def _event(self, change: Change, event_type: str, data_type: str, extra: str) -> list[Webhook]:
        event = {
            "event_type": event_type,
            "data_type": data_type,
            "object_id": identity(self.world, change.person, data_type, change.day, extra),
            "event_time": utc_iso(change.at, millis=True),
            "user_id": self.user_id(change.person),
        }
        return self.subscriptions.events(self.client_secret, event_type, data_type, event)


def _headline(collection: str, document: Document) -> float | None:
    if collection == "sleep":
        return float(document["total_sleep_duration"]) / 3600
    return float(document["steps"]) if collection == "daily_activity" else None


def _told(change: Change) -> list[tuple[str, str, str]]:
    """(event_type, data_type, which document of the day) for each event that a change causes."""
    if change.kind == "night":
        dailies = [("create", f"daily_{name}", "") for name in ("sleep", "readiness", "spo2")]
        return [("create", "sleep", "night"), *dailies]
    if change.kind == "steps":
        return [("update", "daily_activity", "")]
    if change.kind == "delete" and change.record in ("nap", "night"):
        return [("delete", "sleep", change.record)]
    if change.kind == "delete" and change.record == "workout":
        return [("delete", "workout", "")]
    return []


def _paged(call: Call, rows: list[Document], size: int) -> Response:
    """The envelope. A next_token only continues the very query that it came from."""
    query = urlencode(sorted((k, v) for k, v in call.query.items() if k != "next_token"))
    offset = _offset(call.query["next_token"], query) if call.query.get("next_token") else 0
    more = offset + size < len(rows)
    token = base64.urlsafe_b64encode(json.dumps([offset + size, query]).encode()).decode() if more else None
    return JSONResponse({"data": rows[offset : offset + size], "next_token": token})


def _offset(token: str, query: str) -> int:
    try:
        offset, made_for = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError):
        raise refuse(400, {"detail": "Invalid next_token."}) from None
    if made_for != query:
        raise refuse(400, {"detail": "next_token belongs to another query."})
    return int(offset)


def _day(query: dict[str, str], name: str, default: date) -> date:
    try:
        return datetime.fromisoformat(query[name]).date() if name in query else default
    except ValueError:
        raise _unprocessable(name, "Input should be a valid date") from None


def _instant(query: dict[str, str], name: str, default: int) -> int:
    try:
        moment = datetime.fromisoformat(query[name]) if name in query else datetime.fromtimestamp(default, UTC)
    except ValueError:
        raise _unprocessable(name, "Input should be a valid datetime") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _in_order(start: Any, end: Any) -> None:
    if start > end:
        raise refuse(400, {"detail": "Start is after end."})


def _unprocessable(name: str, message: str) -> Exception:
    return refuse(422, {"detail": [{"type": "value_error", "loc": ["query", name], "msg": message}]})
