"""Tracked jobs: progress is a set of finished windows, so a duplicate cannot miscount and status is never stored.

pk J#<id>     sk J        user, action, created, windows (all), done, failed, told (what came of it),
                          r#<window>#<resource> (counts and cause; no resource: the cause is the whole window's)
pk U#<user>   sk J#<id>   so that a person's jobs are found when the person is erased
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared import control
from shared.errors import NotFoundError
from shared.jobs import now_ms
from shared.model import DAY
from shared.outcomes import ASKED, Result
from shared.values import dataclass, replace

KEPT_DAYS = 90
PSEUDONYM = "erased#"
COUNTS = ("days", "documents", "samples", "skipped")
ROW = (*COUNTS, "cause")
"""What is kept of a result: its first fields."""
Came = Mapping[str, Result]
NOTHING: Came = {}


def open_job(id_: str, user: str, action: str, windows: Iterable[str]) -> None:
    """Before its windows are queued, so that progress never outruns it."""
    created = now_ms()
    item: dict[str, Any] = {"pk": f"J#{id_}", "sk": "J", "user": user, "action": action, "created": created}
    listed = set(windows)
    if listed:
        item["windows"] = listed
    expires = (created + KEPT_DAYS * DAY) // 1000
    # Opened again, it stays as far as it has come.
    control.put({**item, "told": {}, "expires": expires}, "attribute_not_exists(pk)")
    if not user.startswith(PSEUDONYM):
        control.put({"pk": f"U#{user}", "sk": f"J#{id_}", "id": id_, "expires": expires})


def extend(id_: str, window: str) -> bool:
    """Adds a window that was found on the way; False where the job is no more."""
    return control.update(f"J#{id_}", "J", "ADD windows :window", {"window": {window}}, "attribute_exists(pk)")


def finish(id_: str, window: str, came: Came = NOTHING, cause: str = "") -> None:
    """Adds a window to the finished ones, with what came of each resource; `cause` says why nothing did. Repeating it
    changes nothing, and a window that was done does not fail later."""
    came = {**came, "": Result(cause=cause)} if cause else came
    if any(result.failed for result in came.values()):
        _note(id_, window, came, "failed", "attribute_exists(pk) AND NOT contains(done, :window)")
    else:
        _note(id_, window, came, "done", "attribute_exists(pk)")


def note(id_: str, window: str, came: Came) -> None:
    """What has come of a window that still waits for the rest."""
    answered = {name: result for name, result in came.items() if not result.waiting}
    if answered:
        _note(id_, window, answered, "", "attribute_exists(pk)")


def _note(id_: str, window: str, came: Came, ended: str, condition: str) -> None:
    rows = list(came.items())
    names = {f"#r{n}": f"r#{window}#{resource}" for n, (resource, _) in enumerate(rows)}
    given: dict[str, Any] = {f"r{n}": row(result) for n, (_, result) in enumerate(rows)}
    expression = "SET " + ", ".join(f"#r{n} = :r{n}" for n in range(len(rows))) if rows else ""
    if ended and "" not in came:
        expression += " REMOVE #whole"
        names["#whole"] = f"r#{window}#"
    if ended:
        expression += " ADD #ended :windows"
        names["#ended"], given["windows"] = ended, {window}
    if ended == "failed":
        given["window"] = window
    control.update(f"J#{id_}", "J", expression, given, condition, names)


def row(result: Result) -> list[Any]:
    return [getattr(result, name) for name in ROW]


def tell(id_: str, what: str, outcome: str | int | Mapping[str, int]) -> None:
    """Notes one thing that came of the job. What was said first stays: a repetition finds it done already."""
    expression = "SET told.#what = if_not_exists(told.#what, :outcome)"
    control.update(f"J#{id_}", "J", expression, {"outcome": outcome}, "attribute_exists(pk)", {"#what": what})


def pseudonym(user: str) -> str:
    """How an erasure's receipt names its owner: enough to let them read it, and nobody find them."""
    return PSEUDONYM + hashlib.sha256(user.encode()).hexdigest()


