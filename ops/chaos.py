"""A week of many people, compressed, in bad weather: what happens to them, what the vendors make of it, what is left.

Everybody connects every provider. Each day of the week brings nights, weighings, late corrections and deletions, and
every other day a poll of all. Meanwhile the weather duplicates, reorders and drops webhooks, refuses calls and ends
tokens, and somebody outside kills workers. After the week it clears up, everything comes to rest, what died with its
worker five times is moved back, as an operator would, and every record is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from ops.client import Api, ApiError
from ops.local import Local
from ops.reckoning import Held, Reckoning, Records, Spot, held, reckon, shown, truth
from ops.stage import DEAD, QUEUES, WAITING, Sandbox, StepFailed

PROVIDERS = ("oura", "withings", "dexcom")
WEATHER = {
    "duplicate_webhooks": 0.20,
    "reorder_webhooks": 0.10,
    "drop_webhooks": 0.05,
    "rate_limit": 0.10,
    "server_error": 0.05,
    "expire_tokens": 0.01,
}
CONNECT_TRIES = 20
LATEST_CORRECTION = 6
POLLED_EVERY = 2
"""Days. What webhooks tell is most of the storm's work."""
STUCK_S = 900.0
PAUSE_S = 0.5
DELETABLE = {
    ("oura", "nap"): "sleep",
    ("oura", "night"): "sleep",
    ("oura", "workout"): "workout",
    ("withings", "weight"): "measures",
    ("withings", "workout"): "workouts",
    ("withings", "night"): "sleep",
    ("dexcom", "carbs"): "events",
    ("dexcom", "insulin"): "events",
}
NIGHT = {"oura": ("sleep", "daily_sleep", "daily_readiness", "daily_spo2"), "withings": ("sleep",)}
STEPS = {"oura": ("daily_activity",), "withings": ("activity",)}
WEIGHED = {"withings": ("measures",)}


@dataclass(frozen=True)
class Plan:
    people: int
    days: int
    seed: int


@dataclass(frozen=True)
class Ground:
    """Where it is played. `bearer` gives a user's token; `poll` has every connection polled now, and `review` has the
    last fortnight asked for; `killed` counts the workers that died so far, `spare` ends that; `redrive` moves dead
    letters back, and says how many; `show` prints."""

    system: Local
    bearer: Callable[[str], str]
    poll: Callable[[], int]
    review: Callable[[], int]
    killed: Callable[[], int]
    spare: Callable[[], None]
    redrive: Callable[[], int]
    show: Callable[[str], None] = lambda _: None
    at_once: int = 4
    """How many people act at the same time."""
    day_s: float = 0.0
    """The least a day lasts, so that what was put off in the storm comes back into it."""


@dataclass(frozen=True)
class Happening:
    """What a switch of the sandbox makes happen, and the sections that it changes."""

    switch: str
    body: Mapping[str, Any]
    day: date
    touches: Mapping[str, tuple[str, ...]]


@dataclass
class Newcomer:
    """`told` are the sections that changed, with the records they had then; with None where a webhook about one was
    not delivered."""

    name: str
    zone: str
    api: Api
    rng: Random
    began: date
    """Their day when the storm began. It may go on past their midnight."""
    told: dict[Spot, Collection[str] | None] = field(default_factory=dict)

    @property
    def user(self) -> str:
        return f"user-{self.name}"

    @property
    def today(self) -> date:
        return datetime.now(ZoneInfo(self.zone)).date()


@dataclass
class Outcome:
    events: int
    webhooks: dict[str, int]
    faults: dict[str, int]
    killed: int
    told: Reckoning
    polled: Reckoning
    final: Reckoning
    burned: int
    condemned: int
    redriven: int
    dead: int
    seconds: float

    @property
    def failures(self) -> int:
        return self.told.amiss + self.final.amiss + self.burned + self.condemned + self.dead


