"""One line of the table that `make bench` prints, and how its figures are taken."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

ROUNDS, ROUND_S = 5, 0.4
STARTS = 15


@dataclass(frozen=True)
class Row:
    """`met` is None where there is no target."""

    name: str
    result: str
    target: str = ""
    met: bool | None = None


def at_least(name: str, value: float, target: float, unit: str) -> Row:
    return Row(name, f"{shown(value)} {unit}".strip(), f"≥ {target:,g}", value >= target)


def at_most(name: str, value: float, target: float, unit: str) -> Row:
    return Row(name, f"{shown(value)} {unit}".strip(), f"≤ {target:,g}", value <= target)


def plain(name: str, value: float, unit: str) -> Row:
    return Row(name, f"{shown(value)} {unit}")


def shown(value: float) -> str:
    """Three digits or more."""
    return (
        f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")
    )


def rate(do: Callable[[], Any], tiny: bool = False) -> float:
    """How often a second of one core does it: the median of several rounds."""
    do()  # what is made once is made
    return median(_round(do, tiny) for _ in range(1 if tiny else ROUNDS))


def while_python_starts(do: Callable[[], Any], tiny: bool = False) -> float:
    """How often a processor does it in the time that it is busy starting bare Python: the median of rounds of the one
    and the other in turn, since the speed of a machine wanders."""
    do()
    found = []
    for _ in range(1 if tiny else STARTS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _start()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found.append(busy * _round(do, tiny))
    return median(found)


def bare_python(tiny: bool = False) -> float:
    """Seconds that an interpreter takes to start and end: what this machine is told from others by."""
    return median(_start() for _ in range(1 if tiny else STARTS))


def _round(do: Callable[[], Any], tiny: bool) -> float:
    gc.collect()
    begun, count, spent = time.process_time(), 0, 0.0
    while not count or (spent < ROUND_S and not tiny):
        do()
        count += 1
        spent = time.process_time() - begun
    return count / max(spent, 1e-9)


def _start() -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-S", "-s", "-c", "pass"], check=True)
    return time.perf_counter() - begun


def text(rows: Sequence[Row]) -> str:
    """The table, as docs/performance.md has it."""
    head = Row("What", "Result", "Target")
    cells = [(r.name, r.result, r.target, {True: "yes", False: "**no**", None: ""}[r.met]) for r in rows]
    lines = [(head.name, head.result, head.target, "Met"), ("---",) * 4, *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
