"""The operator's commands as docs/operations.md has them: each runs as it stands there, and needs no more than the
policy there. And what doctor and the ledgers' check find where something is wrong."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import botocore.client
import pytest

import ops.replay
from ops import letters, local
from ops.cli import main
from shared import connections, consents, control, jobs, ring, secret
from shared.jobs import now_ms
from shared.model import DAY, MINUTE
from shared.providers.registry import provider, providers
from tests.functions.deployed import QUEUES, die, put, queue, stack
from tests.functions.standing import vendors
from tests.functions.system import System
from tests.functions.wired import watched

pytestmark = pytest.mark.needs("dexcom", "file_import", "oura", "withings")

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^tributary (.+)$", PAGE, re.MULTILINE)
ELSEWHERE = {"poll"}
"""Invokes a Lambda, which moto does not run: tests/e2e does it."""
KEY, TABLE = b"test-hook-key", "Control"
USERS = count(1)
ACTION = {"SendMessageBatch": "SendMessage", "ChangeMessageVisibilityBatch": "ChangeMessageVisibility"}


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    with vendors(datetime.now(UTC)) as sandbox, stack(aws, sandbox) as system:
        system.connect("oura")
        system.messages("bulk")  # the long past is nobody's concern here
        wished = [ring.subscribe("", source.id) for source in providers() if ring.renews(source.id, "app")]
        jobs.send(system.env["FRESH_QUEUE"], wished)
        system.work(("fresh",))
        yield system


@pytest.fixture
def system(standing: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    monkeypatch.setattr(local, "LOCAL", tmp_path)
    monkeypatch.setattr(letters, "PATIENCE_S", 0)
    monkeypatch.setattr(ops.replay, "LOOK_S", 0.05)
    for name in QUEUES:
        queue(name)._messages.clear()
    ring.walk(now_ms())
    return standing


# ---------------------------------------------------------------- the page


@pytest.fixture
def working(system: System) -> Iterator[None]:
    """A bulk worker, so that what waits for one ends."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.05):
            system.work(("bulk",))

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """What the commands ask of AWS, as IAM calls it."""
    found: set[str] = set()
    api = botocore.client.BaseClient._make_api_call

    def note(service: str, operation: str) -> None:
        if threading.current_thread().name.startswith(("MainThread", "letters")):
            found.add(f"{service}:{ACTION.get(operation, operation)}")

    def call(self: Any, operation: str, request: dict[str, Any]) -> Any:
        note(self.meta.service_model.service_name, operation)
        return api(self, operation, request)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    with watched(before=lambda call: note(call.service, call.operation)):
        yield found


def policy() -> set[str]:
    [document] = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL) if "Statement" in text]
    actions = [statement["Action"] for statement in document["Statement"]]
    return {action for listed in actions for action in ([listed] if isinstance(listed, str) else listed)}


