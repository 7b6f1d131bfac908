"""The corridor where things go wrong: what fails, what waits, what comes twice, what comes too late."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from shared import connections, control, jobs, payloads, vault, wire
from shared.jobs import Job, new_id, now_ms, read, write
from shared.model import MINUTE
from shared.sync import Batch
from shared.values import replace
from tests.functions.standing import rested
from tests.functions.system import System

pytestmark = pytest.mark.needs("oura", "withings")

TODAY = datetime.now(UTC).date()
Message = dict[str, Any]


@pytest.fixture
def system(standing: System) -> System:
    return rested(standing)


def message(job: Job | str) -> Message:
    return {"MessageId": new_id(), "Body": job if isinstance(job, str) else write(job)}


def sync(connection: str, *resources: str, days: int = 2, **more: Any) -> Job:
    window = (f"{TODAY - timedelta(days=days - 1)}", f"{TODAY}")
    told = {"id": new_id(), "reason": "sync", "as_of": now_ms(), "window": window, **more}
    return Job(connection=connection, resources=resources, **told)


def connect(system: System, user: str) -> str:
    """A connection, its first messages put aside."""
    told = system.connect("oura", user)
    for queue in ("fresh", "bulk"):
        system.messages(queue)
    return str(told["connection"])


def mine(system: System, user: str) -> dict[str, Any]:
    """What the Data table holds of this person."""
    return {sk: item for (pk, sk), item in system.items().items() if pk == user}


def waiting(system: System, queue: str = "fresh") -> int:
    """Messages that are there but not visible yet."""
    name = "ApproximateNumberOfMessagesDelayed"
    url = system.env[f"{queue.upper()}_QUEUE"]
    reply = system.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(reply["Attributes"][name])


def requests(system: System, resource: str) -> int:
    log = system.sandbox.get("/control/log").json()["requests"]["oura"]
    return sum(count for label, count in log.items() if label.endswith(f"/{resource}"))


def fault(system: System, kind: str, path: str, **more: Any) -> None:
    system.sandbox.post("/control/faults", json={"provider": "oura", "kind": kind, "path": path, **more})


def resources(system: System, user: str) -> set[str]:
    """What of the vendor is stored."""
    return {sk.split("#")[-1] for sk in mine(system, user) if sk.startswith("P#")}


# ---------------------------------------------------------------- what fails


def test_a_message_that_cannot_be_read_fails_alone(system: System, user: str) -> None:
    id_ = connect(system, user)
    good = [message(sync(id_, "daily_activity")), message(sync(id_, "daily_sleep", days=4))]
    colour = json.dumps({**json.loads(write(sync(id_))), "colour": "red"})
    poisoned = [message(body) for body in ("not json", "[]", colour, '{"reason":"webhook",')]
    poisoned.append(message(sync(id_, task="dance")))  # of a version that knows more than we do
    given_back = system.deliver("fresh", [poisoned[0], good[0], *poisoned[1:], good[1]])
    assert given_back == [m["MessageId"] for m in poisoned]
    assert resources(system, user) == {"daily_activity", "daily_sleep"}


def test_a_connection_that_is_no_more_is_nobodys_work(system: System, user: str) -> None:
    id_ = connect(system, user)
    pending = [message(sync(id_, "daily_activity")), message(Job(id="h", reason="webhook", as_of=1, connection=id_))]
    system.aws("dynamodb").delete_item(TableName="Control", Key={"pk": {"S": f"C#{id_}"}, "sk": {"S": "C"}})
    before = system.items(), system.items("Control"), requests(system, "daily_activity")
    assert system.deliver("fresh", pending) == []
    assert (system.items(), system.items("Control"), requests(system, "daily_activity")) == before
    assert system.messages("changes") == []


# ---------------------------------------------------------------- what waits


def test_a_busy_vendor_is_waited_for_and_nothing_is_given_back(system: System, user: str) -> None:
    """The answers that came are kept; a copy of the job comes back for the rest, when the vendor says."""
    id_ = connect(system, user)
    for kind, resource, seconds in (("rate_limit", "daily_sleep", 1), ("server_error", "daily_readiness", 60)):
        fault(system, kind, f"/{resource}", retry_after=1)
        job = sync(id_, "daily_activity", resource, days=4, tracked="t", part="w")
        before = waiting(system)
        assert system.deliver("fresh", [message(job)]) == []
        assert resource not in resources(system, user)
        assert "daily_activity" in resources(system, user)
        assert waiting(system) == before + 1
        if seconds == 1:
            time.sleep(1.2)
            [copy] = system.messages("fresh")
            assert read(copy["Body"]) == replace(job, resources=(resource,), attempt=1)
            assert system.deliver("fresh", [copy]) == []
            assert resource in resources(system, user)


def test_a_hint_that_came_after_the_last_fetch_is_not_answered_by_an_older_copy_of_it(
    system: System, user: str
) -> None:
    """The fetch answers the first hint; the same words said again later are news."""
    id_ = connect(system, user)
    system.deliver("fresh", [message(sync(id_, "heartrate"))])
    old = sync(id_, "heartrate", reason="webhook", as_of=now_ms() - MINUTE)
    new = replace(old, id=new_id(), as_of=now_ms() + 1)
    before = requests(system, "heartrate")
    assert system.deliver("fresh", [message(old)]) == []
    assert requests(system, "heartrate") == before
    assert system.deliver("fresh", [message(old), message(new)]) == []
    assert requests(system, "heartrate") > before


# ---------------------------------------------------------------- what comes twice


def settled(system: System, user: str) -> dict[str, str]:
    """What is stored, each item as a digest, so that a difference can be read."""
    items = mine(system, user).items()
    return {sk: hashlib.sha256(repr(sorted(item.items())).encode()).hexdigest() for sk, item in items}


def announced(system: System) -> set[str]:
    return {json.loads(message["Body"])["id"] for message in system.messages("changes")}


def test_every_message_of_connecting_may_come_again(system: System, user: str) -> None:
    """In another order, too. What is announced again is the same announcement."""
    system.connect("oura", user)
    fresh = system.messages("fresh")
    assert system.deliver("fresh", fresh) == []
    before, said = settled(system, user), announced(system)
    assert len(before) > 50
    assert said
    assert system.deliver("fresh", [*reversed(fresh), *fresh[:1]]) == []
    assert settled(system, user) == before
    assert announced(system) <= said


@pytest.fixture
def unheard(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The requests that announce anything, by how many announcements are in each. The first of them goes astray."""
    sizes: list[int] = []
    exchange = wire.exchange

    def sent(origin: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> wire.Answer:
        told = json.loads(body) if "SendMessageBatch" in headers.get("x-amz-target", "") else {}
        if told.get("QueueUrl", "").endswith("/changes"):
            sizes.append(len(told["Entries"]))
            if len(sizes) == 1:
                body = body.replace(b"/changes", b"/nowhere")
        return exchange(origin, method, path, headers, body)

    monkeypatch.setattr(wire, "exchange", sent)
    return sizes


def test_ten_announcements_share_a_call_and_only_those_of_one_that_fails_are_tried_again(
    system: System, user: str, unheard: list[int]
) -> None:
    id_ = connect(system, user)
    days = [f"{TODAY - timedelta(days=n)}" for n in range(12)]
    batch = [message(replace(sync(id_, "daily_activity"), window=(day, day))) for day in days]
    back = system.deliver("fresh", batch)
    assert unheard == [10, 2]
    assert len(back) == 10
    there, before = announced(system), settled(system, user)
    assert len(there) == 2
    again = [each for each in batch if each["MessageId"] in back]
    assert system.deliver("fresh", again) == []
    assert unheard == [10, 2, 10]
    there |= announced(system)
    assert there == {f"{user}/{day}/oura#daily_activity/1" for day in days}
    assert settled(system, user) == before


def test_an_event_about_one_persons_account_is_answered_at_once_and_by_the_same_job_if_others_join(
    system: System, user: str
) -> None:
    id_, account = connect(system, user), f"account of {user}"
    control.put({"pk": connections.whose("oura", account), "sk": id_, "user": user})
    told = replace(sync("", "daily_activity"), reason="webhook", provider="oura", account=account)
    assert system.deliver("fresh", [message(told)]) == []
    assert system.messages("fresh") == []
    wrote = {item["by"]["S"] for sk, item in mine(system, user).items() if sk.startswith("P#")}
    assert len(wrote) == 1
    other = connect(system, f"{user}-too")
    control.put({"pk": connections.whose("oura", account), "sk": other, "user": f"{user}-too"})
    assert system.deliver("fresh", [message(told)]) == []
    passed_on = {job.connection: job.id for job in (read(each["Body"]) for each in system.messages("fresh"))}
    assert passed_on.keys() == {id_, other}
    assert {passed_on[id_]} == wrote


# ---------------------------------------------------------------- what comes too late


def workout(system: System, user: str, id_: str) -> tuple[str, str]:
    """A workout of the last weeks as it is stored: its day and its id."""
    assert system.deliver("fresh", [message(sync(id_, "workout", days=14))]) == []
    found = {sk.split("#")[1]: item["ids"]["SS"] for sk, item in mine(system, user).items() if "ids" in item}
    assert found
    day, ids = max(found.items())
    return day, str(ids[0])


def ids(system: System, user: str) -> set[str]:
    return {id_ for item in mine(system, user).values() for id_ in item.get("ids", {}).get("SS", [])}


def test_a_document_deleted_at_the_vendor_goes(system: System, user: str) -> None:
    id_ = str(system.connect("oura", user)["connection"])
    subscribing = [m for m in system.messages("fresh") if read(m["Body"]).task == "subscribe"]
    assert system.deliver("fresh", subscribing) == []
    day, document = workout(system, user, id_)
    system.messages("changes")
    gone = {"provider": "oura", "person": "ada", "kind": "workout", "day": day}
    assert system.sandbox.post("/control/delete", json=gone).json()["webhooks"]
    system.work(("fresh",))
    assert document not in ids(system, user)
    assert len([said for said in announced(system) if said.startswith(f"{user}/{day}/oura#workout/")]) == 1


def test_a_token_that_dies_before_the_subscriptions_stand_is_renewed(system: System, user: str) -> None:
    system.connect("withings", user)
    subscribing = [m for m in system.messages("fresh") if read(m["Body"]).task == "subscribe"]
    fault = {"provider": "withings", "kind": "expire_tokens", "times": 1}
    assert system.sandbox.post("/control/faults", json=fault).is_success
    assert len(subscribing) == 1
    assert system.deliver("fresh", subscribing) == []
    weighed = system.sandbox.post("/control/weigh", json={"person": "ada", "kg": 64.0})
    assert weighed.json()["webhooks"]


def deletion(connection: str, document: str) -> Job:
    return Job(
        id=new_id(), reason="webhook", as_of=now_ms(), connection=connection, resources=("workout",),
        document=document, deleted=True,
    )  # fmt: skip


@pytest.mark.parametrize("held", [False, True], ids=["never seen here", "held here"])
@pytest.mark.parametrize("asked", ["by its id", "by its days"])
def test_a_fetch_that_began_before_the_deletion_does_not_bring_the_document_back(
    system: System, user: str, held: bool, asked: str
) -> None:
    """Two workers: one has the vendor's answer in hand when the other hears that the document is gone."""
    id_ = connect(system, user)
    day, document = workout(system, user, id_)
    if not held:
        system.aws("dynamodb").delete_item(
            TableName="Data", Key={"pk": {"S": user}, "sk": {"S": f"P#{day}#oura#workout"}}
        )
    by_days = sync(id_, "workout", window=(day, day))
    by_id = Job(
        id=new_id(), reason="webhook", as_of=now_ms(), connection=id_, resources=("workout",), document=document
    )
    late, slow = message(by_id if asked == "by its id" else by_days), Batch(system.env["FRESH_QUEUE"])
    slow.open([(late["MessageId"], late["Body"])])
    slow.keep_raw()
    time.sleep(0.01)
    assert system.deliver("fresh", [message(deletion(id_, document))]) == []
    slow.finish(late["MessageId"])
    assert document not in ids(system, user)


# ---------------------------------------------------------------- cursors


def poll(connection: str) -> Job:
    return Job(id=new_id(), reason="poll", as_of=now_ms(), connection=connection, resources=("daily_sleep",))


def cursor(id_: str) -> date | None:
    held = connections.load(id_)
    assert held
    found = held.cursors.get("daily_sleep")
    return date.fromisoformat(found) if found else None


def in_berlin() -> date:
    return (datetime.now(UTC) + timedelta(hours=1)).date()  # November


def test_a_poll_after_a_long_silence_catches_up_and_says_so(system: System, user: str) -> None:
    """Longer than the vendor answers in one request: the window is asked for in parts."""
    id_ = connect(system, user)
    connections.change(id_, **{"cursor#daily_sleep": f"{in_berlin() - timedelta(days=45)}"})
    assert system.deliver("fresh", [message(poll(id_))]) == []
    assert requests(system, "daily_sleep") >= 2
    assert cursor(id_) == in_berlin()


@pytest.mark.parametrize("known", [True, False], ids=["a cursor", "none yet"])
def test_the_cursor_does_not_jump_over_days_that_were_not_answered(system: System, user: str, known: bool) -> None:
    id_ = connect(system, user)
    long_ago = in_berlin() - timedelta(days=45)
    if known:
        connections.change(id_, **{"cursor#daily_sleep": f"{long_ago}"})
    else:
        created = int(datetime.combine(long_ago, datetime.min.time(), UTC).timestamp() * 1000)
        connections.change(id_, created=created)
    fault(system, "rate_limit", "/daily_sleep", retry_after=1)
    assert system.deliver("fresh", [message(poll(id_))]) == []
    reached = cursor(id_)
    assert reached is None or reached <= long_ago + timedelta(days=31)
    time.sleep(1.2)
    system.work(("fresh",))
    assert cursor(id_) == in_berlin()
    nights = {sk.split("#")[1] for sk in mine(system, user) if sk.endswith("#daily_sleep") and sk.startswith("P#")}
    assert nights >= {f"{long_ago + timedelta(days=n)}" for n in range(1, 44)}


# ---------------------------------------------------------------- what lies in the queue


def test_a_payload_for_one_connection_opens_for_no_other(system: System, user: str) -> None:
    """Its message may be delivered to the wrong name; its key is the connection's own."""
    ours, theirs = connect(system, user), system.connect("oura", f"{user}-ben", "ben")["connection"]
    owner = connections.load(ours)
    assert owner
    sealed = payloads.enclose(owner, b'{"data": []}')
    told = Job(id="p", reason="webhook", as_of=now_ms(), connection=theirs, resources=("heartrate",), payload=sealed)
    moved = message(told)
    assert system.deliver("fresh", [moved]) == [moved["MessageId"]]
    assert jobs.hint(write(told)) == ""
    with pytest.raises(vault.UnsealError):
        payloads.disclose(replace(owner, provider="withings"), told.payload)
