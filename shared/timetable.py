"""When catch-up polling is due: a pure function of what the ring projects and the minute. Times hold to ±15 minutes.

The ring looks at every connection each half hour; `shared/providers/cadence.py` has the numbers. Looks are counted from
the hour the person wakes, and intervals start at each connection's own minute, so that polls spread over the looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.model import MINUTE
from shared.providers import RHYTHMS, Provider, Resource, Rhythm, Window

LOOK_MINUTES = 30
LOOK = LOOK_MINUTES * MINUTE
PER_HOUR = 60 // LOOK_MINUTES
PER_DAY = 24 * PER_HOUR
WAKE_HOUR, HOURS_UP = 7, 16
REVIEW_HOUR, REVIEW_DAYS = 4, 14
"""Hours after waking, on one day of the week; and how far back that asks. Vendors correct days that no poll asks for,
and the webhook that tells of it may be lost."""
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


def is_reviewed(provider: Provider, weekday: int, zone: str, at: int, wake: int = WAKE_HOUR) -> bool:
    """Whether this look is the week's for all that polling asks for. `weekday` is the connection's own, Monday is 0."""
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
    return provider.timer_polling and local.weekday() == weekday and clock(zone, at, wake)[0] == REVIEW_HOUR * PER_HOUR


def last_days(days: int, zone: str, at: int) -> Window:
    """So many local days, the last of them that of the instant `at`."""
    today = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone)).date()
    return Window(today - timedelta(days=days - 1), today)
