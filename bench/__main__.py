"""`make bench`: every bench once, and one table with the targets beside the results.

    python -m bench [name …]

What is a count or a ratio is the same everywhere, more or less; what is so many a second is of the machine it ran on.
"""

from __future__ import annotations

import os
import platform
import sys
import time

from bench import cold, counted, door, idle, packed, parallel, reads, replies
from bench.row import Row, text

BENCHES = {
    "cold": cold.rows,
    "door": door.rows,
    "replies": replies.rows,
    "packed": packed.rows,
    "parallel": parallel.rows,
    "reads": reads.rows,
    "counted": counted.rows,
    "idle": idle.rows,
}


def machine() -> str:
    """What it ran on, and how busy that was with other things before."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load:.1f} at first"


def main(names: list[str]) -> None:
    about, begun, found = machine(), time.perf_counter(), list[Row]()
    for name in names or BENCHES:
        print(f"{name} …", file=sys.stderr, flush=True)
        found += BENCHES[name]()
    missed = sum(row.met is False for row in found)
    print(text(found))
    print(f"\n{about}; {time.perf_counter() - begun:.0f} s; {missed} of {sum(bool(r.target) for r in found)} not met")


if __name__ == "__main__":
    main(sys.argv[1:])
