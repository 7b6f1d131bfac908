"""Rook: an address for each source at which to authorize it, documents by date, and webhooks hashed over a little."""

import hmac
import json
import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from sandbox.aggregator import page
from sandbox.cloud import Call, Change, Cloud, Limit, plain_door, refuse
from sandbox.clouds.rook.records import STRUCTURES, TOLD, Record
from sandbox.grants import Grants
from sandbox.life import Person
from sandbox.people import person as known_person
from sandbox.webhooks import Webhook

PRODUCTION = "https://api.rook-connect.com"
USER = "/api/v1/user_id/{user_id}"


class Rook(Cloud):
    name = "rook"
    hosts = (PRODUCTION, "https://api.rook-connect.review")
    limit = Limit(calls=60_000, seconds=3600)  # none is documented

    def open_grants(self) -> Grants:
        self.users: dict[str, dict[str, str]] = {}  # user_id → source → person
        self.pages: dict[str, tuple[str, str, str]] = {}  # ticket → user_id, source, where to return
        self.versions: Counter[tuple[str, str, date]] = Counter()
        return Grants(code_seconds=1, access_seconds=1)  # nobody gets any

    @property
    def webhook_secret(self) -> str:
        return "not-a-secret-hash-key-rook"

    def doors(self) -> list[BaseRoute]:
        return [
            self.door(f"{USER}/data_source/{{data_source}}/authorizer", self.authorizer),
            plain_door("/authorize/{ticket}", self.authorize, "GET", "POST"),
            self.door(f"{USER}/data_sources/authorized", self.authorized),
            self.door(f"{USER}/data_sources/revoke_auth", self.revoke_auth, "POST"),
            *(self.door(f"/v2/processed_data/{address}", self.processed) for address in STRUCTURES),
        ]

    # --- authorizing

    def _check(self, call: Call) -> None:
        if not call.headers.get("user-agent"):
            raise self._refuse(call, 403, "Forbidden", "")
        if not self.is_our_client(call):
            raise self._refuse(call, 401, "Unauthorized", "The client_uuid or password are incorrect")

    def _refuse(self, call: Call, status: int, error: str, why: str) -> Exception:
        return refuse(status, {"error": error, "exception": why, "path": call.url_path, "method": call.method})

    def _source(self, call: Call, name: object) -> str:
        if name not in TOLD:
            raise self._refuse(call, 422, "Unprocessable Entity", f"Must be one of {', '.join(TOLD)}.")
        return str(name)

    def authorizer(self, call: Call) -> Response:
        self._check(call)
        user_id, source = call.path["user_id"], self._source(call, call.path["data_source"])
        if source in self.users.get(user_id, {}):
            return JSONResponse({"authorized": True, "authorization_url": None})
        ticket = secrets.token_urlsafe(16)
        self.pages[ticket] = (user_id, source, call.query.get("redirect_url", ""))
        return JSONResponse({"authorized": False, "authorization_url": f"{PRODUCTION}/authorize/{ticket}"})

    def authorize(self, call: Call) -> Response:
        """GET shows the source's page; POST decides. Who says no is led nowhere."""
        user_id, source, back = self.pages.get(call.path["ticket"], ("", "", ""))
        if not user_id:
            return HTMLResponse("This page has ended.", 410)
        if call.method == "GET":
            return HTMLResponse(page("rook", [source]))
        del self.pages[call.path["ticket"]]
        if call.form.get("decision") != "allow":
            return HTMLResponse("Nothing was authorized.")
        person = known_person(call.form.get("person", "")).name
        self.users.setdefault(user_id, {})[source] = person
        self.grants.people.add(person)
        return RedirectResponse(back, 302) if back else HTMLResponse("Authorized.")

    def authorized(self, call: Call) -> Response:
        self._check(call)
        held = self.users.get(call.path["user_id"], {})
        sources = {source.lower(): source in held for source in TOLD}
        return JSONResponse({"user_id": call.path["user_id"], "sources": sources})

    def revoke_auth(self, call: Call) -> Response:
        self._check(call)
        held = self.users.get(call.path["user_id"], {})
        held.pop(self._source(call, call.json().get("data_source")), None)
        said = "Authorization for the specified user data source has been successfully revoked"
        return JSONResponse({"message": said})

    def end(self, person: Person) -> list[Webhook]:
        """Ended at the source. Who did not pay for notifications is not told."""
        for held in self.users.values():
            for source in [source for source, who in held.items() if who == person.name]:
                del held[source]
        return []

    # --- documents

    def processed(self, call: Call) -> Response:
        self._check(call)
        address, user_id = call.url_path.partition("/v2/processed_data/")[2], call.query.get("user_id", "")
        try:
            day = date.fromisoformat(call.query["date"])
        except (KeyError, ValueError):
            raise self._refuse(call, 400, "Bad Request", "date: YYYY-MM-DD") from None
        told = next(self._documents(user_id, address, day), None)
        return JSONResponse(told) if told else Response(status_code=204)

    def _documents(self, user_id: str, address: str, day: date, *only: str) -> Iterator[Record]:
        """Of each source that has one; who asks is given the first."""
        held = self.users.get(user_id, {})
        for source in (source for source in TOLD if source in held and source in (only or TOLD)):
            tell, person = TOLD[source].get(address), known_person(held[source])
            days = self.world.days(person, day, day)
            found = [record for one in days for record in tell(self.world, person, one)] if tell else []
            if found:
                yield self._document(user_id, address, found, self.versions[person.name, address, day] + 1)

    def _document(self, user_id: str, address: str, found: list[Record], version: int) -> Record:
        structure, (pillar, _, rest) = STRUCTURES[address], address.partition("/")
        for record in found:
            record["metadata"]["user_id_string"] = user_id
        inside: Any = {structure: found[0] if rest == "summary" else found}
        envelope = {"client_uuid": self.client_id, "user_id": user_id, "version": 2, "document_version": version}
        kind = {} if rest == "summary" else {"auto_detected": False}
        within = {pillar: {rest.partition("/")[0]: inside}}
        return {**envelope, **kind, "data_structure": structure, **within}

    # --- webhooks

    def announce(self, change: Change) -> list[Webhook]:
        """A watch sends its day with every night. A sensor sends its own, whatever happens."""
        day, weight = "physical_health/summary", ("body_health/events/body_metrics", "body_health/summary")
        kinds = {"night": ("sleep_health/summary", day), "steps": (day,), "weigh": weight}
        addresses = (*kinds.get(change.kind, ()), "body_health/events/blood_glucose")
        for address in addresses:
            self.versions[change.person.name, address, change.day] += 1
        return [
            hook
            for user_id, held in self.users.items()
            for source in [source for source, who in held.items() if who == change.person.name]
            for address in addresses
            for told in self._documents(user_id, address, change.day, source)
            for hook in self.hooks(told)
        ]

    def hooks(self, told: Record) -> list[Webhook]:
        if not self.dashboard_url:
            return []
        pillar = next(value for name, value in told.items() if name.endswith("_health"))
        (inside,) = (part[told["data_structure"]] for part in pillar.values())
        first = inside[0] if isinstance(inside, list) else inside
        signed = hashed(self.webhook_secret, told["client_uuid"], told["user_id"], first["metadata"]["datetime_string"])
        headers = {"content-type": "application/json", "x-rook-hash": signed}
        return [Webhook(self.dashboard_url, headers, json.dumps(told, separators=(",", ":")).encode())]


def hashed(key: str, client_uuid: str, user_id: str, moment: str) -> str:
    return hmac.new(key.encode(), f"{client_uuid}{user_id}{moment}".encode(), sha256).hexdigest()
