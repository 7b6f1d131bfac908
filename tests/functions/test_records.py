"""Health records: one of many servers, asked what it is, believed about itself alone, and asked far back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from shared import connections, secret
from tests.functions.standing import ask
from tests.functions.system import System, invoke

pytestmark = [pytest.mark.needs("smart_fhir"), pytest.mark.still]
SOURCE = "smart_fhir"
TODAY = datetime.now(ZoneInfo("Europe/Berlin")).date()


def truth(system: System, back: int = 29) -> dict[str, dict[str, Any]]:
    span = {"person": "ada", "from": f"{TODAY - timedelta(days=back)}", "to": f"{TODAY}"}
    return {day["day"]: day for day in system.sandbox.get("/control/truth", params=span).json()["days"]}


def figures(system: System, metric: str, back: int = 29) -> dict[str, float]:
    found = system.days(f"{TODAY - timedelta(days=back)}", f"{TODAY}")
    return {day: told["metrics"][metric]["value"] for day, told in found.items() if metric in told["metrics"]}


def sync(system: System, days: int) -> None:
    with system.api() as api:
        assert api.post("/v1/sync", json={"action": "sync", "days": days}).status_code == 202
    work(system)


def work(system: System) -> None:
    system.work(("fresh",))
    assert system.failures == []


def how(system: System) -> dict[str, Any]:
    with system.api() as api:
        [connection] = api.get("/v1/connections").json()["connections"]
    return dict(connection)


def asked(system: System) -> dict[str, int]:
    requests: dict[str, int] = system.sandbox.get("/control/log").json()["requests"][SOURCE]
    return requests


def test_results_page_by_page_and_again_nothing_changes(system: System) -> None:
    system.connect(SOURCE)
    sync(system, 30)
    assert (how(system)["state"], how(system)["scopes"]) == (
        "active", ["launch/patient", "offline_access", "patient/MedicationRequest.rs", "patient/Observation.rs"],
    )  # fmt: skip
    really = truth(system)
    for metric in ("hba1c", "weight"):
        assert figures(system, metric) == {day: told[metric] for day, told in really.items() if told[metric]}
    assert len(figures(system, "hba1c")) >= 2
    assert (
        figures(system, "blood_pressure_systolic").keys() == figures(system, "blood_pressure_diastolic").keys() != set()
    )
    with system.api() as api:
        asking = {"from": f"{TODAY - timedelta(days=200)}", "to": f"{TODAY}", "fresh": "true"}
        [told] = api.get("/v1/medications", params=asking).json()["medications"]
    assert (told["name"], told["source"]) == ("metformin hydrochloride 500 MG Oral Tablet", SOURCE)
    assert {note["name"]: note["text"] for note in told["notes"]} == {
        "status": "active", "intent": "order", "dosage": "1 tablet with the evening meal",
        "code": "http://www.nlm.nih.gov/research/umls/rxnorm|860975",
    }  # fmt: skip
    before, calls = system.items(), asked(system)["GET /r4/Observation"]
    sync(system, 30)
    assert system.items() == before
    assert asked(system)["GET /r4/Observation"] - calls > 2  # more than a page holds
    assert asked(system)["GET /r4/.well-known/smart-configuration"] == 1


def test_a_poll_looks_far_back_for_what_is_told_late_or_was_a_mistake(system: System) -> None:
    system.connect(SOURCE)
    sync(system, 60)
    day = min(figures(system, "hba1c", 59))
    gone = {"provider": SOURCE, "person": "ada", "kind": "hba1c", "day": day}
    assert system.sandbox.post("/control/delete", json=gone).status_code == 200
    assert invoke("poll", {"segments": [f"{minute}#0" for minute in range(30)]}) == {"queued": 1}
    work(system)
    assert day not in figures(system, "hba1c", 59)
    assert day in figures(system, "creatinine", 59)


def test_silence_is_no_fault_where_news_is_rare(system: System) -> None:
    told = system.connect(SOURCE)
    week_ago = round((datetime.now(UTC) - timedelta(days=7)).timestamp() * 1000)
    connections.change(told["connection"], since=week_ago, last_data_at=week_ago)
    assert (how(system)["state"], how(system)["cause"]) == ("active", "")


def test_a_token_is_renewed_and_a_goodbye_ends_the_grant(system: System) -> None:
    told = system.connect(SOURCE)
    work(system)
    connections.change(told["connection"], token_expires=0)
    sync(system, 1)
    assert system.sandbox.get("/control/log").json()["refreshes"][SOURCE] == {"ok": 1, "reused": 0}
    with system.api() as api:
        reply = api.delete(f"/v1/connections/{told['connection']}")
        work(system)
        assert api.get(f"/v1/jobs/{reply.json()['job']}").json()["told"] == {SOURCE: "revoked"}
    assert asked(system)["POST /revoke"] == 1


def test_a_server_that_now_has_another_address_must_be_connected_again(system: System) -> None:
    told = system.connect(SOURCE)
    work(system)
    connections.change(told["connection"], account="https://old.example.org/r4/Patient/1")
    sync(system, 1)
    assert (how(system)["state"], how(system)["cause"]) == ("reconnect", "server_changed")


# ---------------------------------------------------------------- servers


def listed(system: System, **servers: dict[str, Any]) -> None:
    """The operator has written these into the app secret."""
    client = system.aws("secretsmanager")
    kept = json.loads(client.get_secret_value(SecretId="app")["SecretString"])
    apps = kept["providers"]
    apps |= {f"{SOURCE}.{name}": {**apps[SOURCE], **more} for name, more in servers.items()}
    client.put_secret_value(SecretId="app", SecretString=json.dumps(kept))
    secret._read = None


def start(system: System, source: str) -> str:
    reply = ask(system, "POST", f"/v1/connect/{source}", json={})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["authorize_url"])


def test_only_a_server_that_is_listed_is_ever_asked(system: System) -> None:
    listed(system, clinic={})
    assert ask(system, "POST", f"/v1/connect/{SOURCE}.another", json={}).status_code == 400
    assert asked(system) == {}
    told = system.connect(f"{SOURCE}.clinic")
    assert told["connected"] == f"{SOURCE}.clinic"
    work(system)
    day = max(day for day, really in truth(system, 6).items() if really["weight"])
    with system.api() as api:
        origins = api.get("/v1/provenance", params={"day": day, "metric": "weight", "fresh": "true"}).text
    assert f"{SOURCE}.clinic" in origins


@pytest.mark.parametrize("hosts", [[], ["elsewhere.example.org"]])
def test_a_server_that_leads_to_a_host_not_listed_gets_no_token(system: System, hosts: list[str]) -> None:
    listed(system, clinic={"hosts": hosts})
    url = start(system, f"{SOURCE}.clinic")
    consent = system.sandbox.post(url, data={"person": "ada", "decision": "allow"})
    with system.api() as api:
        back = api.get(consent.headers["location"], headers={"accept": "application/json"})
    assert (back.status_code, "not listed" in back.text) == (502, True)
    assert "POST /token" not in asked(system)


def test_the_answer_of_another_server_is_not_believed(system: System) -> None:
    """Neither at another's address nor in another's name."""
    listed(system, clinic={})
    for source, more, status in ((f"{SOURCE}.clinic", {}, 410), (SOURCE, {"iss": "https://evil.example"}, 403)):
        query = {name: values[0] for name, values in parse_qs(urlsplit(start(system, SOURCE)).query).items()}
        assert (query["aud"], query["code_challenge_method"]) == ("https://ehr.example.org/r4", "S256")
        answer = {"state": query["state"], "code": "c", **more}
        assert ask(system, "GET", f"/v1/callback/{source}", "", params=answer).status_code == status
    assert "POST /token" not in asked(system)


def test_a_server_that_names_no_patient_is_not_connected(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person signed in and chose nobody, or the server forgot to ask."""
    from sandbox.clouds.smart_fhir import SmartFhir

    monkeypatch.setattr(SmartFhir, "patient", lambda cloud, person: "")
    consent = system.sandbox.post(start(system, SOURCE), data={"person": "ada", "decision": "allow"})
    assert ask(system, "GET", consent.headers["location"].removeprefix(system.url), "").status_code == 403
    assert ask(system, "GET", "/v1/connections").json() == {"connections": []}
