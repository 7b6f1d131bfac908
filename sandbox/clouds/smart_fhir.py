"""A server of health records: SMART App Launch 2.2 on FHIR R4, its authorization server on a host of its own."""

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, Cloud, Limit, Refused, refuse
from sandbox.grants import Grants
from sandbox.life import Person
from sandbox.people import person as known_person
from sandbox.webhooks import with_query
from sandbox.world import local_day, local_iso, utc_iso

Json = dict[str, Any]
AUTH, HOME = "https://auth.example.org", "https://ehr.example.org/r4"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
UCUM, LOINC, RXNORM = "http://unitsofmeasure.org", "http://loinc.org", "http://www.nlm.nih.gov/research/umls/rxnorm"
LAB_CODES = {
    "hba1c": ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%"),
    "ldl": ("13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation", "mg/dL"),
    "creatinine": ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL"),
}


class SmartFhir(Cloud):
    name = "smart_fhir"
    hosts = ("https://ehr.example.org", AUTH)
    limit = Limit(calls=600, seconds=60)  # no server publishes any
    deletable = ("hba1c", "weight")
    most = 10  # on a page

    def open_grants(self) -> Grants:
        return Grants(code_seconds=60, access_seconds=3600)

    @property
    def entered(self) -> Json:
        return {"server": HOME, "hosts": ["auth.example.org"]}

    def doors(self) -> list[BaseRoute]:
        return [
            self.door("/r4/.well-known/smart-configuration", self.configuration),
            self.door("/authorize", self.authorize, "GET", "POST"),
            self.door("/token", self.token, "POST"),
            self.door("/revoke", self.revoke, "POST"),
            self.door("/r4/Observation", self.observation),
            self.door("/r4/MedicationRequest", self.medication_request),
        ]

    def too_many(self, retry_after: int) -> Response:
        return JSONResponse(outcome("throttled", "Too many requests"), 429, {"retry-after": str(retry_after)})

    def unavailable(self) -> Response:
        return JSONResponse(outcome("transient", "Try again"), 503)

    # --- SMART

    def configuration(self, call: Call) -> Response:
        return JSONResponse(
            {
                "issuer": HOME,
                "authorization_endpoint": f"{AUTH}/authorize",
                "token_endpoint": f"{AUTH}/token",
                "revocation_endpoint": f"{AUTH}/revoke",
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
                "scopes_supported": ["openid", "fhirUser", "launch/patient", "offline_access"],
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "capabilities": [
                    "launch-standalone", "client-public", "client-confidential-symmetric", "context-standalone-patient",
                    "permission-patient", "permission-offline", "permission-v1", "permission-v2",
                ],
            }
        )  # fmt: skip

    def authorize(self, call: Call) -> Response:
        asked = call.query
        proven = asked.get("code_challenge_method") == "S256" and asked.get("code_challenge")
        if asked.get("aud") != HOME or not proven or "launch/patient" not in asked.get("scope", "").split():
            state = {"state": asked.get("state", "")}
            return RedirectResponse(with_query(asked.get("redirect_uri", "/"), error="invalid_request", **state), 302)
        return self.consent(call)

    def token(self, call: Call) -> Response:
        if not call.headers.get("authorization", "").startswith("Basic ") or "client_id" in call.form:
            raise refuse(401, {"error": "invalid_client"})
        tokens = self.token_reply(call)
        scopes = tokens.grant.scopes
        renews = {"offline_access", "online_access"} & set(scopes)
        return JSONResponse(
            {
                "access_token": tokens.access,
                "token_type": "Bearer",
                "expires_in": tokens.expires_in,
                "scope": " ".join(scopes),
                "patient": self.patient(known_person(tokens.grant.person)),
                **({"refresh_token": tokens.refresh} if renews else {}),
            },
            headers={"cache-control": "no-store"},
        )

    def revoke(self, call: Call) -> Response:
        """RFC 7009: of an unknown token nothing is said, either."""
        if not self.is_our_client(call):
            raise refuse(401, {"error": "invalid_client"})
        grant = self.grants.held_by(call.form.get("token", ""))
        if grant:
            self.grants.revoke(grant.person, grant.id)
        return Response()

    def patient(self, person: Person) -> str:
        return self.world.identify(self.name, person.name)

    # --- FHIR

    def observation(self, call: Call) -> Response:
        person, asked = self.asked(call, "Observation")
        category, dates = dict(asked).get("category", ""), [value for name, value in asked if name == "date"]
        if category not in ("laboratory", "vital-signs"):
            raise refused(400, "required", "category: laboratory or vital-signs")
        found = self.laboratory(person) if category == "laboratory" else self.vital_signs(person)
        return self.bundle("Observation", asked, [one for one in found if within(one["effectiveDateTime"], dates)])

    def medication_request(self, call: Call) -> Response:
        person, asked = self.asked(call, "MedicationRequest")
        return self.bundle("MedicationRequest", asked, list(self.prescriptions(person)))

    def asked(self, call: Call, kind: str) -> tuple[Person, list[tuple[str, str]]]:
        """Who may be read, and the question: that of the first page, where a page of it is asked for."""
        grant = self.holder(call)
        if grant is None:
            raise refused(401, "login", "The access token is not valid")
        if not {f"patient/{kind}.rs", f"patient/{kind}.read"} & set(grant.scopes):
            raise refused(403, "forbidden", "Not in the scopes of this token")
        asked = list(call.asked)
        if "page" in call.query:
            try:
                asked = [tuple(pair) for pair in json.loads(base64.urlsafe_b64decode(call.query["page"]))]
            except ValueError:
                raise refused(400, "invalid", "No such page") from None
        person = known_person(grant.person)
        if dict(asked).get("patient") != self.patient(person):
            raise refused(403, "forbidden", "Not the patient of this token")
        return person, asked

    def bundle(self, kind: str, asked: list[tuple[str, str]], found: list[Json]) -> Response:
        given = dict(asked)
        size, start = min(self.most, int(given.get("_count", self.most))), int(given.get("from", 0))
        entries = [
            {"fullUrl": f"{HOME}/{kind}/{one['id']}", "resource": one, "search": {"mode": "match"}}
            for one in found[start : start + size]
        ]
        links = [{"relation": "self", "url": f"{HOME}/{kind}"}]
        if start + size < len(found):
            following = [*((name, value) for name, value in asked if name != "from"), ("from", str(start + size))]
            page = base64.urlsafe_b64encode(json.dumps(following).encode()).decode()
            links.append({"relation": "next", "url": f"{HOME}/{kind}?page={page}"})
        else:
            said = outcome("informational", "That is all", "information")
            entries.append({"fullUrl": "urn:uuid:0", "resource": said, "search": {"mode": "outcome"}})
        body = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": links, "entry": entries}
        return JSONResponse(body, media_type="application/fhir+json")

    # --- the records

    def laboratory(self, person: Person) -> Iterator[Json]:
        for day in self.world.days(person):
            labs = self.world.labs(person, day)
            if labs is None:
                continue
            for name, (code, display, unit) in LAB_CODES.items():
                gone = self.world.is_deleted(self.name, person, name, day, labs.at)
                value = {"valueQuantity": quantity(getattr(labs, name), unit)}
                yield self.record(person, "laboratory", code, display, labs.at, labs.told, gone) | value

    def vital_signs(self, person: Person) -> Iterator[Json]:
        for weighing in self.world.weighings(person):
            gone = self.world.is_deleted(self.name, person, "weight", local_day(person, weighing.at), weighing.at)
            value = {"valueQuantity": quantity(weighing.kg, "kg")}
            yield self.record(person, "vital-signs", "29463-7", "Body weight", weighing.at, weighing.at, gone) | value
        for taken in self.world.pressures(person):
            panel = self.record(person, "vital-signs", "85354-9", "Blood pressure panel", taken.at, taken.at, False)
            both = {"8480-6": taken.systolic, "8462-4": taken.diastolic}
            parts = [{"code": coded(LOINC, c, ""), "valueQuantity": quantity(v, "mm[Hg]")} for c, v in both.items()]
            yield {**panel, "component": parts}

    def record(self, person: Person, category: str, code: str, display: str, at: int, told: int, gone: bool) -> Json:
        return {
            "resourceType": "Observation",
            "id": self.world.identify(self.name, person.name, code, at),
            "meta": {"versionId": "2" if gone else "1", "lastUpdated": utc_iso(self.world.now() if gone else told)},
            "status": "entered-in-error" if gone else "final",
            "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
            "code": coded(LOINC, code, display),
            "subject": {"reference": f"Patient/{self.patient(person)}"},
            "effectiveDateTime": local_iso(person, at),
            "issued": utc_iso(told),
        }

    def prescriptions(self, person: Person) -> Iterator[Json]:
        """One since the first day of this life."""
        begun = next(self.world.days(person))
        yield {
            "resourceType": "MedicationRequest",
            "id": self.world.identify(self.name, person.name, "metformin"),
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": coded(RXNORM, "860975", "metformin hydrochloride 500 MG Oral Tablet"),
            "subject": {"reference": f"Patient/{self.patient(person)}"},
            "authoredOn": begun.isoformat(),
            "dosageInstruction": [{"text": "1 tablet with the evening meal"}],
        }


def coded(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}], "text": display}


def quantity(value: float, unit: str) -> Json:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def outcome(code: str, text: str, severity: str = "error") -> Json:
    issue = {"severity": severity, "code": code, "details": {"text": text}}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def refused(status: int, code: str, text: str) -> Refused:
    return refuse(status, outcome(code, text))


def within(at: str, dates: list[str]) -> bool:
    """FHIR's search by date, of instants: ge and le."""
    moment = datetime.fromisoformat(at)
    try:
        bounds = [(date[:2], datetime.fromisoformat(date[2:])) for date in dates]
    except ValueError:
        raise refused(400, "invalid", "date: ge or le, and an instant") from None
    if not all(prefix in ("ge", "le") for prefix, _ in bounds):
        raise refused(400, "invalid", "date: ge or le, and an instant")
    return all(moment >= bound if prefix == "ge" else moment <= bound for prefix, bound in bounds)
