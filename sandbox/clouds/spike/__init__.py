"""Spike: a token for whoever's name is signed, integrations by redirect, and webhooks that only say where to look."""

import hmac
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from sandbox.aggregator import page
from sandbox.cloud import Call, Change, Cloud, Limit, plain_door, refuse
from sandbox.clouds.spike import records
from sandbox.clouds.spike.records import METRICS, SAMPLED, TOLD, Record
from sandbox.grants import Grants
from sandbox.life import Person
from sandbox.people import person as known_person
from sandbox.webhooks import Webhook, with_query
from sandbox.world import utc_iso

HOST = "https://app-api.spikeapi.com"
TOKEN_SECONDS = 3600
NAMES = {"statistics": ["steps", "distance", "calories_burned"], "sleeps": ["sleep_duration", "sleep_duration_deep"],
         "provider_records": ["weight", "body_fat"], "timeseries": ["glucose"]}  # fmt: skip


class Spike(Cloud):
    name = "spike"
    hosts = (HOST,)
    limit = Limit(calls=60_000, seconds=3600)  # none is documented
    deletable = ("workout",)

    def open_grants(self) -> Grants:
        self.users: dict[str, dict[str, str]] = {}  # application user → source → person
        self.pages: dict[str, tuple[str, str, str]] = {}  # ticket → user, source, where to return
        return Grants(code_seconds=60, access_seconds=TOKEN_SECONDS)

    @property
    def client_id(self) -> str:
        return "1000"

    @property
    def webhook_secret(self) -> str:
        return "not-a-secret-signature-key-spike"

    def doors(self) -> list[BaseRoute]:
        integration = "/v3/providers/{slug}/integration"
        return [
            self.door("/v3/auth/hmac", self.admit, "POST"),
            self.door(f"{integration}/init_url", self.init_url),
            self.door(integration, self.delete_integration, "DELETE"),
            plain_door("/authorize/{ticket}", self.authorize, "GET", "POST"),
            self.door("/v3/userinfo", self.userinfo),
            self.door("/v3/queries/timeseries", self.timeseries),
            self.door("/v3/queries/statistics/daily", self.daily),
            *(self.door(f"/v3/queries/{kind}", self.listed) for kind in ("sleeps", "workouts", "provider_records")),
        ]

    # --- who asks

    def admit(self, call: Call) -> Response:
        given = call.json()
        user = str(given.get("application_user_id") or "")
        known = signed(self.client_secret, user.encode())
        if given.get("application_id") != int(self.client_id) or given.get("signature") != known or not user:
            raise refuse(401, {"error": "unauthorized", "message": "signature does not match"})
        tokens = self.grants.redeem(self.grants.code(user, (), ""), "")
        return JSONResponse({"access_token": tokens.access})

    def _user(self, call: Call) -> str:
        grant = self.holder(call)
        if grant is None:
            raise refuse(401, {"error": "unauthorized", "message": "invalid token"})
        return grant.person

    # --- integrations

    def init_url(self, call: Call) -> Response:
        user, slug = self._user(call), call.path["slug"]
        if slug not in TOLD:
            raise refuse(404, {"error": "not_found", "message": "no such provider"})
        ticket = secrets.token_urlsafe(16)
        self.pages[ticket] = (user, slug, call.query.get("redirect_uri", ""))
        return JSONResponse({"path": f"{HOST}/authorize/{ticket}"})

    def authorize(self, call: Call) -> Response:
        """GET shows the source's page; POST decides."""
        user, slug, back = self.pages.get(call.path["ticket"], ("", "", ""))
        if not user:
            return HTMLResponse("This page has ended.", 410)
        if call.method == "GET":
            return HTMLResponse(page("spike", [slug]))
        del self.pages[call.path["ticket"]]
        told = {"user_id": user, "provider_slug": slug}
        if call.form.get("decision") != "allow":
            return RedirectResponse(with_query(back, error="access_denied", **told), 302)
        self.users.setdefault(user, {})[slug] = known_person(call.form.get("person", "")).name
        self.sender.send(self.hooks([_event(user, slug, "provider_integration_created")]))
        return RedirectResponse(with_query(back, **told), 302)

    def userinfo(self, call: Call) -> Response:
        user = self._user(call)
        held = [{"provider_slug": slug} for slug in self.users.get(user, {})]
        return JSONResponse({"application_user_id": user, "integrations": held})

    def delete_integration(self, call: Call) -> Response:
        user, slug = self._user(call), call.path["slug"]
        if self.users.get(user, {}).pop(slug, None) is None:
            raise refuse(404, {"error": "not_found", "message": "no such integration"})
        self.sender.send(self.hooks([_event(user, slug, "provider_integration_deleted")]))
        return Response(status_code=204)

    def end(self, person: Person) -> list[Webhook]:
        """Ended at the source: one call tells of all."""
        gone = [(user, slug) for user, held in self.users.items() for slug, who in held.items() if who == person.name]
        for user, slug in gone:
            del self.users[user][slug]
        return self.hooks([_event(user, slug, "provider_integration_deleted") for user, slug in gone])

    # --- queries

    def listed(self, call: Call) -> Response:
        user, kind = self._user(call), call.url_path.rpartition("/")[2]
        start, end = self._span(call)
        found = [
            record
            for slug, who in self.users.get(user, {}).items()
            for record in self._told(slug, known_person(who), kind, start, end)
            if start <= _instant(record["start_at_timestamp"]) < end
        ]
        return JSONResponse({"records" if kind == "provider_records" else kind: found})

    def _told(self, slug: str, person: Person, kind: str, start: int, end: int) -> Iterator[Record]:
        tell = TOLD[slug].get(kind)
        first, last = (datetime.fromtimestamp(at, UTC).date() for at in (start, end))
        for day in self.world.days(person, first - timedelta(days=1), last + timedelta(days=1)) if tell else ():
            yield from tell(self.world, person, day)  # type: ignore[misc]

    def daily(self, call: Call) -> Response:
        user, wanted = self._user(call), call.query.get("types", "").split(",")
        try:
            first, last = (date.fromisoformat(call.query[name]) for name in ("from_date", "to_date"))
        except (KeyError, ValueError):
            raise _bad("from_date and to_date") from None
        held = self.users.get(user, {})
        people = [known_person(who) for slug, who in held.items() if "statistics" in TOLD[slug]]
        days = [(person, day) for person in people for day in self.world.days(person, first, last)]
        found = [row for person, day in days for row in records.statistics(self.world, person, day)]
        return JSONResponse({"statistics": [row for row in found if row["type"] in wanted]})

    def timeseries(self, call: Call) -> Response:
        user, metric = self._user(call), call.query.get("metric", "")
        start, end = self._span(call)
        if metric not in METRICS:
            raise _bad("no such metric")
        slug = SAMPLED[metric][0] if metric in SAMPLED else ""
        who = self.users.get(user, {}).get(slug)
        if who is None:
            empty: Record = {"start_at": None, "offsets": [], "durations": [], "values": [], "providers": []}
            return JSONResponse({"metric": metric, **empty})
        return JSONResponse(records.series(self.world, known_person(who), metric, slug, start, end))

    def _span(self, call: Call) -> tuple[int, int]:
        try:
            start, end = (_instant(call.query[name]) for name in ("from_timestamp", "to_timestamp"))
        except (KeyError, ValueError):
            raise _bad("from_timestamp and to_timestamp") from None
        if end <= start:
            raise _bad("from_timestamp is after to_timestamp")
        return start, end

    # --- webhooks

    def announce(self, change: Change) -> list[Webhook]:
        """One call for everybody. A watch tells its day with every night; a sensor tells, whatever happens."""
        kinds = {"night": ("sleeps", "statistics"), "steps": ("statistics",), "weigh": ("provider_records",)}
        told: dict[str, tuple[str, ...]] = {slug: kinds.get(change.kind, ()) for slug in TOLD}
        start, end = records.bounds(change.person, change.day)
        span = {
            "earliest_record_start_at": utc_iso(start),
            "latest_record_end_at": utc_iso(min(end, max(start, self.world.now()))),
        }
        events = []
        for user, held in self.users.items():
            for slug, who in held.items():
                kept = [kind for kind in told[slug] if kind in TOLD[slug]]
                kept += ["timeseries"] if slug == "freestyle_libre" else []
                names = [name for kind in kept for name in NAMES[kind]]
                workout = change.kind == "delete" and slug == "garmin"
                if who == change.person.name and (names or workout):
                    more = {"metrics": names or ["distance"], "activity_types": ["running"] if workout else [], **span}
                    events.append({**_event(user, slug, "record_change"), **more})
        return self.hooks(events)

    def hooks(self, events: list[Record]) -> list[Webhook]:
        if not self.dashboard_url or not events:
            return []
        body = json.dumps(events, separators=(",", ":")).encode()
        headers = {"content-type": "application/json", "x-body-signature": signed(self.webhook_secret, body)}
        return [Webhook(self.dashboard_url, headers, body)]


def signed(key: str, message: bytes) -> str:
    return hmac.new(key.encode(), message, sha256).hexdigest()


def _event(user: str, slug: str, kind: str) -> Record:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")  # to the nanosecond; lives may stand still
    told: dict[str, Any] = {"application_user_id": user, "timestamp": now, "event_type": kind, "provider_slug": slug}
    return told


def _instant(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _bad(why: str) -> Exception:
    return refuse(400, {"error": "bad_request", "message": why})
