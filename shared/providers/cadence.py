"""How often polling asks: a resource's spec names a cadence, and here stand its numbers. By the wearer's own clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from shared.values import dataclass

Cadence = Literal["steady", "hourly", "daily", "night", "rare"]


@dataclass(frozen=True)
class Rhythm:
    """Either every so many minutes (multiples of 30), or at so many hours after the person's waking hour.

    `told` is the interval, day and night, where the vendor's webhooks bring the news and polling only finds what they
    missed. `once`: what is here for today is not asked for again. `repair`: so many hours after waking, one more ask
    where today's is still missing.
    """

    by_day: int = 0
    by_night: int = 0
    told: int = 0
    after_waking: tuple[int, ...] = ()
    once: bool = False
    repair: int | None = None

    @property
    def hours(self) -> tuple[int, ...]:
        """All of the hours after waking at which it may be asked for."""
        return self.after_waking if self.repair is None else (*self.after_waking, self.repair)


RHYTHMS: Mapping[Cadence, Rhythm] = {
    # Steps, heart rate, glucose: what moves all day.
    "steady": Rhythm(by_day=30, by_night=150, told=120),
    # A resting heart rate of its own, which vendors revise as the day goes.
    "hourly": Rhythm(by_day=60, by_night=90, told=120),
    "daily": Rhythm(after_waking=(2, 12)),
    "night": Rhythm(after_waking=(1, 3), once=True, repair=2),
    "rare": Rhythm(after_waking=(4,)),
}
