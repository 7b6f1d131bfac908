"""Polar AccessLink v3: people are registered before they are asked about, and one webhook serves them all."""

import hmac
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, Change, Cloud, Limit, Refused, refuse
from sandbox.clouds.polar import records
from sandbox.clouds.polar.records import Record
from sandbox.grants import Grant, Grants
from sandbox.life import PEOPLE, Person
from sandbox.webhooks import Webhook, call
from sandbox.world import World, utc_iso

LAST, WIDEST, OLDEST = timedelta(days=27), timedelta(days=28), timedelta(days=365)
SCOPE = "accesslink.read_all"
EVENTS = (
    *("EXERCISE", "SLEEP", "CONTINUOUS_HEART_RATE", "SLEEP_WISE_CIRCADIAN_BEDTIME", "SLEEP_WISE_ALERTNESS"),
    *("ACTIVITY_SUMMARY", "PHYSICAL_INFORMATION"),
)
HOST = "https://www.polaraccesslink.com"
Tell = Callable[[World, Person, date], Iterator[Record]]


@dataclass
class Hook:
    """The client's one webhook."""

    url: str
    events: list[str]
    active: bool = True
    id: str = field(default_factory=lambda: secrets.token_hex(3))
    secret: str = field(default_factory=lambda: str(uuid4()))

    def shown(self) -> Record:
        return {"id": self.id, "events": self.events, "url": self.url, "active": self.active}


