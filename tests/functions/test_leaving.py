"""Goodbyes: to a connection, at the vendor, to a whole person; and the ledger that remembers."""

import json
import time
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import shared.connections
from shared import consents, exports, jobs
from shared.erasure import FIRST, PATIENCE
from shared.jobs import Job, now_ms
from shared.settings import settings
from shared.values import replace
from tests.functions.system import System

pytestmark = pytest.mark.needs("dexcom", "file_import", "oura", "withings")

WEEK = timedelta(days=6)
TODAY = datetime.now(ZoneInfo("Europe/Berlin")).date()
SPAN = ((TODAY - WEEK).isoformat(), TODAY.isoformat())


def job(system: System, id_: str, user: str = "ada") -> dict[str, Any]:
    with system.api(user) as api:
        report: dict[str, Any] = api.get(f"/v1/jobs/{id_}").json()
        return report


def connections(system: System, user: str = "ada") -> dict[str, dict[str, Any]]:
    with system.api(user) as api:
        return {c["provider"]: c for c in api.get("/v1/connections").json()["connections"]}


def disconnect(system: System, provider: str, **params: str) -> dict[str, Any]:
    with system.api() as api:
        reply = api.delete(f"/v1/connections/{connections(system)[provider]['id']}", params=params)
    assert reply.status_code == 202, reply.text
    system.work(("fresh",))
    assert system.failures == []
    return job(system, reply.json()["job"])


@pytest.mark.parametrize(
    ("provider", "outcome"),
    [("oura", "revoked"), ("withings", "revoked"), ("dexcom", "the vendor has no revocation")],
)
def test_disconnecting_ends_the_grant_and_keeps_the_data(system: System, provider: str, outcome: str) -> None:
    told = system.connect(provider)
    system.work(("fresh",))
    before = system.days(*SPAN)
    assert disconnect(system, provider)["told"] == {provider: outcome}
    assert connections(system)[provider]["state"] == "disconnected"
    assert system.days(*SPAN) == before
    [stored] = [i for (pk, _), i in system.items("Control").items() if pk == f"C#{told['connection']}"]
    assert "sealed" not in stored
    assert "ring" not in stored
    again = system.connect(provider)
    assert again["connection"] == told["connection"]
    assert connections(system)[provider]["state"] == "active"


@pytest.mark.parametrize(
    ("provider", "outcome"),
    # RFC 7009 §2.2: a revocation endpoint answers 200 to a token that is dead already.
    [("oura", "revoked"), ("withings", "refused by the vendor")],
)
def test_a_grant_that_is_over_at_the_vendor_ends_here_all_the_same(system: System, provider: str, outcome: str) -> None:
    system.connect(provider)
    system.work(("fresh",))
    system.sandbox.post("/control/revoke", json={"provider": provider, "person": "ada"})
    report = disconnect(system, provider)
    assert (report["status"], report["told"]) == ("completed", {provider: outcome})
    assert connections(system)[provider]["state"] == "disconnected"
    assert not any("sealed" in item for item in system.items("Control").values())


def test_a_vendor_that_is_down_is_told_later(system: System) -> None:
    system.connect("oura")
    system.work(("fresh",))
    fault = {"provider": "oura", "kind": "rate_limit", "times": 1, "retry_after": 1, "path": "revoke"}
    assert system.sandbox.post("/control/faults", json=fault).status_code == 200
    waiting = disconnect(system, "oura")
    assert (waiting["status"], waiting["told"]) == ("running", {})
    assert connections(system)["oura"]["state"] == "disconnected"
    time.sleep(1.1)
    system.work(("fresh",))
    assert job(system, waiting["job"])["told"] == {"oura": "revoked"}


@pytest.mark.parametrize("purge", [False, True])
def test_a_goodbye_delivered_again_does_not_end_what_was_connected_since(system: System, purge: bool) -> None:
    told = system.connect("withings")
    system.work(("fresh",))
    with system.api() as api:
        api.delete(f"/v1/connections/{told['connection']}", params={"purge": str(purge).lower()})
    [goodbye] = system.messages("fresh")
    assert system.deliver("fresh", [goodbye]) == []
    again = system.connect("withings")
    system.work(("fresh",))
    before = system.items()
    assert system.deliver("fresh", [goodbye]) == []
    assert system.items() == before
    assert connections(system)["withings"]["state"] == "active"
    with system.api() as api:
        sync = api.post("/v1/sync", json={"action": "sync", "days": 2}).json()
    system.work(("fresh",))
    assert job(system, sync["job"])["status"] == "completed"
    assert (again["connection"] == told["connection"]) is not purge


