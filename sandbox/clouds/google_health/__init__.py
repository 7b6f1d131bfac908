"""Google Health API v4 as its discovery document (revision 20261030) and those who measured it describe it."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, Change, Limit, Refused
from sandbox.clouds.google_health.points import POINTS, SUMS, Point, beats, civil, interval, parts, record_id, sums
from sandbox.clouds.google_health.subscribers import TOLD, Subscribers
from sandbox.google import SIGN_IN, GoogleCloud, wrong
from sandbox.grants import Grants
from sandbox.life import Person, midnight
from sandbox.webhooks import Webhook

SCOPE = "https://www.googleapis.com/auth/googlehealth.{}.readonly"
ACTIVITY, HEALTH, SLEEP, SETTINGS = (
    SCOPE.format(name) for name in ("activity_and_fitness", "health_metrics_and_measurements", "sleep", "settings")
)
SCOPE_OF = {
    **dict.fromkeys((*SUMS, "exercise", "daily-vo2-max", "vo2-max", "run-vo2-max"), ACTIVITY),
    "sleep": SLEEP,
}
SESSIONS = ("sleep", "exercise")
SHORT = ("heart-rate", "active-minutes", "total-calories")  # rolled up over 14 days at most, others over 90
SERVICE_ACCOUNT = "sandbox-service-account"  # the operator's own token, for subscribers
CONDITION = re.compile(r'([a-z0-9_]+)\.([a-z_.]+) (>=|<) "([^"]+)"')
MEMBERS = {  # what may be filtered by, and where it stands in a point
    "date": "date",
    "sample_time.physical_time": "sampleTime.physicalTime",
    "sample_time.civil_time": "sampleTime.civilTime",
    "interval.civil_start_time": "interval.civilStartTime",
    "interval.civil_end_time": "interval.civilEndTime",
    "interval.end_time": "interval.endTime",
}
BY_END = ("interval.civil_end_time", "interval.end_time")
NIGHTLY = (
    *("sleep", "daily-resting-heart-rate", "daily-heart-rate-variability", "daily-oxygen-saturation"),
    *("daily-respiratory-rate", "daily-sleep-temperature-derivations", "heart-rate-variability"),
    *("respiratory-rate-sleep-summary", "heart-rate"),
)


class GoogleHealth(GoogleCloud):
    name = "google_health"
    hosts = (*SIGN_IN, "https://health.googleapis.com", "https://www.gstatic.com/googlehealthapi")
    limit = Limit(calls=300, seconds=60, whose="user")  # and 120,000 for the project
    deletable = ("nap", "night", "workout", "weight")

    def open_grants(self) -> Grants:
        self.subscribers = Subscribers()
        return super().open_grants()

    @property
    def hook_token(self) -> str:
        return "not-a-secret-hook-token"

    def all_scopes(self) -> tuple[str, ...]:
        return ACTIVITY, HEALTH, SLEEP, SETTINGS

    def doors(self) -> list[BaseRoute]:
        points = "/v4/users/me/dataTypes/{data_type}/dataPoints"
        subscribers = "/v4/projects/{project_id}/subscribers"
        return [
            *self.sign_in(),
            self.door("/v4/users/me/identity", self.identity),
            self.door("/v4/users/me/settings", self.settings),
            self.door(f"{points}:reconcile", self.reconcile),
            self.door(f"{points}:rollUp", self.roll_up, "POST"),
            self.door(f"{points}:dailyRollUp", self.daily_roll_up, "POST"),
            self.door("/webhooks/webhooks_public_keyset.json", self.keyset),
            self.door(f"{subscribers}/{{subscriber_id}}", self.delete_subscriber, "DELETE"),
            self.door(subscribers, self.subscribe, "GET", "POST"),
        ]

    # --- the person

    def user_id(self, person: Person) -> str:
        return str(int(self.world.identify("google_health", person.name)[:8], 16) + 10**12)

    def identity(self, call: Call) -> Response:
        person = self.reader(call)
        legacy = self.world.identify("fitbit", person.name)[:6].upper()
        return JSONResponse({"name": "users/me/identity", "healthUserId": self.user_id(person), "legacyUserId": legacy})

    def settings(self, call: Call) -> Response:
        person = self.reader(call, SETTINGS)
        return JSONResponse({"name": "users/me/settings", "timeZone": person.zone.key, "swimUnit": "SWIM_UNIT_METERS"})

    # --- data

    def _asked(self, call: Call, served: tuple[str, ...]) -> tuple[str, Person]:
        data_type = call.path["data_type"]
        person = self.reader(call, SCOPE_OF.get(data_type, HEALTH))
        if data_type not in served:
            raise wrong(400, f"{data_type} does not support this action.", "UNSUPPORTED_DATA_TYPE_ACTION")
        return data_type, person

    def reconcile(self, call: Call) -> Response:
        data_type, person = self._asked(call, tuple(POINTS))
        conditions = read_filter(data_type, call.query.get("filter", ""))
        most, usual = (25, 25) if data_type in SESSIONS else (10_000, 1440)
        found = [
            shown(data_type, point)
            for day in self._around(person, conditions)
            for point in POINTS[data_type](self.world, person, day)
            if all(holds(point, *condition) for condition in conditions)
        ]
        return paged("dataPoints", found[::-1], call.query, most, usual)

    def _around(self, person: Person, conditions: list[tuple[str, str, str]]) -> Iterator[date]:
        """Every day that a point within the bounds can belong to."""
        firsts = [date.fromisoformat(value[:10]) for _, compare, value in conditions if compare == ">="]
        lasts = [date.fromisoformat(value[:10]) for _, compare, value in conditions if compare == "<"]
        first = max(firsts) - timedelta(days=1) if firsts else None
        return self.world.days(person, first, min(lasts) + timedelta(days=1) if lasts else None)

    def daily_roll_up(self, call: Call) -> Response:
        data_type, person = self._asked(call, SUMS)
        wish = call.json()
        first, end = (read_date(wish["range"][name]["date"]) for name in ("start", "end"))
        length(data_type, (end - first).days)
        if wish.get("pageSize", 90) < (end - first).days:  # measured: misleading
            raise wrong(400, "Invalid data point name.", "INVALID_DATA_POINT_NAME")
        found = []
        for day in self.world.days(person, first, end - timedelta(days=1)):
            span = {"civilStartTime": midnight_of(day), "civilEndTime": midnight_of(day + timedelta(days=1))}
            found.append({**span, camel(data_type): sums(data_type, self.world.activity(person, day))})
        return paged("rollupDataPoints", found[::-1], wish, 90, 90)

    def roll_up(self, call: Call) -> Response:
        data_type, person = self._asked(call, ("heart-rate",))
        wish = call.json()
        start, end = (int(datetime.fromisoformat(wish["range"][name]).timestamp()) for name in ("startTime", "endTime"))
        length(data_type, (end - start) / 86_400)
        found = list(beats(self.world, person, start, end, int(wish["windowSize"].removesuffix("s"))))
        return paged("rollupDataPoints", found[::-1], wish, 10_000, 1440)

    # --- webhooks

    def enter(self, url: str) -> None:
        """By the service account's call, for all that there are notifications of."""
        every = [{"dataTypes": list(TOLD), "subscriptionCreatePolicy": "AUTOMATIC"}]
        wish = {"endpointUri": url, "subscriberConfigs": every}
        try:
            self.subscribers.create("1", "tributary", {**wish, "endpointAuthorization": {"secret": self.secret}})
        except Refused as refused:
            raise ValueError(bytes(refused.response.body).decode()) from None

    @property
    def secret(self) -> str:
        return f"Bearer {self.hook_token}"

    def keyset(self, call: Call) -> Response:
        return JSONResponse(self.subscribers.keyset())

    def subscribe(self, call: Call) -> Response:
        self._check_service(call)
        if call.method == "GET":
            return JSONResponse({"subscribers": [subscriber.shown() for subscriber in self.subscribers.all()]})
        made = self.subscribers.create(call.path["project_id"], call.query.get("subscriberId", ""), call.json())
        return JSONResponse({"name": "operations/1", "done": True, "response": made.shown()})

    def delete_subscriber(self, call: Call) -> Response:
        self._check_service(call)
        self.subscribers.delete(f"projects/{call.path['project_id']}/subscribers/{call.path['subscriber_id']}")
        return JSONResponse({})

    def _check_service(self, call: Call) -> None:
        """Not a user's token: one of the project's service account."""
        if call.bearer != SERVICE_ACCOUNT:
            raise wrong(403, "The caller does not have permission.", "IAM_PERMISSION_DENIED")

    def announce(self, change: Change) -> list[Webhook]:
        if not self.grants.connected(change.person.name):
            return []
        return self.subscribers.tell(list(self._told(change)))

    def _told(self, change: Change) -> Iterator[dict[str, Any]]:
        person, day = change.person, change.day
        start, end = midnight(person, day), midnight(person, day + timedelta(days=1))
        if change.kind == "night":
            night = self.world.life.sleeps(person, day)[0]
            for data_type in NIGHTLY:
                yield self._notification(person, data_type, night.start, night.end)
        elif change.kind == "steps":
            for data_type in ("steps", "distance", "floors", "total-calories", "active-zone-minutes"):
                yield self._notification(person, data_type, start, end - 1)
        elif change.kind == "weigh":
            for data_type in ("weight", "body-fat"):
                yield self._notification(person, data_type, change.at, change.at)
        elif change.record == "weight":
            yield self._notification(person, "weight", start, end - 1, "DELETE")
        elif change.kind == "delete":
            data_type = "exercise" if change.record == "workout" else "sleep"
            gone = {"recordId": record_id(self.world, person, change.record, day)}
            yield self._notification(person, data_type, start - 8 * 3600, end - 1, "DELETE", **gone)

    def _notification(
        self, person: Person, data_type: str, start: int, end: int, operation: str = "UPSERT", **more: str
    ) -> dict[str, Any]:
        """Deletions lack the civil interval."""
        spans = interval(person, start, end)
        physical = {"startTime": spans["startTime"], "endTime": spans["endTime"]}
        iso = {f"{n}Time": naive(person, at) for n, at in (("start", start), ("end", end))}
        told: dict[str, Any] = {"physicalTimeInterval": physical, "civilIso8601TimeInterval": iso}
        if operation == "UPSERT":
            ends = {f"{n}DateTime": civil(person, at) for n, at in (("start", start), ("end", end))}
            told["civilDateTimeInterval"] = ends
        return {
            "data": {
                "version": "1",
                "clientProvidedSubscriptionName": self.world.identify("subscription", person.name),
                "healthUserId": self.user_id(person),
                "operation": operation,
                "dataType": data_type,
                "intervals": [told],
                **more,
            }
        }


