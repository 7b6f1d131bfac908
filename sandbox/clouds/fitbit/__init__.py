"""The Fitbit Web API as it was documented until it was turned off in November 2026."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from hashlib import sha1
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, Change, Cloud, Limit, Refused
from sandbox.clouds.fitbit import records
from sandbox.clouds.fitbit.records import SERIES, Record
from sandbox.grants import Grants, InvalidGrantError
from sandbox.life import PEOPLE, Person
from sandbox.webhooks import Webhook, with_query
from sandbox.webhooks import call as http_call
from sandbox.world import World

Rows = Callable[[World, Person, date], Iterator[Record]]
SCOPE_OF_COLLECTION = {"activities": "activity", "body": "weight", "sleep": "sleep", "userRevokedAccess": ""}
SCOPES = (
    *("activity", "cardio_fitness", "electrocardiogram", "heartrate", "irregular_rhythm_notifications", "location"),
    *("nutrition", "oxygen_saturation", "profile", "respiratory_rate", "settings", "sleep", "social", "temperature"),
    "weight",
)


def wrong(status: int, kind: str, **headers: str) -> Refused:
    """Not the shape of RFC 6749, on the token endpoint either."""
    body = {"errors": [{"errorType": kind, "message": "…"}], "success": False}
    return Refused(JSONResponse(body, status, headers=headers))


class Fitbit(Cloud):
    name = "fitbit"
    hosts = ("https://api.fitbit.com", "https://www.fitbit.com")
    limit = Limit(calls=150, seconds=3600, whose="user")
    deletable = ("nap", "night", "workout", "weight")

    def open_grants(self) -> Grants:
        self._subscriptions: dict[tuple[str, str], str] = {}  # (person, collection) → id
        return Grants(code_seconds=600, access_seconds=28_800, repeats=True)

    @property
    def hook_token(self) -> str:
        return "not-a-secret-verification-code"

    def all_scopes(self) -> tuple[str, ...]:
        return SCOPES

    def doors(self) -> list[BaseRoute]:
        user = "/1/user/-"
        span = "date/{first}/{last}.json"
        return [
            self.door("/oauth2/authorize", self.consent, "GET", "POST"),
            self.door("/oauth2/token", self.token, "POST"),
            self.door("/oauth2/revoke", self.revoke, "POST"),
            self.door(f"{user}/profile.json", self.profile),
            self.door(f"{user}/activities/list.json", self.workouts),
            self.door(f"{user}/activities/heart/date/{{day}}/1d/1min.json", self.intraday),
            self.door(f"{user}/activities/heart/{span}", self._ranged("heartrate", 366, "activities-heart", heart)),
            self.door(f"{user}/activities/{{series}}/{span}", self.series),
            self.door(f"/1.2/user/-/sleep/{span}", self._ranged("sleep", 100, "sleep", records.sleeps)),
            self.door(f"{user}/hrv/{span}", self._ranged("heartrate", 30, "hrv", nightly("hrv"))),
            self.door(f"{user}/br/{span}", self._ranged("respiratory_rate", 30, "br", nightly("br"))),
            # a range was seen as a bare array
            self.door(f"{user}/spo2/{span}", self._ranged("oxygen_saturation", 366, "", nightly("spo2"))),
            self.door(f"{user}/temp/skin/{span}", self._ranged("temperature", 30, "tempSkin", nightly("tempSkin"))),
            self.door(f"{user}/temp/core/{span}", self._ranged("temperature", 30, "tempCore", nothing)),
            self.door(f"{user}/cardioscore/{span}", self._ranged("cardio_fitness", 30, "cardioScore", records.cardio)),
            self.door(f"{user}/body/log/weight/{span}", self._ranged("weight", 31, "weight", logs("weight"))),
            self.door(f"{user}/body/log/fat/{span}", self._ranged("weight", 30, "fat", logs("fat"))),
            self.door(f"{user}/apiSubscriptions.json", self.subscriptions),
            self.door(f"{user}/{{collection}}/apiSubscriptions/{{id}}.json", self.subscription, "POST", "DELETE"),
        ]

    def too_many(self, retry_after: int) -> Response:
        limits = {"Limit": self.limit.calls, "Remaining": 0, "Reset": retry_after}
        return wrong(429, "system", **{f"Fitbit-Rate-Limit-{k}": str(v) for k, v in limits.items()}).response

    # --- OAuth

    def token(self, call: Call) -> Response:
        """The app's secret by Basic; errors in Fitbit's own shape."""
        if "authorization" not in call.headers or not self.is_our_client(call):
            raise wrong(401, "invalid_client")
        try:
            tokens = self.exchange(call.form)
        except InvalidGrantError:
            raise wrong(400, "invalid_grant") from None
        except KeyError:
            raise wrong(400, "invalid_request") from None
        return JSONResponse(
            {
                "access_token": tokens.access,
                "expires_in": tokens.expires_in,
                "refresh_token": tokens.refresh,
                "scope": " ".join(tokens.grant.scopes),
                "token_type": "Bearer",
                "user_id": self.user_id(PEOPLE[tokens.grant.person]),
            }
        )

    def revoke(self, call: Call) -> Response:
        if not self.is_our_client(call):
            raise wrong(401, "invalid_client")
        grant = self.grants.held_by(call.form.get("token", ""))
        if grant:
            self.grants.revoke(grant.person, grant.id)
            self._subscriptions = {key: id for key, id in self._subscriptions.items() if key[0] != grant.person}
        return Response(status_code=200)

    def user_id(self, person: Person) -> str:
        return self.world.identify("fitbit", person.name)[:6].upper()

    def _reader(self, call: Call, scope: str = "") -> Person:
        grant = self.holder(call)
        if grant is None:
            raise wrong(401, "expired_token")
        if scope and scope not in grant.scopes:
            raise wrong(403, "insufficient_scope")
        return PEOPLE[grant.person]

    # --- data

    def profile(self, call: Call) -> Response:
        person = self._reader(call, "profile")
        offset = datetime.fromtimestamp(self.world.now(), person.zone).utcoffset() or timedelta()
        user = {"encodedId": self.user_id(person), "timezone": person.zone.key, "distanceUnit": "METRIC"}
        return JSONResponse({"user": {**user, "offsetFromUTCMillis": round(offset.total_seconds() * 1000)}})

    def _ranged(self, scope: str, most: int, key: str, rows: Rows) -> Callable[[Call], Response]:
        """Both dates are included."""

        def answer(call: Call) -> Response:
            person = self._reader(call, scope)
            found = [row for day in self._days(call, person, most) for row in rows(self.world, person, day)]
            return JSONResponse({key: found} if key else found)

        return answer

    def _days(self, call: Call, person: Person, most: int) -> Iterator[date]:
        try:
            first, last = (date.fromisoformat(call.path[name]) for name in ("first", "last"))
        except ValueError:
            raise wrong(400, "validation") from None
        if not 0 <= (last - first).days < most:
            raise wrong(400, "validation")
        return self.world.days(person, first, last)

    def series(self, call: Call) -> Response:
        name, person = call.path["series"], self._reader(call, "activity")
        if name not in SERIES:
            raise wrong(404, "not_found")
        most = 30 if name == "activityCalories" else 1095
        rows = [
            {"dateTime": day.isoformat(), "value": records.total(self.world, person, day, name)}
            for day in self._days(call, person, most)
        ]
        return JSONResponse({f"activities-{name}": rows})

    def intraday(self, call: Call) -> Response:
        person = self._reader(call, "heartrate")
        day = date.fromisoformat(call.path["day"])
        dataset = {"dataset": records.beats(self.world, person, day), "datasetInterval": 1, "datasetType": "minute"}
        day_of = records.heart(self.world, person, day)
        return JSONResponse({"activities-heart": [day_of], "activities-heart-intraday": dataset})

    def workouts(self, call: Call) -> Response:
        """Everything after a date, a page at a time; the link to the next one is absolute."""
        person, asked = self._reader(call, "activity"), call.query
        if asked.get("sort") != "asc" or "afterDate" not in asked or int(asked.get("limit", 0)) > 100:
            raise wrong(400, "validation")
        days = self.world.days(person, date.fromisoformat(asked["afterDate"]))
        found = [row for day in days for row in records.workouts(self.world, person, day)]
        offset, limit = int(asked["offset"]), int(asked["limit"])
        path = call.url_path.removeprefix(f"/{self.name}")
        link = f"{self.hosts[0]}{path}?{urlencode({**asked, 'offset': offset + limit})}"
        following = link if offset + limit < len(found) else ""
        page = {"afterDate": asked["afterDate"], "limit": limit, "offset": offset, "sort": "asc", "previous": ""}
        return JSONResponse({"activities": found[offset : offset + limit], "pagination": {**page, "next": following}})

    # --- subscriptions

    def enter(self, url: str) -> None:
        """The address, one for the app, is called twice: with its code and with another."""
        right = http_call("GET", with_query(url, verify=self.hook_token)).status
        other = http_call("GET", with_query(url, verify="another-code")).status
        if (right, other) != (204, 404):
            raise ValueError(f"verification failed: {right} and {other}, wanted 204 and 404")
        super().enter(url)

    def subscriptions(self, call: Call) -> Response:
        person = self._reader(call)
        mine = [self._shown(person, collection) for who, collection in self._subscriptions if who == person.name]
        return JSONResponse({"apiSubscriptions": mine})

    def subscription(self, call: Call) -> Response:
        collection, id = call.path["collection"], call.path["id"]
        if collection not in SCOPE_OF_COLLECTION:
            raise wrong(404, "not_found")
        person = self._reader(call, SCOPE_OF_COLLECTION[collection])
        key = (person.name, collection)
        standing = self._subscriptions.get(key)
        if call.method == "DELETE":
            if standing != id:
                raise wrong(404, "not_found")
            self._subscriptions.pop(key)
            return Response(status_code=204)
        if standing not in (None, id) or len(id) > 50:  # one for each collection of a person
            raise wrong(409 if standing else 400, "validation")
        self._subscriptions[key] = id
        return JSONResponse(self._shown(person, collection), 200 if standing else 201)

    def _shown(self, person: Person, collection: str) -> Record:
        owner = {"ownerId": self.user_id(person), "ownerType": "user", "subscriberId": "1"}
        return {"collectionType": collection, "subscriptionId": self._subscriptions[person.name, collection], **owner}

    def announce(self, change: Change) -> list[Webhook]:
        person = change.person.name
        collections = [c for c in _told(change) if (person, c) in self._subscriptions]
        if not (self.dashboard_url and collections and self.grants.connected(person)):
            return []
        notifications = [self._notification(change, collection) for collection in collections]
        body = json.dumps(notifications, separators=(",", ":")).encode()
        return [Webhook(self.dashboard_url, signed(self.client_secret, body), body)]

    def _notification(self, change: Change, collection: str) -> Record:
        shown = self._shown(change.person, collection)
        return {**{k: v for k, v in shown.items() if k != "subscriberId"}, "date": change.day.isoformat()}


def signed(secret: str, body: bytes) -> dict[str, str]:
    signature = base64.b64encode(hmac.new(f"{secret}&".encode(), body, sha1).digest()).decode()
    return {"content-type": "application/json", "x-fitbit-signature": signature}


def heart(world: World, person: Person, day: date) -> Iterator[Record]:
    yield records.heart(world, person, day)


def nightly(name: str) -> Rows:
    return lambda world, person, day: records.nightly(world, person, day, name)


def logs(name: str) -> Rows:
    return lambda world, person, day: records.weighings(world, person, day, name)


def nothing(world: World, person: Person, day: date) -> Iterator[Record]:
    return iter(())


def _told(change: Change) -> tuple[str, ...]:
    """The collections a change touches."""
    if change.kind == "night" or change.record in ("night", "nap"):
        return ("sleep", "activities")
    if change.kind == "steps" or change.record == "workout":
        return ("activities",)
    return ("body",) if change.kind == "weigh" or change.record == "weight" else ()
