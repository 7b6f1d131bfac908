"""Withings Public Health Data API: one POST per service with an `action`; the transport always says 200."""

import hmac
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, Change, Cloud, Holdings, Limit, Refused
from sandbox.clouds.withings import records
from sandbox.clouds.withings.records import Record
from sandbox.grants import Grants, InvalidGrantError, Tokens
from sandbox.life import Person, midnight
from sandbox.people import person as known_person
from sandbox.webhooks import Webhook
from sandbox.webhooks import call as http_call
from sandbox.world import World, local_day

DAY = 86_400
PAGE = 20
GROUPS_PER_PAGE = 50
NONCE_SECONDS = 1800
ALL_SCOPES = ("user.info", "user.metrics", "user.activity", "user.sleepevents")
SCOPE_OF = {
    "getmeas": "user.metrics",
    "getactivity": "user.activity",
    "getintradayactivity": "user.activity",
    "getworkouts": "user.activity",
    "getsummary": "user.activity",
    "get": "user.activity",
    "getdevice": "user.info",
}
# What a summary holds when no data_fields are asked for: scores and vitals must be named.
BASIC_SLEEP = "total_timeinbed,total_sleep_time,lightsleepduration,deepsleepduration,remsleepduration,wakeupduration"
# Status codes from the published table.
INVALID_PARAMS, UNAUTHORISED, TIMEOUT, TOO_MANY, NOT_IMPLEMENTED = 503, 277, 522, 601, 2554
CALLBACK_REJECTED, DEAD_TOKEN = 293, 401
INVALID_TOKEN = "XRequestID: Not provided invalid_token: The access token provided is invalid"


def ok(body: object = None) -> Response:
    return JSONResponse({"status": 0, "body": {} if body is None else body})


def fail(status: int, error: str) -> Refused:
    return Refused(JSONResponse({"status": status, "body": {}, "error": error}))


