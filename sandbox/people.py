"""Who lives here: the people with names, and newcomers without end, each drawn from their own name."""

import re
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

from sandbox.life import PEOPLE, Person

NEWCOMER_DAYS = 9
"""A newcomer bought their devices so long ago: a short life is cheap to draw and to keep."""
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "America/Los_Angeles", "Europe/London", "Asia/Kolkata")


def person(name: str) -> Person:
    """Raises KeyError for a name that is nobody's: neither in PEOPLE nor newcomer-<number>."""
    if name not in PEOPLE and not re.fullmatch(r"newcomer-\d{1,5}", name):
        raise KeyError(name)
    return PEOPLE.get(name) or newcomer(name)


@cache
def newcomer(name: str) -> Person:
    rng = Random(name)
    return Person(
        name=name,
        zone=ZoneInfo(rng.choice(ZONES)),
        wake_hour=round(rng.uniform(5.5, 8.5), 1),
        resting=rng.randint(48, 66),
        hrv=rng.randint(25, 70),
        weight=round(rng.uniform(52, 98), 1),
        fat=round(rng.uniform(14, 32), 1),
        height=round(rng.uniform(1.55, 1.95), 2),
        age=rng.randint(20, 75),
        sex=rng.choice(("female", "male")),
        stride=round(rng.uniform(0.65, 0.8), 2),
        basal_kcal=rng.randint(1250, 1900),
        glucose_phase=rng.randrange(300),
        history=NEWCOMER_DAYS,
    )
