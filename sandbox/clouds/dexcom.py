"""Dexcom API v3: windows instead of pages, sentinels instead of out-of-range values, and no webhooks."""

import hmac
import json
import re
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, Cloud, Holdings, Limit, refuse
from sandbox.grants import Grants
from sandbox.life import Meal, Person, midnight
from sandbox.people import person as known_person
from sandbox.webhooks import Webhook
from sandbox.world import local_day, local_iso, utc_iso

Record = dict[str, Any]
WIDEST = timedelta(days=30)
BELOW, ABOVE = 39, 401
# mg/dL/min, from the falling end: below the bound, that trend
TRENDS = (
    (-3, "doubleDown"),
    (-2, "singleDown"),
    (-1, "fortyFiveDown"),
    (1, "flat"),
    (2, "fortyFiveUp"),
    (3, "singleUp"),
)


class Dexcom(Cloud):
    name = "dexcom"
    hosts = ("https://api.dexcom.com", "https://sandbox-api.dexcom.com")
    limit = Limit(calls=60_000, seconds=3600)
    deletable = ("carbs", "insulin")
    delay_minutes = 0  # the phone app's data reach the real API an hour late

    def open_grants(self) -> Grants:
        return Grants(code_seconds=60, access_seconds=7200)

    def all_scopes(self) -> tuple[str, ...]:
        return ("offline_access",)

    def doors(self) -> list[BaseRoute]:
        data = "/v3/users/self"
        return [
            self.door("/v3/oauth2/login", self.consent, "GET", "POST"),
            self.door("/v3/oauth2/token", self.token, "POST"),
            self.door(f"{data}/egvs", self.egvs),
            self.door(f"{data}/events", self.events),
            self.door(f"{data}/calibrations", self.calibrations),
            self.door(f"{data}/devices", self.devices),
            self.door(f"{data}/dataRange", self.data_range),
        ]

    def too_many(self, retry_after: int) -> Response:
        return Response(status_code=429)  # no header is documented

    def token(self, call: Call) -> Response:
        tokens = self.token_reply(call)
        return JSONResponse(
            {
                "access_token": tokens.access,
                "expires_in": tokens.expires_in,
                "token_type": "Bearer",
                "refresh_token": tokens.refresh,
                "refresh_expires_in": 0,
                "not-before-policy": 0,
                "session_state": tokens.grant.id,
            }
        )

    # --- data

    def egvs(self, call: Call) -> Response:
        person = self._reader(call)
        return self._reply(person, "egv", self.readings(person, *_window(call.query)))

    def events(self, call: Call) -> Response:
        person = self._reader(call)
        return self._reply(person, "event", self._events(person, *_window(call.query)))

    def calibrations(self, call: Call) -> Response:
        person = self._reader(call)
        _window(call.query)
        return self._reply(person, "calibration", [])  # a G7 needs none

    def devices(self, call: Call) -> Response:
        person = self._reader(call)
        device = {**_transmitter(person), "lastUploadDate": utc_iso(self._uploaded()), "alertSchedules": []}
        return self._reply(person, "device", [{**device, "displayApp": "G7"}])

    def data_range(self, call: Call) -> Response:
        person = self._reader(call)
        start = midnight(person, next(self.world.days(person)))
        end = self._uploaded() + 1
        egvs = [*self.readings(person, start, start + 2 * 86_400), *self.readings(person, end - 2 * 86_400, end)]
        events = [*self._events(person, start, start + 2 * 86_400), *self._events(person, end - 2 * 86_400, end)]
        ranges = {"calibrations": None, "egvs": _range(egvs), "events": _range(events)}
        return self._reply(person, "dataRange", None, **ranges)

    def _reader(self, call: Call) -> Person:
        grant = self.holder(call)
        if grant is None:
            raise refuse(401, {"error": "invalid_token"})
        return known_person(grant.person)

    def holdings(self, person: Person, day: date) -> Holdings:
        """Without `devices`, whose only day is that of the last question."""
        start, end = midnight(person, day), midnight(person, day + timedelta(days=1))
        egvs, events = self.readings(person, start, end), self._events(person, start, end)
        return {
            "egvs": {str(_seconds(egv) * 1000): float(egv["value"]) for egv in egvs},
            "events": {str(event["recordId"]): None for event in events if event["eventStatus"] == "created"},
        }

    def _reply(self, person: Person, kind: str, records: list[Record] | None, **more: object) -> Response:
        frame = {"recordType": kind, "recordVersion": "3.0", "userId": self.world.identify("dexcom", person.name)}
        return JSONResponse({**frame, **({} if records is None else {"records": records}), **more})

    def _uploaded(self) -> int:
        return self.world.now() - 60 * self.delay_minutes

    def readings(self, person: Person, start: int, end: int) -> list[Record]:
        """The EGVs of [start, end) that are uploaded; one earlier reading gives the first its trend."""
        seen = self.world.glucose(person, start - 600, min(end, self._uploaded() + 1))
        pairs = zip([None, *seen], seen, strict=False)
        return [self._egv(person, before, now) for before, now in pairs if now[0] >= start]

    def _egv(self, person: Person, before: tuple[int, int] | None, now: tuple[int, int]) -> Record:
        at, blood = now
        value = ABOVE if blood > 400 else BELOW if blood < 40 else blood
        rate = round((blood - before[1]) / ((at - before[0]) / 60), 1) if before else None
        return {
            "recordId": self.world.identify("dexcom", person.name, "egv", at),
            "systemTime": utc_iso(at),
            "displayTime": local_iso(person, at),
            **_transmitter(person),
            "transmitterTicks": at % 864_000,
            "value": value,
            "status": {ABOVE: "high", BELOW: "low"}.get(value),
            "trend": trend(rate),
            "trendRate": rate,
            "unit": "mg/dL",
            "rateUnit": "mg/dL/min",
            "displayApp": "G7",
        }

    def _events(self, person: Person, start: int, end: int) -> list[Record]:
        end = min(end, self._uploaded() + 1)
        meals = [
            meal
            for day in self.world.days_between(person, start, max(start + 1, end))
            for meal in self.world.life.meals(person, day)
            if start <= meal.at < end
        ]
        return [event for meal in meals for event in self._meal_events(person, meal)]

    def _meal_events(self, person: Person, meal: Meal) -> list[Record]:
        carbs = self._event(person, meal.at, "carbs", None, str(meal.carbs), "grams")
        return [carbs, self._event(person, meal.at, "insulin", "fastActing", str(meal.insulin), "units")]

    def _event(self, person: Person, at: int, kind: str, subtype: str | None, value: str, unit: str) -> Record:
        gone = self.world.is_deleted("dexcom", person, kind, local_day(person, at))
        return {
            "recordId": self.world.identify("dexcom", person.name, kind, at),
            "systemTime": utc_iso(at),
            "displayTime": local_iso(person, at),
            "eventStatus": "deleted" if gone else "created",  # a deletion arrives as a record
            "eventType": kind,
            "eventSubType": subtype,
            "value": value,
            "unit": unit,
            **_transmitter(person),
            "recordedSystemTime": utc_iso(at + 9),
            "recordedDisplayTime": local_iso(person, at + 9),
        }

    # --- the relay: not an interface of Dexcom's, see the fact sheets of the product

    def relay(self, person: Person, url: str, secret: str, minutes: int) -> Webhook:
        now = self.world.now()
        kept = ("value", "unit", "trend", "systemTime", "transmitterId", "displayDevice")
        records = [{k: egv[k] for k in kept} for egv in self.readings(person, now - 60 * minutes, now + 1)]
        body = json.dumps({"type": "egv", "records": records}, separators=(",", ":")).encode()
        signature = hmac.new(secret.encode(), body, sha256).hexdigest()
        return Webhook(url, {"content-type": "application/json", "x-dexcom-signature": signature}, body)


