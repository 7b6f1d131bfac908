"""Tracked jobs: progress is a set of finished windows, so a duplicate cannot miscount and status is never stored.

pk J#<id>     sk J        user, action, created, windows (all), done, failed, told (what came of it)
pk U#<user>   sk J#<id>   so that a person's jobs are found when the person is erased
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from shared import control
from shared.errors import NotFoundError
from shared.jobs import now_ms
from shared.model import DAY

KEPT_DAYS = 90
PSEUDONYM = "erased#"


def open_job(id_: str, user: str, action: str, windows: Iterable[str]) -> None:
    """Before its windows are queued, so that progress never outruns it."""
    created = now_ms()
    item: dict[str, Any] = {"pk": f"J#{id_}", "sk": "J", "user": user, "action": action, "created": created}
    listed = set(windows)
    if listed:
        item["windows"] = listed
    expires = (created + KEPT_DAYS * DAY) // 1000
    control.put({**item, "told": {}, "expires": expires})
    if not user.startswith(PSEUDONYM):
        control.put({"pk": f"U#{user}", "sk": f"J#{id_}", "id": id_, "expires": expires})


def finish(id_: str, window: str, failed: bool = False) -> None:
    """Adds a window to the finished ones. Repeating it changes nothing."""
    expression = "ADD #set :window"
    control.update(
        f"J#{id_}",
        "J",
        expression,
        {"window": {window}},
        "attribute_exists(pk)",
        {"#set": "failed" if failed else "done"},
    )


def tell(id_: str, what: str, outcome: str | int | Mapping[str, int]) -> None:
    """Notes one thing that came of the job. What was said first stays: a repetition finds it done already."""
    expression = "SET told.#what = if_not_exists(told.#what, :outcome)"
    control.update(f"J#{id_}", "J", expression, {"outcome": outcome}, "attribute_exists(pk)", {"#what": what})


def pseudonym(user: str) -> str:
    """How an erasure's receipt names its owner: enough to let them read it, and nobody find them."""
    return PSEUDONYM + hashlib.sha256(user.encode()).hexdigest()


def report(id_: str, user: str) -> dict[str, Any]:
    """Raises NotFoundError for a job that is not there or not this person's."""
    item = control.get(f"J#{id_}", "J")
    if item is None or item["user"] not in (user, pseudonym(user)):
        raise NotFoundError("no such job", "job")
    windows, done = item.get("windows", set()), item.get("done", set())
    failed = item.get("failed", set()) - done
    waiting = windows - done - failed
    status = "running" if waiting else "partial" if failed and done else "failed" if failed else "completed"
    return {
        "job": id_,
        "action": item["action"],
        "status": status,
        "created": item["created"],
        "windows": len(windows),
        "done": len(done & windows),
        "failed": sorted(failed),
        "told": item.get("told", {}),
    }
