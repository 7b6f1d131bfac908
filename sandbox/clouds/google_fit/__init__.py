"""The Google Fit REST API as its discovery document and those who use it describe it. It ends with 2026."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, Limit, refuse
from sandbox.clouds.google_fit.points import TYPES, Raw, Type, exercises, sleeps
from sandbox.google import SIGN_IN, GoogleCloud, wrong
from sandbox.life import Person

SCOPE = "https://www.googleapis.com/auth/fitness.{}.read"
WIDEST_MS = 7_776_000_000
Bucket = dict[str, Any]


class GoogleFit(GoogleCloud):
    name = "google_fit"
    hosts = (*SIGN_IN, "https://openidconnect.googleapis.com", "https://www.googleapis.com")
    limit = Limit(calls=600, seconds=60, whose="user")  # a project's own stands in its console; none is documented
    deletable = ("nap", "night", "workout", "weight")

    def all_scopes(self) -> tuple[str, ...]:
        return ("openid", *sorted({SCOPE.format(kind.scope) for kind in TYPES.values()}))

    def doors(self) -> list[BaseRoute]:
        me = "/fitness/v1/users/me"
        return [
            *self.sign_in(),
            self.door("/v1/userinfo", self.userinfo),
            self.door(f"{me}/dataset:aggregate", self.aggregate, "POST"),
            self.door(f"{me}/sessions", self.sessions),
        ]

    def too_many(self, retry_after: int) -> Response:
        """Older services of Google's say it with a 403."""
        reason = {"domain": "usageLimits", "reason": "rateLimitExceeded", "message": "Rate Limit Exceeded"}
        return refuse(403, {"error": {"errors": [reason], "code": 403, "message": "Rate Limit Exceeded"}}).response

    def userinfo(self, call: Call) -> Response:
        person = self.reader(call, "openid")
        return JSONResponse({"sub": str(int(self.world.identify("google", person.name)[:8], 16) + 10**20)})

    # --- what was measured

    def aggregate(self, call: Call) -> Response:
        wish = call.json()
        start, end = int(wish["startTimeMillis"]), int(wish["endTimeMillis"])
        if not 0 < end - start <= WIDEST_MS:
            raise wrong(400, "aggregate duration too large")
        found: list[Bucket] = []
        for asked in wish["aggregateBy"]:
            name, kind = asked["dataTypeName"], TYPES[asked["dataTypeName"]]
            person = self.allowed(call, name, kind)
            if kind.day is None:
                raise wrong(400, f"no default datasource found for: {name}")
            # A day more on either side: a night belongs to the day it ends on.
            points = [raw for day in self.around(person, start, end) for raw in kind.day(self.world, person, day)]
            buckets = list(self.buckets(person, wish, start, end))
            found = found or [{**bucket, "dataset": []} for bucket in buckets]
            for bucket, mine in zip(found, spread(points, buckets), strict=True):
                bucket["dataset"].append(dataset(name, kind, mine))
        return JSONResponse({"bucket": found})

    def allowed(self, call: Call, name: str, kind: Type) -> Person:
        self.reader(call)
        grant = self.holder(call)
        if grant is None or SCOPE.format(kind.scope) not in grant.scopes:
            raise wrong(403, f"Cannot read data of type {name}")
        return self.reader(call)

    def around(self, person: Person, start: int, end: int) -> Iterator[date]:
        first, last = (datetime.fromtimestamp(at / 1000, UTC).date() for at in (start, end))
        return self.world.days(person, first - timedelta(days=1), last + timedelta(days=1))

    def buckets(self, person: Person, wish: dict[str, Any], start: int, end: int) -> Iterator[Bucket]:
        if by_time := wish.get("bucketByTime"):
            step = int(by_time["durationMillis"])
            for at in range(start, end, step):
                yield {"startTimeMillis": str(at), "endTimeMillis": str(min(at + step, end))}
        elif "bucketBySession" in wish:
            for day in self.around(person, start, end):
                for done in exercises(self.world, person, day):
                    ends = {name: done[name] for name in ("startTimeMillis", "endTimeMillis")}
                    if start <= int(ends["startTimeMillis"]) and int(ends["endTimeMillis"]) <= end:
                        yield {"type": "session", **ends, "session": done}
        else:
            yield {"startTimeMillis": str(start), "endTimeMillis": str(end)}

    # --- sessions

    def sessions(self, call: Call) -> Response:
        asleep = call.query.get("activityType") == "72"
        person = self.reader(call, SCOPE.format("sleep" if asleep else "activity"))
        start, end = (read_time(call.query.get(name, "")) for name in ("startTime", "endTime"))
        found = [
            session
            for day in self.around(person, start, end)
            for told in ((sleeps,) if asleep else (sleeps, exercises))
            for session in told(self.world, person, day)
            if start <= int(session["endTimeMillis"]) < end
        ]
        return JSONResponse({"session": found, "deletedSession": []})


def read_time(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        raise wrong(400, "Invalid time: RFC 3339 is wanted.") from None


def spread(points: list[Raw], buckets: list[Bucket]) -> Iterator[list[Raw]]:
    """To each bucket the points that start in it. Both stand in order."""
    left = deque(sorted(points))
    for bucket in buckets:
        start, end = (int(bucket[name]) // 1000 for name in ("startTimeMillis", "endTimeMillis"))
        while left and left[0].start < start:
            left.popleft()
        mine = []
        while left and left[0].start < end:
            mine.append(left.popleft())
        yield mine


def dataset(name: str, kind: Type, points: list[Raw]) -> Bucket:
    source = f"derived:{summary(name, kind)}:com.google.android.gms:aggregated"
    if name == "com.google.sleep.segment":
        return {"dataSourceId": source, "point": [point(name, raw, kind) for raw in points]}
    return {"dataSourceId": source, "point": [merged(name, points, kind)] if points else []}


def merged(name: str, points: list[Raw], kind: Type) -> Bucket:
    places = list(zip(*(raw.values for raw in points), strict=True))
    if kind.sums:
        values = tuple(sum(column) for column in places)
    else:
        values = tuple(v for column in places for v in (sum(column) / len(column), max(column), min(column)))
    told = point(summary(name, kind), Raw(points[0].start, points[-1].end, values), kind)
    return {**told, "value": told["value"] + [{"mapVal": []}] * kind.untold}


def summary(name: str, kind: Type) -> str:
    plain = kind.sums or name == "com.google.sleep.segment"
    return name if plain else f"{name.removesuffix('.bpm')}.summary"


def point(name: str, raw: Raw, kind: Type) -> Bucket:
    """int64 as strings; a value has one number of two, by the format of its field."""
    number = "intVal" if kind.whole else "fpVal"
    return {
        "startTimeNanos": f"{raw.start}000000000",
        "endTimeNanos": f"{raw.end}000000000",
        "dataTypeName": name,
        "originDataSourceId": "",
        "value": [{number: int(value) if kind.whole else float(value), "mapVal": []} for value in raw.values],
    }
