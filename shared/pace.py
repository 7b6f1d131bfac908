"""How often a vendor may be asked: the arithmetic of a clock that all workers share, without table, thread or sleep.

The clock is one small item of whole numbers (an absent one is 0), instants in microseconds. Whoever wants something of
it drives a protocol: a generator that yields `Step`s, each one conditional update, and is sent whether it held and what
the item is then. Steps add to numbers or move them forward, so workers who know little of each other rarely collide.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from functools import cached_property
from typing import TypeVar

from shared.providers import Limit
from shared.values import dataclass, field, replace

SECOND = 1_000_000
DAY_S = 86_400
TRIES = 5
MOST_AT_ONCE = 32
"""Turns in one lease: as many as a process's threads use before they grow stale."""
LINE = 900 * SECOND
"""The length of the line of those who come back: as far as one message can be delayed."""
PAUSE, LINE_END, BULK_LINE_END = "pause", "line", "line_bulk"

T = TypeVar("T")
Item = Mapping[str, int]
Clock = Callable[[], int]


@dataclass(frozen=True)
class Step:
    """One conditional update: what to `add` and to `put`, if these numbers lie `between` these, both included."""

    between: Mapping[str, tuple[int, int]]
    add: Item = field(default_factory=dict)
    put: Item = field(default_factory=dict)

    def __or__(self, other: Step) -> Step:
        return Step({**self.between, **other.between}, {**self.add, **other.add}, {**self.put, **other.put})

    def on(self, item: Item) -> Item | None:
        """What it makes of this item; None where it does not hold."""
        if not all(low <= item.get(name, 0) <= high for name, (low, high) in self.between.items()):
            return None
        return {**item, **self.put, **{name: item.get(name, 0) + by for name, by in self.add.items()}}


Protocol = Generator[Step, tuple[bool, Item], T]


def forward(name: str, item: Item, by: int, start: int, latest: int) -> Step:
    """Moves a clock on by `by`: from where it stands, if that lies after `start` and not after `latest`; else from
    `start`."""
    if item.get(name, 0) > start:
        return Step({name: (start + 1, latest)}, add={name: by})
    return Step({name: (0, start)}, put={name: start + by})


# ---------------------------------------------------------------- limits


@dataclass(frozen=True)
class Wish:
    """How many turns, and how long the last of them may be waited for. Bulk work leaves room for what is in a hurry."""

    calls: int = 1
    wait: int = 0
    bulk: bool = False