def naive(person: Person, at: int) -> str:
    return datetime.fromtimestamp(at, person.zone).replace(tzinfo=None).isoformat()


def midnight_of(day: date) -> Point:
    return {"date": parts(day), "time": {}}


def camel(data_type: str) -> str:
    first, *others = data_type.split("-")
    return first + "".join(other.title() for other in others)


def shown(data_type: str, point: Point) -> Point:
    """As `reconcile` shows it: named where it can be, without its source."""
    member = {name: value for name, value in point.items() if name != "id"}
    named = {"dataPointName": f"users/me/dataTypes/{data_type}/dataPoints/{point['id']}"} if "id" in point else {}
    return {**named, camel(data_type): member}


# --- filters


def read_filter(data_type: str, text: str) -> list[tuple[str, str, str]]:
    """(where it stands in a point, comparison, value) of each condition: snake case, quoted, joined by AND."""
    found = []
    for condition in filter(None, text.split(" AND ")):
        match = CONDITION.fullmatch(condition)
        if match is None:
            raise wrong(400, "The filter cannot be read.", "INVALID_DATA_POINT_FILTER_SYNTAX")
        name, member, compare, value = match.groups()
        if name != data_type.replace("-", "_") or not filterable(data_type, member):
            raise wrong(400, f"No filter by {name}.{member}.", "INVALID_DATA_POINT_FILTER_DATA_TYPE_MEMBER")
        found.append((MEMBERS[member], compare, value))
    return found


