"""What can be seen of the work: a person's events, the record of each pass, and the report of a job."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import connections
from shared.jobs import RECEIVES, Job, new_id, now_ms, read, write
from shared.model import MINUTE
from shared.providers import HmacSignature
from shared.providers.registry import provider
from shared.secret import apps
from shared.values import replace
from shared.webhooks import hook_of, sign
from tests.functions.standing import ask, rested
from tests.functions.system import System

pytestmark = pytest.mark.needs("dexcom", "oura", "withings", "file_import")

TODAY = datetime.now(UTC).date()
YESTERDAY, LAST_WEEK = (f"{TODAY - timedelta(days=n)}" for n in (1, 7))
Message = dict[str, Any]


@pytest.fixture
def system(standing: System) -> System:
    return rested(standing)


def connect(system: System, user: str, source: str = "oura") -> str:
    """A connection, its first messages put aside."""
    told = system.connect(source, user)
    for queue in ("fresh", "bulk"):
        system.messages(queue)
    return str(told["connection"])


def get(system: System, user: str, path: str, status: int = 200, **params: str) -> Any:
    reply = ask(system, "GET", path, user, params=params)
    assert reply.status_code == status, reply.text
    return reply.json()


def events(system: System, user: str, **params: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(system, user, "/v1/events", **params)["events"]
    return found


def message(job: Job) -> Message:
    return {"MessageId": new_id(), "Body": write(job)}


def hint(connection: str, *resources: str, day: str = LAST_WEEK, **more: Any) -> Job:
    told = {"id": new_id(), "as_of": now_ms(), "window": (day, day), **more}
    return Job(reason="webhook", connection=connection, resources=resources, **told)


def fault(system: System, kind: str, path: str, **more: Any) -> None:
    system.sandbox.post("/control/faults", json={"provider": "oura", "kind": kind, "path": path, **more})


# ---------------------------------------------------------------- events


def test_a_webhook_is_followed_from_its_receipt_to_its_sections(
    system: System, user: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The door prints the ids it queued; the person reads what became of each."""
    system.connect("oura", user)
    system.work(("fresh",))
    capsys.readouterr()
    system.sandbox.post("/control/steps", json={"person": "ada", "day": YESTERDAY, "steps": 4321})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"ids"' in line]
    received = {id_ for line in lines for id_ in line["ids"]}
    assert received
    system.work(("fresh",))
    told = [event for event in events(system, user) if event["id"].partition(".")[0] in received]
    assert {event["id"].partition(".")[0] for event in told} == received
    [event] = [e for e in told if e["resources"][0]["resource"] == "daily_activity"]
    assert (event["reason"], event["provider"], event["outcome"]) == ("webhook", "oura", "written")
    nothing_missing = {"resource": "daily_activity", "days": 1, "first": YESTERDAY, "last": YESTERDAY, "cause": ""}
    assert event["resources"] == [nothing_missing]
    assert event["received"] <= event["fetched"] <= event["finished"]
    assert 0 < event["latency_ms"] < 60_000
    assert events(system, "mallory") == []
    assert events(system, user, provider="withings") == []


