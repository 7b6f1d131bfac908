"""A sleep by its stages: in order, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from shared.model import HOUR, MINUTE, Episode, Reading, Stage

Stretch: TypeAlias = Stage
"""Part of a sleep as a device tells it: stretches may lie over each other, and `in_bed` is one of the names."""

VAGUE_FIRST = ("in_bed", "asleep", "awake", "light", "deep", "rem")
"""Where stretches lie over each other, the last of these is believed."""
SLEPT = ("asleep", "light", "deep", "rem")
NIGHT = ("sleep_duration", "rem_sleep", "deep_sleep", "light_sleep", "awake", "sleep_efficiency", "sleep_latency")


def told(stretches: Iterable[Stretch]) -> tuple[Stage, ...]:
    """What was a stage of the sleep, one behind the other."""
    return tuple(stage for stage in flat(stretches) if stage[2] != "in_bed")


def session(start: int, end: int, found: Iterable[Stretch]) -> tuple[Episode, tuple[Reading, ...]]:
    """A sleep that was told as one, and its figures. In bed from end to end: that is what a session is. Without stages
    it was slept through, as far as anybody knows."""
    stretches = list(found) or [(start, end, "asleep")]
    return Episode("sleep", start, end, stages=told(stretches)), figures([*stretches, (start, end, "in_bed")])


def asleep(stretches: Iterable[Stretch]) -> int:
    """Milliseconds."""
    spent = lengths(flat(stretches))
    return sum(spent.get(name, 0) for name in SLEPT)


def figures(stretches: Iterable[Stretch]) -> tuple[Reading, ...]:
    """A sleep's figures, by its stages. Efficiency is of the time in bed, as far as anybody told of it."""
    stages = flat(stretches)
    if not stages:
        return ()
    spent = lengths(stages)
    slept = sum(spent.get(name, 0) for name in SLEPT)
    start, end = stages[0][0], max(stage[1] for stage in stages)
    first = min((stage[0] for stage in stages if stage[2] in SLEPT), default=end)
    staged = any(name in spent for name in ("light", "deep", "rem"))
    hours = {"sleep_duration": slept}
    if staged:
        hours |= {f"{name}_sleep": spent.get(name, 0) for name in ("rem", "deep", "light")}
    if "awake" in spent or staged:
        hours["awake"] = spent.get("awake", 0)
    found = [Reading(metric, round(length / HOUR, 6)) for metric, length in hours.items()]
    if slept:
        found.append(Reading("sleep_efficiency", round(100 * slept / (end - start), 3)))
    if slept and stages[0][2] in ("in_bed", "awake"):
        found.append(Reading("sleep_latency", (first - start) / MINUTE))
    return tuple(found)


def lengths(stages: Iterable[Stage]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start, end, name in stages:
        found[name] = found.get(name, 0) + end - start
    return found


def flat(stretches: Iterable[Stretch]) -> list[Stage]:
    """One stage at a time, in their order: of several at once, the one that says most."""
    told = [stretch for stretch in stretches if stretch[0] < stretch[1]]
    edges = sorted([(start, 1, name) for start, _, name in told] + [(end, -1, name) for _, end, name in told])
    now = dict.fromkeys(VAGUE_FIRST, 0)
    found: list[Stage] = []
    since = 0
    for at, step, name in edges:
        known = [stage for stage in VAGUE_FIRST if now[stage]]
        if known and at > since:
            joins = found and found[-1][1:] == (since, known[-1])
            found.append((found.pop()[0] if joins else since, at, known[-1]))
        now[name] += step
        since = at
    return found