class Withings(Cloud):
    name = "withings"
    hosts = ("https://wbsapi.withings.net", "https://account.withings.com")
    limit = Limit(calls=120, seconds=60)
    deletable = ("weight", "workout", "night")
    scope_separator = ","

    def open_grants(self) -> Grants:
        self._nonces: dict[str, float] = {}
        self._profiles: dict[tuple[str, str, int], str] = {}  # (person, callback, appli) → comment
        return Grants(code_seconds=30, access_seconds=10_800, grace=True)

    def all_scopes(self) -> tuple[str, ...]:
        return ALL_SCOPES

    def doors(self) -> list[BaseRoute]:
        return [
            self.door("/oauth2_user/authorize2", self.authorize, "GET", "POST"),
            self._service("/v2/oauth2", requesttoken=self.request_token, revoke=self.revoke),
            self._service("/v2/signature", getnonce=self.nonce),
            self._service("/measure", getmeas=self.measures),
            self._service(
                "/v2/measure",
                getactivity=self.activities,
                getintradayactivity=self.intraday,
                getworkouts=self.workouts,
            ),
            self._service("/v2/sleep", getsummary=self.summaries, get=self.sleep),
            self._service("/v2/user", getdevice=self.devices),
            self._service(
                "/notify",
                subscribe=self.subscribe,
                list=self.profiles,
                get=self.profile,
                update=self.update,
                revoke=self.unsubscribe,
            ),
        ]

    def _service(self, path: str, **actions: Callable[[Call], Response]) -> BaseRoute:
        def answer(call: Call) -> Response:
            action = actions.get(call.params.get("action", ""))
            if action is None:
                raise fail(NOT_IMPLEMENTED, "Unknown action")
            try:
                return action(call)
            except (KeyError, ValueError) as error:
                raise fail(INVALID_PARAMS, f"Invalid Params: {type(error).__name__}") from None

        return self.door(path, answer, "GET", "POST")

    def label(self, call: Call, path: str) -> str:
        return f"{call.method} {path} {call.params.get('action', '')}".strip()

    def too_many(self, retry_after: int) -> Response:
        return fail(TOO_MANY, "Too Many Requests").response

    def unavailable(self) -> Response:
        return fail(TIMEOUT, "Timeout").response

    # --- OAuth

    def authorize(self, call: Call) -> Response:
        return self.consent(call) if call.query.get("state") else HTMLResponse("state is required.", 400)

    def request_token(self, call: Call) -> Response:
        if not self.is_our_client(call):
            raise fail(INVALID_PARAMS, "Invalid Params: invalid client_id or client_secret")
        try:
            return ok(self._wrapped(self.exchange(call.params)))
        except InvalidGrantError:
            grant_type = call.params["grant_type"]
            what = "refresh_token" if grant_type == "refresh_token" else "code"
            raise fail(INVALID_PARAMS, f"Invalid Params: invalid {what}") from None

    def _wrapped(self, tokens: Tokens) -> Record:
        return {
            "userid": self.user_id(known_person(tokens.grant.person)),
            "access_token": tokens.access,
            "refresh_token": tokens.refresh,
            "expires_in": tokens.expires_in,
            "scope": ",".join(tokens.grant.scopes),
            "csrf_token": secrets.token_hex(16),
            "token_type": "Bearer",
        }

    def nonce(self, call: Call) -> Response:
        params = call.params
        self._check_signature(params, "getnonce", params["timestamp"])
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = time.time() + NONCE_SECONDS
        return ok({"nonce": nonce})

    def revoke(self, call: Call) -> Response:
        """Tokens die and notifications end."""
        params = call.params
        self._check_signature(params, "revoke", params["nonce"])
        if self._nonces.pop(params["nonce"], 0.0) < time.time():
            raise fail(INVALID_PARAMS, "Invalid Params: nonce used or expired")
        person = next((p for p in map(known_person, self.grants.people) if self.user_id(p) == params["userid"]), None)
        if person is None:
            raise fail(INVALID_PARAMS, "Invalid Params: userid")
        self.grants.revoke(person.name)
        self._profiles = {key: text for key, text in self._profiles.items() if key[0] != person.name}
        return ok()

    def _check_signature(self, params: dict[str, str], action: str, last: str) -> None:
        """Signed are action, client_id and nonce (or timestamp), in the order of their names."""
        right = signature(self.client_secret, action, self.client_id, last)
        known = params["client_id"] == self.client_id
        if not (known and hmac.compare_digest(right, params.get("signature", ""))):
            raise fail(INVALID_PARAMS, "Invalid Params: signature")

    def user_id(self, person: Person) -> str:
        return str(40_000_000 + int(self.world.identify("withings", person.name)[:6], 16))

    def _reader(self, call: Call) -> Person:
        grant = self.holder(call)
        if grant is None:
            raise fail(DEAD_TOKEN, INVALID_TOKEN)
        scope = SCOPE_OF.get(call.params["action"])
        if scope and not call.url_path.endswith("/notify") and scope not in grant.scopes:
            raise fail(UNAUTHORISED, "Unauthorized: scope")
        return known_person(grant.person)

    # --- data

    def measures(self, call: Call) -> Response:
        person, params = self._reader(call), call.params
        asked = params.get("meastypes", params.get("meastype", ""))
        types = {int(text) for text in asked.split(",") if text}
        found = []
        for group in records.groups(self.world, person) if params.get("category", "1") == "1" else []:
            kept = [m for m in group["measures"] if not types or m["type"] in types]
            if kept and _wanted(params, group["date"], group["modified"]):
                found.append({**group, "measures": kept})
        page = _page(params, "measuregrps", found, GROUPS_PER_PAGE)
        # getmeas says 1 and 0 where the newer services say true and false
        return ok({"updatetime": self.world.now(), "timezone": person.zone.key, **page, "more": int(page["more"])})

    def activities(self, call: Call) -> Response:
        person = self._reader(call)

        def rows(day: date) -> Iterator[Record]:
            yield records.activity(self.world, person, day)

        found = [_only(row, call.params, keep=ACTIVITY_FRAME) for row in self._daily(call, person, rows)]
        return ok(_page(call.params, "activities", found, PAGE))

    def intraday(self, call: Call) -> Response:
        person, params = self._reader(call), call.params
        start = int(params["startdate"])
        end = min(int(params["enddate"]), start + DAY)
        rows = records.intraday(self.world, person, start, end)
        keep = ("deviceid", "model", "model_id")
        shown = {at: _only(row, params, keep=keep) for at, row in rows.items()}
        return ok({"series": {at: row for at, row in shown.items() if len(row) > len(keep)}})

    def workouts(self, call: Call) -> Response:
        person = self._reader(call)
        rows = self._daily(call, person, lambda day: records.workouts(self.world, person, day))
        return ok(_page(call.params, "series", [_only_data(row, call.params) for row in rows], PAGE))

    def summaries(self, call: Call) -> Response:
        person, params = self._reader(call), call.params
        rows = self._daily(call, person, lambda day: records.summary(self.world, person, day))
        fields = {"data_fields": BASIC_SLEEP, **params}
        return ok(_page(params, "series", [_only_data(row, fields) for row in rows], PAGE))

    def sleep(self, call: Call) -> Response:
        person, params = self._reader(call), call.params
        start = int(params["startdate"])
        end = min(int(params["enddate"]), start + DAY)
        keep = ("startdate", "enddate", "state", "model", "model_id", "hash_deviceid")
        asked = {"data_fields": "", **params}
        rows = [_only(row, asked, keep=keep) for row in records.stages(self.world, person, start, end)]
        return ok({"series": rows, "model": 32, "model_id": records.MAT})

    def devices(self, call: Call) -> Response:
        return ok({"devices": records.devices(self.world, self._reader(call))})

    def _daily(self, call: Call, person: Person, rows: Callable[[date], Iterator[Record]]) -> list[Record]:
        """Rows by startdateymd and enddateymd, both included, or by what was modified since lastupdate."""
        params = call.params
        if "lastupdate" in params:
            since = int(params["lastupdate"])
            return [r for day in self.world.days(person) for r in rows(day) if r["modified"] >= since]
        first, last = date.fromisoformat(params["startdateymd"]), date.fromisoformat(params["enddateymd"])
        return [row for day in self.world.days(person, first, last) for row in rows(day)]

    def holdings(self, person: Person, day: date) -> Holdings:
        start, end = midnight(person, day), midnight(person, day + timedelta(days=1))
        groups = [g for g in records.groups(self.world, person) if start <= g["date"] < end]
        rows = records.intraday(self.world, person, start, end).items()
        nights = records.summary(self.world, person, day)
        return {
            "measures": {str(group["grpid"]): records.kilograms(group) for group in groups},
            "activity": {day.isoformat(): float(records.activity(self.world, person, day)["steps"])},
            "intraday": {f"{at}000": float(row["heart_rate"]) for at, row in rows if "heart_rate" in row},
            "sleep": {str(row["id"]): float(row["data"]["total_sleep_time"]) / 3600 for row in nights},
            "workouts": {str(row["id"]): None for row in records.workouts(self.world, person, day)},
        }

    # --- notifications

    def subscribe(self, call: Call) -> Response:
        person, params = self._reader(call), call.params
        key = (person.name, params["callbackurl"], int(params["appli"]))
        if not http_call("HEAD", params["callbackurl"]).ok:
            raise fail(CALLBACK_REJECTED, "The callback URL is either unreachable or did not answer HEAD with 2xx")
        self._profiles[key] = params.get("comment", "")
        return ok()

    def profiles(self, call: Call) -> Response:
        person, appli = self._reader(call), call.params.get("appli")
        mine = [key for key in self._profiles if key[0] == person.name and appli in (None, str(key[2]))]
        return ok({"profiles": [self._profile(key) for key in mine]})

    def profile(self, call: Call) -> Response:
        params = call.params
        # `appli` defaults to 1 here, whatever one subscribed to
        return ok(self._profile(self._known(call, params["callbackurl"], int(params.get("appli", "1")))))

    def update(self, call: Call) -> Response:
        params = call.params
        key = self._known(call, params["callbackurl"], int(params["appli"]))
        url = params.get("new_callbackurl", key[1])
        if not http_call("HEAD", url).ok:
            raise fail(CALLBACK_REJECTED, "The callback URL did not answer HEAD with 2xx")
        comment = self._profiles.pop(key)
        self._profiles[key[0], url, int(params.get("new_appli", key[2]))] = params.get("comment", comment)
        return ok()

    def unsubscribe(self, call: Call) -> Response:
        params = call.params
        self._profiles.pop(self._known(call, params["callbackurl"], int(params["appli"])), None)
        return ok()

    def _known(self, call: Call, url: str, appli: int) -> tuple[str, str, int]:
        key = (self._reader(call).name, url, appli)
        if key not in self._profiles:
            raise fail(INVALID_PARAMS, "Invalid Params: no such subscription")
        return key

    def _profile(self, key: tuple[str, str, int]) -> Record:
        return {
            "appli": key[2],
            "callbackurl": key[1],
            "comment": self._profiles[key],
            "expires": 2_147_483_647,
        }

    def announce(self, change: Change) -> list[Webhook]:
        told = _told(self.world, change)
        if told is None or not self.grants.connected(change.person.name):
            return []
        appli, facts = told
        body = urlencode({"userid": self.user_id(change.person), **facts, "appli": appli}).encode()
        urls = [url for person, url, kind in self._profiles if (person, kind) == (change.person.name, appli)]
        headers = {"content-type": "application/x-www-form-urlencoded"}  # and no signature at all
        return [Webhook(url, headers, body) for url in urls]