@dataclass(frozen=True)
class Paced:
    """An app's limit over minutes or hours, spread evenly (GCRA, as virtual scheduling).

    Every call moves the clock on by `interval`, and its place is where the clock stood. Its turn comes `early` before
    its place at most, and it reaches the vendor `late` after its turn at most. So the calls of any window have their
    places within window + early + late, and being more than (window + early + late) / calls apart, are `calls` at most.
    """

    limit: Limit

    @cached_property
    def name(self) -> str:
        return f"t{self.limit.seconds}"

    @cached_property
    def early(self) -> int:
        """What may be asked at once: a twentieth of the limit, or five seconds of it if that is less."""
        return min(5 * SECOND, self.limit.seconds * SECOND // 20)

    @cached_property
    def late(self) -> int:
        return max(SECOND, min(5 * SECOND, self.limit.seconds * SECOND // 30))

    @cached_property
    def interval(self) -> int:
        return (self.limit.seconds * SECOND + self.early + self.late) // self.limit.calls + 1

    def ahead(self, wish: Wish) -> int:
        """How far the clock may stand before now when the last turn is given."""
        return (self.early // 2 if wish.bulk else self.early) + wish.wait

    def room(self, item: Item, now: int, wish: Wish) -> int:
        return (self.ahead(wish) - max(0, item.get(self.name, 0) - now)) // self.interval + 1

    def step(self, item: Item, now: int, wish: Wish) -> Step:
        latest = now + self.ahead(wish) - (wish.calls - 1) * self.interval
        return forward(self.name, item, wish.calls * self.interval, now, latest)

    def turns(self, item: Item, now: int, calls: int) -> list[int]:
        """Those of a step that held and left the item so."""
        first = item[self.name] - calls * self.interval - self.early
        return [max(now, first + n * self.interval) for n in range(calls)]

    def free(self, item: Item, now: int, wish: Wish) -> int:
        """When there is room for one call."""
        return max(now, item.get(self.name, 0) - (self.early // 2 if wish.bulk else self.early))


@dataclass(frozen=True)
class Counted:
    """A limit that may be spent at once: over a day, since pacing would starve the morning, or one person's, since one
    person's questions come together. Counted by slots of a 48th of the window; the last 50 slots hold any window, with
    one slot to spare for calls that reach the vendor late.
    """

    limit: Limit

    @cached_property
    def name(self) -> str:
        return f"n{self.limit.seconds}"

    @cached_property
    def slot(self) -> int:
        return max(SECOND, self.limit.seconds * SECOND // 48)

    @cached_property
    def late(self) -> int:
        return min(5 * SECOND, self.slot)

    @cached_property
    def kept(self) -> int:
        return -(-self.limit.seconds * SECOND // self.slot) + 2

    def most(self, wish: Wish) -> int:
        return self.limit.calls - (self.limit.calls // 20 if wish.bulk else 0)

    def count(self, slot: int) -> str:
        return f"{self.name}_{slot % self.kept}"

    def ended(self, item: Item, now: int) -> range:
        """The slots begun since the item was written; each takes the place of one that has left the window."""
        last, slot = item.get(f"{self.name}_at", 0), now // self.slot
        return range(max(last, slot - self.kept) + 1, slot + 1)

    def used(self, item: Item, now: int) -> int:
        return item.get(self.name, 0) - sum(item.get(self.count(slot), 0) for slot in self.ended(item, now))

    def room(self, item: Item, now: int, wish: Wish) -> int:
        return self.most(wish) - self.used(item, now)

    def step(self, item: Item, now: int, wish: Wish) -> Step:
        last, begun = item.get(f"{self.name}_at", 0), self.ended(item, now)
        here = {f"{self.name}_at": (last, last)}
        if not begun:  # or another worker's clock is a little ahead, and its slot is ours
            between = {**here, self.name: (0, self.most(wish) - wish.calls)}
            return Step(between, add={self.name: wish.calls, self.count(last): wish.calls})
        total = self.used(item, now) + wish.calls
        left = {self.count(slot): 0 for slot in begun if item.get(self.count(slot))}
        counts = {**left, self.count(begun[-1]): wish.calls}
        seen = {**here, self.name: (item.get(self.name, 0), item.get(self.name, 0))}
        return Step(seen, put={f"{self.name}_at": begun[-1], self.name: total, **counts})

    def turns(self, item: Item, now: int, calls: int) -> list[int]:
        return [now] * calls

    def free(self, item: Item, now: int, wish: Wish) -> int:
        slot = max(now // self.slot, item.get(f"{self.name}_at", 0))
        instants = (now, *((slot + n) * self.slot for n in range(1, self.kept + 1)))
        return next(at for at in instants if self.room(item, at, wish) > 0)


Rate = Paced | Counted


def rate(limit: Limit) -> Rate:
    return Counted(limit) if limit.whose == "user" or limit.seconds >= DAY_S else Paced(limit)


# ---------------------------------------------------------------- protocols


@dataclass(frozen=True)
class Lease:
    """The turns given, fewer than wished for where there was no room for more; with none, when there is room again."""

    turns: tuple[int, ...] = ()
    free: int = 0


def lease(rates: Iterable[Rate], item: Item, clock: Clock, wish: Wish) -> Protocol[Lease]:
    """Refuses without a step where what is known of the item leaves no room: nobody ever gives room back."""
    rates = tuple(rates)
    if sum(isinstance(each, Paced) for each in rates) > 1:  # a turn that waits for one limit comes late for the other
        wish = replace(wish, wait=min(wish.wait, *(each.late // 2 for each in rates)))
    for _ in range(TRIES):
        now = clock()
        fit = min([wish.calls, *(r.room(item, now, wish) for r in rates)])
        if fit < 1 or item.get(PAUSE, 0) > now:
            return Lease(free=max(item.get(PAUSE, 0), *(r.free(item, now, wish) for r in rates)))
        step = Step({PAUSE: (0, now)})
        for each in rates:
            step |= each.step(item, now, replace(wish, calls=fit))
        held, item = yield step
        if held:
            given = (each.turns(item, now, fit) for each in rates)
            return Lease(tuple(map(max, zip(*given, strict=True))))
    return Lease(free=clock())


def queue(item: Item, line: str, length: int, start: int, latest: int) -> Protocol[int | None]:
    """A place of this `length` in the line of those who come back: the instant at which to, from `start` on. None where
    the line reaches beyond `latest`."""
    for _ in range(TRIES):
        if max(start, item.get(line, 0)) > latest:
            return None
        held, item = yield forward(line, item, length, start, latest)
        if held:
            return item[line] - length
    return None


def pause(item: Item, until: int) -> Protocol[None]:
    """Nobody asks before `until`; a pause that lasts longer stays."""
    if item.get(PAUSE, 0) < until:
        yield Step({PAUSE: (0, until - 1)}, put={PAUSE: until})


# ---------------------------------------------------------------- one process


class Purse:
    """What one process knows of an item, and the turns it was given and has not used. Not for two threads at once."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self.rates = tuple(map(rate, limits))
        self.known: Item = {}
        self._turns: deque[int] = deque()

    @property
    def life(self) -> int:
        """A turn not used so long after it came is thrown away; as long again is left for the way to the vendor."""
        return min(each.late for each in self.rates) // 2

    @property
    def interval(self) -> int:
        """The time one call takes up while the vendor is asked as fast as it may be."""
        paced = [each.interval for each in self.rates if isinstance(each, Paced)]
        return max(paced or [each.limit.seconds * SECOND // each.limit.calls for each in self.rates])

    def turn(self, now: int) -> int | None:
        """The next turn in hand that has not grown stale."""
        while self._turns:
            turn = self._turns.popleft()
            if now <= turn + self.life:
                return turn
        return None

    def keep(self, *turns: int) -> None:
        self._turns.extendleft(reversed(turns))

    def forget(self) -> None:
        self._turns.clear()