def test_a_vendors_goodbye_is_believed_once_the_grant_is_seen_to_be_over(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = system.connect("withings")
    system.work(("fresh",))
    note = Job(id="g", reason="webhook", as_of=now_ms(), connection=told["connection"], goodbye=True)

    def told_so() -> str:
        jobs.send(system.env["FRESH_QUEUE"], [note])
        system.work(("fresh",))
        return str(connections(system)["withings"]["state"])

    assert told_so() == "active"
    system.sandbox.post("/control/revoke", json={"provider": "withings", "person": "ada"})
    assert told_so() == "active"  # a refusal may be an echo: it looks again one lease later
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 62 * 10**9)
    assert told_so() == "reconnect"
    assert connections(system)["withings"]["cause"] == "revoked_at_vendor"
    assert [e["cause"] for e in consents.entries("ada")] == ["", "revoked_at_vendor"]
    assert "ring" not in next(i for (_, sk), i in system.items("Control").items() if sk == "C")
    system.connect("withings")
    assert told_so() == "active"  # it was told of the grant before


def test_purging_takes_one_sources_data_and_leaves_the_others(system: System) -> None:
    system.connect("oura")
    system.connect("withings")
    system.work(("fresh",))
    disconnect(system, "oura", purge="true")
    sources = {m["source"] for d in system.days(*SPAN).values() for m in d["metrics"].values()}
    assert sources == {"withings"}
    assert "oura" not in json.dumps([sk for _, sk in system.items()])
    assert connections(system).keys() == {"withings"}


def test_a_stranger_cannot_disconnect_it(system: System) -> None:
    told = system.connect("dexcom")
    with system.api("mallory") as api:
        reply = api.delete(f"/v1/connections/{told['connection']}")
    assert (reply.status_code, reply.json()["error"]["param"]) == (404, "connection")
    assert connections(system)["dexcom"]["state"] == "active"


def test_erasing_leaves_nothing_of_the_person_and_all_of_the_others(system: System) -> None:
    for user, person in (("ada", "ada"), ("ben", "ben")):
        system.connect("oura", user, person)
        system.connect("withings", user, person)
    system.work(("fresh",))
    bens = {key: item for key, item in system.items().items() if key[0] == "ben"}
    with system.api() as api, system.api("ben") as ben:
        assert api.get("/v1/events").json()["events"]
        bens_events = ben.get("/v1/events").json()
    for user in ("ada", "ben"):
        with system.api(user) as api:
            assert api.post("/v1/exports", json={"format": "ndjson"}).status_code == 202
    system.write_exports()
    assert len(exports.kept("ada")) == 1
    body = json.dumps({"id": "x", "connection": connections(system)["oura"]["id"]})
    system.aws("sqs").send_message(QueueUrl=system.env["DEAD_QUEUE"], MessageBody=body)
    with system.api() as api:
        receipt = api.delete("/v1/user").json()["job"]
    with system.api() as api:
        api.post("/v1/connect/dexcom", json={})  # and never came back from there
    system.work(("fresh",))
    late = {"pk": {"S": "ada"}, "sk": {"S": "D#2026-01-01"}}  # what a worker in flight puts back
    system.aws("dynamodb").put_item(TableName="Data", Item=late)
    time.sleep(1.2)
    system.work(("fresh",))
    assert system.failures == []
    report = job(system, receipt)
    assert report["status"] == "completed"
    assert {report["told"][p] for p in ("oura", "withings")} == {"revoked"}
    assert report["told"]["first sweep: sections"] > 20
    assert report["told"]["first sweep: dead letters"] == 1
    assert report["told"]["first sweep: exports"] == 1
    assert (exports.kept("ada"), len(exports.kept("ben"))) == ([], 1)
    assert report["told"]["first sweep: sign-ins begun"] == 1
    assert report["told"]["second sweep: days"] == 1
    assert report["told"]["events"] == "deleted"
    with system.api() as api, system.api("ben") as ben:
        assert api.get("/v1/events").json() == {"events": [], "next": ""}
        assert ben.get("/v1/events").json() == bens_events != {"events": [], "next": ""}
    assert str(report["told"]["raw replies"]).startswith("unreadable; deleted by ")
    assert datetime.fromisoformat(str(report["told"]["backups_expire_at"])) > datetime.now(ZoneInfo("UTC"))
    left = {k: i for t in ("Data", "Control") for k, i in system.items(t).items() if k[0] in ("ada", "U#ada")}
    assert left == {}
    assert "ada" not in {str(i.get("user", {}).get("S")) for i in system.items("Control").values()}
    assert {key: item for key, item in system.items().items() if key[0] == "ben"} == bens


