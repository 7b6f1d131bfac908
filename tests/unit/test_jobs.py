"""The one message: how it travels, which hints are one, and how it waits."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import jobs
from shared.errors import ProviderChangedError
from shared.jobs import Job, hint, read, write
from shared.model import DAY
from shared.signed import AwsError
from shared.values import replace
from tests.unit.test_signed import Aws, listen

words = st.text(max_size=8)
days = st.dates(date(2000, 1, 1), date(2099, 1, 1))
windows = st.tuples(days, st.integers(0, 90)).map(lambda p: (f"{p[0]}", f"{p[0] + timedelta(days=p[1])}"))
many = st.lists(words, max_size=3).map(tuple)
all_jobs = st.builds(
    Job,
    id=words,
    task=st.sampled_from(["sync", "subscribe", "aggregate", "everyone", "look"]),
    reason=st.sampled_from(["webhook", "poll", "backfill", "sync", "upload"]),
    as_of=st.integers(0, 2**53),
    received=st.integers(0, 2**53),
    window=st.none() | windows,
    deleted=st.booleans(),
    goodbye=st.booleans(),
    trouble=st.booleans(),
    forced=st.booleans(),
    attempt=st.integers(0, 999),
    not_before=st.integers(0, 2**53),
    waited=st.integers(0, 2**53),
    **dict.fromkeys(
        (
            "provider",
            "connection",
            "account",
            "user",
            "document",
            "payload",
            "callback",
            "tracked",
            "part",
            "after",
            "successor",
        ),
        words,
    ),
    **dict.fromkeys(("resources", "services", "same"), many),
    segment=words,
    run=words,
)
POLL = Job(id="j", reason="poll", as_of=1, connection="c")
HINT = Job(id="j", reason="webhook", as_of=1, connection="c", resources=("steps",), document="d")


@given(all_jobs)
def test_what_is_written_is_read(job: Job) -> None:
    assert read(write(job)) == job


def test_the_strategy_tries_every_field() -> None:
    """A field that is added is added above, too: a tuple that comes back as a list is found by that test alone."""
    assert set(Job.__annotations__) == set(json.loads(write(FULL)))


FULL = Job(
    id="j", task="subscribe", reason="sync", as_of=1, provider="p", connection="c", account="a", user="u",
    resources=("r",), window=("2026-11-20", "2026-11-21"), document="d", deleted=True, goodbye=True,
    payload="x", callback="x",
    tracked="t", part="w", services=("s",), segment="1#0", after="C#x", forced=True, attempt=2, received=1, run="r",
    same=("i",), not_before=3, waited=4, successor="b", trouble=True,
)  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "[]",
        "7",
        "null",
        '"id"',
        "{}",
        json.dumps({**json.loads(write(POLL)), "colour": "red"}),
        json.dumps({**json.loads(write(POLL)), "resources": 5}),
    ],
)
def test_another_versions_message_is_refused(body: str) -> None:
    with pytest.raises(ProviderChangedError):
        read(body)


@given(st.text() | st.sampled_from(['{"reason":"webhook"', '["reason":"webhook"', '"\\"reason\\":\\"webhook\\""']))
def test_looking_for_a_hint_never_fails(body: str) -> None:
    """A batch is looked over as a whole: one message that cannot be read must not take its neighbours along."""
    assert isinstance(hint(body), str)


@given(all_jobs, words, st.integers(0, 2**53), st.integers(0, 9))
def test_copies_of_a_hint_are_one(job: Job, id_: str, as_of: int, attempt: int) -> None:
    said = replace(job, reason="webhook", payload="")
    copy = replace(said, id=id_, as_of=as_of, attempt=attempt, not_before=as_of, waited=attempt)
    assert hint(write(said)) == hint(write(copy)) != ""


@pytest.mark.parametrize(
    "other",
    [
        {"connection": "x"},
        {"resources": ("weight",)},
        {"document": "e"},
        {"deleted": True},
        {"goodbye": True},
        {"window": ("2026-11-20", "2026-11-21")},
        {"account": "a"},
        {"provider": "p"},
    ],
)
def test_hints_that_ask_for_something_else_are_not(other: dict[str, Any]) -> None:
    assert hint(write(replace(HINT, **other))) != hint(write(HINT))


@given(all_jobs)
def test_only_a_webhooks_hint_is_a_hint(job: Job) -> None:
    """Data that was pushed is never taken for a repeat of other data."""
    expected = job.reason == "webhook" and not job.payload
    assert bool(hint(write(job))) is expected


# ---------------------------------------------------------------- sending


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    yield from listen(monkeypatch)


def test_ten_messages_a_call(aws: Aws) -> None:
    jobs.send("queue", [replace(POLL, id=str(n)) for n in range(23)], 20)
    sent = [json.loads(body) for body in aws.bodies]
    assert [len(s["Entries"]) for s in sent] == [10, 10, 3]
    assert [read(e["MessageBody"]).id for s in sent for e in s["Entries"]] == [str(n) for n in range(23)]
    assert {e["DelaySeconds"] for s in sent for e in s["Entries"]} == {20}
    assert all(len({e["Id"] for e in s["Entries"]}) == len(s["Entries"]) for s in sent)


@given(st.lists(st.integers(1, 262_144), max_size=40))
def test_a_call_carries_no_more_than_it_may(sizes: list[int]) -> None:
    bodies = ["x" * size for size in sizes]
    found = list(jobs.batches(bodies))
    assert [body for batch in found for body in batch] == bodies
    assert all(1 <= len(batch) <= 10 and sum(map(len, batch)) <= 262_144 for batch in found)


def test_a_message_not_taken_is_an_error(aws: Aws) -> None:
    aws.replies = [(200, b'{"Failed": [{"Id": "0"}]}')]
    with pytest.raises(AwsError):
        jobs.send("queue", [POLL])


@pytest.mark.parametrize(("after", "delay"), [(0.2, 0), (61, 61), (900, 900), (86_400, 900)])
def test_waiting_hops_by_a_quarter_of_an_hour_at_most(aws: Aws, after: float, delay: int) -> None:
    waits = replace(POLL, as_of=jobs.now_ms(), attempt=4)
    jobs.defer("queue", waits, after)
    [entry] = json.loads(aws.bodies[0])["Entries"]
    assert entry["DelaySeconds"] == delay
    copy = read(entry["MessageBody"])
    assert replace(copy, not_before=0) == replace(waits, attempt=5)
    assert jobs.too_early(copy) is (after > 900)
    if jobs.too_early(copy):
        jobs.hop("queue", copy)
        [again] = json.loads(aws.bodies[1])["Entries"]
        assert (again["DelaySeconds"], read(again["MessageBody"])) == (900, copy)


def test_after_a_day_of_a_vendors_refusals_somebody_must_look(aws: Aws) -> None:
    now = jobs.now_ms()
    jobs.defer("queue", replace(POLL, as_of=now - DAY + 60_000), 60)
    with pytest.raises(ProviderChangedError):
        jobs.defer("queue", replace(POLL, as_of=now - DAY - 60_000), 60)
    assert len(aws.bodies) == 1


def test_waiting_for_our_own_turn_may_last_and_is_held_against_nobody(aws: Aws) -> None:
    job = replace(POLL, as_of=jobs.now_ms() - 3 * DAY, waited=3 * DAY - 600_000)
    jobs.defer("queue", job, 400, ours=True)
    [entry] = json.loads(aws.bodies[0])["Entries"]
    copy = read(entry["MessageBody"])
    assert copy.waited == job.waited + 400_000
    jobs.defer("queue", copy, 60)  # and only then did the vendor refuse it
    with pytest.raises(ProviderChangedError):
        jobs.defer("queue", replace(copy, waited=DAY), 60)


def test_ids_are_unlike_and_sort_by_their_second(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {jobs.new_id() for _ in range(100)}
    later = time.time() + 10
    monkeypatch.setattr(time, "time", lambda: later)
    assert len(first) == 100
    assert max(first) < jobs.new_id()
