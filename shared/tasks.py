"""Jobs that are no visit: what the worker does for a task of that name. Few batches hold one: loaded with the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.erasure import erase
from shared.errands import aggregate, everyone
from shared.jobs import Job, Task
from shared.leaving import disconnect
from shared.permissions import ask_again
from shared.replay import replay
from shared.subscriptions import ensure

TASKS: Mapping[Task, Callable[[Job], None]] = {
    "aggregate": aggregate,
    "everyone": everyone,
    "subscribe": ensure,
    "permissions": ask_again,
    "disconnect": disconnect,
    "erase": erase,
    "replay": replay,
}
