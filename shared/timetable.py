"""When catch-up polling is due: a pure function of what the ring projects and the minute. Times hold to ±15 minutes.

The ring looks at every connection each half hour. Steady signals are due at every look by day and at every fifth by
night; daily ones twice a day; a night's at the first look past wake + 1 h, again past wake + 3 h; rare ones once a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from shared.model import DAY, MINUTE
from shared.providers import Cadence, Provider

LOOK_MINUTES = 30
WAKE_HOUR, SLEEP_HOUR = 7, 23


def due(provider: Provider, resources: Iterable[str], zone: str, at: int, wake: int = WAKE_HOUR) -> tuple[str, ...]:
    """The resources to ask for at this look. `at` in milliseconds."""
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
    look = (local.hour * 60 + local.minute) // LOOK_MINUTES
    granted = set(resources)
    asked = (r for r in provider.resources if r.fetch and r.name in granted)
    return tuple(r.name for r in asked if is_due(r.cadence, look, wake))


def next_look(connection_minute: int, after: int) -> int:
    """The next instant at which the ring comes by this minute of the half hour. Milliseconds."""
    period, at = LOOK_MINUTES * MINUTE, connection_minute * MINUTE
    return after - (after - at) % period + period


def next_due(provider: Provider, resources: Iterable[str], zone: str, connection_minute: int, after: int) -> int | None:
    """When this connection will next be polled for anything; None for one that is not polled by the clock."""
    granted, at = tuple(resources), next_look(connection_minute, after)
    for _ in range(2 * DAY // (LOOK_MINUTES * MINUTE)):
        if provider.timer_polling and due(provider, granted, zone, at):
            return at
        at += LOOK_MINUTES * MINUTE
    return None


def is_due(cadence: Cadence, look: int, wake: int) -> bool:
    per_hour = 60 // LOOK_MINUTES
    woken = wake * per_hour
    if cadence == "steady":
        return woken <= look < SLEEP_HOUR * per_hour or look % 5 == 0
    looks = {
        "night": (woken + per_hour, woken + 3 * per_hour),
        "daily": (woken + 2 * per_hour, woken + 12 * per_hour),
        "rare": (woken + 4 * per_hour,),
    }
    return look in {each % (24 * per_hour) for each in looks[cadence]}
