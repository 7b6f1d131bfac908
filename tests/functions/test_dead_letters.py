"""Dead letters through the operator's command line: counted and explained, moved back, dropped, and nothing told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import pytest

from ops import letters, local
from ops.cli import main
from ops.deployment import Deployment, of_stack
from shared import connections, payloads, progress
from shared.jobs import Job, now_ms, write
from shared.providers.registry import provider
from shared.values import replace
from tests.functions.deployed import QUEUES, die, put, queue, stack
from tests.functions.system import System
from tests.unit.test_signed import Aws, listen

pytestmark = pytest.mark.needs("oura", "withings")

REGION = "us-east-1"
GARBLED = '{"id":"x","reason":"webhook","as_of":1,"provider":"oura","account":"vendors-ada","colour":"red"}'
CHANGE = {"id": "ada/2026-11-20/oura#sleep/3", "user": "ada", "day": "2026-11-20", "source": "oura",
          "resource": "sleep", "revision": 3}  # fmt: skip
DEAD = ("fresh-dead", "bulk-dead", "changes-dead")
USERS = count(1)


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    with stack(aws) as system:
        yield system


@pytest.fixture
def system(standing: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    """Its queues empty, and never waited for; no local system beside it."""
    monkeypatch.setattr(local, "LOCAL", tmp_path)
    monkeypatch.setattr(letters, "PATIENCE_S", 0)
    for name in QUEUES:
        queue(name)._messages.clear()
    return standing


def bodies(name: str) -> list[str]:
    return sorted(message.body for message in queue(name)._messages)


def connected(source: str) -> connections.Connection:
    return connections.establish(f"user{next(USERS)}", provider(source), "", (), "UTC")


def poll(connection: str) -> str:
    return write(Job(id="p", reason="poll", as_of=now_ms(), connection=connection, resources=("sleep",)))


def dlq(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(["dlq", *arguments]) == 0
    told = capsys.readouterr()
    assert told.err == "at stack Tributary in us-east-1\n"
    return told.out


def rows(table: str) -> list[list[str]]:
    """Cells without the age, which grows."""
    cut = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in table.splitlines()[1:]]
    return [[*row[:4], *row[5:]] for row in cut]


# ---------------------------------------------------------------- looking


def test_letters_are_counted_by_provider_and_cause(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    """The cause is what the worker said; where a message killed it, nobody says anything."""
    garbled = [die(system, GARBLED), die(system, GARBLED)]
    lost = die(system, poll(connected("withings").id), "bulk", killed=True)
    change = put(system, "changes-dead", json.dumps(CHANGE))
    odd = put(system, "bulk-dead", "somebody else's")
    assert rows(dlq(capsys, "list")) == [
        ["2", "fresh", "oura", "webhook", garbled[0], "ProviderChangedError: not a job of this version (TypeError)"],
        ["1", "bulk", "withings", "poll", lost, letters.SILENT],
        ["1", "bulk", "–", "–", odd, letters.SILENT],
        ["1", "changes", "oura", "–", change, letters.THEIRS],
    ]
    assert sum(len(queue(name).messages) for name in DEAD) == 5, "what was looked at is visible again"
    assert dlq(capsys, "list", "--provider", "dexcom") == "no dead letters\n"


def test_a_failure_is_noted_by_its_kind_and_our_own_words(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    """Another library's message may quote what it choked on. A note goes with the letter it explains."""
    owner, other = connected("oura"), connected("oura")
    sealed = payloads.enclose(owner, b'{"data": [{"bpm": 61}]}')
    job = Job(id="j", reason="webhook", as_of=now_ms(), connection=owner.id, resources=("heartrate",), payload=sealed)
    unread = die(system, write(replace(job, payload=payloads.enclose(owner, b'{"bpm": 6161'))))
    die(system, write(replace(job, connection=other.id)))
    told = dlq(capsys, "list")
    assert [row[5].partition(":")[0] for row in rows(told)] == ["JSONDecodeError", "UnsealError"]
    assert "6161" not in told
    noted = system.items("Control")[f"M#{unread}", "M"]
    days = (int(noted["expires"]["N"]) * 1000 - now_ms()) / 86_400_000
    assert 14 < days < 15.1
    assert set(noted) == {"pk", "sk", "error", "said", "at", "expires"}


