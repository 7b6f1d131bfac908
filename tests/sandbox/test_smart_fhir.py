"""The server of health records: who is let in and how, and what a Bundle holds."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox.grants import s256

HOME, BACK = "https://ehr.example.org/r4", "http://127.0.0.1:9/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
SCOPE = "launch/patient offline_access patient/Observation.rs patient/MedicationRequest.rs"
SPAN = {"category": "vital-signs", "date": ["ge2026-10-01T00:00:00Z", "le2026-11-22T12:00:00Z"]}
Ask = Callable[..., httpx.Response]


def here(url: str) -> str:
    """As the sandbox answers for it."""
    return f"/smart_fhir{urlsplit(url).path}?{urlsplit(url).query}"


@pytest.fixture
def came_back(client, app) -> Callable[..., dict[str, str]]:
    def decide(scope: str = SCOPE, **other: str) -> dict[str, str]:
        asked = {
            "response_type": "code", "client_id": app("smart_fhir")["client_id"], "redirect_uri": BACK, "aud": HOME,
            "state": "s", "scope": scope, "code_challenge": s256(VERIFIER), "code_challenge_method": "S256", **other,
        }  # fmt: skip
        reply = client.post("/smart_fhir/authorize", params=asked, data={"person": "ada", "decision": "allow"})
        return {name: values[0] for name, values in parse_qs(urlsplit(reply.headers["location"]).query).items()}

    return decide


@pytest.fixture
def token(client, app, came_back) -> Ask:
    def exchange(scope: str = SCOPE, verifier: str = VERIFIER) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": came_back(scope)["code"], "redirect_uri": BACK}
        pair = app("smart_fhir")
        auth = (pair["client_id"], pair["client_secret"])
        return client.post("/smart_fhir/token", data={**form, "code_verifier": verifier}, auth=auth)

    return exchange


@pytest.fixture
def get(client, token) -> Ask:
    """As Ada's app, which may say `scope`."""

    def asked(path: str, scope: str = SCOPE, **query: object) -> httpx.Response:
        told = token(scope).json()
        headers = {"authorization": f"Bearer {told['access_token']}"}
        params = {"patient": told["patient"], **query} if "?" not in path else None
        return client.get(f"/smart_fhir{path}", params=params, headers=headers)

    return asked


@pytest.mark.parametrize(
    "wrong", [{"aud": "https://another.example.org"}, {"code_challenge_method": "plain"}, {"scope": "patient/*.rs"}]
)
def test_a_question_without_its_server_its_pkce_or_its_patient_is_refused(came_back, wrong):
    assert came_back(**wrong)["error"] == "invalid_request"


def test_a_token_is_for_who_began_and_names_the_patient(token):
    assert token(verifier="another").json() == {"error": "invalid_grant"}
    told = token().json()
    assert {"access_token", "refresh_token", "patient", "scope", "expires_in", "token_type"} == told.keys()
    assert "refresh_token" not in token(scope="launch/patient patient/Observation.read").json()


def test_pages_follow_opaque_links_and_the_last_has_something_to_say(client, token):
    told = token().json()
    headers = {"authorization": f"Bearer {told['access_token']}"}
    reply = client.get("/smart_fhir/r4/Observation", params={"patient": told["patient"], **SPAN}, headers=headers)
    entries, total = list(reply.json()["entry"]), reply.json()["total"]
    while following := [link["url"] for link in reply.json()["link"] if link["relation"] == "next"]:
        assert following[0].startswith(f"{HOME}/Observation?page=")
        reply = client.get(here(following[0]), headers=headers)
        entries += reply.json()["entry"]
    assert [entry["search"]["mode"] for entry in entries] == ["match"] * total + ["outcome"]
    assert len({entry["fullUrl"] for entry in entries}) == total + 1 > 20
    assert all(entry["resource"]["effectiveDateTime"] >= "2026-10-01" for entry in entries[:-1])


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"patient": "somebody-else"}, 403, "forbidden"),
        ({"category": "survey"}, 400, "required"),
        ({"date": "soon"}, 400, "invalid"),
        ({"scope": "launch/patient patient/MedicationRequest.rs"}, 403, "forbidden"),
    ],
)
def test_a_refusal_is_an_operation_outcome(get, query, status, code):
    reply = get("/r4/Observation", **{**SPAN, **query})
    assert (reply.status_code, reply.json()["resourceType"]) == (status, "OperationOutcome")
    assert reply.json()["issue"][0]["code"] == code


def test_a_mistake_stays_as_one(client, get):
    [*before] = get("/r4/Observation", category="laboratory").json()["entry"]
    day = before[0]["resource"]["effectiveDateTime"][:10]
    gone = {"provider": "smart_fhir", "person": "ada", "kind": "hba1c", "day": day}
    assert client.post("/control/delete", json=gone).status_code == 200
    after = get("/r4/Observation", category="laboratory").json()["entry"]
    found = {entry["resource"].get("id"): entry["resource"].get("status") for entry in after}
    assert found[before[0]["resource"]["id"]] == "entered-in-error"
    assert found[before[1]["resource"]["id"]] == "final"
