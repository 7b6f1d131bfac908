"""Erasing a person, as a tracked job: connections and their salts first, so that from then on nothing sealed for them
opens and no job finds its connection; then every item; then, the longest possible job later, every item again.

What a write in flight puts back is taken by the second sweep. Resumable and repeatable: each pass only deletes.
"""

from __future__ import annotations

import hmac
from collections import Counter
from datetime import UTC, datetime, timedelta

from shared import (
    connections,
    consents,
    control,
    dead_letters,
    events,
    exports,
    files,
    imports,
    jobs,
    progress,
    sections,
)
from shared.errors import RetryLaterError
from shared.jobs import Job, now_ms
from shared.leaving import part
from shared.log import logger
from shared.secret import apps
from shared.settings import settings

PATIENCE = 3
"""How often the goodbyes are put off for a vendor that is busy."""
FIRST, AGAIN = "first sweep", "second sweep"
DATA = {"P": "sections", "D": "days", "T": "tombstones", "Z": "profiles"}
FILES = (exports.PREFIX, imports.PREFIX)
KINDS = {**DATA, "C": "connections", "J": "jobs", "N": "consents", "S": "sign-ins begun", "I": "pushes"}


def erase(job: Job) -> None:
    if job.part == FIRST:
        goodbyes(job)
        proof(job)
    sweep(job)
    if job.part == FIRST:
        # Queued before this part is called finished: a worker that dies in between repeats both.
        wait = settings().longest_job_s
        jobs.send(settings().fresh_queue, [job.next_part(AGAIN)], wait)
    else:
        # The objects hold other people's replies too. Ours no longer open: their salts went with the connections.
        progress.tell(job.tracked, "raw replies", f"unreadable; deleted by {in_days(settings().raw_days)}")
        progress.tell(job.tracked, "backups_expire_at", in_days(settings().backup_days))
    progress.finish(job.tracked, job.part)


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")


def goodbyes(job: Job) -> None:
    """Tells each vendor and forgets the connection, whatever the vendor answers. Closed first, so that a sync under way
    whose token dies of it does not set out to renew it. Raises RetryLaterError where a vendor could not be told now;
    past PATIENCE, the person is erased all the same."""
    untold: list[RetryLaterError] = []
    for held in connections.of_user(job.user):
        connections.close(held)
        try:
            outcome: str = part(held)
        except RetryLaterError as error:
            if job.attempt < PATIENCE:
                untold.append(error)
                continue
            outcome = "the vendor could not be reached"
        progress.tell(job.tracked, held.provider, outcome)
        connections.delete(held)
    if untold:
        raise max(untold, key=lambda error: error.after)


def proof(job: Job) -> None:
    """Where the operator keeps one: that somebody consented and left, with nothing that says who. Its name is derived,
    so that a repetition is the same proof, and only with our key leads back to the job."""
    if settings().keep_consent_proof and (head := consents.head(job.user)):
        name = hmac.digest(apps().hooks.key, f"proof|{job.id}".encode(), "sha256").hex()
        control.put({"pk": f"PROOF#{name}", "sk": "PROOF", **head, "erased": now_ms()})


def sweep(job: Job) -> None:
    """Deletes everything kept under the person. How much there was is told before it goes: a worker that died and
    counts again finds less, and the first word stands."""
    data, ours = sections.everything(job.user), list(control.under(f"U#{job.user}"))
    kept = Counter(KINDS[sk.partition("#")[0]] for sk in (*(i["sk"]["S"] for i in data), *(i["sk"] for i in ours)))
    letters, objects = dead_letters.about(job.user), {prefix: files.kept(prefix, job.user) for prefix in FILES}
    found = {"dead letters": len(letters), **{prefix: len(keys) for prefix, keys in objects.items()}}
    counts = {**dict.fromkeys(DATA.values(), 0), **kept, **found}
    for what, count in counts.items():
        progress.tell(job.tracked, f"{job.part}: {what}", count)
    logger().info("swept", extra={"job": job.id, "part": job.part, **counts})
    dead_letters.drop(letters)
    sections.erase(data)
    events.forget(job.user)
    progress.tell(job.tracked, "events", "deleted")
    for item in ours:
        if item["sk"].startswith("J#"):
            control.take(f"J#{item['id']}", "J")
        if item["sk"].startswith("S#"):
            control.take(item["sk"], "S")
        control.take(f"U#{job.user}", item["sk"])
    # Behind the jobs' records: who is writing an export or reading a file looks for its own, and finds it no more.
    for key in (key for prefix in FILES for key in files.kept(prefix, job.user)):
        files.drop(key)


def started(user: str) -> str:
    """Queues the erasure; returns the id its receipt is read under."""
    id_ = jobs.new_id()
    progress.open_job(id_, progress.pseudonym(user), "erase", [FIRST, AGAIN])
    job = Job(id=id_, task="erase", reason="sync", as_of=now_ms(), user=user, tracked=id_, part=FIRST)
    jobs.send(settings().fresh_queue, [job])
    return id_
