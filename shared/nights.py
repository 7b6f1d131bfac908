"""Sleeps that are told in stretches, each a record of its own, joined into one. Pure: in whatever order they arrived,
the same stretches are the same sleep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.model import HOUR, Document, Episode, Reading
from shared.providers.stages import Stretch, asleep, figures, told
from shared.values import replace

APART = HOUR
"""Stretches further apart than this are two sleeps. Being awake in between is a stretch, too."""


def joined(documents: Iterable[Document]) -> list[Document]:
    """The documents, with one for each sleep in place of its stretches. The longest sleep of the day is the night."""
    found = list(documents)
    parts = [d for d in found if is_stretch(d)]
    if not parts:
        return found
    slept = [group for group in together(parts) if asleep(stretches(group))]
    longest = max(slept, key=lambda group: (asleep(stretches(group)), group[0].id), default=None)
    nights = [night(group, "sleep" if group is longest else "nap") for group in slept]
    return [d for d in found if not is_stretch(d)] + nights


def is_stretch(document: Document) -> bool:
    return document.episode is not None and document.episode.kind == "stage"


def together(parts: Iterable[Document]) -> list[list[Document]]:
    """Stretches with no more than an hour of nothing between them."""
    groups: list[list[Document]] = []
    until = 0
    for part in sorted(parts, key=lambda d: (span(d).start, span(d).end, d.id)):
        if not groups or span(part).start - until > APART:
            groups.append([])
        groups[-1].append(part)
        until = max(until, span(part).end)
    return groups


def night(parts: Sequence[Document], kind: str) -> Document:
    """Known by its first stretch's id, and as new as its newest."""
    found = stretches(parts)
    start, end = min(s[0] for s in found), max(s[1] for s in found)
    last = max(parts, key=lambda d: (span(d).end, d.id))
    dated = [d.as_of for d in parts if d.as_of is not None]
    kept = tuple(Reading(each.metric, round(each.value, 3)) for each in figures(found))  # as any reading is
    whole = Episode("nap" if kind == "nap" else "sleep", start, end, stages=told(found))
    return replace(
        last, id=parts[0].id, as_of=max(dated, default=None), readings=kept, episode=whole,
        manual=all(d.manual for d in parts),
    )  # fmt: skip


def stretches(parts: Iterable[Document]) -> list[Stretch]:
    return [(span(d).start, span(d).end, span(d).label) for d in parts]


def span(document: Document) -> Episode:
    assert document.episode
    return document.episode
