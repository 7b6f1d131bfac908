"""What became of all that came in about a person: a line for each message, in a log stream of the person's own, kept
for 30 days.

A line costs a quarter of what a write to a table would (`python -m bench.seen`); a stream is read by itself, and is
deleted with the person. A poll that found nothing new leaves no line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from typing import Any

import orjson

from shared.aws import logs
from shared.errors import BadRequestError, BusyError
from shared.jobs import now_ms
from shared.log import logger
from shared.outcomes import Outcome, Result
from shared.settings import settings
from shared.signed import AwsError

NOBODY = "nobody"
"""The stream of what was for nobody that we know."""
PAGES = 5
Line = dict[str, Any]
NOTHING: tuple[Any, ...] = (0, "", "", "")


def stream(user: str) -> str:
    """A log stream's name is shown in many places, and allows few characters."""
    return hashlib.sha256(user.encode()).hexdigest() if user else NOBODY


def keep(outcomes: Iterable[Outcome], pool: Executor) -> None:
    """One call for each person, all at once in the `pool`. What cannot be kept is only logged: the work is done."""
    told: dict[str, list[Line]] = {}
    for outcome in outcomes:
        if is_told(outcome):
            told.setdefault(stream(outcome.held.user if outcome.held else ""), []).append(line(outcome))
    list(pool.map(_put, told, told.values()))


def is_told(outcome: Outcome) -> bool:
    """What asks a vendor, or was handed to us. No line names a connection that is gone: it would outlive it."""
    job = outcome.job
    names_the_gone = outcome.held is None and bool(job.connection) and job.connection in job.id
    return (
        job.task == "sync"
        and not names_the_gone
        and not (job.reason in ("poll", "review") and outcome.state == "unchanged")
    )


def line(outcome: Outcome) -> Line:
    """Identifiers, instants in milliseconds, days and counts; what is empty is left out."""
    job = outcome.job
    told = {
        "id": job.id,
        "reason": job.reason,
        "provider": outcome.held.provider if outcome.held else job.provider,
        "connection": job.connection if outcome.held else "",
        "received": job.received or job.as_of,
        "fetched": outcome.fetched,
        "outcome": outcome.state,
        "cause": outcome.cause,
        "final": outcome.state == "failed" and outcome.final,
        "attempt": job.attempt,
        "same": list(outcome.same),
        "resources": {name: brought(result) for name, result in outcome.results.items()},
    }
    return {name: value for name, value in told.items() if value}


def brought(result: Result) -> list[Any]:
    """Days written, the first and, of several, the last of them, why there is nothing; without what is empty at its
    end."""
    days = sorted(result.written) or [""]
    row = [len(result.written), days[0], days[-1] if len(days) > 1 else "", result.cause]
    while row and not row[-1]:
        row.pop()
    return row


def told(row: list[Any]) -> tuple[int, str, str, str]:
    """What `brought` made a row of: days written, the first, the last, and the cause."""
    days, first, last, cause = [*row, *NOTHING[len(row) :]]
    return days, first, last or first, cause


def of(user: str, first: int, last: int, provider: str, page: str, at_most: int) -> tuple[list[Line], str]:
    """The person's lines of a span, newest first, and how to ask for the next page; "" where there is none.

    A page may be short of `at_most` and still have another behind it. Raises BadRequestError for a page of another
    question, and BusyError where too many ask: AWS answers some tens of such questions a second, for everybody.
    """
    found: list[Line] = []
    for _ in range(PAGES):
        read = _read(user, first, last, page, at_most - len(found))
        lines = map(_line, reversed(read["events"]))
        found += [line for line in lines if provider in ("", line.get("provider"))]
        at_end = read["nextBackwardToken"] == page
        page = read["nextBackwardToken"]
        if at_end or len(found) == at_most:
            return found, "" if at_end else page
    return found, page


def everybody(first: int) -> Iterator[Line]:
    """All lines since then, in order. Reads the streams of everybody: an operator's question."""
    asked = {"logGroupName": settings().events_log, "startTime": first}
    while True:
        page = logs().filter_log_events(**asked)
        yield from map(_line, page["events"])
        if not page.get("nextToken"):
            return
        asked["nextToken"] = page["nextToken"]


def forget(user: str) -> None:
    """Deletes the person's stream, if there is one."""
    try:
        logs().delete_log_stream(logGroupName=settings().events_log, logStreamName=stream(user))
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise


def _read(user: str, first: int, last: int, page: str, limit: int) -> dict[str, Any]:
    more = {"nextToken": page} if page else {}
    try:
        read: dict[str, Any] = logs().get_log_events(
            logGroupName=settings().events_log, logStreamName=stream(user), startTime=first, endTime=last,
            limit=limit, **more,
        )  # fmt: skip
    except AwsError as error:
        if error.code == "ResourceNotFoundException":
            return {"events": [], "nextBackwardToken": page}
        if error.code == "InvalidParameterException":
            raise BadRequestError("not a page of this list", "page") from error
        if error.code == "ThrottlingException":
            raise BusyError("too many ask for events at once; try again in a second") from error
        raise
    return read


def _line(event: dict[str, Any]) -> Line:
    """As it was kept, and `finished` then."""
    return {**orjson.loads(event["message"]), "finished": event["timestamp"]}


def _put(name: str, lines: list[Line]) -> None:
    now = now_ms()
    events = [{"timestamp": now, "message": orjson.dumps(line).decode()} for line in lines]
    target = {"logGroupName": settings().events_log, "logStreamName": name}
    try:
        try:
            logs().put_log_events(**target, logEvents=events)
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise
            _make(target)
            logs().put_log_events(**target, logEvents=events)
    except AwsError as error:
        logger().warning("events not kept", extra={"error": str(error), "events": lines})


def _make(target: dict[str, str]) -> None:
    try:
        logs().create_log_stream(**target)
    except AwsError as error:
        if error.code != "ResourceAlreadyExistsException":
            raise
