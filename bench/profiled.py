"""Where the time of bench/replies.py goes: for each reply, the share of every stage, by cProfile.

    python -m bench.profiled

A function's own time counts for the stage of its file; what it calls of the library, for its own. cProfile makes calls
look dearer than loops in C, so shares of a night, which is many small calls, are rougher than those of a day.
"""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from pathlib import PurePath
from typing import Any

from bench import memory
from bench.replies import Reply, bring, replies

STAGES = {
    "read as JSON": ("replies", "asking"),
    "mapped": ("providers", "model"),
    "filed": ("filing", "local_time", "catalogue"),
    "compared and packed": ("commit", "knowledge", "packing", "nights"),
    "written": ("fetching", "writing", "sections", "visits", "settings", "aws"),
    "summarised": ("summary",),
    "the bench's own table": ("memory",),
}
OF = {name: stage for stage, names in STAGES.items() for name in names}


def shares(reply: Reply, seconds: float = 2) -> Counter[str]:
    with memory.standing() as aws:
        bring(aws, reply)
        profile = cProfile.Profile()
        while sum(entry.inlinetime for entry in profile.getstats()) < seconds:
            profile.runcall(bring, aws, reply)
    calls: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    spent: Counter[str] = Counter()
    for function, (_, _, own, _, _) in calls.items():
        for stage, share in stages(function, calls).items():
            spent[stage] += own * share
    return Counter({stage: time / spent.total() for stage, time in spent.items()})


def stages(function: Any, calls: dict[Any, Any]) -> Counter[str]:
    """Those of whoever called it, by the time it took them, where it is nobody's own."""
    path, callers = PurePath(function[0]), calls[function][4]
    own = next((OF[name] for name in (path.stem, path.parent.name, path.parent.parent.name) if name in OF), "")
    if own or not callers:
        return Counter({own or "elsewhere": 1})
    whole, found = sum(timed[2] for timed in callers.values()) or 1, Counter[str]()
    for caller, timed in callers.items():
        found.update({stage: share * timed[2] / whole for stage, share in stages(caller, calls).items()})
    return found


if __name__ == "__main__":
    for each in replies():
        print(each.name, *(f"  {share:6.1%}  {stage}" for stage, share in shares(each).most_common()), sep="\n")
