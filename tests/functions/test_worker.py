"""The corridor where things go wrong: what fails, what waits, what comes twice, what comes too late."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any

import httpx
import pytest
import uvicorn

from sandbox.__main__ import listen
from sandbox.app import Options, build
from shared import connections, jobs, vault
from shared.jobs import Job, new_id, now_ms, read, write
from shared.model import MINUTE
from shared.sync import Batch
from tests.functions.system import System

TODAY = datetime.now(UTC).date()
Message = dict[str, Any]


@pytest.fixture
def sandbox() -> Iterator[httpx.Client]:
    """As everywhere, but with lives that stand still: asked twice, the vendor says the same."""
    listener = listen(0)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = build(Options(base_url, now=datetime.now(UTC)))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="off"))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    with httpx.Client(base_url=base_url, timeout=60) as client:
        yield client
    server.should_exit = True
    thread.join(timeout=5)
    listener.close()


def message(job: Job | str) -> Message:
    return {"MessageId": new_id(), "Body": job if isinstance(job, str) else write(job)}


def sync(connection: str, *resources: str, days: int = 2, **more: Any) -> Job:
    window = (f"{TODAY - timedelta(days=days - 1)}", f"{TODAY}")
    told = {"id": new_id(), "reason": "sync", "as_of": now_ms(), "window": window, **more}
    return Job(connection=connection, resources=resources, **told)


def connect(system: System) -> str:
    """A connection, its first messages put aside."""
    told = system.connect("oura")
    for queue in ("fresh", "bulk"):
        system.messages(queue)
    return str(told["connection"])


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


def resources(system: System) -> set[str]:
    """What of the vendor is stored."""
    return {sk.split("#")[-1] for _, sk in system.items() if sk.startswith("P#")}


# ---------------------------------------------------------------- what fails


def test_a_message_that_cannot_be_read_fails_alone(system: System) -> None:
    id_ = connect(system)
    good = [message(sync(id_, "daily_activity")), message(sync(id_, "daily_sleep"))]
    colour = json.dumps({**json.loads(write(sync(id_))), "colour": "red"})
    poisoned = [message(body) for body in ("not json", "[]", colour, '{"reason":"webhook",')]
    poisoned.append(message(sync(id_, task="dance")))  # of a version that knows more than we do
    given_back = system.deliver("fresh", [poisoned[0], good[0], *poisoned[1:], good[1]])
    assert given_back == [m["MessageId"] for m in poisoned]
    assert resources(system) == {"daily_activity", "daily_sleep"}


def test_a_connection_that_is_no_more_is_nobodys_work(system: System) -> None:
    id_ = connect(system)
    pending = [message(sync(id_, "daily_activity")), message(Job(id="h", reason="webhook", as_of=1, connection=id_))]
    system.aws("dynamodb").delete_item(TableName="Control", Key={"pk": {"S": f"C#{id_}"}, "sk": {"S": "C"}})
    before = system.items(), system.items("Control"), requests(system, "daily_activity")
    assert system.deliver("fresh", pending) == []
    assert (system.items(), system.items("Control"), requests(system, "daily_activity")) == before
    assert system.messages("changes") == []


# ---------------------------------------------------------------- what waits


def test_a_busy_vendor_is_waited_for_and_nothing_is_given_back(system: System) -> None:
    """The answers that came are kept; a copy of the job comes back for the rest, when the vendor says."""
    id_ = connect(system)
    for kind, resource, seconds in (("rate_limit", "daily_sleep", 1), ("server_error", "daily_readiness", 60)):
        fault(system, kind, f"/{resource}", retry_after=1)
        job = sync(id_, "daily_activity", resource, tracked="t", part="w")
        assert system.deliver("fresh", [message(job)]) == []
        assert resource not in resources(system)
        assert "daily_activity" in resources(system)
        assert waiting(system) == 1
        if seconds == 1:
            time.sleep(1.2)
            [copy] = system.messages("fresh")
            assert read(copy["Body"]) == replace(job, resources=(resource,), attempt=1)
            assert system.deliver("fresh", [copy]) == []
            assert resource in resources(system)


def test_a_hint_that_came_after_the_last_fetch_is_not_answered_by_an_older_copy_of_it(system: System) -> None:
    """The fetch answers the first hint; the same words said again later are news."""
    id_ = connect(system)
    system.deliver("fresh", [message(sync(id_, "heartrate"))])
    old = sync(id_, "heartrate", reason="webhook", as_of=now_ms() - MINUTE)
    new = replace(old, id=new_id(), as_of=now_ms() + 1)
    before = requests(system, "heartrate")
    assert system.deliver("fresh", [message(old)]) == []
    assert requests(system, "heartrate") == before
    assert system.deliver("fresh", [message(old), message(new)]) == []
    assert requests(system, "heartrate") > before


# ---------------------------------------------------------------- what comes twice


def settled(system: System) -> dict[tuple[str, str], Any]:
    """The Data table; bytes as digests, so that a difference can be read."""
    return {key: hashlib.sha256(repr(sorted(item.items())).encode()).hexdigest() for key, item in system.items().items()}


def test_every_message_of_connecting_may_come_again(system: System) -> None:
    system.connect("oura")
    fresh, bulk = system.messages("fresh"), system.messages("bulk")
    assert system.deliver("fresh", fresh) == []
    assert system.deliver("bulk", bulk[-1:]) == []
    before, said = settled(system), {json.loads(m["Body"])["id"] for m in system.messages("changes")}
    assert len(before) > 60
    assert said
    for again in (fresh, [*reversed(fresh)]):
        assert system.deliver("fresh", again) == []
    assert system.deliver("bulk", bulk[-1:]) == []
    assert settled(system) == before
    assert {json.loads(m["Body"])["id"] for m in system.messages("changes")} <= said


# ---------------------------------------------------------------- what comes too late


def workout(system: System, id_: str) -> tuple[str, str]:
    """A workout of the last weeks as it is stored: its day and its id."""
    assert system.deliver("fresh", [message(sync(id_, "workout", days=14))]) == []
    found = {sk.split("#")[1]: item["ids"]["SS"] for (_, sk), item in system.items().items() if "ids" in item}
    assert found
    day, ids = max(found.items())
    return day, str(ids[0])


def ids(system: System) -> set[str]:
    return {id_ for item in system.items().values() for id_ in item.get("ids", {}).get("SS", [])}


def test_a_document_deleted_at_the_vendor_goes(system: System) -> None:
    day, document = workout(system, connect(system))
    system.messages("changes")
    told = system.sandbox.post(
        "/control/delete", json={"provider": "oura", "person": "ada", "kind": "workout", "day": day}
    )
    if not told.json()["webhooks"]:  # subscriptions stand in the messages put aside
        pytest.fail("the sandbox told nobody")
    system.work(("fresh",))
    assert document not in ids(system)
    assert len(system.messages("changes")) == 1


def deletion(connection: str, document: str) -> Job:
    return Job(
        id=new_id(), reason="webhook", as_of=now_ms(), connection=connection, resources=("workout",),
        document=document, deleted=True,
    )  # fmt: skip


@pytest.mark.parametrize("held", [False, True], ids=["never seen here", "held here"])
@pytest.mark.parametrize("asked", ["by its id", "by its days"])
def test_a_fetch_that_began_before_the_deletion_does_not_bring_the_document_back(
    system: System, held: bool, asked: str
) -> None:
    """Two workers: one has the vendor's answer in hand when the other hears that the document is gone."""
    id_ = connect(system)
    day, document = workout(system, id_)
    if not held:
        system.aws("dynamodb").delete_item(
            TableName="Data", Key={"pk": {"S": "ada"}, "sk": {"S": f"P#{day}#oura#workout"}}
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
    assert document not in ids(system)


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


def test_a_poll_after_a_long_silence_catches_up_and_says_so(system: System) -> None:
    """Longer than the vendor answers in one request: the window is asked for in parts."""
    id_ = connect(system)
    connections.change(id_, **{"cursor#daily_sleep": f"{in_berlin() - timedelta(days=45)}"})
    assert system.deliver("fresh", [message(poll(id_))]) == []
    assert requests(system, "daily_sleep") >= 2
    assert cursor(id_) == in_berlin()


@pytest.mark.parametrize("known", [True, False], ids=["a cursor", "none yet"])
def test_the_cursor_does_not_jump_over_days_that_were_not_answered(system: System, known: bool) -> None:
    id_ = connect(system)
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
    nights = {sk.split("#")[1] for _, sk in system.items() if sk.endswith("#daily_sleep") and sk.startswith("P#")}
    assert nights >= {f"{long_ago + timedelta(days=n)}" for n in range(1, 44)}


# ---------------------------------------------------------------- what lies in the queue


def test_a_payload_for_one_connection_opens_for_no_other(system: System) -> None:
    """Its message may be delivered to the wrong name; its key is the connection's own."""
    from shared import payloads

    mine, theirs = connect(system), system.connect("oura", user="ben", person="ben")["connection"]
    owner = connections.load(mine)
    assert owner
    sealed = payloads.enclose(owner, b'{"data": []}')
    told = Job(id="p", reason="webhook", as_of=now_ms(), connection=theirs, resources=("heartrate",), payload=sealed)
    moved = message(told)
    assert system.deliver("fresh", [moved]) == [moved["MessageId"]]
    assert jobs.hint(write(told)) == ""
    with pytest.raises(vault.UnsealError):
        payloads.disclose(replace(owner, provider="withings"), told)
