"""What the timetable cannot know: a poll is spared what a webhook has just brought, or what is here for the day.

It costs one read of two day items, and only where that can spare a call to the vendor. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

from shared import sections
from shared.connections import Connection
from shared.model import MINUTE
from shared.providers import Provider, Resource
from shared.slots import Slot, slots
from shared.timetable import LOOK

LOOK_BACK = timedelta(days=1)
GAP = timedelta(days=6)
SETTLING = 5 * MINUTE
"""A poll may run this long after its look: what is younger than that was brought by somebody else, or is as good."""


def worth_asking(
    look: int, held: Connection, provider: Provider, resources: Iterable[Resource], today: date
) -> Iterator[tuple[Resource, timedelta]]:
    """What a poll of these resources must still ask for, and how far back from today.

    A provider that forbids asking by the clock is asked for nothing: that poll only looks whether it still speaks.
    """
    wanted = list(resources) if provider.timer_polling else []
    silent = held.silent_since > 0
    judged = any(is_judged(provider, r, silent) for r in wanted)
    now, before = known(held, provider, today) if judged else ({}, {})
    for resource in wanted:
        slot = now.get(resource.name)
        if not (
            is_judged(provider, resource, silent) and slot and spared(resource, look, slot.as_of, bool(slot.stats))
        ):
            gap = resource.rhythm.once and judged and resource.name not in before
            yield resource, GAP if gap else look_back(resource)


def look_back(resource: Resource) -> timedelta:
    return timedelta(days=resource.late_days)


def is_judged(provider: Provider, resource: Resource, silent: bool = False) -> bool:
    """Webhooks that have fallen silent spare nobody a call."""
    return resource.rhythm.once or (provider.tells(resource) and not silent)


def spared(resource: Resource, look: int, as_of: int, here: bool) -> bool:
    """`as_of` dates the newest knowledge of today, `here` says that there are figures in it."""
    if resource.rhythm.once:
        return here
    return as_of >= look - LOOK + SETTLING


def known(held: Connection, provider: Provider, today: date) -> tuple[Mapping[str, Slot], Mapping[str, Slot]]:
    """By resource, what the day items of today and of yesterday say."""
    found = sections.day_items(held.user, [today.isoformat(), (today - timedelta(days=1)).isoformat()])
    now, before = ({slot.resource: slot for slot in slots(item) if slot.source == provider.id} for item in found)
    return now, before
