"""Where the time goes: of bench/replies.py for each reply, and of bench/door.py; the share of every stage, by cProfile.

    python -m bench.profiled

A function's own time counts for the stage of its file; what it calls of the library, for its own. cProfile makes calls
look dearer than loops in C, so shares of a night, which is many small calls, are rougher than those of a day.
"""

from __future__ import annotations

import cProfile
import os
import pstats
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from functools import partial
from pathlib import PurePath
from typing import Any

from bench import door, memory
from bench.replies import bring, replies

Stages = Mapping[str, tuple[str, ...]]
"""Each with its files, or the folders of these."""
WORKER: Stages = {
    "read as JSON": ("replies", "asking"),
    "mapped": ("providers", "model"),
    "filed": ("filing", "local_time", "catalogue"),
    "compared and packed": ("commit", "knowledge", "packing", "octets", "nights"),
    "written": ("fetching", "writing", "sections", "visits", "settings", "aws"),
    "summarised": ("summary",),
    "the bench's own table": ("memory",),
}
DOOR: Stages = {
    "proven": ("webhooks", "apps"),
    "read": ("providers",),
    "made a job": ("door", "jobs", "model"),
    "signed and sent": ("signed", "secret", "settings"),
    "answered and logged": ("handler", "profiled"),
    "the bench's own queue": ("memory",),
}


def shares(do: Callable[[], Any], told: Stages, seconds: float = 2) -> Counter[str]:
    do()  # what is made once is made
    profile = cProfile.Profile()
    while sum(entry.inlinetime for entry in profile.getstats()) < seconds:
        for _ in range(20):
            profile.runcall(do)
    calls: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    of = {name: stage for stage, names in told.items() for name in names}
    spent: Counter[str] = Counter()
    for function, (_, _, own, _, _) in calls.items():
        for stage, share in stages(function, calls, of).items():
            spent[stage] += own * share
    return Counter({stage: time / spent.total() for stage, time in spent.items()})


def stages(function: Any, calls: dict[Any, Any], of: Mapping[str, str], below: tuple[Any, ...] = ()) -> Counter[str]:
    """Those of whoever called it, by the time it took them, where it is nobody's own. What calls itself (`below`) does
    so for somebody."""
    path, callers = PurePath(function[0]), {c: t for c, t in calls[function][4].items() if c not in (function, *below)}
    own = next((of[name] for name in (path.stem, path.parent.name, path.parent.parent.name) if name in of), "")
    if own or not callers:
        return Counter({own or "elsewhere": 1})
    whole, found = sum(timed[2] for timed in callers.values()) or 1, Counter[str]()
    for caller, timed in callers.items():
        found.update(
            {stage: share * timed[2] / whole for stage, share in stages(caller, calls, of, (function, *below)).items()}
        )
    return found


def profiles() -> Iterator[tuple[str, Counter[str]]]:
    from functions.webhook.handler import handler

    for each in replies():
        with memory.standing() as aws:
            yield each.name, shares(partial(bring, aws, each), WORKER)
    with memory.standing(), open(os.devnull, "w") as nowhere:
        event = door.request("oura", door.single())
        with redirect_stdout(nowhere):
            found = shares(partial(handler, event, None), DOOR)
        yield "the webhook door, one event", found


if __name__ == "__main__":
    for name, found in profiles():
        print(name, *(f"  {share:6.1%}  {stage}" for stage, share in found.most_common()), sep="\n")
