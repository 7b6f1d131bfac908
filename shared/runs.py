"""A record of each scheduled pass: what was due, and what came of it, for 30 days.

pk R#<day>   sk <HH:MM>#<kind>   started, ended, due#<part>, and the counts that the workers add

The walker writes one record a minute, and a worker one addition per invocation and pass, however many polls it
finished. What was due is exact. The rest are additions: a message that comes again after it was counted, which happens
when its worker dies in its last step, is counted again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shared import control
from shared.jobs import now_ms
from shared.log import logger
from shared.model import DAY, HOUR
from shared.outcomes import Outcome
from shared.signed import AwsError
from shared.values import dataclass

KEPT_DAYS = 30
FAILED = "failed#"


@dataclass(frozen=True)
class Run:
    """Instants in milliseconds; `ended` is when the last worker counted, 0 if none has. `failed` is by cause."""

    started: int
    ended: int
    kind: str
    due: int
    counts: Mapping[str, int]
    failed: Mapping[str, int]


def name(at: int, kind: str) -> str:
    """What the jobs of one pass carry as their `run`."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M}#{kind}"


def began(run: str, due: int, part: str = "all") -> None:
    """Before its jobs are queued. Said again, it is the same."""
    given = {"due": due, "now": now_ms(), "expires": _expires()}
    expression = "SET #due = :due, started = if_not_exists(started, :now), expires = :expires"
    control.update(*_key(run), expression, given, names={"#due": f"due#{part}"})


def count(outcomes: Iterable[Outcome]) -> None:
    """Adds one invocation's share to each pass that it worked for. What cannot be added is only logged: the work is
    done, and would be done again if this raised."""
    shares: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        if outcome.job.run:
            shares.setdefault(outcome.job.run, Counter()).update(counted(outcome))
    try:
        for run, share in shares.items():
            _add(run, {what: n for what, n in share.items() if n})
    except AwsError as error:
        logger().warning("passes not counted", extra={"error": str(error), "runs": sorted(shares)})


def counted(outcome: Outcome) -> dict[str, int]:
    """One message's part in its pass. What waits, or will be tried again, is counted when that ends."""
    counts = {"refreshed": outcome.refreshed}
    if outcome.state == "waiting" or (outcome.state == "failed" and not outcome.final):
        counts["put off"] = 1
    elif outcome.state in ("failed", "dropped"):
        counts[FAILED + outcome.cause] = 1
    else:
        counts["synced"] = 1
    found = outcome.results.values()
    counts["days"] = len({day for result in found for day in result.written})
    return counts | {kind: sum(getattr(result, kind) for result in found) for kind in ("sleeps", "workouts")}


def between(first: int, last: int) -> list[Run]:
    """The passes that began in this span, oldest first. One is filed under the minute it was for, which is earlier
    where the walker caught up."""
    found = [run(item) for day in _days(first - HOUR, last) for item in control.under(f"R#{day}", consistent=False)]
    return [run for run in found if first <= run.started <= last]


def run(item: Mapping[str, Any]) -> Run:
    parts = {attribute: value for attribute, value in item.items() if attribute.startswith("due#")}
    failed = {a.removeprefix(FAILED): value for a, value in item.items() if a.startswith(FAILED)}
    kept = {"pk", "sk", "started", "ended", "expires", *parts}
    counts = {a: value for a, value in item.items() if a not in kept and not a.startswith(FAILED)}
    kind = item["sk"].partition("#")[2]
    return Run(item.get("started", 0), item.get("ended", 0), kind, sum(parts.values()), counts, failed)


def _add(run: str, share: Mapping[str, int]) -> None:
    names = {f"#{n}": what for n, what in enumerate(share)}
    added = ", ".join(f"#{n} :v{n}" for n in range(len(share)))
    given = {f"v{n}": value for n, value in enumerate(share.values())}
    expression = "SET ended = :now, expires = :expires" + (f" ADD {added}" if added else "")
    control.update(*_key(run), expression, {**given, "now": now_ms(), "expires": _expires()}, names=names or None)


def _key(run: str) -> tuple[str, str]:
    day, _, rest = run.partition("T")
    return f"R#{day}", rest


def _expires() -> int:
    return (now_ms() + KEPT_DAYS * DAY) // 1000


def _days(first: int, last: int) -> list[str]:
    start, end = (datetime.fromtimestamp(at / 1000, UTC).date() for at in (first, last))
    return [(start + timedelta(days=n)).isoformat() for n in range((end - start).days + 1)]
