"""The one small message every door ends with, and how it travels."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Literal, get_args

from shared.errors import ProviderChangedError
from shared.model import DAY
from shared.providers import Window
from shared.signed import AwsError, call
from shared.values import dataclass, replace

BATCH, BATCH_BYTES = 10, 262_144
LONGEST_DELAY_S = 900
DEFERRED_AT_MOST = DAY
RECEIVES = 5
"""How often a message may be received; one that fails the last time goes to the dead letters."""
TOGETHER = 40
"""Messages that a worker takes at once: they share a raw object, announcements and turns. So many of a phone's pushes
at once fit into its memory."""

Task = Literal[
    "sync", "subscribe", "permissions", "aggregate", "everyone", "disconnect", "erase", "replay", "look", "export",
    "import",
]  # fmt: skip
Reason = Literal["webhook", "poll", "review", "backfill", "sync", "upload", "push"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """Something to do for one connection, said in identifiers.

    Whose: `connection`, or the vendor's `account` which the worker resolves (perhaps to several people). What: these
    `resources` (none named: all that are granted) over a `window` of local days, or one `document`, or the sealed
    `payload` that a door received (base64, or `s3:<key>`), or what a sealed address, the `callback`, leads to. `as_of`
    is when our door learned of it, in milliseconds, and `received` says so where the vendor dated it otherwise;
    `tracked` the job whose progress this is `part` of, `run` the scheduled pass that queued it. `same` are the ids of
    hints that this one stands for, `successor` the account's new id at the vendor. `services` and a ring `segment` name
    everybody connected there, from whoever comes `after` one. A `forced` look or poll asks for everything, whatever the
    timetable says. A deferred copy keeps its id, comes `not_before` its time, and remembers how long it `waited` for
    our own turn (both in milliseconds).
    """

    id: str
    task: Task = "sync"
    reason: Reason
    as_of: int
    received: int = 0
    provider: str = ""
    connection: str = ""
    account: str = ""
    user: str = ""
    resources: tuple[str, ...] = ()
    window: tuple[str, str] | None = None
    document: str = ""
    deleted: bool = False
    goodbye: bool = False
    successor: str = ""
    trouble: bool = False
    payload: str = ""
    callback: str = ""
    tracked: str = ""
    part: str = ""
    run: str = ""
    same: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    segment: str = ""
    after: str = ""
    forced: bool = False
    attempt: int = 0
    not_before: int = 0
    waited: int = 0

    def next_part(self, part: str) -> Job:
        """The same errand, one step on."""
        return replace(self, id=f"{self.id}.next", part=part, attempt=0)

    @property
    def page(self) -> str:
        """Which part of the ring it is about, whoever says it."""
        return f"{self.segment}.{self.after[-8:]}" if self.after else self.segment

    def days(self) -> Window | None:
        return Window(*map(date.fromisoformat, self.window)) if self.window else None


def new_id() -> str:
    """128 random bits behind the second they were made in: sortable, and nobody guesses one."""
    stamp = int(time.time()).to_bytes(5, "big")
    return base64.b32hexencode(stamp + os.urandom(15)).decode().lower()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


DEFAULTS = {name: vars(Job).get(name) for name in Job.__annotations__}


def write(job: Job) -> str:
    """Only what differs from the defaults travels: SQS bills by the 64 kB, people read the rest."""
    return json.dumps({k: v for k, v in vars(job).items() if v != DEFAULTS[k]}, separators=(",", ":"))


def read(body: str) -> Job:
    """Raises ProviderChangedError for a message this code does not know."""
    try:
        told: dict[str, Any] = json.loads(body)
        for name in ("resources", "window", "same", "services"):
            if name in told:
                told[name] = tuple(told[name])
        job = Job(**told)
        if job.task not in get_args(Task):
            raise ValueError("no such task")
        return job
    except (TypeError, ValueError) as error:
        raise ProviderChangedError(f"not a job of this version ({type(error).__name__})") from error


LESS = ("id", "as_of", "received", "same", "attempt", "not_before", "waited")


def hint(body: str) -> str:
    """What a webhook's hint asks for, less what makes each delivery its own; "" for any other message."""
    if '"reason":"webhook"' not in body or '"payload":' in body:
        return ""
    try:
        told: dict[str, Any] = json.loads(body)
    except ValueError:
        return ""  # whoever reads it says what is wrong with it
    return json.dumps({k: v for k, v in told.items() if k not in LESS}, sort_keys=True)


def told_at(body: str) -> int:
    """When our door learned of what a hint says; 0 for a message that cannot be read."""
    try:
        return int(json.loads(body)["as_of"])
    except (ValueError, TypeError, KeyError):
        return 0


def id_of(body: str) -> str:
    """The id of a message that was taken for a hint."""
    return str(json.loads(body).get("id", ""))


def send(queue: str, jobs: Iterable[Job], delay_s: float = 0) -> None:
    send_bodies(queue, [write(job) for job in jobs], delay_s)


def send_bodies(queue: str, bodies: Sequence[str], delay_s: float = 0) -> None:
    """Raises AwsError unless every message is durable."""
    delay = max(0, min(LONGEST_DELAY_S, round(delay_s)))
    for batch in batches(bodies):
        entries = [{"Id": str(n), "MessageBody": body, "DelaySeconds": delay} for n, body in enumerate(batch)]
        reply = call("sqs", "AmazonSQS.SendMessageBatch", {"QueueUrl": queue, "Entries": entries})
        if reply.get("Failed"):
            raise AwsError(f"{len(reply['Failed'])} of {len(entries)} messages were not taken")


def batches(bodies: Iterable[str]) -> Iterator[list[str]]:
    """As many as one call may carry: ten, and 256 kB between them. Bodies are ASCII."""
    batch: list[str] = []
    for body in bodies:
        if batch and (len(batch) == BATCH or sum(map(len, batch)) + len(body) > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(body)
    if batch:
        yield batch


def defer(queue: str, job: Job, after_s: float, ours: bool = False) -> None:
    """Waiting is not failing: a copy comes back later and the original is finished.

    After a day of it the job fails on purpose, so that somebody looks (raises ProviderChangedError). A wait that is
    `ours`, for a turn by our own count, may last as long as there is more work than calls.
    """
    now, wait = now_ms(), round(after_s * 1000)
    if not ours and now - job.as_of - job.waited > DEFERRED_AT_MOST:
        raise ProviderChangedError("deferred for a day; redrive it once the vendor is back")
    far, waited = after_s > LONGEST_DELAY_S, job.waited + (wait if ours else 0)
    copy = replace(job, attempt=job.attempt + 1, not_before=now + wait if far else 0, waited=waited)
    send(queue, [copy], after_s)


def too_early(job: Job) -> bool:
    return job.not_before > now_ms() + 1000


def hop(queue: str, job: Job) -> None:
    """One message waits a quarter of an hour at most: the next one waits for the rest."""
    send(queue, [job], (job.not_before - now_ms()) / 1000)