class Chaos:
    def __init__(self, ground: Ground, plan: Plan) -> None:
        self.ground, self.plan = ground, plan
        self.system = ground.system
        self.sandbox = Sandbox(self.system.sandbox, "")
        self.sqs, self.dynamodb = self.system.client("sqs"), self.system.client("dynamodb")
        self.people = [self._newcomer(number) for number in range(plan.people)]
        self.events = 0

    def close(self) -> None:
        for client in (self.sandbox.http, self.sqs, self.dynamodb):
            client.close()
        for person in self.people:
            person.api.close()

    def run(self) -> Outcome:
        begun = time.monotonic()
        self.sandbox.switch("weather", seed=self.plan.seed, **WEATHER)
        self._all("connected", self._connect)
        for day in range(self.plan.days):
            self._drain(f"day {day + 1} of {self.plan.days}", self._ready)
            self._all(f"day {day + 1} of {self.plan.days}: people", partial(self._live, day=day))
            if day % POLLED_EVERY:
                self.ground.poll()
            time.sleep(self.ground.day_s)
        self.sandbox.switch("weather")
        self.ground.spare()
        self._drain("after the storm", self._left)
        redriven = self.ground.redrive()
        self._drain("dead letters moved back", self._left)
        told = self._reckon(lambda person: {spot: then for spot, then in person.told.items() if then is not None})
        self.sandbox.switch("stop")
        self.ground.poll()
        self._drain("the last poll", self._left)
        polled = self._reckon()
        self.ground.review()
        self._drain("the week's review", self._left)
        final = self._reckon(api=True)
        return self._outcome(told, polled, final, redriven, time.monotonic() - begun)

    # --- acting

    def _newcomer(self, number: int) -> Newcomer:
        name = f"newcomer-{number}"
        zone = self.sandbox.read("holdings", person=name, **{"from": "2100-01-01", "to": "2100-01-01"})["zone"]
        api = Api(self.system.api, self.ground.bearer(name))
        return Newcomer(name, zone, api, Random(f"{self.plan.seed}:{name}"), datetime.now(ZoneInfo(zone)).date())

    def _all(self, what: str, act: Callable[[Newcomer], None]) -> None:
        with ThreadPoolExecutor(self.ground.at_once) as pool:
            for done, _ in enumerate(pool.map(act, self.people), 1):
                self.ground.show(f"{what} {done} of {self.plan.people}, {self._left()} messages wait")

    def _connect(self, person: Newcomer) -> None:
        """A vendor that refuses the code makes the person begin again."""
        for provider in PROVIDERS:
            for left in reversed(range(CONNECT_TRIES)):
                try:
                    person.api.connect(provider, person.name, person.zone)
                    break
                except ApiError:
                    if not left:
                        raise

    def _live(self, person: Newcomer, day: int) -> None:
        for what in happenings(person.rng, day, person.began, person.today):
            lines = self.sandbox.tell(what.switch, person=person.name, **what.body)
            self.events += 1
            for provider, resources in what.touches.items():
                fates = {hook["status"] for hook in lines if hook["provider"] == provider and not hook.get("late")}
                heard = bool(fates) and fates <= {200, "held"}
                then = self._truth(person, what.day.isoformat(), what.day.isoformat())
                for spot in (Spot(provider, resource, what.day.isoformat()) for resource in resources):
                    missed = not heard or person.told.get(spot, ()) is None
                    person.told[spot] = None if missed else frozenset(then.get(spot, {}))

    # --- waiting

    def _depth(self, queues: Iterable[str], kinds: Iterable[str] = WAITING) -> int:
        urls = {self.system.output(queue) for queue in queues}
        found = [self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] for url in urls]
        return sum(int(seen[kind]) for seen in found for kind in kinds)

    def _left(self) -> int:
        return self._depth(QUEUES)

    def _ready(self) -> int:
        """What a worker could begin now: a day is over when all else is put off, or in the hands of the dead."""
        return self._depth(QUEUES, WAITING[:1])

    def _drain(self, what: str, left: Callable[[], int]) -> None:
        """Until nothing is left, seen twice: a message may be between two queues. Raises StepFailed when stuck."""
        least, begun, none = left(), time.monotonic(), 0
        first, moved = least, begun
        while none < 2:
            now = left()
            none = 0 if now else none + 1
            if now < least:
                least, moved = now, time.monotonic()
            if time.monotonic() - moved > STUCK_S:
                raise StepFailed(f"{what}: {now} messages wait, never fewer than {least} in {STUCK_S:.0f} s")
            rest = f", about {now * (moved - begun) / (first - least) / 60:.0f} min" if first > least else ""
            self.ground.show(f"{what}: {now} messages wait{rest}; {self.ground.killed()} workers killed")
            time.sleep(PAUSE_S)

    # --- counting

    def _reckon(
        self, wanted: Callable[[Newcomer], Mapping[Spot, Collection[str]]] | None = None, api: bool = False
    ) -> Reckoning:
        """Everybody's records; only the sections `wanted`, if told, and without what came to be in them later: life
        goes on, and nobody is told of it."""
        found = Reckoning()
        for person in self.people:
            true, seen = self._truth(person), self._held(person)
            if wanted is not None:
                chosen = wanted(person)
                seen = Held({s: r for s, r in seen.records.items() if s in chosen}, seen.behind & chosen.keys())
                known = {spot: {*then, *dict(seen.records.get(spot, ()))} for spot, then in chosen.items()}
                true = {s: {k: v for k, v in true.get(s, {}).items() if k in keys} for s, keys in known.items()}
            reckon(found, person.name, true, seen)
            if api:
                days = sorted(spot.day for spot in true)
                shown(found, person.name, true, person.api.days(days[0], days[-1]))
        return found

    def _truth(self, person: Newcomer, first: str = "2000-01-01", last: str = "2100-01-01") -> dict[Spot, Records]:
        told = self.sandbox.read("holdings", person=person.name, **{"from": first, "to": last})
        return truth(told["days"])

    def _held(self, person: Newcomer) -> Held:
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.system.output("DataTable"),
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": person.user}},
            ConsistentRead=True,
        )
        return held(item for page in pages for item in page["Items"] if item["sk"]["S"][:2] in ("P#", "D#"))

    def _outcome(self, told: Reckoning, polled: Reckoning, final: Reckoning, redriven: int, seconds: float) -> Outcome:
        log = self.sandbox.read("log")
        states = [c["state"] for person in self.people for c in person.api.get("connections")["connections"]]
        condemned = len(self.people) * len(PROVIDERS) - sum(state in ("active", "degraded") for state in states)
        burned = sum(counts["reused"] for counts in log["refreshes"].values())
        sent, drawn = added(log["webhooks"].values()), added(log["weather"].values())
        return Outcome(
            self.events, sent, drawn, self.ground.killed(), told, polled, final, burned, condemned,
            redriven, self._depth(DEAD), seconds,
        )  # fmt: skip


