"""The switches: what a demo or a test makes happen, and what it may ask afterwards."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, Change, Cloud, plain_door, refuse
from sandbox.clouds.dexcom import Dexcom
from sandbox.faults import KINDS, Fault
from sandbox.life import PEOPLE, Person, midnight
from sandbox.limits import Limit, Meter
from sandbox.people import person as known_person
from sandbox.phone import Android, IPhone, Phone
from sandbox.sleep import DEEP, LIGHT, REM
from sandbox.world import World

Body = dict[str, Any]
PHONES: dict[str, type[Phone]] = {phone.platform: phone for phone in (IPhone, Android)}
FIELDS = {"times": int, "retry_after": int, "seconds": float, "path": str}


class Control:
    def __init__(self, world: World, clouds: dict[str, Cloud], base_url: str) -> None:
        self.world, self.clouds, self.base_url = world, clouds, base_url

    def doors(self) -> list[BaseRoute]:
        return [
            plain_door("/apps", self.apps),
            plain_door("/log", self.log),
            plain_door("/truth", self.truth),
            plain_door("/holdings", self.holdings),
            plain_door("/phone", self.phone),
            plain_door("/secrets", self.secrets),
            plain_door("/faults", self.faults, "GET", "POST", "DELETE"),
            plain_door("/weather", self._switch(self.weather), "POST"),
            plain_door("/stop", self._switch(self.stop), "POST"),
            plain_door("/limits", self._switch(self.limits), "POST"),
            plain_door("/night", self._switch(self.night), "POST"),
            plain_door("/steps", self._switch(self.steps), "POST"),
            plain_door("/weigh", self._switch(self.weigh), "POST"),
            plain_door("/delete", self._switch(self.delete), "POST"),
            plain_door("/revoke", self._switch(self.revoke), "POST"),
            plain_door("/permit", self._switch(self.permit), "POST"),
            plain_door("/relay", self._switch(self.relay), "POST"),
            plain_door("/dashboard", self._switch(self.dashboard), "POST"),
            plain_door("/resend", self._switch(self.resend), "POST"),
        ]

    def _switch(self, act: Callable[[Body], object]) -> Callable[[Call], Response]:
        """JSON in, JSON out; a missing or malformed field is the caller's mistake."""

        def answer(call: Call) -> Response:
            try:
                return JSONResponse(act(call.json()))
            except KeyError as error:
                raise refuse(400, {"error": f"missing field {error}"}) from None
            except (TypeError, ValueError) as error:
                raise refuse(400, {"error": str(error)}) from None

        return answer

    # --- what is here

    def apps(self, call: Call) -> Response:
        return JSONResponse(
            {
                name: {
                    "client_id": cloud.client_id,
                    "client_secret": cloud.client_secret,
                    **({"hook_token": cloud.hook_token} if cloud.hook_token else {}),
                    "urls": dict.fromkeys(cloud.hosts, f"{self.base_url}/{name}"),
                    **({"webhook_secret": cloud.webhook_secret} if cloud.webhook_secret else {}),
                    **cloud.entered,
                }
                for name, cloud in self.clouds.items()
            }
        )

    def log(self, call: Call) -> Response:
        clouds = self.clouds.items()
        return JSONResponse(
            {
                "requests": {name: dict(cloud.requests) for name, cloud in clouds},
                "refreshes": {name: cloud.grants.refreshes for name, cloud in clouds},
                "webhooks": {name: cloud.sender.counts for name, cloud in clouds},
                "weather": {name: dict(cloud.faults.drawn) for name, cloud in clouds},
                "last_webhook": {name: _last(cloud) for name, cloud in clouds},
                "limits": {name: [meter.seen() for meter in cloud.meters] for name, cloud in clouds},
            }
        )

    def secrets(self, call: Call) -> Response:
        """What must never be found in plain text anywhere in the backend."""
        issued = {secret for cloud in self.clouds.values() for secret in cloud.grants.issued}
        entered = {s for c in self.clouds.values() for s in (c.client_secret, c.hook_token, c.webhook_secret) if s}
        return JSONResponse(sorted(issued | entered))

    def truth(self, call: Call) -> Response:
        person, days = self._asked(call)
        return JSONResponse(
            {"person": person.name, "zone": person.zone.key, "days": [self._true_day(person, day) for day in days]}
        )

    def holdings(self, call: Call) -> Response:
        """Day by day, every record that each cloud holds of a person now."""
        person, days = self._asked(call)
        held = {day.isoformat(): {n: cloud.holdings(person, day) for n, cloud in self.clouds.items()} for day in days}
        return JSONResponse({"person": person.name, "zone": person.zone.key, "days": held})

    def phone(self, call: Call) -> Response:
        """What the person's phone would push of these days."""
        person, days = self._asked(call)
        platform = call.query.get("platform", "")
        if platform not in PHONES:
            raise refuse(400, {"error": f"platform: {' or '.join(PHONES)}"})
        return JSONResponse({"batches": list(PHONES[platform](self.world, person).batches(*days))})

    def _asked(self, call: Call) -> tuple[Person, list[date]]:
        person = _person(call.query.get("person", ""))
        try:
            first, last = (date.fromisoformat(call.query[name]) for name in ("from", "to"))
        except (KeyError, ValueError):
            raise refuse(400, {"error": "from and to: YYYY-MM-DD"}) from None
        return person, list(self.world.days(person, first, last))

    def _true_day(self, person: Person, day: date) -> Body:
        night, opened = self.world.life.sleeps(person, day)[0], midnight(person, day)
        closed = midnight(person, day + timedelta(days=1))
        glucose = [value for _, value in self.world.glucose(person, opened, closed)]
        measured = [value for value in glucose if 40 <= value <= 400]
        labs = self.world.labs(person, day)
        return {
            "day": day.isoformat(),
            "steps": self.world.activity(person, day).steps,
            "sleep_visible": self.world.night_visible(person, day),
            "sleep_hours": _hours(night.asleep),
            "deep_hours": _hours(night.seconds(DEEP)),
            "rem_hours": _hours(night.seconds(REM)),
            "light_hours": _hours(night.seconds(LIGHT)),
            "naps": sum(sleep.kind == "nap" for sleep in self.world.sleeps(person, day)),
            "resting_hr": night.lowest,
            "hrv": night.mean_hrv,
            "weight": self.world.weight(person, day),
            "hba1c": labs.hba1c if labs else None,
            "mean_glucose": round(sum(measured) / len(measured), 2) if measured else None,
            "glucose_readings": len(glucose),
            "glucose_out_of_range": len(glucose) - len(measured),
        }

    # --- faults

    def faults(self, call: Call) -> Response:
        if call.method == "DELETE":
            for cloud in self.clouds.values():
                cloud.faults.clear()
            released = [line for cloud in self.clouds.values() for line in cloud.sender.release()]
            return JSONResponse({"webhooks": released})
        if call.method == "POST":
            return self._switch(self._add_fault)(call)
        return JSONResponse({name: [vars(f) for f in c.faults.waiting()] for name, c in self.clouds.items()})

    def _add_fault(self, body: Body) -> object:
        if body["kind"] not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}")
        unknown = set(body) - {"provider", "kind", *FIELDS}
        if unknown:
            raise ValueError(f"unknown field {', '.join(sorted(unknown))}")
        fault = Fault(body["kind"], **{name: kind(body[name]) for name, kind in FIELDS.items() if name in body})
        self._cloud(body).faults.add(fault)
        return vars(fault)

    def weather(self, body: Body) -> object:
        """Faults by chance, at every cloud, until the next weather; `{}` is fair, and lets go what was held back."""
        chances = {kind: float(chance) for kind, chance in body.items() if kind != "seed"}
        for name, cloud in self.clouds.items():
            cloud.faults.weather(chances, f"{body.get('seed', 0)}:{name}")
        held = [] if chances else [line for cloud in self.clouds.values() for line in cloud.sender.release()]
        return {"weather": chances, "webhooks": held}

    def stop(self, body: Body) -> object:
        """Every life stands still, for good: whatever is read from now on is the same."""
        self.world.stopped = self.world.now()
        return {"stopped": self.world.stopped}

    def limits(self, body: Body) -> object:
        """The documented limit, or `limits` in its place: those of another plan, or small ones for a test."""
        cloud = self._cloud(body)
        limits = [Limit(**limit) for limit in body.get("limits", [vars(cloud.limit)])]
        cloud.meters = [Meter(limit) for limit in limits] if body["on"] else []
        return {"provider": cloud.name, "limits": [vars(meter.limit) for meter in cloud.meters]}

    # --- things that happen

    def night(self, body: Body) -> object:
        person, day = _person(body["person"]), date.fromisoformat(body["day"])
        if not self.world.life.held_back(person, day):
            raise ValueError("only the nights of yesterday and today are held back")
        self.world.reveal(person, day)
        return self._tell(Change("night", person, day, self.world.now()))

    def steps(self, body: Body) -> object:
        person, day, steps = _person(body["person"]), date.fromisoformat(body["day"]), int(body["steps"])
        self.world.correct_steps(person, day, steps)
        return self._tell(Change("steps", person, day, self.world.now()))

    def weigh(self, body: Body) -> object:
        person = _person(body["person"])
        weighing = self.world.weigh(person, float(body["kg"]))
        return self._tell(Change("weigh", person, self.world.today(person), weighing.at))

    def delete(self, body: Body) -> object:
        cloud, person, kind = self._cloud(body), _person(body["person"]), str(body["kind"])
        day = date.fromisoformat(body["day"])
        if kind not in cloud.deletable:
            raise ValueError(f"{cloud.name} can delete: {', '.join(cloud.deletable)}")
        self.world.delete(cloud.name, person, kind, day)
        change = Change("delete", person, day, self.world.now(), kind)
        return {"webhooks": cloud.sender.send(cloud.announce(change))}

    def revoke(self, body: Body) -> object:
        """The person ends every grant in the vendor's own app."""
        cloud = self._cloud(body)
        return {"webhooks": cloud.sender.send(cloud.end(_person(body["person"])))}

    def permit(self, body: Body) -> object:
        """The person changes in the vendor's own app what their grants allow."""
        cloud, person = self._cloud(body), _person(body["person"])
        cloud.grants.permit(person.name, tuple(body["scopes"]))
        return {"webhooks": cloud.sender.send(cloud.permitted(person))}

    def relay(self, body: Body) -> object:
        dexcom = self.clouds["dexcom"]
        assert isinstance(dexcom, Dexcom)
        minutes = int(body.get("minutes", 30))
        hook = dexcom.relay(_person(body["person"]), str(body["url"]), str(body["secret"]), minutes)
        return {"webhooks": dexcom.sender.send([hook])}

    def dashboard(self, body: Body) -> object:
        cloud = self._cloud(body)
        cloud.enter(str(body["url"]))
        cloud.pushes = bool(body.get("push"))
        return {"provider": cloud.name, "url": str(body["url"])}

    def resend(self, body: Body) -> object:
        return {"webhooks": self._cloud(body).sender.resend(int(body.get("times", 1)))}

    def _tell(self, change: Change) -> object:
        clouds = self.clouds.values()
        return {"webhooks": [line for c in clouds for line in c.sender.send(c.announce(change))]}

    def _cloud(self, body: Body) -> Cloud:
        if body["provider"] not in self.clouds:
            raise ValueError(f"provider is one of {', '.join(self.clouds)}")
        return self.clouds[body["provider"]]


def _person(name: str) -> Person:
    try:
        return known_person(name)
    except KeyError:
        raise refuse(400, {"error": f"person is one of {', '.join(PEOPLE)}, newcomer-<number>"}) from None


def _last(cloud: Cloud) -> Body | None:
    if cloud.sender.last is None:
        return None
    hook, status = cloud.sender.last
    return {"url": hook.url, "headers": hook.headers, "body": hook.body.decode(), "status": status}


def _hours(seconds: int) -> float:
    return round(seconds / 3600, 4)
