"""The people and the vendors of a simulated day: a model, drawn from a seed, and stated here.

People. One of the polled providers each, in equal parts; one of eight zones; a waking hour from five to nine, most at
seven. Of each provider and waking hour, `STORIES` different days are drawn, and everybody has one of them. A phone
syncs every three quarters of an hour on average while its owner is up, and each sync is news of all that moves by day.
The vendor knows the night with the first sync after waking; one in ten is not recorded. What is measured once a day or
less often comes with one sync of the day.

Vendors. Where the vendor's webhooks tell of a resource, one in a hundred is lost; the others reach us after a minute on
average, and wait for the hint's delay. For one connection in a hundred they have all been silent for days, and that is
known. A poll is answered ten seconds after its look.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from shared import connections
from shared.model import HOUR, MINUTE
from shared.providers import OAuth2, Provider, Resource
from shared.providers.registry import provider, providers

ZONES = (
    "America/Los_Angeles", "America/Chicago", "America/New_York", "America/Sao_Paulo",
    "Europe/London", "Europe/Berlin", "Asia/Kolkata", "Asia/Tokyo",
)  # fmt: skip
WAKES = (5, 6, 7, 7, 7, 7, 7, 7, 8, 9)
STORIES = 100
SYNC_MINUTES, HOURS_UP = 45, 16
NIGHTS_MISSED = 0.1
WEBHOOKS_LOST, WEBHOOKS_SILENT = 0.01, 0.01
WEBHOOK_MS, ANSWERED_MS = 60_000, 10_000


class Group(NamedTuple):
    """Those whom the walker cannot tell apart."""

    provider: str
    zone: str
    wake: int
    minute: int
    silent: bool


@dataclass(frozen=True)
class Story:
    """One person's day, in milliseconds since their midnight: by resource, when the vendor had news of it, and when a
    webhook had told us (None: none did)."""

    news: Mapping[str, tuple[tuple[int, int | None], ...]]


def population(size: int, shards: int, seed: int) -> tuple[Counter[tuple[Group, int]], Counter[str]]:
    """How many people share a group and a story, and how many a segment of the ring."""
    draw = random.Random(seed)
    polled = [p for p in providers() if isinstance(p.auth, OAuth2) and p.timer_polling]
    people: Counter[tuple[Group, int]] = Counter()
    placed: Counter[str] = Counter()
    for n in range(size):
        id_, source = f"{draw.getrandbits(160):040x}", polled[n % len(polled)]
        silent = source.pushes and draw.random() < WEBHOOKS_SILENT
        group = Group(source.id, draw.choice(ZONES), draw.choice(WAKES), connections.minute_of(id_), silent)
        people[group, draw.randrange(STORIES)] += 1
        placed[connections.segment(id_, shards)] += 1
    return people, placed


@cache
def story(provider_id: str, wake: int, silent: bool, number: int, seed: int) -> Story:
    """The same phone and the same nights for those whose webhooks are silent, and nobody to tell of them."""
    source, draw = provider(provider_id), random.Random(f"{seed}.{provider_id}.{wake}.{number}")
    woke = round((wake + draw.gauss(0, 0.75)) * HOUR)
    syncs = list(phone(draw, woke)) or [woke]
    night = () if draw.random() < NIGHTS_MISSED else tuple(syncs[:1])
    found = {}
    for resource in source.resources:
        rhythm, once = resource.rhythm, (draw.choice(syncs),)
        news = tuple(syncs) if rhythm.by_day else night if rhythm.once else once
        told = [heard(draw, source, resource, at) for at in news]
        found[resource.name] = tuple(zip(news, [None] * len(news) if silent else told, strict=True))
    return Story(found)


def phone(draw: random.Random, woke: int) -> Iterator[int]:
    at = woke + round(draw.expovariate(1 / SYNC_MINUTES) * MINUTE)
    while at < woke + HOURS_UP * HOUR:
        yield at
        at += round(draw.expovariate(1 / SYNC_MINUTES) * MINUTE)


def heard(draw: random.Random, source: Provider, resource: Resource, at: int) -> int | None:
    lost, slow = draw.random() < WEBHOOKS_LOST, draw.expovariate(1 / WEBHOOK_MS)
    if lost or source.webhook is None or not source.tells(resource):
        return None
    return at + round(slow) + source.webhook.hint_delay_s * 1000