def test_every_command_of_the_page_runs_with_the_policy_of_the_page(
    system: System, working: None, asked: set[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    body = '{"tracked":"somebody\'s","part":"week"}'
    message = put(system, "changes-dead", body)
    die(system, '{"id":"x","reason":"webhook","as_of":1,"provider":"oura","colour":"red"}')
    today = datetime.now(UTC).date()
    span = {"2026-11-01": (today - timedelta(days=3)).isoformat(), "2026-11-20": today.isoformat()}
    file = str(tmp_path / "export")
    words = {"MESSAGE": message, "USER": "ada", "JOB": "", "FILE": file, **span}
    ran = {}
    capsys.readouterr()
    asked.clear()
    secret._read = None  # a command's own process would have to ask
    for command in COMMANDS:
        arguments = [words.get(word, word) for word in shlex.split(command)]
        if arguments[0] not in ELSEWHERE:
            ran[command] = main(arguments)
            told = capsys.readouterr()
            words["JOB"] = "".join(re.findall(r"^job (\w+)$", told.out, re.MULTILINE)) or words["JOB"]
            assert told.out, command
    assert {status for command, status in ran.items() if command != "doctor"} == {0}
    assert {command.split()[0] for command in ran} == {
        "doctor", "dlq", "replay", "consents", "connections", "events", "runs", "export",
    }  # fmt: skip
    assert asked <= policy()
    assert policy() - asked == {"lambda:InvokeFunction", "sqs:ListMessageMoveTasks"}, "more than is needed"


# ---------------------------------------------------------------- doctor


def diagnosis(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    """The exit status, and what is wrong, by check."""
    capsys.readouterr()
    status, wrong, check = main(["doctor"]), {}, ""
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("✗"):
            check = line[2:16].strip()
            wrong[check] = wrong.get(check, "") + line[17:]
        elif line.lstrip().startswith("→"):
            wrong[check] += line.strip()
    return status, wrong


def test_nothing_is_wrong_with_a_healthy_deployment(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    assert diagnosis(capsys) == (0, {})


def set_secret(system: System, **changes: Any) -> None:
    """As an operator would; functions read it again after five minutes."""
    keeper, arn = system.aws("secretsmanager"), system.env["APP_SECRET"]
    told = json.loads(keeper.get_secret_value(SecretId=arn)["SecretString"])
    keeper.put_secret_value(SecretId=arn, SecretString=json.dumps({**told, **changes}))
    secret._read = None


def lose_a_letter(system: System) -> None:
    put(system, "bulk-dead", "{}")


def ring_an_alarm(system: System) -> None:
    watch = system.aws("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="Tributary-FreshWaits", AlarmDescription="Fresh data waits", MetricName="m", Namespace="n",
        Period=60, EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", Statistic="Maximum",
        AlarmActions=["arn:aws:sns:us-east-1:123456789012:ops"],
    )  # fmt: skip
    watch.set_alarm_state(AlarmName="Tributary-FreshWaits", StateValue="ALARM", StateReason="test")


def grow_old(system: System) -> None:
    then = datetime.now(UTC) - timedelta(minutes=1)
    figure = {"MetricName": "ApproximateAgeOfOldestMessage", "Value": 1200.0, "Timestamp": then}
    named = {"Dimensions": [{"Name": "QueueName", "Value": "fresh"}]}
    system.aws("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=[{**figure, **named}])


def stand_still(system: System) -> None:
    minute = now_ms() // MINUTE - 10
    put_item(system, {**control.key(*ring.WATERMARK), "walked": {"N": str(minute)}})


def empty_a_secret(system: System) -> None:
    app = {"client_id": "id", "client_secret": ""}
    set_secret(system, providers={"oura": app, "ouro": {**app, "client_secret": "s"}})


def garble_the_secret(system: System) -> None:
    set_secret(system, providers=7)


def end_a_subscription(system: System) -> None:
    app = system.sandbox.get("/control/apps").json()["oura"]
    headers = {"x-client-id": app["client_id"], "x-client-secret": app["client_secret"]}
    url = "/oura/v2/webhook/subscription"
    [first, *_] = system.sandbox.get(url, headers=headers).json()
    assert system.sandbox.delete(f"{url}/{first['id']}", headers=headers).is_success


@pytest.mark.parametrize(
    ("harm", "check", "says"),
    [
        (lose_a_letter, "dead letters", "tributary dlq list --queue bulk"),
        (ring_an_alarm, "alarms", "Fresh data waits"),
        (grow_old, "waiting", "fresh: "),
        (stand_still, "poller", "walked 10 min ago"),
        (empty_a_secret, "credentials", "client_secret empty"),
        (garble_the_secret, "credentials", "no function can read"),
        (end_a_subscription, "subscriptions", "missing are"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(
    system: System, capsys: pytest.CaptureFixture[str], harm: Callable[[System], None], check: str, says: str
) -> None:
    kept = system.aws("secretsmanager").get_secret_value(SecretId=system.env["APP_SECRET"])["SecretString"]
    try:
        harm(system)
        status, wrong = diagnosis(capsys)
        assert status == 1
        assert says in wrong[check]
        assert "→" in wrong[check]
        assert "hook-key" not in "".join(wrong.values())
    finally:
        system.aws("cloudwatch").delete_alarms(AlarmNames=["Tributary-FreshWaits"])
        set_secret(system, **json.loads(kept))


# ---------------------------------------------------------------- consents

Item = dict[str, Any]
Ledger = dict[str, Item]
"""A person's partition by sort key, as DynamoDB has it."""


@pytest.fixture
def person(system: System) -> Iterator[str]:
    """Agreed to two, and withdrew one again long ago."""
    user = f"person{next(USERS)}"
    for action, source in (("granted", "oura"), ("withdrawn", "oura"), ("granted", "dexcom")):
        consents.record(KEY, user, action, source, ["daily"], "text-1", "")  # type: ignore[arg-type]
    for source, state in (("oura", "disconnected"), ("dexcom", "active")):
        held = connections.establish(user, provider(source), "", (), "UTC")
        connections.change(held.id, state=state, since=now_ms() - 2 * DAY)
    yield user
    for item in list(control.under(f"U#{user}")):
        control.take(item["pk"], item["sk"])


def ledger(system: System, user: str) -> Ledger:
    given = {":pk": {"S": f"U#{user}"}, ":n": {"S": "N#"}}
    condition = "pk = :pk AND begins_with(sk, :n)"
    found = system.aws("dynamodb").query(
        TableName=TABLE, KeyConditionExpression=condition, ExpressionAttributeValues=given
    )
    return {item["sk"]["S"]: item for item in found["Items"]}


def store(system: System, user: str, wanted: Ledger) -> None:
    """The ledger becomes this one, behind everybody's back."""
    for sk in ledger(system, user).keys() - wanted.keys():
        control.take(f"U#{user}", sk)
    for sk, item in wanted.items():
        put_item(system, {**item, "pk": {"S": f"U#{user}"}, "sk": {"S": sk}})


def put_item(system: System, item: Item) -> None:
    system.aws("dynamodb").put_item(TableName=TABLE, Item=item)


def name(number: int) -> str:
    return f"N#{number:08d}"


def without(was: Ledger, *numbers: int) -> Ledger:
    return {sk: item for sk, item in was.items() if sk not in map(name, numbers)}


def verified(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    return main(["consents", "verify", *arguments]), capsys.readouterr().out


def rewritten(was: Ledger) -> Ledger:
    return {**was, name(1): {**was[name(1)], "text": {"S": "another text"}}}


def swapped(was: Ledger) -> Ledger:
    return {**was, name(1): was[name(2)], name(2): was[name(1)]}


def closed_up(was: Ledger) -> Ledger:
    """The middle taken out, and the rest moved up."""
    head = {**was["N#head"], "count": {"N": "2"}}
    return {**without(was, 2, 3), name(2): {**was[name(3)], "number": {"N": "2"}}, "N#head": head}


def forged(was: Ledger) -> Ledger:
    """An entry more, by somebody who has no key."""
    entry = {**was[name(3)], "number": {"N": "4"}, "before": {"S": was[name(3)]["hash"]["B"].hex()}}
    return {**was, name(4): entry, "N#head": {**was["N#head"], "count": {"N": "4"}}}


def cut(was: Ledger, left: int) -> Ledger:
    """The last entries gone, and the head set back with them."""
    head = {**was["N#head"], "count": {"N": str(left)}, "hash": was[name(left)]["hash"]}
    return {**without(was, *range(left + 1, 4)), "N#head": head}


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (rewritten, "entry 1 was changed"),
        (lambda was: without(was, 1), "entry 1 is missing"),
        (lambda was: without(was, 2), "entry 2 is missing"),
        (lambda was: without(was, 1, 2), "entry 1 is missing, and all up to 2"),
        (lambda was: without(was, 3), "the ledger's end does not match its head"),
        (swapped, "entry 2 does not follow the one before it"),
        (closed_up, "entry 2 does not follow the one before it"),
        (forged, "entry 4 was changed"),
        (lambda was: {sk: item for sk, item in was.items() if sk != "N#head"}, "does not match its head"),
        (lambda was: {**was, "N#more": was[name(1)]}, "something lies among the entries that is none"),
        (lambda was: cut(was, 2), "dexcom is connected, and the last word about it is no consent"),
        (lambda was: cut(was, 1), "oura was disconnected, and no withdrawal says so"),
        (lambda was: {}, "dexcom is connected, and the last word about it is no consent"),
    ],
)  # fmt: skip
def test_a_ledger_that_somebody_tampered_with_is_named(
    system: System,
    person: str,
    capsys: pytest.CaptureFixture[str],
    tamper: Callable[[Ledger], Ledger],
    fault: str,
) -> None:
    store(system, person, tamper(ledger(system, person)))
    status, told = verified(capsys, "all")
    assert status == 1
    assert fault in told
    assert person not in told


def test_one_persons_ledger_is_verified_and_the_person_named_where_asked_for(
    system: System, person: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified(capsys, "--user", person) == (0, "people: 1, entries: 3, faults: 0\n")
    store(system, person, rewritten(ledger(system, person)))
    named = f"{person}: entry 1 was changed\npeople: 1, entries: 3, faults: 1\n"
    assert verified(capsys, "--user", person, "--show-ids") == (1, named)


def test_no_attribute_of_an_entry_can_be_changed_or_taken_away_or_added(system: System, person: str) -> None:
    entry = ledger(system, person)[name(2)]
    tampered = [{**entry, "note": {"S": "more"}}]
    for attribute in entry.keys() - {"pk", "sk"}:
        tampered.append({key: value for key, value in entry.items() if key != attribute})
        tampered.append({**entry, attribute: {"S": "other"}})
    assert len(tampered) == 1 + 2 * 9
    for changed in tampered:
        put_item(system, changed)
        assert "entry 2 was changed" in consents.faults(KEY, person)
    put_item(system, entry)
    assert consents.faults(KEY, person) == []


def test_an_entry_of_another_person_is_none_of_this_one(system: System, person: str) -> None:
    consents.record(KEY, "another", "granted", "dexcom", ["daily"], "text-1")
    store(system, person, ledger(system, "another"))
    assert consents.faults(KEY, person) == ["entry 1 was changed"]
