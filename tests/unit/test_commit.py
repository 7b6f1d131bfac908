"""The write protocol under every interleaving of two workers, with crashes, against a vendor that changes its mind.

The real `commit` runs in greenlets over a dictionary; every step that touches the store, the vendor or a queue hands
control to the explorer, which tries each possible next step in turn (and, while crashes are left, the death of each
worker there). A dead worker's message is delivered again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from greenlet import GreenletExit, getcurrent, greenlet

from shared.commit import Announcement, Change, commit, proposal
from shared.knowledge import News
from shared.model import Document, Reading
from shared.sections import Key, Section
from shared.values import replace

KEY = Key("ada", "2026-11-20", "ring", "activity")


@dataclass
class World:
    """Section, day slot, announcements and the vendor. A tick of the clock is one step of anybody."""

    steps: Callable[[], None]
    section: Section = field(default_factory=lambda: Section(KEY))
    slot: tuple[int, dict[str, Any]] | None = None
    announced: set[int] = field(default_factory=set)
    clock: int = 0
    vendor: int = 1000
    fetched: dict[int, int] = field(default_factory=dict)

    def read(self, keys: Any) -> dict[Key, Section]:
        self.steps()
        return dict.fromkeys(keys, self.section)

    def put(self, section: Section, seen: int) -> bool:
        self.steps()
        if self.section.rev != seen:
            return False
        self.section = replace(section, rev=seen + 1)
        return True

    def set_slot(self, key: Key, rev: int, at: int, kind: str, stats: Any) -> bool:
        self.steps()
        if self.slot and self.slot[0] > rev:
            return False
        self.slot = (rev, stats)
        return True

    def announce(self, announcement: Announcement | None) -> None:
        if announcement:
            self.steps()
            self.announced.add(announcement.rev)


def document(steps: int, id_: str = "d", as_of: int | None = None) -> Document:
    return Document(id_, KEY.day, as_of=as_of, readings=(Reading("steps", steps),))


def fetcher(world: World, job: str) -> None:
    """A poll: the reply is the vendor's whole answer as it stands when the fetch begins."""
    world.steps()
    world.clock += 1
    world.fetched[world.clock] = world.vendor
    news = News(world.clock, (document(world.vendor),), whole=True)
    world.announce(commit(world, Change(KEY, news, "ring"), job))


def looker(world: World, job: str) -> None:
    """As a worker does it: looks what is new, keeps the raw reply, and only then writes what it made of it."""
    world.steps()
    world.clock += 1
    world.fetched[world.clock] = world.vendor
    change = Change(KEY, News(world.clock, (document(world.vendor),), whole=True), "ring")
    made = proposal(world.read([KEY])[KEY], change, job)
    if made:
        world.steps()
        world.announce(commit(world, change, job, made))


def pusher(as_of: int, steps: int) -> Callable[[World, str], None]:
    """A payload that says the same however often it is delivered."""

    def deliver(world: World, job: str) -> None:
        news = News(as_of, (document(steps),))
        world.announce(commit(world, Change(KEY, news, "ring"), job))

    return deliver


def vendor_changes(world: World, job: str) -> None:
    world.steps()
    world.vendor = 2000


Actor = Callable[[World, str], None]


def explore(actors: list[Actor], crashes: int) -> Iterator[World]:
    """Every schedule once, by replaying a growing list of choices."""
    choices: list[list[int]] = []
    while True:
        yield run(actors, crashes, choices)
        while choices and choices[-1][0] + 1 == choices[-1][1]:
            choices.pop()
        if not choices:
            return
        choices[-1][0] += 1


def run(actors: list[Actor], crashes: int, choices: list[list[int]]) -> World:
    explorer = getcurrent()
    world = World(steps=lambda: explorer.switch())

    def start(index: int) -> greenlet:
        worker = greenlet(actors[index])
        worker.switch(world, f"job-{index}")
        return worker

    workers = {index: start(index) for index in range(len(actors))}
    depth = 0
    while alive := [index for index, worker in workers.items() if not worker.dead]:
        mortal = [i for i in alive if actors[i] is not vendor_changes] if crashes else []
        options = [(i, False) for i in alive] + [(i, True) for i in mortal]
        if depth == len(choices):
            choices.append([0, len(options)])
        index, dies = options[choices[depth][0]]
        depth += 1
        if dies:
            crashes -= 1
            workers[index].throw(GreenletExit)
            workers[index] = start(index)
        else:
            workers[index].switch()
    return world


def check(world: World, expected: int) -> None:
    [stored] = world.section.documents()
    assert stored.readings[0].value == expected
    assert world.slot is not None
    assert world.slot[0] == world.section.rev, "the day does not show the section's last revision"
    assert world.slot[1]["steps"].sum == expected
    assert world.section.rev in world.announced, "the app never heard of the last revision"
    assert world.section.holds == ("steps",)
    assert (world.section.corrected > 0) == (world.section.rev > 1)


@pytest.mark.parametrize(
    ("actors", "crashes"),
    [
        ([fetcher], 4), ([fetcher, fetcher], 1), ([fetcher, fetcher, vendor_changes], 1), ([looker], 4),
        ([looker, looker], 1), ([looker, fetcher, vendor_changes], 0),
    ],
)  # fmt: skip
def test_two_workers_that_fetch(actors: list[Actor], crashes: int) -> None:
    """The last fetch to begin decides, in whatever order the replies are written."""
    worlds = list(explore(actors, crashes))
    assert len(worlds) > 5
    for world in worlds:
        check(world, world.fetched[world.clock])


def test_two_workers_that_were_pushed_to() -> None:
    for world in explore([pusher(5, 7), pusher(6, 8)], 2):
        check(world, 8)


def test_a_stale_push_and_a_fresh_whole_answer() -> None:
    for world in explore([pusher(0, 7), fetcher], 1):
        check(world, 1000)


def test_the_check_bites() -> None:
    """Without the rule for "unchanged but by me", some schedule must end with an untold revision."""

    def forgetful(world: World, job: str) -> None:
        fetcher(world, f"{job}-{world.clock}")  # every delivery under another name

    untold = [w for w in explore([forgetful], 1) if w.section.rev not in w.announced]
    assert untold