def test_a_push_is_followed_to_its_section_and_its_data_is_in_no_line(
    system: System, user: str, capsys: pytest.CaptureFixture[str]
) -> None:
    id_ = connect(system, user, "dexcom")
    hooks, now = apps().hooks, now_ms()
    measured = datetime.fromtimestamp(now // 1000 - 3600, UTC).isoformat()
    record = {"systemTime": measured.replace("+00:00", "Z"), "value": 117.25, "unit": "mg/dL"}
    body = json.dumps({"type": "egv", "records": [record]}).encode()
    proof = hook_of(provider("dexcom")).proof
    assert isinstance(proof, HmacSignature)
    signature = sign(proof, hooks.secrets("dexcom", id_, now)[0], body)
    path = f"/v1/webhooks/dexcom/{hooks.path('dexcom', id_)}"
    capsys.readouterr()
    assert ask(system, "POST", path, "", content=body, headers={"X-Dexcom-Signature": signature}).status_code == 200
    [received] = json.loads(capsys.readouterr().out.splitlines()[0])["ids"]
    system.work(("fresh",))
    [told] = events(system, user)
    assert (told["id"], told["reason"], told["outcome"]) == (received, "webhook", "written")
    assert [(r["resource"], r["days"]) for r in told["resources"]] == [("egvs", 1)]
    assert 0 < told["latency_ms"] < 60_000
    assert "117.25" not in json.dumps(told)


def test_hints_that_were_answered_already_say_so_and_which_said_the_same(system: System, user: str) -> None:
    id_ = connect(system, user)
    old = hint(id_, "daily_activity", as_of=now_ms() - MINUTE)
    copies = [message(replace(old, id=f"copy{n}")) for n in range(3)]
    assert system.deliver("fresh", copies[:1]) == []
    assert system.deliver("fresh", copies[1:]) == []
    answered, first = events(system, user)
    assert (first["outcome"], first["same"]) == ("written", [])
    assert (answered["outcome"], answered["cause"]) == ("unchanged", "already_known")
    assert {answered["id"], *answered["same"]} == {"copy1", "copy2"}


def test_a_vendors_hints_that_say_the_same_are_all_followed_through_the_fan_out(system: System, user: str) -> None:
    """They name an account that two have connected: the first pass finds the people, the second asks."""
    id_, _ = connect(system, user), connect(system, f"{user}-too")
    held = connections.load(id_)
    assert held
    named = hint("", "daily_activity", provider="oura", account=held.account)
    assert system.deliver("fresh", [message(replace(named, id=f"twin{n}")) for n in range(3)]) == []
    passed_on = [each for each in system.messages("fresh") if read(each["Body"]).connection == id_]
    assert system.deliver("fresh", passed_on) == []
    [told] = events(system, user)
    assert {told["id"].partition(".")[0], *told["same"]} == {"twin0", "twin1", "twin2"}


def test_every_attempt_is_told_until_the_last(system: System, user: str) -> None:
    """What waits for the vendor, what is not understood, and what nobody will try again."""
    id_ = connect(system, user)
    fault(system, "rate_limit", "/daily_sleep", retry_after=1)
    assert system.deliver("fresh", [message(hint(id_, "daily_sleep"))]) == []
    time.sleep(1.2)
    [copy] = system.messages("fresh")
    fault(system, "nonsense", "/daily_sleep", times=2)
    assert system.deliver("fresh", [copy]) == [copy["MessageId"]]
    assert system.deliver("fresh", [{**copy, "receives": RECEIVES}]) == [copy["MessageId"]]
    assert system.deliver("fresh", [copy]) == []  # an operator moved it back
    told = [(e["outcome"], e["cause"], e["final"], e["attempt"]) for e in reversed(events(system, user))]
    assert told == [
        ("waiting", "rate_limited", False, 0),
        ("failed", "provider_changed", False, 1),
        ("failed", "provider_changed", True, 1),
        ("written", "", False, 1),
    ]
    assert len({e["id"] for e in events(system, user)}) == 1


def test_a_poll_that_finds_nothing_new_leaves_no_line(system: System, user: str) -> None:
    id_ = connect(system, user)
    poll = Job(id="p", reason="poll", as_of=now_ms(), connection=id_, resources=("daily_activity",))
    assert system.deliver("fresh", [message(poll)]) == []
    assert [e["reason"] for e in events(system, user)] == ["poll"]
    assert system.deliver("fresh", [message(replace(poll, id="q"))]) == []
    assert len(events(system, user)) == 1


def test_an_upload_and_a_goodbye_are_events_and_a_strangers_are_nobodys(system: System, user: str) -> None:
    id_ = connect(system, user)
    reply = ask(system, "POST", "/v1/uploads", user, content=f"timestamp,glucose\n{YESTERDAY}T08:00:00Z,101".encode(),
                headers={"content-type": "text/csv"})  # fmt: skip
    system.work(("fresh",))
    assert system.deliver("fresh", [message(hint(id_, goodbye=True, window=None))]) == []
    lost = Job(id=new_id(), reason="webhook", as_of=now_ms(), provider="oura", account="a stranger")
    assert system.deliver("fresh", [message(lost), message(hint(new_id(), "daily_sleep"))]) == []
    goodbye, upload = events(system, user)
    assert (upload["id"], upload["reason"], upload["outcome"]) == (reply.json()["job"], "upload", "written")
    assert (goodbye["reason"], goodbye["outcome"]) == ("webhook", "done")
    nobodys = system.aws("logs").get_log_events(logGroupName="events", logStreamName="nobody")["events"]
    assert {json.loads(e["message"])["cause"] for e in nobodys} == {"no_connection"}
    assert len(nobodys) == 2


def test_events_are_read_page_by_page_and_day_by_day(
    system: System, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared import views

    id_ = connect(system, user)
    told = [message(hint(id_, "daily_sleep", id=f"e{n}", document=f"d{n}")) for n in range(5)]
    assert system.deliver("fresh", told) == []
    monkeypatch.setattr(views, "EVENTS_A_PAGE", 2)
    seen, page = [], ""
    while True:
        found = get(system, user, "/v1/events", **({"page": page} if page else {}))
        seen += [event["id"] for event in found["events"]]
        assert len(found["events"]) <= 2
        if not (page := found["next"]):
            break
    assert sorted(seen) == [f"e{n}" for n in range(5)]
    assert events(system, user, to=YESTERDAY) == []
    wrong = get(system, user, "/v1/events", status=400, page="guess")
    assert wrong["error"]["param"] == "page"
    assert get(system, user, "/v1/events", status=400, **{"from": "2026-11-21", "to": "2026-11-20"})


def test_work_is_done_even_where_its_line_cannot_be_kept(system: System, user: str) -> None:
    id_ = connect(system, user)
    system.aws("logs").delete_log_group(logGroupName="events")
    assert system.deliver("fresh", [message(hint(id_, "daily_activity"))]) == []
    system.aws("logs").create_log_group(logGroupName="events")
    assert any(sk.startswith("P#") for pk, sk in system.items() if pk == user)
