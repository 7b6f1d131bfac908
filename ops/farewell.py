"""The story of somebody who leaves: Ben joins, races himself, goes, comes back, and asks to be forgotten."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

from ops.stage import Stage, eventually, expect
from ops.traces import traces

SCALE = "withings"
AT_ONCE = 5


def join_and_race(stage: Stage) -> str:
    ben = stage.guest
    ben.connect(SCALE)
    weighed = eventually(lambda: shows_weight(ben))
    before = stage.sandbox.refreshes(SCALE)
    stage.sandbox.switch("faults", provider=SCALE, kind="expire_tokens", times=1)
    begun = time.monotonic()
    jobs = ben.api.sync_at_once(AT_ONCE, action="sync", provider=SCALE, days=2)
    for job in jobs:
        eventually(lambda id_=job: ben.finished(id_))  # type: ignore[misc]
    stage.sandbox.forget_faults()
    wanted = {"ok": before["ok"] + 1, "reused": before["reused"]}
    expect("refreshes", wanted, stage.sandbox.refreshes(SCALE))
    expect("connection", "active", held(ben)["state"])
    spent = f"{time.monotonic() - begun:.1f} s"
    return f"weighed on {weighed}; {AT_ONCE} syncs over a dead token: one refresh, all done in {spent}"


def leave_and_return(stage: Stage) -> str:
    ben = stage.guest
    id_ = held(ben)["id"]
    report = left(ben, ben.api.delete(f"connections/{id_}")["job"])
    expect("what Withings said", {SCALE: "revoked"}, report["told"])
    expect("connection", "disconnected", held(ben)["state"])
    ben.connect(SCALE)
    expect("connection", (id_, "active"), (held(ben)["id"], held(ben)["state"]))
    return f"revoked at Withings; connected again, the same connection, which knows of {shows_weight(ben)}"


def ask_to_be_erased(stage: Stage) -> str:
    """With syncs under way, which may not bring anything back."""
    ben = stage.guest
    ben.remains = remains(ben)
    ben.api.sync_at_once(2, action="sync", provider=SCALE, days=7)
    ben.jobs["erase"] = ben.api.delete("user")["job"]
    return f"{len(ben.stored())} items of finished days; two syncs under way"


def nothing_left(stage: Stage) -> str:
    ben = stage.guest
    report = left(ben, ben.jobs["erase"])
    expect("what Withings said", "revoked", report["told"][SCALE])
    stage.idle()
    stage.listen()  # the app hears of changes, and keeps what it heard where it will
    _, others = traces(stage.system, [stage.user.encode()])
    expect("Ada, whom the same search looks for, found", True, bool(others))
    places, found = traces(stage.system, ben.remains)
    expect("places where something of Ben is left", [], found)
    swept = sum(count for what, count in report["told"].items() if what.startswith("first sweep"))
    return f"{swept} items deleted; {places:,} places searched for his names, keys and tokens, none found"


def shows_weight(stage: Stage) -> date:
    """The last day of the week on which the person stood on the scale, which shows it."""
    truth = stage.sandbox.truth(stage.ago(6), stage.ago(1))
    day = max(day for day, true in truth.items() if true["weight"] is not None)
    stage.shows(date.fromisoformat(day), "weight", truth[day]["weight"], SCALE, 0.01)
    return date.fromisoformat(day)


def held(stage: Stage) -> dict[str, Any]:
    (found,) = stage.api.get("connections")["connections"]
    connection: dict[str, Any] = found
    return connection


def left(stage: Stage, job: str) -> dict[str, Any]:
    return eventually(lambda: stage.finished(job))


def remains(stage: Stage) -> list[bytes]:
    """What would give the person away: their names here and at the vendor, and the keys to what was sealed for them."""
    id_ = held(stage)["id"]
    key = {"pk": {"S": f"C#{id_}"}, "sk": {"S": "C"}}
    item = stage.dynamodb.get_item(TableName=stage.system.output("ControlTable"), Key=key)["Item"]
    names = (stage.user, id_, item["account"]["S"])
    return [*(name.encode() for name in names), bytes(item["salt"]["B"]), bytes(item["sealed"]["B"])]
