"""Fifty workers and one vendor: the call budget on a clock that jumps from event to event, without AWS.

    python -m bench.budget [seed]

The clocks, leases and the waiting line are those of shared/pace.py. Made up here are the latencies of the table, the
queue and the vendor, workers that stall with a turn in hand, and the work: all of it there at once, far more than the
limit allows, and every third job's questions have several pages.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
import sys
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from shared import budget, fetching, jobs, pace
from shared.pace import SECOND, Item, Protocol, Purse, Step, Wish
from shared.providers import Limit
from shared.providers.registry import providers

T = TypeVar("T")
WORKERS, BATCH = 50, 10
WORKER_S = 60
START = 1_795_000_000 * SECOND


class Jumps(selectors.SelectSelector):
    """Nobody waits: where the loop would sleep, its clock jumps."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += timeout or 0
        return super().select(0)


@dataclass
class Job:
    questions: list[int]  # pages of each
    bulk: bool = False
    deferred: int = 0


@dataclass
class World:
    """The vendor, the table with its one item, and the queue."""

    limits: tuple[Limit, ...]
    random: Random
    clock: Callable[[], int]
    item: Item = field(default_factory=dict)
    arrived: list[int] = field(default_factory=list)
    waiting: list[tuple[float, int, Job]] = field(default_factory=list)
    open: int = 0
    updates: int = 0
    collisions: int = 0
    deferrals: int = 0
    repeated: int = 0
    sent: int = 0

    async def update(self, step: Step) -> tuple[bool, Item]:
        await asyncio.sleep(self.random.uniform(0.001, 0.004))
        after = step.on(self.item)
        self.updates += 1
        self.collisions += after is None
        self.item = self.item if after is None else after
        seen = self.item
        await asyncio.sleep(self.random.uniform(0.001, 0.004))
        return after is not None, seen

    async def call(self, turn: int, purse: Purse) -> None:
        """Some stall as long as a turn keeps, and some connections take as long as is left for the way."""
        if self.random.random() < 0.02:
            await asyncio.sleep(max(0, turn + self.random.uniform(0, purse.life) - self.clock()) / SECOND)
        slow = purse.life / SECOND if self.random.random() < 0.02 else 0.05
        await asyncio.sleep(self.random.uniform(0.01, slow))
        self.arrived.append(self.clock())
        await asyncio.sleep(min(10, self.random.lognormvariate(-1.4, 0.5)))

    def send(self, job: Job, delay_s: float) -> None:
        """SQS delays by whole seconds, fifteen minutes at most; who waits longer hops, which costs no update."""
        self.sent += 1
        at = self.clock() / SECOND + (round(delay_s) if delay_s <= jobs.LONGEST_DELAY_S else delay_s)
        heapq.heappush(self.waiting, (at + self.random.uniform(0.02, 0.5), self.sent, job))

    async def receive(self) -> list[Job]:
        found: list[Job] = []
        while self.waiting and len(found) < BATCH and self.waiting[0][0] <= self.clock() / SECOND:
            found.append(heapq.heappop(self.waiting)[2])
        if not found:  # a long poll
            due = self.waiting[0][0] - self.clock() / SECOND if self.waiting else 20
            await asyncio.sleep(min(20, max(0, due)) + self.random.uniform(0.1, 0.5))
        return found