# ---------------------------------------------------------------- reading


@dataclass(frozen=True)
class Part:
    """One window of days at one provider, as its name says; of other work, only what is worked on."""

    name: str
    provider: str
    first: str = ""
    last: str = ""


def part(name: str) -> Part:
    provider, *days = name.split(":")
    return Part(name, provider, *days) if len(days) == 2 else Part(name, provider)


def load(id_: str, user: str) -> control.Item:
    """Raises NotFoundError for a job that is not there or not this person's."""
    item = control.get(f"J#{id_}", "J")
    if item is None or item["user"] not in (user, pseudonym(user)):
        raise NotFoundError("no such job", "job")
    return item


def report(id_: str, user: str) -> dict[str, Any]:
    """Raises NotFoundError for a job that is not there or not this person's."""
    return summed(load(id_, user))


def summed(item: control.Item) -> dict[str, Any]:
    windows, done = item.get("windows", set()), item.get("done", set())
    failed = item.get("failed", set()) - done
    found = list(rows(item, done))
    came = done or any(not result.cause for _, _, result in found)
    status = "running" if windows - done - failed else "completed" if not failed else "partial" if came else "failed"
    days = [day for each in map(part, windows) for day in (each.first, each.last) if day]
    return {
        "job": item["pk"].removeprefix("J#"),
        "action": item["action"],
        "status": status,
        "created": item["created"],
        "first": min(days, default=None),
        "last": max(days, default=None),
        "windows": len(windows),
        "done": len(done & windows),
        "failed": sorted(failed),
        "resources": by_resource(found),
        "told": item.get("told", {}),
    }


def rows(item: control.Item, done: Iterable[str]) -> Iterator[tuple[Part, str, Result]]:
    """What came of each resource in each window. Why a window failed no longer matters once it is done."""
    for name, kept in sorted(item.items()):
        kind, _, rest = name.partition("#")
        if kind == "r":
            window, _, resource = rest.rpartition("#")
            result = Result(*kept)
            if not (result.failed and window in done):
                yield part(window), resource, result


def by_resource(found: Iterable[tuple[Part, str, Result]]) -> list[dict[str, Any]]:
    """Counts of all windows, each whose answer has a cause, and each that the vendor answers later."""
    total: dict[tuple[str, str], Result] = {}
    asked: dict[tuple[str, str], list[dict[str, Any]]] = {}
    causes: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for window, resource, result in found:
        key = (window.provider, resource)
        total[key] = total.get(key, Result()).plus(replace(result, cause=""))
        days = {"first": window.first or None, "last": window.last or None}
        if result.cause == ASKED:
            asked.setdefault(key, []).append(days)
        elif result.cause:
            causes.setdefault(key, []).append({**days, "cause": result.cause})
    return [
        {
            "provider": provider,
            "resource": resource,
            **{name: getattr(result, name) for name in COUNTS},
            "missing": causes.get((provider, resource), []),
            "asked": asked.get((provider, resource), []),
        }
        for (provider, resource), result in total.items()
    ]


# ---------------------------------------------------------------- resuming


def unfinished(item: control.Item) -> dict[str, tuple[str, ...]]:
    """The windows that are not done, and the resources that failed in each; () where all are to be asked again."""
    done = item.get("done", set())
    windows: dict[str, list[str]] = {name: [] for name in item.get("windows", set()) - done}
    for window, resource, result in rows(item, done):
        if window.name in windows and result.failed:
            windows[window.name].append(resource)
    return {name: () if "" in failed else tuple(failed) for name, failed in sorted(windows.items())}


def reopen(id_: str, windows: Iterable[str]) -> None:
    """Before they are queued again: they are no longer failed."""
    control.update(f"J#{id_}", "J", "DELETE failed :windows", {"windows": set(windows)}, "attribute_exists(pk)")