class Polar(Cloud):
    name = "polar"
    hosts = ("https://flow.polar.com", "https://polarremote.com", HOST)
    limit = Limit(calls=520, seconds=900)  # 500 and 20 for each person; a day has one of its own
    deletable = ("night", "workout")

    def open_grants(self) -> Grants:
        self.registered: dict[str, tuple[str, int]] = {}  # person → (member-id, when)
        self.hook: Hook | None = None
        return Grants(code_seconds=600, access_seconds=31_535_999, code_kills=True)

    def all_scopes(self) -> tuple[str, ...]:
        return (SCOPE,)

    def doors(self) -> list[BaseRoute]:
        users, hooks = "/v3/users", "/v3/webhooks"
        return [
            self.door("/oauth2/authorization", self.consent, "GET", "POST"),
            self.door("/v2/oauth2/token", self.token, "POST"),
            self.door(users, self.register, "POST"),
            self.door("/v3/exercises", self.exercises),
            self.door("/v3/exercises/{exercise_id}", self.exercise),
            self.door(f"{users}/physical-info", self.physical_info),
            self.door(f"{users}/activities", self.activities),
            self.door(f"{users}/sleep", self._last(records.sleep, "nights")),
            self.door(f"{users}/nightly-recharge", self._last(records.nightly_recharge, "recharges")),
            self.door(f"{users}/continuous-heart-rate", self.heart_rate),
            self.door(f"{users}/cardio-load/date", self.cardio_load),
            self.door(f"{users}/biosensing/skintemperature", self.skin_temperature),
            self.door(f"{users}/{{user_id}}", self.deregister, "DELETE"),
            self.door(hooks, self.webhooks, "GET", "POST"),
            self.door(f"{hooks}/activate", self.activate, "POST"),
            self.door(f"{hooks}/deactivate", self.deactivate, "POST"),
            self.door(f"{hooks}/{{webhook_id}}", self.webhook, "PATCH", "DELETE"),
        ]

    def too_many(self, retry_after: int) -> Response:
        """Both windows in each header, the short one first; and no Retry-After."""
        limits = {"usage": f"{self.limit.calls}, 700", "limit": f"{self.limit.calls}, 5100"}
        headers = {f"ratelimit-{name}": value for name, value in limits.items()}
        return problem(429, "Too many requests", {**headers, "ratelimit-reset": f"{retry_after}, 43200"}).response

    # --- OAuth and registration

    def token(self, call: Call) -> Response:
        """Basic authentication only, and nothing to refresh with."""
        if "client_id" in call.form or not call.headers.get("authorization", "").startswith("Basic "):
            raise refuse(401, {"error": "invalid_client"})
        if call.form.get("grant_type") == "refresh_token":
            raise refuse(400, {"error": "unsupported_grant_type"})
        tokens = self.token_reply(call)
        user = records.user_id(self.world, PEOPLE[tokens.grant.person])
        reply = {"access_token": tokens.access, "token_type": "bearer", "expires_in": tokens.expires_in}
        return JSONResponse({**reply, "x_user_id": user})

    def _grant(self, call: Call) -> Grant:
        """401 when dead; 403 where a consent that Polar itself wants is missing (the box on our page)."""
        grant = self.holder(call)
        if grant is None:
            raise problem(401, "Unauthorized")
        if SCOPE not in grant.scopes:
            raise problem(403, "User has not accepted all mandatory consents.")
        return grant

    def _reader(self, call: Call) -> Person:
        grant = self._grant(call)
        if grant.person not in self.registered:
            raise problem(403, "User is not registered.")
        return PEOPLE[grant.person]

    def register(self, call: Call) -> Response:
        person, member = PEOPLE[self._grant(call).person], call.json().get("member-id")
        if not member:
            raise problem(400, "member-id is required")
        if person.name in self.registered or any(member == known for known, _ in self.registered.values()):
            raise problem(409, "User already registered to partner or duplicated member-id.")
        self.registered[person.name] = (member, self.world.now())
        shown = {"polar-user-id": records.user_id(self.world, person), "member-id": member}
        return JSONResponse({**shown, "registration-date": utc_iso(self.world.now(), millis=True)})

    def deregister(self, call: Call) -> Response:
        """Ends every token of this person, whoever holds it."""
        person = self._reader(call)
        if call.path["user_id"] != str(records.user_id(self.world, person)):
            raise problem(403, "Not your user.")
        del self.registered[person.name]
        self.grants.revoke(person.name)
        return Response(status_code=204)

    # --- data

    def _tell(self, person: Person, tell: Tell, first: date, last: date) -> list[Record]:
        """Of dates to come, too: what is said of those is the record's affair."""
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        return [record for day in days for record in tell(self.world, person, day)]

    def _range(self, call: Call, person: Person) -> tuple[date, date]:
        try:
            first, last = (date.fromisoformat(call.query[name]) for name in ("from", "to"))
        except (KeyError, ValueError):
            raise problem(400, "from and to: YYYY-MM-DD") from None
        if not timedelta() <= last - first <= WIDEST or first < self.world.today(person) - OLDEST:
            raise problem(400, "Invalid or too old date.")
        return first, last

    def _lived(self, call: Call, tell: Tell) -> list[Record]:
        person = self._reader(call)
        first, last = self._range(call, person)
        return self._tell(person, tell, first, min(last, self.world.today(person)))

    def _last(self, tell: Tell, name: str) -> Callable[[Call], Response]:
        def answer(call: Call) -> Response:
            person = self._reader(call)
            today = self.world.today(person)
            return JSONResponse({name: self._tell(person, tell, today - LAST, today)})

        return answer

    def activities(self, call: Call) -> Response:
        return JSONResponse(self._lived(call, records.activity))

    def heart_rate(self, call: Call) -> Response:
        return JSONResponse({"heart_rates": self._lived(call, records.heart_rate)})

    def cardio_load(self, call: Call) -> Response:
        person = self._reader(call)
        return JSONResponse(self._tell(person, records.cardio_load, *self._range(call, person)))

    def skin_temperature(self, call: Call) -> Response:
        found = self._lived(call, records.skin_temperature)
        return JSONResponse(found) if found else Response(status_code=204)

    def physical_info(self, call: Call) -> Response:
        return JSONResponse(records.physical_info(self.world, self._reader(call)))

    def _exercises(self, call: Call) -> list[Record]:
        """Samples only where they are asked for."""
        person = self._reader(call)
        since, today = self.registered[person.name][1], self.world.today(person)
        found = [
            record
            for day in self.world.days(person, today - timedelta(days=31), today)
            for record in records.exercise(self.world, person, day, since)
        ]
        dropped = () if call.query.get("samples") == "true" else ("samples",)
        return [{name: value for name, value in record.items() if name not in dropped} for record in found]

    def exercises(self, call: Call) -> Response:
        return JSONResponse(self._exercises(call))

    def exercise(self, call: Call) -> Response:
        for record in self._exercises(call):
            if record["id"] == call.path["exercise_id"]:
                return JSONResponse(record)
        raise problem(404, "Exercise not found.")

    # --- the webhook

    def _check_app(self, call: Call) -> None:
        if not (call.headers.get("authorization", "").startswith("Basic ") and self.is_our_client(call)):
            raise problem(401, "Unauthorized")

    def webhooks(self, call: Call) -> Response:
        self._check_app(call)
        if call.method == "GET":
            return JSONResponse({"data": [self.hook.shown()] if self.hook else []})
        if self.hook:
            raise problem(409, "Webhook already exists.")
        wanted = call.json()
        made = Hook(str(wanted.get("url")), list(wanted.get("events") or ()))
        if not made.events or not set(made.events) <= set(EVENTS) or not pinged(made.url):
            raise problem(400, "Webhook cannot be created.")
        self.hook = made
        self.grants.issued.add(made.secret)
        shown = {name: value for name, value in made.shown().items() if name != "active"}
        return JSONResponse({"data": {**shown, "signature_secret_key": made.secret}}, 201)

    def webhook(self, call: Call) -> Response:
        self._check_app(call)
        hook = self.hook
        if hook is None or hook.id != call.path["webhook_id"]:
            raise problem(404, "Webhook not found.")
        if call.method == "DELETE":
            self.hook = None
            return Response(status_code=204)
        wanted = call.json()
        if "url" in wanted and not pinged(wanted["url"]):
            raise problem(400, "Webhook cannot be updated.")
        hook.url, hook.events = wanted.get("url", hook.url), wanted.get("events", hook.events)
        return JSONResponse({"data": [hook.shown()]})

    def activate(self, call: Call) -> Response:
        self._check_app(call)
        if self.hook is None:
            return Response(status_code=204)
        self.hook.active = pinged(self.hook.url)
        return Response(status_code=200 if self.hook.active else 400)

    def deactivate(self, call: Call) -> Response:
        self._check_app(call)
        if self.hook:
            self.hook.active = False
        return Response(status_code=200 if self.hook else 204)

    def announce(self, change: Change) -> list[Webhook]:
        hook, person = self.hook, change.person
        if hook is None or not hook.active or person.name not in self.registered:
            return []
        return [self._event(hook, change, name) for name in _told(change) if name in hook.events]

    def _event(self, hook: Hook, change: Change, name: str) -> Webhook:
        path = PATHS[name].format(day=change.day)
        event: dict[str, Any] = {"event": name, "user_id": records.user_id(self.world, change.person)}
        if "{day}" in PATHS[name]:
            event["date"] = change.day.isoformat()
        event |= {"timestamp": utc_iso(change.at), "url": HOST + path}
        body = json.dumps(event, separators=(",", ":")).encode()
        return Webhook(hook.url, signed(hook.secret, name, body), body)


