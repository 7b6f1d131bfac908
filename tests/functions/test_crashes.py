"""Each flow once without a fault, counting its calls; then once for each call, killed before it and killed behind it,
while the queue delivers again what was not finished. What is left must be the same, every time. So it must be when
messages come twice, and in any order.

    CRASHES=every .venv/bin/pytest tests/functions/test_crashes.py -n 0 -s

tries every death. Without it, of those that leave the same world behind in the same invocation only one is tried: a
process has no memory that outlives it, so they are one death.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import chain, repeat
from typing import Any, get_args

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from shared import commit, jobs
from shared.commit import Change
from shared.raw import RawObject
from shared.sections import Section
from shared.sync import Batch
from tests.functions.flows import CROWDS, ERASED, FLOWS, Flow, Run, tracked
from tests.functions.mortal import Crossing, Death, Moment, World, world
from tests.functions.outcome import Outcome, difference, faults, in_any_order, outcome

pytestmark = pytest.mark.needs("dexcom", "file_import", "garmin", "healthkit", "oura", "terra", "withings")

EVERY = os.environ.get("CRASHES") == "every"
HOUR_MS = 3_600_000
Begun = Callable[[Callable[[World], Any]], Moment]


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[World]:
    with world(aws) as found:
        yield found


@pytest.fixture(scope="module")
def begun(standing: World) -> Begun:
    nothing = standing.save()

    @cache
    def of(begin: Callable[[World], Any]) -> Moment:
        standing.load(nothing)
        begin(standing)
        return standing.save()

    return of


def run(world: World, moment: Moment, flow: Flow, *deaths: Death, again: Mapping[int, int] | None = None) -> Run:
    world.load(moment, frozenset(deaths), again)
    told = flow.act(world)
    assert world.edge.died == list(deaths), "the run never came to the call at which it was to die"
    assert world.given_back == [], "a message failed, and nothing was wrong"
    return Run(world.edge.crossings, len(world.delivered), outcome(world, told))


def deaths(crossings: list[Crossing]) -> list[Death]:
    """All of them, or one for each world that a process can leave behind."""
    found: dict[Any, Death] = {}
    changes = 0
    for number, crossing in enumerate(crossings):
        for death in (Death(number, "before"), Death(number, "after")):
            changes += crossing.changed and death.side == "after"
            found[death if EVERY else (crossing.invocation, changes)] = death
    return list(found.values())


def unlike(expected: Outcome, found: Outcome) -> list[str]:
    return [*faults(found), *difference(expected, found)]


def explore(world: World, moment: Moment, flow: Flow) -> tuple[Run, list[Death], list[str]]:
    """The clean run, the deaths tried, and what was wrong after which."""
    clean = run(world, moment, flow)
    assert unlike(clean.left, run(world, moment, flow).left) == [], "two clean runs differ: the harness is at fault"
    tried, wrong = deaths(clean.crossings), []
    for death in tried:
        if found := unlike(flow.expects(clean, death), run(world, moment, flow, death).left):
            wrong += [f"killed {death.side} call {death.call}, {clean.crossings[death.call].label}:", *found]
    return clean, tried, wrong


# ---------------------------------------------------------------- deaths


@pytest.mark.parametrize("name", FLOWS)
def test_killed_at_any_call(name: str, standing: World, begun: Begun) -> None:
    clean, tried, wrong = explore(standing, begun(FLOWS[name].begin), FLOWS[name])
    calls = len(clean.crossings)
    print(f"\n{name}: {calls} calls, {2 * calls} deaths, {len(tried)} tried")
    assert not wrong, "\n  ".join(wrong)


# ---------------------------------------------------------------- twice


@pytest.mark.parametrize("name", FLOWS)
def test_every_message_twice(name: str, standing: World, begun: Begun) -> None:
    """Each alone, right behind its first delivery and an hour later; then all of them."""
    flow, moment = FLOWS[name], begun(FLOWS[name].begin)
    clean = run(standing, moment, flow)
    one = [{n: late} for n in range(clean.messages) for late in (0, HOUR_MS)]
    for again in [*one, dict.fromkeys(range(clean.messages), 0)]:
        left = run(standing, moment, flow, again=again).left
        expected = {key: left[key] if flow.renews and key[0] == "tokens" else clean.left[key] for key in clean.left}
        assert unlike(expected, left) == [], f"message delivered again after milliseconds: {again}"


# ---------------------------------------------------------------- in any order

ORDERS = st.lists(st.integers(0, 999), min_size=5, max_size=40)
TWICE = st.dictionaries(st.integers(0, 20), st.sampled_from((0, HOUR_MS)), max_size=4)
DEATHS = st.none() | st.builds(Death, st.integers(0, 120), st.sampled_from(("before", "after")))


def scattered(world: World, moment: Moment, order: list[int], again: Mapping[int, int], death: Death | None) -> Outcome:
    world.load(moment, frozenset([death] if death else []), again)
    world.scatter(chain(order, repeat(0)))
    assert world.given_back == [], "a message failed, and nothing was wrong"
    return outcome(world, tracked())


def whatever(examples: int) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Runs a check with this many orders, repetitions and deaths, the same ones every time."""

    def decorated(check: Callable[..., None]) -> Callable[[], None]:
        made = given(ORDERS, TWICE, DEATHS)(check)
        return seed(20261121)(settings(max_examples=examples, deadline=None, database=None)(made))

    return decorated


