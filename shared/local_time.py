"""Which local day an instant belongs to: a pure function of the instant and what is known about the clock then."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.model import DAY, MINUTE, millis
from shared.values import dataclass


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@dataclass(frozen=True)
class Zones:
    """A person's append-only zone history: (since, IANA name), oldest first. The first also covers all before it.

    History, never the current zone: a refetch must file the same samples under the same days.
    """

    history: tuple[tuple[int, str], ...] = ((0, "UTC"),)

    def at(self, instant: int) -> tuple[tzinfo, int | None]:
        """The zone in force, and the instant at which the next one takes over."""
        index = max(0, bisect_left(self.history, (instant + 1, "")) - 1)
        until = self.history[index + 1][0] if index + 1 < len(self.history) else None
        return _zone(self.history[index][1]), until


def local_day(instant: int, offset: int | None, zones: Zones) -> str:
    """The wearer's calendar day, by the record's own offset (minutes) or else by the zone history."""
    if offset is not None:
        return _named((instant + offset * MINUTE) // DAY)
    return _date(instant, zones.at(instant)[0]).isoformat()


@lru_cache(maxsize=1024)
def _named(days: int) -> str:
    """The date so many days after 1970-01-01."""
    return (date(1970, 1, 1) + timedelta(days)).isoformat()


def from_wall_clock(times: Sequence[int], zones: Zones) -> list[int]:
    """Instants of times on the wearer's wall clock, given as if that were UTC. In the hour that comes twice, the order
    tells which of the two is meant."""
    found: list[int] = []
    for at in times:
        wall = datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=zones.at(at)[0])
        first, second = millis(wall), millis(wall.replace(fold=1))
        found.append(second if found and first <= found[-1] < second else first)
    return found


def by_day(times: Sequence[int], offset: int | None, zones: Zones) -> Iterator[tuple[str, slice]]:
    """Cuts sorted instants into runs of one local day each. A day seen in two zones may come twice."""
    start = 0
    while start < len(times):
        zone, until = zones.at(times[start]) if offset is None else (timezone(timedelta(minutes=offset)), None)
        day = _date(times[start], zone)
        midnight = millis(datetime.combine(day + timedelta(days=1), datetime.min.time(), zone))
        end = bisect_left(times, midnight if until is None else min(midnight, until), start)
        yield day.isoformat(), slice(start, end)
        start = end


def offsets(times: Sequence[int], offset: int | None, zones: Zones) -> list[int]:
    """The wearer's minutes east of UTC at each of these sorted instants of a day: where both ends agree, all do."""
    if offset is not None or not times:
        return [offset or 0] * len(times)
    first, last = _east(times[0], zones), _east(times[-1], zones)
    if first == last:
        return [first] * len(times)
    half = len(times) // 2
    return offsets(times[:half], None, zones) + offsets(times[half:], None, zones)


def _east(instant: int, zones: Zones) -> int:
    there = datetime.fromtimestamp(instant / 1000, UTC).astimezone(zones.at(instant)[0]).utcoffset()
    return 0 if there is None else round(there.total_seconds() / 60)


def midnight(day: date, zones: Zones) -> int:
    """The instant at which the wearer's day begins, by the zone in force at about that time."""
    at = datetime.combine(day, datetime.min.time())
    return millis(at.replace(tzinfo=zones.at(millis(at.replace(tzinfo=UTC)))[0]))


def _date(instant: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(instant / 1000, zone).date()
