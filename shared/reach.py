"""How far the newest data reaches, and how many days a refresh must ask for to leave no gap behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from shared import days as merged
from shared.days import Day
from shared.values import dataclass

SHORT, LONG = 2, 7


@dataclass(frozen=True)
class Reach:
    """One source: the last day it said something about, and when we learned it last, in milliseconds."""

    source: str
    day: str
    as_of: int

    def refresh_days(self, today: date) -> int:
        """Two where the days before yesterday are whole: yesterday may have been told in part, and is asked again."""
        return SHORT if self.day >= (today - timedelta(days=1)).isoformat() else LONG


def of(user: str, today: date) -> dict[str, Reach]:
    """One Query, of at most eight small items. A source that said nothing in a week is not in it."""
    return reaches(merged.of_user(user, today - timedelta(days=LONG), today, fresh=True))


def reaches(days: Iterable[Day]) -> dict[str, Reach]:
    found: dict[str, Reach] = {}
    for day in days:
        for slot in day.slots:
            if slot.stats:
                known = found.get(slot.source, Reach(slot.source, "", 0))
                found[slot.source] = Reach(slot.source, max(known.day, day.day), max(known.as_of, slot.as_of))
    return found


def refresh_days(source: str, found: Mapping[str, Reach], today: date) -> int:
    return found[source].refresh_days(today) if source in found else LONG
