"""Child processes, each the leader of a group of its own, so that whatever it starts is stopped with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

GRACE_S = 5.0
TAIL_LINES = 15


class ProcessError(Exception):
    """A process ended before its time, or badly; the text ends with what it said last."""


class Processes:
    """What one local system runs. Each writes to `<folder>/<name>.log`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def pids(self) -> list[int]:
        return [child.pid for child in self._running.values()]

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def finish(self, name: str, timeout_s: float) -> None:
        """Waits for a process that is meant to end. Raises ProcessError where it fails or takes too long."""
        try:
            status = self._running[name].wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise ProcessError(f"{name} took over {timeout_s:.0f} s\n{self.tail(name)}") from error
        if status:
            raise ProcessError(f"{name} failed\n{self.tail(name)}")
        del self._running[name]

    def wait_until(self, name: str, ready: Callable[[], bool], timeout_s: float) -> None:
        """Waits for a process that is meant to stay. Raises ProcessError where it ends or is never ready."""
        until = time.monotonic() + timeout_s
        while not ready():
            if self._running[name].poll() is not None:
                raise ProcessError(f"{name} ended\n{self.tail(name)}")
            if time.monotonic() > until:
                raise ProcessError(f"{name} was not ready after {timeout_s:.0f} s\n{self.tail(name)}")
            time.sleep(0.05)

    def tail(self, name: str) -> str:
        log = (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(log.splitlines()[-TAIL_LINES:])

    def stop(self) -> None:
        stop_groups([child.pid for child in self._running.values()])
        for child in self._running.values():
            child.wait()
        self._running.clear()


def stop_groups(leaders: Sequence[int]) -> None:
    """Asks each process to end, then ends whatever is left of its group."""
    for leader in leaders:
        _signal(leader, signal.SIGTERM)
    until = time.monotonic() + GRACE_S
    while any(map(is_alive, leaders)) and time.monotonic() < until:
        time.sleep(0.05)
    for leader in leaders:
        _signal(leader, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    with suppress(ChildProcessError):  # not ours to wait for: another command started it
        # Only looks: a Popen object still wants the status itself.
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


def _signal(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, number)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