def _seconds(record: Record) -> int:
    return int(datetime.fromisoformat(record["systemTime"]).timestamp())


def _transmitter(person: Person) -> Record:
    return {
        "transmitterId": sha256(f"transmitter {person.name}".encode()).hexdigest(),
        "transmitterGeneration": "g7",
        "transmitterGenerationVariant": "g7",
        "displayDevice": "iOS",
    }


def trend(rate: float | None) -> str | None:
    if rate is None:
        return None
    if abs(rate) > 8:
        return "rateOutOfRange"
    if rate <= -1:  # falling bounds belong to the steeper trend, rising ones too
        return next((name for bound, name in TRENDS if rate <= bound), "flat")
    return next((name for bound, name in TRENDS[3:] if rate < bound), "doubleUp")


def _window(query: dict[str, str]) -> tuple[int, int]:
    """[startDate, endDate) in unix seconds; 400 unless both are UTC without `Z` and at most 30 days apart."""
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
    texts = [query.get("startDate", ""), query.get("endDate", "")]
    if not all(form.fullmatch(text) for text in texts):
        raise refuse(400, {"error": "invalid_request", "message": "startDate and endDate: YYYY-MM-DDThh:mm:ss"})
    start, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in texts)
    if not timedelta() <= end - start <= WIDEST:
        raise refuse(400, {"error": "invalid_request", "message": "At most 30 days, start before end."})
    return int(start.timestamp()), int(end.timestamp())


def _range(records: list[Record]) -> Record | None:
    if not records:
        return None
    ordered = sorted(records, key=lambda record: str(record["systemTime"]))
    ends = {"start": ordered[0], "end": ordered[-1]}
    return {name: {key: record[key] for key in ("systemTime", "displayTime")} for name, record in ends.items()}