def test_a_letter_is_shown_without_what_it_holds(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    held = connected("oura")
    job = Job(id="j", reason="webhook", as_of=1, connection=held.id, resources=("sleep",), document="their-document",
              payload=payloads.enclose(held, b'{"data": []}'))  # fmt: skip
    letter = put(system, "fresh-dead", write(job))
    [shown] = json.loads(dlq(capsys, "show", letter[:13]))
    assert (shown["message"], shown["queue"], shown["provider"]) == (letter, "fresh", "oura")
    assert (shown["connection"], shown["resources"]) == (held.id, ["sleep"])
    assert shown["payload"] == f"{len(job.payload)} bytes, sealed"
    assert shown["document"].startswith("#")
    [named] = json.loads(dlq(capsys, "show", letter, "--show-ids"))
    assert named["document"] == "their-document"
    assert job.payload[:40] not in json.dumps([shown, named])


def test_nobody_is_named_unless_asked_for(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    erasing = write(Job(id="e", task="erase", reason="sync", as_of=1, user="ada@example.com"))
    said = [json.dumps({**CHANGE, "user": "ada@example.com", "id": "ada@example.com/2026-11-20/oura#sleep/3"}),
            erasing, GARBLED, "ada@example.com wrote this", '["ada@example.com"]']  # fmt: skip
    for body in said:
        put(system, "fresh-dead", body)
    told = dlq(capsys, "list") + dlq(capsys, "show", "")
    assert "ada" not in told
    assert len({shown["user"] for shown in json.loads(dlq(capsys, "show", "")) if "user" in shown}) == 1
    assert "ada@example.com" in dlq(capsys, "show", "", "--show-ids")


def test_a_letter_nobody_sent_is_not_found(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dlq", "show", "nothing"]) == 2
    assert "no dead letter has that id" in capsys.readouterr().err


# ---------------------------------------------------------------- moving back


def test_all_of_them_are_moved_as_they_were(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    """One by one, since this SQS cannot move them by itself."""
    texts = [f"letter {n}" for n in range(23)]
    attribute = {"kind": {"DataType": "String", "StringValue": "a"}}
    for text in texts:
        put(system, "fresh-dead", text, MessageAttributes=attribute)
    polled = poll("c")
    put(system, "bulk-dead", polled)
    assert dlq(capsys, "redrive", "--per-second", "1000") == "24 moved back\n"
    assert bodies("fresh") == sorted(texts)
    assert bodies("bulk") == [polled]
    assert [bodies(name) for name in DEAD] == [[], [], []]
    [moved] = {tuple(message.message_attributes) for message in queue("fresh")._messages}
    assert moved == ("kind",)


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (("--provider", "oura"), {"withings", "old"}),
        (("--cause", "NOT A JOB"), {"withings", "old"}),
        (("--reason", "poll"), {"garbled", "old"}),
        (("--queue", "bulk"), {"garbled"}),
        (("--older-than", "2h"), {"garbled", "withings"}),
        (("--provider", "oura", "--reason", "poll"), {"garbled", "withings", "old"}),
    ],
)
def test_only_those_chosen_are_moved(
    system: System, capsys: pytest.CaptureFixture[str], chosen: tuple[str, ...], left: set[str]
) -> None:
    die(system, GARBLED)
    weighed = poll(connected("withings").id)
    for body in (weighed, "old"):
        put(system, "bulk-dead", body)
    queue("bulk-dead")._messages[1].sent_timestamp -= 3 * 3_600_000
    names = {GARBLED: "garbled", weighed: "withings", "old": "old"}
    dry = dlq(capsys, "redrive", "--dry-run", *chosen)
    assert dry.endswith("nothing was moved\n")
    assert sum(int(row[0]) for row in rows(dry)[:-1]) == 3 - len(left)
    assert [bodies(name) for name in ("fresh", "bulk")] == [[], []]
    assert dlq(capsys, "redrive", "--per-second", "1000", *chosen) == f"{3 - len(left)} moved back\n"
    assert {names[body] for name in DEAD for body in bodies(name)} == left
    assert {names[body] for name in ("fresh", "bulk") for body in bodies(name)} == set(names.values()) - left


class Killed(BaseException):
    """As if the process were no more: nothing it does afterwards has any effect."""


def mortal(calls: int) -> Any:
    """After so many calls to SQS the process is dead."""
    made, left = botocore.client.BaseClient._make_api_call, iter(range(calls))

    def call(self: Any, operation: str, request: dict[str, Any]) -> Any:
        if self.meta.service_model.service_name == "sqs" and next(left, None) is None:
            raise Killed
        return made(self, operation, request)

    return call


def test_a_redrive_killed_anywhere_loses_nothing(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, at, chosen = ["a", "b", "c"], of_stack("Tributary", None), letters.Wanted("fresh", cause="no word")
    left, done = 0, False
    while not done:
        left += 1
        for text in texts:
            put(system, "fresh-dead", text)
        with monkeypatch.context() as patch, at.entered():
            patch.setattr(botocore.client.BaseClient, "_make_api_call", mortal(left))
            try:
                letters.move(at, chosen, per_second=1e6)
                done = True
            except Killed:
                pass
        there = bodies("fresh") + bodies("fresh-dead")
        assert set(there) == set(texts)
        assert len(there) <= len(texts) + 1, "at most the one under way is there twice"
        for message in queue("fresh-dead")._messages:
            message.change_visibility(0)  # its time hidden is over
        with at.entered():
            letters.move(at, chosen, per_second=1e6)
        assert set(bodies("fresh")) == set(texts)
        assert bodies("fresh-dead") == []
        queue("fresh")._messages.clear()
    assert left == 9, "each call to SQS was the first that was not made"


def test_no_more_a_second_than_was_said() -> None:
    slept: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    paced = letters.paced(iter("abcd"), 4, clock=lambda: now[0], sleep=sleep)
    seen = [(next(paced), now[0])]
    now[0] += 10  # a slow one is not made up for by a burst
    seen += [(letter, now[0]) for letter in paced]
    assert [letter for letter, _ in seen] == list("abcd")
    assert [at for _, at in seen] == [0, 10, 10.25, 10.5]


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    yield from listen(monkeypatch)


def test_sqs_moves_a_whole_queue_by_itself(sqs: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "PATIENCE_S", 0)
    url = f"http://127.0.0.1:{sqs.server_address[1]}"
    outputs = {"FreshDlq": f"{url}/1/dead", "FreshQueue": f"{url}/1/fresh"}
    at = Deployment("there", "Tributary", outputs, boto3.session.Session("a", "b", region_name=REGION), url)
    told = [{"Attributes": {"QueueArn": "arn:dead"}}, {"Attributes": {"QueueArn": "arn:fresh"}}, {"TaskHandle": "t"},
            {"Results": [{"Status": "RUNNING"}]},
            {"Results": [{"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 7}]}]  # fmt: skip
    sqs.replies = [(200, json.dumps(reply).encode()) for reply in told]
    assert letters.move_all(at, "fresh", 12.5) == 7
    targets = [headers["x-amz-target"].partition(".")[2] for headers in sqs.headers]
    assert targets[2:] == ["StartMessageMoveTask", "ListMessageMoveTasks", "ListMessageMoveTasks"]
    wanted = {"SourceArn": "arn:dead", "DestinationArn": "arn:fresh", "MaxNumberOfMessagesPerSecond": 12}
    assert json.loads(sqs.bodies[2]) == wanted
    sqs.replies = [(200, json.dumps(reply).encode()) for reply in told[:2]]
    sqs.replies.append((400, b'{"__type": "com.amazonaws.sqs#InvalidAction", "message": "no such action"}'))
    assert letters.move_all(at, "fresh", 1) is None
    asked = len(sqs.bodies)
    assert letters.move_all(at, "fresh", 0.5) is None, "SQS knows whole numbers alone"
    assert len(sqs.bodies) == asked


# ---------------------------------------------------------------- dropping


def test_what_is_dropped_must_be_meant_and_ends_the_job_that_waits_for_it(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    progress.open_job("t1", "ada", "sync", ["one", "two"])
    progress.finish("t1", "two")
    put(system, "fresh-dead", write(Job(id="j", reason="sync", as_of=1, connection="c", tracked="t1", part="one")))
    put(system, "fresh-dead", "stays")
    for hesitating in ((), ("--dry-run", "--yes")):
        assert dlq(capsys, "drop", "--reason", "sync", *hesitating).endswith("--yes drops them for good\n")
    assert progress.report("t1", "ada")["status"] == "running"
    assert dlq(capsys, "drop", "--reason", "sync", "--yes") == "1 dropped\n"
    assert bodies("fresh-dead") == ["stays"]
    report = progress.report("t1", "ada")
    assert (report["status"], report["failed"]) == ("partial", ["one"])


@pytest.mark.parametrize(
    "wrong",
    [("list", "--queue", "slow"), ("list", "--older-than", "soon"), ("redrive", "--per-second", "0")],
)
def test_wrong_use_is_said(system: System, capsys: pytest.CaptureFixture[str], wrong: tuple[str, ...]) -> None:
    assert main(["dlq", *wrong]) == 2
    assert "tributary: " in capsys.readouterr().err


def test_a_stack_that_is_not_there_is_said(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dlq", "list", "--stack", "Elsewhere"]) == 1
    assert "no stack Elsewhere in us-east-1" in capsys.readouterr().err
    assert main(["dlq", "list", "--local"]) == 1
    assert "make up" in capsys.readouterr().err
