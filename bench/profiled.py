"""Where the time of bench/replies.py goes: for each reply, the share of every stage, by cProfile.

    python -m bench.profiled

A function's own time counts for the stage that its file belongs to; what it calls of the library, for its own. cProfile
makes calls look dearer than loops in C: shares of a night, which is many small calls, are rougher than those of a day.
"""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from pathlib import PurePath
from typing import Any, TypeAlias

from bench import memory
from bench.replies import Reply, bring, replies

STAGES = {
    "read as JSON": ("replies", "asking"),
    "mapped": ("providers", "model", "reading", "quantities", "pushing", "stages"),
    "filed": ("filing", "local_time", "catalogue"),
    "compared and packed": ("commit", "knowledge", "packing", "nights"),
    "written": ("fetching", "writing", "sections", "visits", "settings", "aws"),
    "summarised": ("summary",),
    "the bench's own table": ("memory", "row", "profiled"),
}
OF = {name: stage for stage, names in STAGES.items() for name in names}
Function: TypeAlias = tuple[str, int, str]


def shares(reply: Reply, seconds: float = 2) -> Counter[str]:
    """Of one, by stage."""
    with memory.standing() as aws:
        bring(aws, reply)
        profile = cProfile.Profile()
        while sum(entry.inlinetime for entry in profile.getstats()) < seconds:
            profile.runcall(bring, aws, reply)
    calls: dict[Function, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    spent: Counter[str] = Counter()
    for function, (_, _, own, _, callers) in calls.items():
        for stage, share in stages(function, callers, calls).items():
            spent[stage] += own * share
    return Counter({stage: time / spent.total() for stage, time in spent.items()})


def stages(function: Function, callers: dict[Function, Any], calls: dict[Function, Any]) -> dict[str, float]:
    """Those of whoever called it, by the time it took them, where it is nobody's own."""
    path = PurePath(function[0])
    own = OF.get(path.stem) or OF.get(path.parent.name) or OF.get(path.parent.parent.name)
    if own or not callers:
        return {own or "elsewhere": 1}
    whole, found = sum(timed[2] for timed in callers.values()) or 1, Counter[str]()
    for caller, timed in callers.items():
        for stage, share in stages(caller, calls[caller][4], calls).items():
            found[stage] += share * timed[2] / whole
    return dict(found)


if __name__ == "__main__":
    for each in replies():
        print(each.name)
        for stage, share in shares(each).most_common():
            print(f"  {share:6.1%}  {stage}")