def erased_while_busy(system: System) -> tuple[str, Job]:
    """Ada asks to be erased while Oura is busy; her receipt, and what comes back later."""
    system.connect("oura")
    system.connect("dexcom")
    system.work(("fresh",))
    fault = {"provider": "oura", "kind": "rate_limit", "times": 1, "retry_after": 60, "path": "revoke"}
    assert system.sandbox.post("/control/faults", json=fault).status_code == 200
    with system.api() as api:
        receipt = api.delete("/v1/user").json()["job"]
    assert system.deliver("fresh", system.messages("fresh")) == []
    left = [held.provider for held in shared.connections.of_user("ada")]
    assert (job(system, receipt)["told"], left) == ({"dexcom": "the vendor has no revocation"}, ["oura"])
    assert connections(system)["oura"]["state"] == "disconnected"
    return receipt, Job(
        id=receipt, task="erase", reason="sync", as_of=now_ms(), user="ada", tracked=receipt, part=FIRST
    )


def test_an_erasure_tells_a_busy_vendor_later(system: System) -> None:
    receipt, asked = erased_while_busy(system)
    assert system.deliver("fresh", [{"MessageId": "again", "Body": jobs.write(replace(asked, attempt=1))}]) == []
    assert job(system, receipt)["told"]["oura"] == "revoked"
    assert shared.connections.of_user("ada") == []


def test_an_erasure_does_not_wait_for_ever_for_a_vendor(system: System) -> None:
    receipt, asked = erased_while_busy(system)
    fault = {"provider": "oura", "kind": "rate_limit", "times": 1, "retry_after": 60, "path": "revoke"}
    assert system.sandbox.post("/control/faults", json=fault).status_code == 200
    assert system.deliver("fresh", [{"MessageId": "again", "Body": jobs.write(replace(asked, attempt=PATIENCE))}]) == []
    assert job(system, receipt)["told"]["oura"] == "the vendor could not be reached"
    assert shared.connections.of_user("ada") == []


def test_an_operator_may_keep_a_proof_that_names_nobody(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEP_CONSENT_PROOF", "true")
    settings.cache_clear()
    system.connect("dexcom")
    last = consents.head("ada")
    with system.api() as api:
        api.delete("/v1/user")
    system.work(("fresh",))
    [proof] = [item for (pk, _), item in system.items("Control").items() if pk.startswith("PROOF#")]
    assert last
    assert (proof["hash"]["B"], proof["count"]["N"]) == (last["hash"], "1")
    assert "ada" not in repr(proof)


def test_the_ledger_tells_of_consent_and_withdrawal_and_shows_tampering(system: System) -> None:
    system.connect("dexcom")
    system.work(("fresh",))
    disconnect(system, "dexcom")
    with system.api() as api:
        ledger = api.get("/v1/consents").json()["consents"]
    assert [(e["action"], e["provider"], e["cause"]) for e in ledger] == [
        ("granted", "dexcom", ""),
        ("withdrawn", "dexcom", "disconnected"),
    ]
    key, table = b"test-hook-key", system.aws("dynamodb")
    assert consents.faults(key, "ada") == []
    entry = {"pk": {"S": "U#ada"}, "sk": {"S": "N#00000001"}}
    original = table.get_item(TableName="Control", Key=entry)["Item"]
    table.put_item(TableName="Control", Item={**original, "text": {"S": "another text"}})
    assert consents.faults(key, "ada") == ["entry 1 was changed"]
    table.delete_item(TableName="Control", Key=entry)
    assert "entry 1 is missing" in consents.faults(key, "ada")
    table.put_item(TableName="Control", Item=original)
    table.delete_item(TableName="Control", Key={"pk": {"S": "U#ada"}, "sk": {"S": "N#00000002"}})
    assert consents.faults(key, "ada") == ["the ledger's end does not match its head"]


def test_another_persons_account_is_refused_unless_confirmed(system: System) -> None:
    told = system.connect("oura", person="ada")
    with system.api() as api:
        started = api.post("/v1/connect/oura", json={}).json()
        consent = system.sandbox.post(started["authorize_url"], data={"person": "ben", "decision": "allow"})
        back = api.get(consent.headers["location"], headers={"accept": "application/json"})
        assert back.status_code == 409
        confirmed = api.post("/v1/connect/oura", json={"switch_account": True}).json()
        consent = system.sandbox.post(confirmed["authorize_url"], data={"person": "ben", "decision": "allow"})
        back = api.get(consent.headers["location"], headers={"accept": "application/json"})
    assert back.json()["connection"] == told["connection"]