PATHS = {
    "SLEEP": "/v3/users/sleep/{day}",
    "CONTINUOUS_HEART_RATE": "/v3/users/continuous-heart-rate/{day}",
    "ACTIVITY_SUMMARY": "/v3/users/activities/{day}",
    "PHYSICAL_INFORMATION": "/v3/users/physical-info",
}


def _told(change: Change) -> tuple[str, ...]:
    """A deletion is not told at all."""
    events = {"night": ("SLEEP", "CONTINUOUS_HEART_RATE"), "steps": ("ACTIVITY_SUMMARY",)}
    return {**events, "weigh": ("PHYSICAL_INFORMATION",)}.get(change.kind, ())


def signed(secret: str, name: str, body: bytes) -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, sha256).hexdigest()
    return {
        "content-type": "application/json",
        "polar-webhook-event": name,
        "polar-webhook-signature": signature,
    }


def pinged(url: str) -> bool:
    """Unsigned: nobody has been told the secret yet. Exactly 200 will do."""
    body = json.dumps({"timestamp": utc_iso(int(datetime.now(UTC).timestamp())), "event": "PING"}).encode()
    headers = {"content-type": "application/json", "polar-webhook-event": "PING"}
    return call("POST", url, headers, body).status == 200


def problem(status: int, message: str, headers: dict[str, str] | None = None) -> Refused:
    told = {"timestamp": utc_iso(int(datetime.now(UTC).timestamp())), "status": status, "message": message}
    more = {"errorType": message.lower().replace(" ", "_"), "corrId": secrets.token_hex(8)}
    return Refused(JSONResponse({**told, **more}, status, headers=headers))
