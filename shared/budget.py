"""The call budget: turns at the clocks of shared/pace.py, which live in the Control table and are everybody's.

pk B#<provider>      sk B   the clock of our app at the vendor
pk C#<connection>    sk B   one person's own count, where the vendor keeps one

Every call to a vendor takes a turn, whatever it is for. A process leases turns for all the calls its threads are about
to make, in one write, and never asks for what it knows already. A vendor without limits costs nothing.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import lru_cache
from threading import Lock
from typing import Any, TypeVar

from shared import control, pace
from shared.apps import App
from shared.errors import OverBudgetError, ProviderUnavailableError, RateLimitedError, TributaryError
from shared.pace import SECOND, Protocol, Purse, Step, Wish
from shared.providers import Limit, Provider
from shared.values import dataclass, replace

FIRST_WAIT_S = 2
"""Worth a worker's time. For longer, a question not yet begun goes back to the queue."""
ERRAND_WAIT_S = 5
REPEATED = 5
LONGEST_PAUSE_S = 900.0

T = TypeVar("T")


def micros() -> int:
    return time.time_ns() // 1000


class Turns:
    """The turns of one item, for the threads of this process. Those that come while one leases are leased for, too."""

    def __init__(self, pk: str, sk: str, limits: tuple[Limit, ...]) -> None:
        self._key, self._lock, self._purse = (pk, sk), Lock(), Purse(limits)
        self._kept_s = pace.DAY_S + 2 * max(limit.seconds for limit in limits)
        self._expected = self._failures = self._pauses = 0

    def expect(self, calls: int) -> None:
        """So many questions are about to be asked, or will not be after all: the first of them leases for all."""
        with self._lock:
            self._expected = max(0, self._expected + calls)

    def take(self, wish: Wish, first: bool) -> int:
        """Waits for a turn, and returns it. Raises OverBudgetError where it would come later than wished for."""
        for _ in range(pace.TRIES):
            turn = self._next(wish, first)
            time.sleep(max(0, turn - micros()) / SECOND)
            if micros() <= turn + self._purse.life:
                return turn
        raise OverBudgetError("turns grow stale before they can be used", 1)

    def give_back(self, turn: int) -> None:
        with self._lock:
            self._purse.keep(turn)

    def place(self, calls: int, start: int, latest: int, bulk: bool) -> int | None:
        """The instant at which so many calls should come back. The hurried stand in a line of their own, in front."""
        with self._lock:
            known, length = self._purse.known, calls * self._purse.interval
            if bulk:
                start = max(start, known.get(pace.LINE_END, 0))
            line = pace.BULK_LINE_END if bulk else pace.LINE_END
            return self._drive(pace.queue(known, line, length, start, min(latest, start + pace.LINE)))

    def pause(self, seconds: float) -> None:
        """Nobody asks for so long. Threads that hear the same at once say it once."""
        with self._lock:
            until = micros() + round(seconds * SECOND)
            if self._purse.known.get(pace.PAUSE, 0) < until - SECOND:
                self._drive(pace.pause(self._purse.known, until))
            self._purse.forget()

    def failed(self, seconds: float) -> None:
        """One failure may be one person's. Several without an answer between are the vendor's, and each pause without
        one is twice as long."""
        self._failures += 1
        if self._failures >= REPEATED and self._purse.known.get(pace.PAUSE, 0) <= micros():
            self.pause(min(LONGEST_PAUSE_S, seconds * 2**self._pauses))
            self._pauses += 1

    def answered(self) -> None:
        self._failures = self._pauses = 0

    def _next(self, wish: Wish, first: bool) -> int:
        """A turn in hand, else the first of a new lease."""
        with self._lock:
            if first:
                wish = replace(wish, calls=max(1, min(pace.MOST_AT_ONCE, self._expected)))
                self._expected = max(0, self._expected - 1)
            turn = self._purse.turn(micros())
            if turn is not None:
                return turn
            given = self._drive(pace.lease(self._purse.rates, self._purse.known, micros, wish))
            if not given.turns:
                raise OverBudgetError("the vendor's limit is used up", max(0, given.free - micros()) / SECOND)
            self._purse.keep(*given.turns[1:])
            return given.turns[0]

    def _drive(self, protocol: Protocol[T]) -> T:
        try:
            step = next(protocol)
            while True:
                held, self._purse.known = attempt(*self._key, step, self._kept_s)
                step = protocol.send((held, self._purse.known))
        except StopIteration as done:
            told: T = done.value
            return told