ACTIVITY_FRAME = (
    *("date", "timezone", "deviceid", "hash_deviceid", "brand", "is_tracker", "model", "modelid", "modified"),
)


def signature(secret: str, *values: str) -> str:
    return hmac.new(secret.encode(), ",".join(values).encode(), sha256).hexdigest()


def _told(world: World, change: Change) -> tuple[int, dict[str, object]] | None:
    """(appli, what the notification points at) for a change that Withings notices."""
    if "night" in (change.kind, change.record):
        night = world.life.sleeps(change.person, change.day)[0]
        return 44, {"startdate": night.start, "enddate": night.end}
    if change.kind == "steps" or change.record == "workout":
        return 16, {"date": change.day.isoformat()}
    if change.kind == "weigh":
        return 1, {"startdate": change.at, "enddate": change.at + 1}
    if change.record == "weight":  # a deleted measure has no documented marker: it is gone on the next fetch
        day = [w.at for w in world.weighings(change.person) if local_day(change.person, w.at) == change.day]
        return (1, {"startdate": min(day), "enddate": max(day) + 1}) if day else None
    return None


def _wanted(params: dict[str, str], at: int, modified: int) -> bool:
    if "lastupdate" in params:
        return modified >= int(params["lastupdate"])
    return int(params.get("startdate", "0")) <= at <= int(params.get("enddate", str(2**31)))


def _page(params: dict[str, str], name: str, rows: list[Record], size: int) -> dict[str, Any]:
    offset = int(params.get("offset", "0"))
    more = offset + size < len(rows)
    return {name: rows[offset : offset + size], "more": more, "offset": offset + size if more else 0}


def _only(row: Record, params: dict[str, str], keep: tuple[str, ...]) -> Record:
    """The row with the asked data_fields (all of them when none are named)."""
    if "data_fields" not in params:
        return row
    asked = {*keep, *params["data_fields"].split(",")}
    return {name: value for name, value in row.items() if name in asked}


def _only_data(row: Record, params: dict[str, str]) -> Record:
    return {**row, "data": _only(row["data"], params, keep=())}
