"""`make chaos`: the week of ops/chaos.py in a local system of its own, whose workers are killed from outside."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing

from ops.chaos import Chaos, Ground, Outcome, Plan
from ops.client import ApiError, token
from ops.deployment import of_local
from ops.killing import Killer
from ops.letters import Wanted, move
from ops.local import Local, local_system
from ops.stage import StepFailed, poll

SILENT = ("withings", "dexcom")
"""A 429 of theirs names no time to wait, so one call in ten would stop everybody for a minute."""
BACKFILL_DAYS = 7
"""Behind the first week: more than anything is corrected by. Three months of everybody would only take longer."""
WORKER_TIMEOUT_S = 40
"""More than the local one: what times out leaves all of its work undone, and this is a busy machine."""
TICK_S = 15.0
DAY_S = 20.0
REDRIVEN_A_SECOND = 50


def play(plan: Plan) -> Outcome:
    show = Ticker()
    show("starting AWS, the sandbox and Tributary")
    with local_system(
        "chaos", backfill_days=BACKFILL_DAYS, worker_timeout_s=WORKER_TIMEOUT_S, worker_concurrency=0
    ) as system:
        loosen(system)
        with Killer(system, plan.seed) as killer, closing(Chaos(ground(system, killer, show), plan)) as chaos:
            try:
                return chaos.run()
            except (StepFailed, ApiError):
                print(system.complaints(), file=sys.stderr)
                raise


def ground(system: Local, killer: Killer, show: Ticker) -> Ground:
    def bearer(name: str) -> str:
        return token(system.issuer, grant_type="password", username=name)

    at = of_local(system)

    def redrive() -> int:
        with at.entered():
            return move(at, Wanted(), REDRIVEN_A_SECOND)

    return Ground(
        system, bearer, lambda: poll(at), lambda: poll(at, review=True), lambda: killer.killed, killer.stop, redrive,
        show, day_s=DAY_S,
    )  # fmt: skip


def loosen(system: Local) -> None:
    """Our apps at the vendors that are silent about waiting have no limit: nobody keeps a clock for all."""
    keeper, id_ = system.client("secretsmanager"), system.output("AppSecret")
    secret = json.loads(keeper.get_secret_value(SecretId=id_)["SecretString"])
    for name in SILENT:
        secret["providers"][name]["limits"] = []
    keeper.put_secret_value(SecretId=id_, SecretString=json.dumps(secret))


class Ticker:
    """Prints how it goes, now and then, with the time since it began."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._due = 0.0

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due = now + TICK_S
            minutes, seconds = divmod(round(now - self._begun), 60)
            print(f"  {minutes:3}:{seconds:02}  {text}", flush=True)