def attempt(pk: str, sk: str, step: Step, kept_s: int) -> tuple[bool, control.Item]:
    """The step as DynamoDB writes it."""
    put = {**step.put, "expires": time.time_ns() // 10**9 + kept_s}
    sets = [f"#{name} = if_not_exists(#{name}, :zero) + :{name}" for name in step.add]
    sets += [f"#{name} = :{name}" for name in put]
    given: dict[str, Any] = {**step.add, **put, **({"zero": 0} if step.add else {})}
    holds = []
    for name, (low, high) in step.between.items():
        given |= {f"low_{name}": low, f"high_{name}": high}
        lies = f"#{name} BETWEEN :low_{name} AND :high_{name}"
        holds.append(f"(attribute_not_exists(#{name}) OR {lies})" if low <= 0 else lies)
    names = {f"#{name}": name for name in {**step.between, **step.add, **put}}
    return control.tried(pk, sk, f"SET {', '.join(sets)}", given, " AND ".join(holds), names)


@lru_cache(maxsize=1000)
def turns(pk: str, sk: str, limits: tuple[Limit, ...]) -> Turns:
    return Turns(pk, sk, limits)


@dataclass(frozen=True)
class Budget:
    """What a visit or an errand may ask of a vendor. `until` (milliseconds) is how long its worker can wait."""

    app: Turns | None = None
    person: Turns | None = None
    bulk: bool = False
    until: int = 0

    @classmethod
    def of(cls, provider: Provider, app: App, connection: str = "", bulk: bool = False, until: int = 0) -> Budget:
        limits = provider.limits if app.limits is None else app.limits
        ours = tuple(limit for limit in limits if limit.whose == "app")
        theirs = tuple(limit for limit in limits if limit.whose == "user")
        return cls(
            turns(f"B#{provider.house}", "B", ours) if ours else None,
            turns(f"C#{connection}", "B", theirs) if theirs and connection else None,
            bulk,
            until,
        )

    def expect(self, calls: int) -> None:
        for clock in filter(None, (self.app, self.person)):
            clock.expect(calls)

    def take(self, first: bool = False) -> None:
        """A turn at every clock. What is begun would be lost, so it may wait longer than the `first` call of a
        question. Raises OverBudgetError."""
        begun = max(0, self.until * 1000 - micros()) if self.until else ERRAND_WAIT_S * SECOND
        wish = Wish(wait=FIRST_WAIT_S * SECOND, bulk=self.bulk) if first else Wish(wait=begun)
        turn = self.app.take(wish, first) if self.app else 0
        if self.person:
            try:
                self.person.take(wish, first)
            except OverBudgetError:
                if self.app:
                    self.app.give_back(turn)
                raise

    def insist(self) -> None:
        """For what cannot come back: a code lives for seconds, and a person is waiting."""
        with suppress(OverBudgetError):
            self.take()

    def heard(self, error: TributaryError | None) -> None:
        """What an answer says of everybody's next call. A 429 is the person's, where the vendor counts persons."""
        if isinstance(error, RateLimitedError) and (self.person or self.app):
            (self.person or self.app).pause(error.after)  # type: ignore[union-attr]
        if self.app and isinstance(error, RateLimitedError | ProviderUnavailableError):
            self.app.failed(error.after)
        elif self.app:
            self.app.answered()

    def place(self, calls: int, after_s: float, latest: int = 0) -> float | None:
        """In how many seconds to come back with so many calls, so that all who wait come one after another; None where
        nobody keeps a line, or it reaches beyond `latest` (milliseconds)."""
        if self.app is None:
            return None
        now = micros()
        at = self.app.place(calls, now + round(after_s * SECOND), latest * 1000 or 2**62, self.bulk)
        return None if at is None else max(0, at - now) / SECOND