@pytest.mark.parametrize("name", CROWDS)
def test_in_any_order(name: str, standing: World, begun: Begun) -> None:
    moment = begun(CROWDS[name])
    clean = in_any_order(scattered(standing, moment, [], {}, None))

    @whatever(examples=8)
    def check(order: list[int], again: dict[int, int], death: Death | None) -> None:
        found = scattered(standing, moment, order, again, death)
        assert [*faults(found), *difference(clean, in_any_order(found))] == []

    check()


def test_erased_among_everything(standing: World, begun: Begun) -> None:
    """Whatever else is on its way, and comes before, between or behind the two sweeps: nothing of the person stays."""
    moment = begun(ERASED)

    @whatever(examples=8)
    def check(order: list[int], again: dict[int, int], death: Death | None) -> None:
        found = scattered(standing, moment, order, again, death)
        assert {key[0] for key in found} <= {"proofs", "job", "announced"}, "announcements hold identifiers only"
        assert [said["status"] for key, said in found.items() if key[0] == "job"] == ["completed"]

    check()


# ---------------------------------------------------------------- the harness itself


def raw_kept_last(patch: pytest.MonkeyPatch) -> None:
    """The vendor's reply, kept after what was made of it."""
    keep, put_off = RawObject.keep, []
    finish = Batch.finish

    def finished(batch: Batch, message_id: str) -> None:
        finish(batch, message_id)
        while put_off:
            keep(put_off.pop())

    patch.setattr(RawObject, "keep", lambda kept: put_off.append(kept))
    patch.setattr(Batch, "finish", finished)


def nothing_repaired(patch: pytest.MonkeyPatch) -> None:
    """A section that says it already is done with, by whomever it was written: the day and the app never hear of it."""
    propose = commit.proposal

    def proposal(section: Section, change: Change, by: str) -> commit.Proposal | None:
        made = propose(section, change, by)
        return made if made and made.differs else None

    patch.setattr(commit, "proposal", proposal)


@pytest.mark.parametrize("wrong", [raw_kept_last, nothing_repaired])
def test_a_wrong_order_is_caught(
    wrong: Callable[[pytest.MonkeyPatch], None], standing: World, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = FLOWS["a weighing told by webhook"]
    moment = begun(flow.begin)
    wrong(monkeypatch)
    _, _, found = explore(standing, moment, flow)
    print("\n  ".join(found[:4]))
    assert found


def test_every_task_and_the_vendors_clock_are_in_some_flow(standing: World, begun: Begun) -> None:
    found, called = set(), set()
    for flow in FLOWS.values():
        standing.load(begun(flow.begin))
        flow.act(standing)
        found |= {json.loads(body).get("task", "sync") for body in standing.delivered.values()}
        called |= {crossing.label for crossing in standing.edge.crossings}
    elsewhere = {"replay"}  # tests/functions/test_replay.py kills it at every call, with a mapping of its own
    assert found | elsewhere == set(get_args(jobs.Task))
    assert "UpdateItem Control B#oura B" in called
