"""When catch-up polling is due: a pure function of what the ring projects and the minute. Times hold to ±15 minutes.

The ring looks at every connection each half hour; `shared/providers/cadence.py` has the numbers. Looks are counted from
the hour the person wakes, and intervals start at each connection's own minute, so that polls spread over the looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from shared.model import DAY, MINUTE
from shared.providers import RHYTHMS, Provider, Resource, Rhythm

LOOK_MINUTES = 30
LOOK = LOOK_MINUTES * MINUTE
PER_HOUR = 60 // LOOK_MINUTES
PER_DAY = 24 * PER_HOUR
WAKE_HOUR, HOURS_UP = 7, 16
WATCH = RHYTHMS["rare"]
"""How often a provider that must not be polled is looked at, to see whether it still speaks."""


def due(
    provider: Provider, resources: Iterable[str], zone: str, at: int, wake: int = WAKE_HOUR, silent: bool = False
) -> tuple[str, ...]:
    """The resources to ask for at this look. `at` in milliseconds; `silent` says that the webhooks have stopped."""
    since, phase = clock(zone, at, wake)
    granted = set(resources)
    asked = (r for r in provider.resources if (r.fetch or not provider.timer_polling) and r.name in granted)
    return tuple(r.name for r in asked if is_due(provider, r, since, phase, silent))


def clock(zone: str, at: int, wake: int) -> tuple[int, int]:
    """Looks since the person's waking hour, 0 to 47, and the minute of the half hour at which this one comes."""
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
    look, minute = divmod(local.hour * 60 + local.minute, LOOK_MINUTES)
    return (look - wake * PER_HOUR) % PER_DAY, minute


def is_due(provider: Provider, resource: Resource, since: int, phase: int, silent: bool) -> bool:
    rhythm = resource.rhythm if provider.timer_polling else WATCH
    if rhythm.hours:
        return since in {hour * PER_HOUR for hour in rhythm.hours}
    told = provider.tells(resource) and not silent
    minutes = rhythm.told if told else interval(rhythm, since)
    return (since + phase) % (minutes // LOOK_MINUTES) == 0


def interval(rhythm: Rhythm, since: int) -> int:
    return rhythm.by_day if since < HOURS_UP * PER_HOUR else rhythm.by_night


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
