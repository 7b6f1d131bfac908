"""The shared clock against a count of every window, with workers who know little and use their turns late."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import pace
from shared.pace import SECOND, Counted, Item, Paced, Step, Wish, rate
from shared.providers import Limit

T = TypeVar("T")
START = 1_795_000_000 * SECOND
DOCUMENTED = [
    Limit(5_000, 300), Limit(120, 60), Limit(6_000, 3600), Limit(500, 900), Limit(10_000, 86_400),
    Limit(150, 3600, "user"), Limit(300, 60, "user"),
]  # fmt: skip
an_apps = st.builds(Limit, st.integers(1, 200), st.sampled_from([1, 2, 7, 60, 300, 900, 86_400]))
a_persons = st.builds(Limit, st.integers(1, 200), st.sampled_from([1, 7, 60, 3600]), st.just("user"))
on_one_item = st.lists(an_apps, min_size=1, max_size=3, unique_by=lambda limit: limit.seconds) | st.tuples(a_persons)


def busiest(instants: Iterable[int], seconds: int) -> int:
    """The most in any window, both ends included."""
    at = sorted(instants)
    return max((bisect_right(at, first + seconds * SECOND) - n for n, first in enumerate(at)), default=0)


@dataclass
class Table:
    """One item and everybody's conditional updates of it."""

    item: Item = field(default_factory=dict)
    tries: int = 0

    def attempt(self, step: Step) -> tuple[bool, Item]:
        self.tries += 1
        assert all(low <= high for low, high in step.between.values()), "DynamoDB refuses to look between these"
        after = step.on(self.item)
        self.item = self.item if after is None else after
        return after is not None, self.item

    def drive(self, protocol: Generator[Step, tuple[bool, Item], T]) -> T:
        try:
            step = next(protocol)
            while True:
                step = protocol.send(self.attempt(step))
        except StopIteration as done:
            told: T = done.value
            return told


@dataclass
class Crowd:
    """Workers that lease at once: each step of each may come between any two steps of another."""

    rates: Sequence[pace.Rate]
    random: Random
    now: int = START
    table: Table = field(default_factory=Table)
    known: dict[int, Item] = field(default_factory=dict)
    busy: dict[int, tuple[Any, Step]] = field(default_factory=dict)
    calls: list[int] = field(default_factory=list)

    def clock(self) -> int:
        return self.now + self.random.randint(-20_000, 20_000)  # nobody's clock is quite right

    def act(self, worker: int) -> None:
        if worker not in self.busy:
            wish = Wish(self.random.randint(1, 9), self.random.choice([0, 2, 20]) * SECOND, self.random.random() < 0.3)
            protocol = pace.lease(self.rates, self.known.get(worker, {}), self.clock, wish)
            self.go_on(worker, protocol, None)
        else:
            protocol, step = self.busy.pop(worker)
            held, self.known[worker] = self.table.attempt(step)
            self.go_on(worker, protocol, (held, self.known[worker]))

    def go_on(self, worker: int, protocol: Any, answer: tuple[bool, Item] | None) -> None:
        try:
            self.busy[worker] = protocol, protocol.send(answer)
        except StopIteration as done:
            late = min(each.late for each in self.rates) // len(self.rates) - 50_000  # what their clocks are wrong by
            self.calls += [turn + self.random.randint(0, late) for turn in done.value.turns]


