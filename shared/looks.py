"""The looks of the ring at one connection: the next at which something is due, and the last."""

from __future__ import annotations

from collections.abc import Iterable

from shared.model import DAY, MINUTE
from shared.providers import Provider
from shared.timetable import LOOK, WAKE_HOUR, due
from shared.values import dataclass


@dataclass(frozen=True)
class Turn:
    """What decides when a connection's turn comes: its minute of the half hour, and the wearer's clock."""

    minute: int
    zone: str = "UTC"
    wake: int = WAKE_HOUR
    silent: bool = False


def next_look(turn: Turn, after: int) -> int:
    """The next instant at which the ring comes by. Milliseconds."""
    return after - (after - turn.minute * MINUTE) % LOOK + LOOK


def next_due(provider: Provider, resources: Iterable[str], turn: Turn, after: int) -> int | None:
    """When this connection will next be polled for anything; None for one that is not polled by the clock."""
    first = next_look(turn, after)
    return first_due(provider, tuple(resources), turn, range(first, first + 2 * DAY, LOOK))


def last_due(provider: Provider, resource: str, turn: Turn, before: int) -> int | None:
    """The last look earlier than `before` at which this resource was due."""
    last = next_look(turn, before - 1) - LOOK
    return first_due(provider, (resource,), turn, range(last, last - 2 * DAY, -LOOK))


def first_due(provider: Provider, resources: Iterable[str], turn: Turn, looks: Iterable[int]) -> int | None:
    if not provider.timer_polling:
        return None
    found = (at for at in looks if due(provider, resources, turn.zone, at, turn.wake, turn.silent))
    return next(found, None)
