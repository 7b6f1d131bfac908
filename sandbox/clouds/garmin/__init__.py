"""Garmin Connect: data is told, never asked for. A ping leads to it, with a token of its own; who asks for the past is
told that as well. Nothing is signed."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, Change, Cloud, Limit, Refused, refuse
from sandbox.clouds.garmin import records
from sandbox.clouds.garmin.records import SUMMARIES, Record
from sandbox.grants import Grant, Grants
from sandbox.life import Person
from sandbox.people import person as known_person
from sandbox.webhooks import Webhook

BASE = "https://apis.garmin.com/wellness-api/rest"
PERMISSIONS = ("ACTIVITY_EXPORT", "HEALTH_EXPORT", "HISTORICAL_DATA_EXPORT")
SPAN = ("summaryStartTimeInSeconds", "summaryEndTimeInSeconds")
DAY = 86_400
WIDEST, OLDEST = 90 * DAY, 30 * DAY
NIGHTLY = ("sleeps", "hrv", "pulseox", "allDayRespiration", "skinTemp", "dailies")
TOLD = {"night": NIGHTLY, "steps": ("dailies", "epochs"), "weigh": ("bodyComps",)}
SCOPE = "PARTNER_WRITE PARTNER_READ CONNECT_READ CONNECT_WRITE"


@dataclass(frozen=True)
class Upload:
    """What a pull token opens."""

    person: str
    summary: str
    span: tuple[int, int]
    found: tuple[Record, ...]


class Garmin(Cloud):
    name = "garmin"
    hosts = ("https://connect.garmin.com", "https://diauth.garmin.com", "https://apis.garmin.com")
    limit = Limit(calls=100, seconds=60)  # days of data asked of the past, before the app is approved

    def open_grants(self) -> Grants:
        self.since: dict[str, int] = {}  # person → when they connected
        self.uploads: dict[str, Upload] = {}  # by pull token
        self.asked: set[tuple[str, str, int, int]] = set()  # person, summary, from, to
        return Grants(code_seconds=600, access_seconds=DAY)

    def all_scopes(self) -> tuple[str, ...]:
        return PERMISSIONS

    def doors(self) -> list[BaseRoute]:
        rest = "/wellness-api/rest"
        return [
            self.door("/oauth2Confirm", self.authorize, "GET", "POST"),
            self.door("/di-oauth2-service/oauth/token", self.token, "POST"),
            self.door(f"{rest}/user/id", self.user),
            self.door(f"{rest}/user/permissions", self.permissions),
            self.door(f"{rest}/user/registration", self.deregister, "DELETE"),
            self.door(f"{rest}/backfill/{{segment}}", self.backfill),
            self.door(f"{rest}/{{segment}}", self.pull),
        ]

    # --- OAuth

    def authorize(self, call: Call) -> Response:
        """PKCE or nothing, and no scopes: the person ticks boxes."""
        if call.query.get("code_challenge_method") != "S256" or not call.query.get("code_challenge"):
            return HTMLResponse("code_challenge with S256 is required.", 400)
        if call.query.get("scope"):
            return HTMLResponse("There is no scope.", 400)
        return self.consent(call)

    def token(self, call: Call) -> Response:
        """The secret goes in the body."""
        if "authorization" in call.headers:
            raise refuse(401, {"error": "invalid_client"})
        tokens = self.token_reply(call)
        self.since.setdefault(tokens.grant.person, self.world.now())
        reply = {"access_token": tokens.access, "expires_in": tokens.expires_in, "token_type": "bearer"}
        more = {"scope": SCOPE, "jti": tokens.grant.id, "refresh_token_expires_in": 7_775_998}
        return JSONResponse({**reply, "refresh_token": tokens.refresh, **more})

    def _grant(self, call: Call) -> Grant:
        grant = self.holder(call)
        if grant is None:
            raise problem(401, "Token is not active")
        return grant

    def user(self, call: Call) -> Response:
        person = known_person(self._grant(call).person)
        return JSONResponse({"userId": records.user_id(self.world, person)})

    def permissions(self, call: Call) -> Response:
        return JSONResponse(list(self._grant(call).scopes))

    def deregister(self, call: Call) -> Response:
        """Told by webhook as well, as if the person had done it."""
        person = known_person(self._grant(call).person)
        self.sender.send(self.end(person))
        return Response(status_code=204)

    # --- data

    def pull(self, call: Call) -> Response:
        """Only with the token of a ping, which opens what that ping was about."""
        grant, upload = self._grant(call), self.uploads.get(call.query.get("token", ""))
        if call.path["segment"] not in {segment for segment, _ in SUMMARIES.values()}:
            raise problem(404, "Not found")
        asked = tuple(int(call.query.get(f"upload{end}TimeInSeconds", 0)) for end in ("Start", "End"))
        if not upload or asked != upload.span or grant.person != upload.person:
            raise problem(400, "InvalidPullTokenException failure")
        return JSONResponse(list(upload.found))

    def backfill(self, call: Call) -> Response:
        """202 and nothing else. What was asked for is told at once, before the 202 is read: nobody may rely on less."""
        grant = self._grant(call)
        summary = {segment: name for name, (segment, _) in SUMMARIES.items()}.get(call.path["segment"])
        if summary is None or not self.dashboard_url:
            raise problem(400, "Endpoint not enabled for summary type")
        if not {"HISTORICAL_DATA_EXPORT", permission(summary)} <= set(grant.scopes):
            raise problem(412, "Permission is switched off")
        start, end = span(call)
        if not 0 < end - start <= WIDEST:
            raise problem(400, "The span is too wide.")
        if start < self.since[grant.person] - OLDEST:
            raise problem(400, f"start {start} before min start time of {self.since[grant.person] - OLDEST}")
        asked = (grant.person, summary, start, end)
        if asked in self.asked:
            raise problem(409, "duplicate backfill request")
        self.asked.add(asked)
        person = known_person(grant.person)
        found = records.between(self.world, person, summary, start, end)
        self.sender.send(self._told(person, summary, found))
        return Response(status_code=202)

    def _over_limit(self, call: Call) -> int:
        """A day of data counts, not a call, and only of the past."""
        try:
            start, end = span(call) if "/backfill/" in call.url_path else (0, 0)
        except Refused:
            return 0
        return max((meter.refuse_for("") for meter in self.meters for _ in range(-(-(end - start) // DAY))), default=0)

    # --- webhooks, to the address in the portal

    def announce(self, change: Change) -> list[Webhook]:
        scopes = self.grants.scopes(change.person.name)
        told = [summary for summary in TOLD.get(change.kind, ()) if permission(summary) in scopes]
        return [
            hook
            for summary in told
            for hook in self._told(
                change.person, summary, records.of_day(self.world, change.person, summary, change.day)
            )
        ]

    def end(self, person: Person) -> list[Webhook]:
        """Who comes back may ask for everything again."""
        super().end(person)
        self.asked = {asked for asked in self.asked if asked[0] != person.name}
        return self._notify("deregistrations", [self._entry(person)])

    def permitted(self, person: Person) -> list[Webhook]:
        scopes = list(self.grants.scopes(person.name))
        told = {"summaryId": f"x{secrets.token_hex(4)}", "permissions": scopes, "changeTimeInSeconds": self.world.now()}
        return self._notify("userPermissionsChange", [{**self._entry(person), **told}])

    def _entry(self, person: Person) -> Record:
        return {"userId": records.user_id(self.world, person)}

    def _told(self, person: Person, summary: str, found: list[Record]) -> list[Webhook]:
        """The records themselves, or where they are."""
        if not found:
            return []
        entry = self._entry(person)
        pinged = [{**entry, "callbackURL": self._address(person, summary, found)}]
        return self._notify(summary, [{**entry, **record} for record in found] if self.pushes else pinged)

    def _address(self, person: Person, summary: str, found: list[Record]) -> str:
        now, token = int(datetime.now(UTC).timestamp()), secrets.token_urlsafe(12)
        self.grants.issued.add(token)
        self.uploads[token] = Upload(person.name, summary, (now - 3600, now), tuple(found))
        window = {"uploadStartTimeInSeconds": now - 3600, "uploadEndTimeInSeconds": now}
        return f"{BASE}/{SUMMARIES[summary][0]}?{urlencode({**window, 'token': token})}"

    def _notify(self, topic: str, entries: list[Record]) -> list[Webhook]:
        if not self.dashboard_url:
            return []
        headers = {
            "user-agent": "Garmin Health API",
            "garmin-client-id": self.client_id,
            "content-type": "application/json;charset=UTF-8",
        }
        return [Webhook(self.dashboard_url, headers, json.dumps({topic: entries}).encode())]


def permission(summary: str) -> str:
    return "ACTIVITY_EXPORT" if summary == "activities" else "HEALTH_EXPORT"


def span(call: Call) -> tuple[int, int]:
    """Seconds; milliseconds are refused."""
    try:
        start, end = (int(call.query[name]) for name in SPAN)
    except (KeyError, ValueError):
        raise problem(400, "Missing time range parameters.") from None
    if end > 10**11:
        raise problem(400, "Times are in seconds.")
    return start, end


def problem(status: int, message: str) -> Refused:
    return refuse(status, {"errorMessage": message})
