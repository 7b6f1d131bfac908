"""Kills workers from outside, at random: what the system runs does not know of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from random import Random
from threading import Event, Thread

from ops.local import Local

PAUSE_S = (2.0, 10.0)


class Killer:
    """Ends one of the workers' processes every few seconds, for as long as the block runs."""

    def __init__(self, system: Local, seed: int) -> None:
        self.system, self.killed = system, 0
        self._rng, self._over = Random(seed), Event()
        self._thread = Thread(target=self._kill_on, daemon=True)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join()

    def stop(self) -> None:
        self._over.set()

    def _kill_on(self) -> None:
        while not self._over.wait(self._rng.uniform(*PAUSE_S)):
            if found := workers(self.system):
                with suppress(ProcessLookupError):
                    os.kill(self._rng.choice(found), signal.SIGKILL)
                    self.killed += 1


def workers(system: Local) -> list[int]:
    """The processes in which the emulator runs either worker: each has a folder named after the function."""
    ours = re.compile(rf"^\s*(\d+) .*{re.escape(str(system.folder))}/\w+/ministack-lambda-\w+-Worker")
    listed = subprocess.run(("ps", "-axo", "pid=,command="), capture_output=True, text=True, check=True).stdout
    return [int(found[1]) for line in listed.splitlines() if (found := ours.match(line))]