@given(on_one_item, st.integers(0, 2**32))
@settings(max_examples=80)
def test_no_window_ever_holds_more_calls_than_the_limit(found: Sequence[Limit], seed: int) -> None:
    random = Random(seed)
    crowd = Crowd([rate(limit) for limit in found], random)
    pace_of_it = random.choice([limit.seconds for limit in found]) * SECOND
    for _ in range(300):
        crowd.act(random.randrange(6))
        crowd.now += random.choice([0, 0, 1_000, pace_of_it // 50, pace_of_it // 5])
    assert crowd.calls
    for limit in found:
        assert busiest(crowd.calls, limit.seconds) <= limit.calls, limit


@pytest.mark.parametrize("limit", DOCUMENTED)
def test_nine_tenths_of_a_limit_can_be_used(limit: Limit) -> None:
    """By workers that always want more, over three windows."""
    crowd, calls = Crowd([rate(limit)], Random(1)), 0
    end = START + 3 * limit.seconds * SECOND
    while crowd.now < end:
        found = crowd.table.drive(pace.lease(crowd.rates, crowd.table.item, lambda: crowd.now, Wish(500)))
        calls += len(found.turns)
        crowd.now = max(crowd.now + SECOND // 10, found.free)
    assert calls >= 0.9 * 3 * limit.calls


def test_a_lease_takes_what_there_is_and_says_when_there_is_more() -> None:
    table, each, clock = Table(), Paced(Limit(120, 60)), lambda: START
    some = table.drive(pace.lease([each], {}, clock, Wish(32)))
    assert (len(some.turns), set(some.turns)) == (each.early // each.interval + 1, {START})
    none = table.drive(pace.lease([each], table.item, clock, Wish(32)))
    assert none.turns == ()
    assert START < none.free <= START + each.interval
    waiting = table.drive(pace.lease([each], table.item, clock, Wish(3, wait=5 * SECOND)))
    assert waiting.turns == tuple(none.free + n * each.interval for n in range(3))


def test_what_is_known_is_not_asked_again_and_what_is_stale_costs_one_try() -> None:
    table, rates, clock = Table(), [Paced(Limit(120, 60))], lambda: START
    table.drive(pace.lease(rates, {}, clock, Wish(32)))
    seen = table.item
    for known, tries in ((seen, 0), ({}, 1)):
        before = table.tries
        assert table.drive(pace.lease(rates, known, clock, Wish())).turns == ()
        assert table.tries - before == tries
    assert table.drive(pace.lease(rates, {}, lambda: START + 10 * SECOND, Wish())).turns
    assert table.tries == 3


def test_bulk_work_leaves_room_for_what_is_in_a_hurry() -> None:
    for limit in (Limit(120, 60), Limit(10_000, 86_400), Limit(300, 60, "user")):
        table, rates, clock = Table(), [rate(limit)], lambda: START
        while table.drive(pace.lease(rates, table.item, clock, Wish(32, bulk=True))).turns:
            pass
        assert table.drive(pace.lease(rates, table.item, clock, Wish(2))).turns == (START, START)


def test_a_pause_is_everybodys_and_never_gets_shorter() -> None:
    table, rates, clock = Table(), [Paced(Limit(120, 60))], lambda: START
    for seconds in (60, 30):
        table.drive(pace.pause({}, START + seconds * SECOND))
    refused = table.drive(pace.lease(rates, {}, clock, Wish(wait=90 * SECOND)))
    assert (refused.turns, refused.free) == ((), START + 60 * SECOND)
    assert table.drive(pace.lease(rates, {}, lambda: refused.free, Wish())).turns == (refused.free,)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=60))
def test_those_who_wait_come_back_one_after_another(asked: list[tuple[int, int]]) -> None:
    """However little each knows of the others; and the line has an end."""
    table, length, now = Table(), SECOND, START
    taken: list[tuple[int, int]] = []
    for calls, passed in asked:
        now += passed * SECOND
        at = table.drive(pace.queue({}, "line", calls * length, now, now + 30 * SECOND))
        if at is None:
            assert table.item["line"] > now + 30 * SECOND
        else:
            assert now <= at <= now + 30 * SECOND
            taken.append((at, at + calls * length))
    assert all(end <= begin for (_, end), (begin, _) in pairwise(taken))


def test_turns_grow_stale_and_are_thrown_away() -> None:
    purse = pace.Purse([Limit(120, 60)])
    purse.keep(START, START + SECOND, START + 9 * SECOND)
    assert purse.turn(START + purse.life) == START
    assert purse.turn(START + 2 * SECOND + purse.life) == START + 9 * SECOND
    assert purse.turn(START) is None


def test_what_is_paced_and_what_is_counted() -> None:
    kinds = [type(rate(limit)) for limit in (Limit(1, 60), Limit(1, 86_399), Limit(1, 86_400), Limit(1, 60, "user"))]
    assert kinds == [Paced, Paced, Counted, Counted]
    for wrong in ({"calls": 0, "seconds": 1}, {"calls": 1, "seconds": 0}, {"calls": 1, "seconds": 1, "whose": "ada"}):
        with pytest.raises(ValueError, match="a limit is"):
            Limit(**wrong)  # type: ignore[arg-type]