def filterable(data_type: str, member: str) -> bool:
    """Sleep by its end, exercise by its start, daily summaries by their date, samples by their time."""
    if data_type == "sleep":
        return member in BY_END
    if data_type == "exercise":
        return member == "interval.civil_start_time"
    if data_type.startswith("daily-"):
        return member == "date"
    return member.startswith("sample_time.") and member in MEMBERS


def holds(point: Point, path: str, compare: str, bound: str) -> bool:
    value: Any = point
    for name in path.split("."):
        value = value[name]
    at = value if isinstance(value, str) else spelled(value)
    return at >= bound if compare == ">=" else at < bound


def spelled(value: Point) -> str:
    """A civil date or time, so that texts compare as times do."""
    clock = value.get("time", {})
    day = read_date(value.get("date", value)).isoformat()
    return f"{day}T{clock.get('hours', 0):02}:{clock.get('minutes', 0):02}:{clock.get('seconds', 0):02}"


def read_date(value: Point) -> date:
    return date(value["year"], value["month"], value["day"])


def length(data_type: str, days: float) -> None:
    if days > (14 if data_type in SHORT else 90):
        raise wrong(400, "The range is too long.", "INVALID_ROLLUP_QUERY_DURATION")


# --- pages


def paged(name: str, rows: list[Point], asked: dict[str, Any], most: int, usual: int) -> Response:
    """A token only continues the question it came from; an empty list is left out."""
    question = json.dumps({key: value for key, value in asked.items() if key != "pageToken"}, sort_keys=True)
    size = min(most, int(asked.get("pageSize", usual)))
    at = read_token(asked["pageToken"], question) if asked.get("pageToken") else 0
    reply: dict[str, Any] = {name: rows[at : at + size]} if rows[at : at + size] else {}
    if at + size < len(rows):
        reply["nextPageToken"] = base64.urlsafe_b64encode(json.dumps([at + size, question]).encode()).decode()
    return JSONResponse(reply)


def read_token(token: str, question: str) -> int:
    try:
        at, made_for = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError):
        raise wrong(400, "Invalid page token.") from None
    if made_for != question:
        raise wrong(400, "The page token belongs to another request.")
    return int(at)
