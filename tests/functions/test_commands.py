"""`tributary runs`, `events` and `connections`, run as an operator runs them against a stack."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ops.cli import main
from ops.connections import signals
from shared import connections, ring, runs, sections, tokens
from shared.connections import Connection
from shared.jobs import Job, new_id, now_ms, write
from shared.model import DAY, MINUTE
from shared.signed import AwsError
from shared.timetable import LOOK
from tests.functions.deployed import stack
from tests.functions.standing import vendors
from tests.functions.system import System

pytestmark = pytest.mark.needs("oura", "withings")

WHERE = ("--stack", "Tributary", "--region", "us-east-1")
TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def system(aws: str) -> Iterator[System]:
    """Ada with a week of data, polled once more by a pass; a webhook of hers that waits, and one for nobody."""
    with vendors(datetime.now(UTC)) as sandbox, stack(aws, sandbox) as system:
        system.connect("oura", "ada", "ada")
        system.messages("bulk")
        system.work(("fresh",))
        now = now_ms()
        for segment in connections.segments(1):
            ring.look(ring.clocked(segment, now, forced=True))
        system.work(("fresh",))
        yield system


@pytest.fixture
def held(system: System) -> Connection:
    [found] = connections.of_user("ada")
    return found


def said(capsys: pytest.CaptureFixture[str], *command: str) -> list[str]:
    assert main([*command, *WHERE]) == 0
    return capsys.readouterr().out.splitlines()


def receipt(system: System, *ids: str) -> None:
    """What the door prints, as Lambda keeps it, between lines of Lambda's own."""
    logs = system.aws("logs")
    name = {"logGroupName": "webhook", "logStreamName": new_id()}
    logs.create_log_stream(**name)
    line = json.dumps({"provider": "oura", "method": "POST", "events": len(ids), "skipped": 0, "ids": ids})
    told = ["START RequestId: 1\n", line, 'not "ids" but a sentence\n', '{"status": 200}']
    logs.put_log_events(**name, logEvents=[{"timestamp": now_ms(), "message": each} for each in told])


def test_runs_shows_passes_and_leaves_out_those_with_nothing_to_do(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = (now_ms() - ago * MINUTE for ago in (40, 75))
    # The day's first look would renew subscriptions as well.
    ring.look(ring.clocked("0#0", next(at for at in earlier if at % DAY >= LOOK)))
    header, row, summary = said(capsys, "runs")
    assert header.split()[:5] == ["began", "pass", "due", "synced", "failed"]
    assert row.split()[2:6] == ["asked", "1", "1", "0"]
    assert row.endswith(" s")
    assert summary == "2 passes: 1 had nothing to do, 0 are not over"
    assert len(said(capsys, "runs", "--all")) == 4
    assert said(capsys, "runs", "--hours", "0") == ["0 passes: 0 had nothing to do, 0 are not over"]


def test_events_follows_a_webhook_from_its_receipt(
    system: System, held: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    id_, waits = new_id(), new_id()
    receipt(system, id_, waits)
    assert any(waits in row and "no worker has said anything yet" in row for row in said(capsys, "events"))
    day = (TODAY - timedelta(days=12)).isoformat()
    hint = Job(id=id_, reason="webhook", as_of=now_ms(), connection=held.id, resources=("daily_stress",),
               window=(day, day))  # fmt: skip
    lost = Job(id="lost", reason="webhook", as_of=now_ms(), provider="oura", account="a stranger")
    assert system.deliver("fresh", [{"MessageId": n, "Body": write(j)} for n, j in (("1", hint), ("2", lost))]) == []
    _, row, summary = said(capsys, "events", "--id", id_)
    assert row.split()[2:] == [id_, "webhook", "oura", held.id, "written", *row.split()[7:9], "daily_stress", day]
    assert re.fullmatch(r"\d+\.\d s", " ".join(row.split()[7:9]))
    assert summary == "1 events: 1 written"
    assert [waits in line for line in said(capsys, "events", "--id", waits)] == [False, True, False]
    _, row, _ = said(capsys, "events", "--failed")
    assert row.split()[2:] == ["lost", "webhook", "oura", "–", "dropped", *row.split()[7:9], "no_connection"]
    assert said(capsys, "events", "--provider", "withings") == ["no events"]
    *_, own = said(capsys, "events", "--user", "ada")
    assert re.fullmatch(r"\d+ events: \d+ written.*half within .* s, 95 % within .* s", own)
    assert said(capsys, "events", "--user", "mallory") == ["no events"]


def test_connections_shows_tokens_last_data_and_what_is_missing_without_naming_the_person(
    system: System, held: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    header, row, summary = said(capsys, "connections")
    assert header.split()[:5] == ["person", "connection", "provider", "state", "token"]
    assert "ada" not in row
    assert row.split()[1:5] == [held.id, "oura", "active", "valid"]
    assert summary == "1 connections, 1 active"
    assert said(capsys, "connections", "--user", "ada", "--show-ids")[1].startswith("ada ")
    _, _, _, names, *rows, _, _ = said(capsys, "connections", "--user", "ada")
    assert names.split() == ["signal", "provider", "last", "data", "yesterday"]
    assert {row.split()[1] for row in rows} == {"oura"}
    assert len(rows) > 10
    assert said(capsys, "connections", "--user", "mallory") == ["0 connections"]


def test_a_day_on_which_nothing_came_at_all_misses_what_is_usual(system: System) -> None:
    last = TODAY - timedelta(days=1)
    before = {signal.metric: signal for signal in signals("ada", last)}
    assert before["steps"].expected
    days = [day for day in sections.query("ada", "D#", "D#~") if day["sk"]["S"] >= f"D#{last}"]
    for day in days:
        system.aws("dynamodb").delete_item(TableName="Data", Key={"pk": day["pk"], "sk": day["sk"]})
    after = {signal.metric: signal for signal in signals("ada", last)}
    assert after["steps"].missing
    assert after["steps"].day == f"{last - timedelta(days=1)}"
    for day in days:
        system.aws("dynamodb").put_item(TableName="Data", Item=day)


def test_a_token_is_valid_expiring_or_expired_and_there_may_be_none(held: Connection) -> None:
    end = held.token_expires
    states = [tokens.state(held, now) for now in (end - tokens.EARLY_MS - 1, end - tokens.EARLY_MS, end)]
    assert states == ["valid", "expiring", "expired"]
    assert tokens.state(Connection("c", "u", "p", "pending", b""), 0) == "none"


def test_a_pass_that_cannot_be_counted_fails_nobodys_work(system: System, held: Connection) -> None:
    run = "a name that no table takes" * 100
    with pytest.raises(AwsError):
        runs.began(run, 1)
    poll = Job(id="odd", reason="poll", as_of=now_ms(), connection=held.id, resources=("vo2_max",), run=run)
    assert system.deliver("fresh", [{"MessageId": "1", "Body": write(poll)}]) == []