@dataclass
class Worker:
    """One process, as shared/budget.py, shared/fetching.py and shared/deferral.py have it, with tasks for threads."""

    world: World
    purse: Purse
    expected: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    openers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(jobs.TOGETHER))
    pool: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(fetching.PARALLEL))

    async def run(self) -> None:
        while self.world.open:
            until = self.world.clock() + WORKER_S * SECOND // 2
            await asyncio.gather(*(self.visit(job, until) for job in await self.world.receive()))

    async def visit(self, job: Job, until: int) -> None:
        async with self.openers:
            await asyncio.sleep(0.005)  # the connection is read
            self.expected += len(job.questions)
            left = await asyncio.gather(*(self.ask(pages, job.bulk, until) for pages in job.questions))
        job.questions = [pages for pages, free in zip(job.questions, left, strict=True) if free]
        if not job.questions:
            self.world.open -= 1
            return
        job.deferred += 1
        self.world.deferrals += 1
        self.world.send(job, await self.wait(job, max(left)))

    async def ask(self, pages: int, bulk: bool, until: int) -> int:
        """0, or the instant at which there is room again."""
        async with self.pool:
            for page in range(pages):
                begun = Wish(wait=max(0, until - self.world.clock()))
                wish = begun if page else Wish(wait=budget.FIRST_WAIT_S * SECOND, bulk=bulk)
                turn, free = await self.take(wish, first=page == 0)
                if not turn:
                    self.world.repeated += page
                    return max(free, 1)
                await self.world.call(turn, self.purse)
        return 0

    async def take(self, wish: Wish, first: bool) -> tuple[int, int]:
        clock = self.world.clock
        while True:
            async with self.lock:
                if first:
                    wish = Wish(max(1, min(pace.MOST_AT_ONCE, self.expected)), wish.wait, wish.bulk)
                    self.expected = max(0, self.expected - 1)
                turn = self.purse.turn(clock())
                if turn is None:
                    given = await self.drive(pace.lease(self.purse.rates, self.purse.known, clock, wish))
                    if not given.turns:
                        return 0, given.free
                    self.purse.keep(*given.turns[1:])
                    turn = given.turns[0]
            await asyncio.sleep(max(0, turn - clock()) / SECOND)
            if clock() <= turn + self.purse.life:
                return turn, 0

    async def wait(self, job: Job, free: int) -> float:
        known, now = self.purse.known, self.world.clock()
        start = max(now, free, known.get(pace.LINE_END, 0) if job.bulk else 0)
        line = pace.BULK_LINE_END if job.bulk else pace.LINE_END
        length = len(job.questions) * self.purse.interval
        async with self.lock:
            at = await self.drive(pace.queue(known, line, length, start, start + pace.LINE))
        if at is None:
            return max(0, free - now) / SECOND + self.world.random.uniform(0.5, 1) * jobs.LONGEST_DELAY_S
        return max(0, at - now) / SECOND

    async def drive(self, protocol: Protocol[T]) -> T:
        try:
            step = next(protocol)
            while True:
                held, self.purse.known = await self.world.update(step)
                step = protocol.send((held, self.purse.known))
        except StopIteration as done:
            told: T = done.value
            return told


def work(random: Random, calls: int) -> list[Job]:
    """Visits of one to nine questions; a third with pages; half of it bulk."""
    found, asked = [], 0
    while asked < calls:
        paged = random.random() < 1 / 3
        questions = [random.choice([1, 2, 5, 9]) if paged else 1 for _ in range(random.randint(1, 9))]
        found.append(Job(questions, bulk=random.random() < 0.5))
        asked += sum(questions)
    return found


async def play(world: World, todo: list[Job]) -> None:
    world.open = len(todo)
    for job in todo:
        world.send(job, 0)
    await asyncio.gather(*(Worker(world, Purse(world.limits)).run() for _ in range(WORKERS)))


def simulate(limits: tuple[Limit, ...], calls: int, seed: int) -> World:
    jumps = Jumps()
    loop = asyncio.SelectorEventLoop(jumps)
    loop.time = lambda: jumps.now  # type: ignore[method-assign]
    random = Random(seed)
    world = World(limits, random, lambda: START + round(jumps.now * SECOND))
    try:
        loop.run_until_complete(play(world, work(random, calls)))
    finally:
        loop.close()
    return world


def busiest(arrived: list[int], seconds: int) -> int:
    return max(bisect_right(arrived, first + seconds * SECOND) - n for n, first in enumerate(arrived))


def share(world: World) -> float:
    """Of what the limit of the shortest window allows, from the first call to the last: no longer one is reached."""
    took = (world.arrived[-1] - world.arrived[0]) / SECOND
    tightest = min(world.limits, key=lambda limit: limit.seconds)
    return len(world.arrived) * tightest.seconds / (tightest.calls * took)


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    cases: dict[str, tuple[Limit, ...]] = {p.name: p.limits for p in providers() if p.limits}
    cases["100 a minute, 10,000 a day"] = (Limit(100, 60), Limit(10_000, 86_400))
    print(f"{WORKERS} workers, seed {seed}")
    print("limit | calls | hours | busiest window | above | share used | copies | asked again | updates per call")
    for name, limits in cases.items():
        paced = min(limits, key=lambda limit: limit.seconds)
        calls = min(max(3_000, 5 * paced.calls // 2), 66_000, *(limit.calls for limit in limits if limit is not paced))
        world = simulate(limits, calls, seed)
        world.arrived.sort()
        for limit in limits:
            most = busiest(world.arrived, limit.seconds)
            hours = (world.arrived[-1] - world.arrived[0]) / 3600 / SECOND
            print(
                f"{name}: {limit.calls:,} in {limit.seconds:,} s | {calls:,} | "
                f"{hours:.1f} | {most:,} | {max(0, most - limit.calls)} | "
                f"{share(world):.1%} | {world.deferrals:,} | {world.repeated:,} | {world.updates / calls:.2f} "
                f"({world.collisions / calls:.2f} in vain)"
            )


if __name__ == "__main__":
    main()
