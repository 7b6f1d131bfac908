"""What a person told us about themselves: where they live, when they wake, how they want glucose, whom they trust.

In the Data table under sk `Z`, beside the zone history.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from shared import connections, sections, zones
from shared.catalogue import METRICS
from shared.errors import BadRequestError
from shared.local_time import Zones
from shared.schemas import ProfileRequest
from shared.timetable import WAKE_HOUR
from shared.values import dataclass, field


@dataclass(frozen=True)
class Profile:
    """`priority` lists, per metric, the sources that win a day before any other, best first."""

    zones: Zones = field(default_factory=Zones)
    wake_hour: int = WAKE_HOUR
    glucose_unit: str = METRICS["glucose"].unit
    priority: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def timezone(self) -> str:
        return "" if self.zones == Zones() else self.zones.history[-1][1]


def of(user: str) -> Profile:
    item = sections.person(user)
    told = orjson.loads(item["told"]["S"]) if "told" in item else {}
    return Profile(zones=zones.read(item), **told)


def change(user: str, wish: ProfileRequest) -> Profile:
    """What is not named stays as it was. Raises BadRequestError naming the field at fault."""
    if unknown := wish.priority.keys() - METRICS.keys():
        raise BadRequestError(f"no such metric: {', '.join(sorted(unknown))}", "priority")
    if wish.timezone:
        zones.moved_to(user, zones.known(wish.timezone))
    before = of(user)
    told = {
        "wake_hour": before.wake_hour if wish.wake_hour is None else wish.wake_hour,
        "glucose_unit": wish.glucose_unit or before.glucose_unit,
        "priority": {**before.priority, **wish.priority},
    }
    sections.tell_person(user, orjson.dumps(told).decode())
    # The ring projects these two, so that polls can keep to the person's own clock.
    for held in connections.of_user(user):
        connections.change(held.id, zone=before.zones.history[-1][1], wake=told["wake_hour"])
    return of(user)