def happenings(rng: Random, day: int, began: date, today: date) -> Iterator[Happening]:
    """What one day of the week brings one person: the night, then whatever the dice say."""
    if day < 2:  # the sandbox holds back the nights of yesterday and today, as they were when it started
        night = began - timedelta(days=1 - day)
        yield Happening("night", {"day": night.isoformat()}, night, NIGHT)
    if rng.random() < 0.6:
        late = today - timedelta(days=rng.randint(1, LATEST_CORRECTION))
        yield Happening("steps", {"day": late.isoformat(), "steps": rng.randint(2_000, 25_000)}, late, STEPS)
    if rng.random() < 0.6:
        yield Happening("weigh", {"kg": round(rng.uniform(50, 100), 2)}, today, WEIGHED)
    if rng.random() < 0.3:
        (provider, kind), resource = rng.choice(list(DELETABLE.items()))
        gone = today - timedelta(days=rng.randint(0, LATEST_CORRECTION))
        body = {"provider": provider, "kind": kind, "day": gone.isoformat()}
        yield Happening("delete", body, gone, {provider: (resource,)})


def added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            total[name] = total.get(name, 0) + count
    return total


def report(outcome: Outcome, plan: Plan) -> str:
    final, faults, hooks = outcome.final, outcome.faults, outcome.webhooks
    amiss = [*outcome.told.lines, *final.lines]
    figures: dict[str, object] = {
        "people × providers": f"{plan.people} × {len(PROVIDERS)}, {plan.days} days in {outcome.seconds:.0f} s",
        "events": f"{outcome.events:,}",
        "webhooks sent": f"{hooks['sent']:,}; {faults.get('duplicate_webhooks', 0):,} twice, "
        f"{faults.get('reorder_webhooks', 0):,} out of order; {hooks['dropped']:,} dropped",
        "calls refused": f"{faults.get('rate_limit', 0):,} with 429, {faults.get('server_error', 0):,} with 5xx",
        "tokens ended early": faults.get("expire_tokens", 0),
        "workers killed": outcome.killed,
        "effects expected": f"{final.records:,} records in {final.sections:,} sections of {final.days:,} days",
        "told, and not shown": outcome.told.amiss,
        "lost": final.lost,
        "doubled": final.doubled,
        "wrong": final.wrong,
        "refresh tokens burned": outcome.burned,
        "connections wrongly condemned": outcome.condemned,
        "dead letters": f"{outcome.dead}; {outcome.redriven} moved back",
        "(left by polling to the week's review)": outcome.polled.amiss,
    }
    width = max(map(len, figures))
    return "\n".join([*(f"  {name:<{width}}  {figure}" for name, figure in figures.items()), *amiss])
