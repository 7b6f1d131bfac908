"""The story of one person's data, each step acting and then checking what came of it against the sandbox's truth.

connect → 7 days at once → somebody else joins, leaves and is erased → 90 days behind → a webhook → a lost webhook, and
polling → a late correction → more sources → a file with bad rows → a token that dies under two syncs → nothing is left
of who left → a webhook five times → webhooks nobody should believe → the week, read back
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx

from ops import farewell, readback
from ops.stage import DEAD, Stage, StepFailed, delivered, eventually, expect
from shared.catalogue import MG_DL_PER_MMOL_L
from shared.providers import HmacSignature
from shared.providers.registry import provider
from shared.webhooks import hook_of, sign

WEEK, HISTORY = 7, 90
FILE_AGE_DAYS = 110
"""Before the history any provider brings, so that the file is the only source there."""
DOCUMENT = "GET /v2/usercollection/daily_activity/{document_id}"
Hooks = list[dict[str, Any]]


@dataclass(frozen=True)
class Step:
    title: str
    play: Callable[[Stage], str]
    """Returns what was seen, in a few words; raises StepFailed."""


def connect(stage: Stage) -> str:
    stage.connect("oura")
    begun = time.monotonic()
    days = eventually(lambda: stage.shows_truth(stage.ago(WEEK - 1), stage.today))
    return f"{days} days, {time.monotonic() - begun:.1f} s after the callback"


def backfill(stage: Stage) -> str:
    report = eventually(lambda: stage.finished(stage.jobs["oura"]))
    days = stage.shows_truth(stage.ago(WEEK + HISTORY - 1), stage.ago(WEEK))
    expect("days of history", HISTORY, days)
    return f"{days} more days in {report['windows'] - 1} windows"


def webhook(stage: Stage) -> str:
    wished = provider("oura").subscriptions
    assert wished
    eventually(lambda: expect("webhook subscriptions", len(wished.topics), len(subscriptions(stage))))
    yesterday = stage.ago(1)
    expect("sleep before it is told", None, stage.day(yesterday).get("sleep_duration"))
    told = delivered(stage.sandbox.tell("night", person="ada", day=yesterday.isoformat()))
    return f"{told} webhooks, {night_arrives(stage, yesterday)}"


def lost_webhook(stage: Stage) -> str:
    stage.sandbox.switch("faults", provider="oura", kind="drop_webhooks", times=100)
    lost = stage.sandbox.tell("night", person="ada", day=stage.today.isoformat())
    stage.sandbox.forget_faults()
    expect("fate of the webhooks", {"dropped"}, {hook["status"] for hook in lost})
    expect("sleep nobody told us of", None, stage.day(stage.today).get("sleep_duration"))
    expect("polls queued", 1, stage.poll())
    return f"{len(lost)} webhooks lost, {night_arrives(stage, stage.today)}"


def correction(stage: Stage) -> str:
    steps = true_steps(stage, stage.ago(1))
    delivered(correct(stage, stage.ago(1), steps + 1234))
    eventually(lambda: stage.shows(stage.ago(1), "steps", steps + 1234, "oura"))
    return f"{steps:,} steps became {steps + 1234:,}"


def repetition(stage: Stage) -> str:
    stage.idle()
    stage.listen()
    before = stage.stored()
    expect("webhooks delivered", 5, delivered(stage.sandbox.tell("resend", provider="oura", times=5)))
    stage.idle()
    changed = [key for key, item in stage.stored().items() if before.pop(key, None) != item] + list(before)
    expect("items written or removed", [], changed)
    news = [said for said in stage.listen() if said["day"] != stage.today.isoformat()]
    expect("announcements", [], news)
    return "accepted five times, no item and no revision written"


def more_sources(stage: Stage) -> str:
    for name in ("dexcom", "withings"):
        stage.connect(name)
    for name in ("dexcom", "withings"):
        eventually(lambda job=stage.jobs[name]: stage.finished(job))  # type: ignore[misc]
    truth = stage.sandbox.truth(stage.ago(WEEK + 6), stage.ago(2))
    weighed = max(day for day, true in truth.items() if true["weight"] is not None)
    measured = max(day for day, true in truth.items() if not true["glucose_out_of_range"])
    stage.shows(date.fromisoformat(weighed), "weight", truth[weighed]["weight"], "withings", 0.01)
    glucose = truth[measured]["mean_glucose"]
    stage.shows(date.fromisoformat(measured), "glucose", glucose, "dexcom", 0.01)
    day = stage.ago(1)
    steps = stage.shows(day, "steps", true_steps(stage, day), "oura")
    expect("other sources of steps", ["withings"], [other["source"] for other in steps["others"]])
    return f"weight from withings, glucose from dexcom, steps from oura ({steps['reason']})"


def bad_rows(stage: Stage) -> str:
    day = stage.ago(FILE_AGE_DAYS)
    rows = (
        "timestamp,glucose,unit",
        f"{day}T07:00:00+01:00,92,mg/dL",
        f"{day}T07:05:00+01:00,a lot,mg/dL",
        f"{day}T07:10:00+01:00,96,mg/dL",
        f"{day:%d/%m/%Y} 07:15,99,mg/dL",
        f"{day}T07:20:00+01:00,5.5,mmol/L",
        f"{day}T07:25:00+01:00,9000,mg/dL",
    )
    reply = stage.api.upload("\n".join(rows).encode(), "text/csv")
    expect("good rows", 3, reply["rows"])
    faults = [(error["line"], error["column"]) for error in reply["errors"]]
    expect("rows at fault", [(3, "glucose"), (5, "timestamp"), (7, "glucose")], faults)
    mean = (92 + 96 + 5.5 * MG_DL_PER_MMOL_L) / 3
    eventually(lambda: stage.shows(day, "glucose", mean, "file_import", 0.01))
    return "; ".join(f"line {error['line']}: {error['message']}" for error in reply["errors"])


def impostors(stage: Stage) -> str:
    """The news is true and nobody has told it yet: believing any of these would show on the day."""
    day = stage.ago(3)
    before = true_steps(stage, day)
    stage.sandbox.switch("faults", provider="oura", kind="drop_webhooks", times=100)
    (hook,) = [h for h in correct(stage, day, before + 777) if h["provider"] == "oura"]
    stage.sandbox.forget_faults()
    body, asked = hook["body"].encode(), stage.sandbox.count("oura", DOCUMENT)
    secret, now = stage.sandbox.apps["oura"]["client_secret"], int(time.time())
    for name, headers in {
        "forged": signed("somebody's guess", body, now),
        "unsigned": {},
        "stale": signed(secret, body, now - 600),
    }.items():
        reply = post(hook["url"], body, headers)
        expect(f"answer to the {name} webhook", (401, "invalid_signature"), (reply.status_code, code_of(reply)))
    stage.idle()
    stage.shows(day, "steps", before, "oura")
    expect("fetches they caused", asked, stage.sandbox.count("oura", DOCUMENT))
    expect("answer to the same, properly signed", 200, post(hook["url"], body, signed(secret, body, now)).status_code)
    eventually(lambda: stage.shows(day, "steps", before + 777, "oura"))
    return "401 each and nothing queued; properly signed, it is believed"


def dead_token(stage: Stage) -> str:
    before = stage.sandbox.refreshes("oura")
    stage.sandbox.switch("faults", provider="oura", kind="expire_tokens", times=1)
    # Slow replies keep both jobs on their way while the token dies.
    stage.sandbox.switch("faults", provider="oura", kind="slow", times=12, seconds=0.7)
    jobs = stage.api.sync_at_once(2, action="sync", provider="oura", days=2)
    for job in jobs:
        eventually(lambda id_=job: stage.finished(id_))  # type: ignore[misc]
    stage.sandbox.forget_faults()
    expect("refreshes", {"ok": before["ok"] + 1, "reused": before["reused"]}, stage.sandbox.refreshes("oura"))
    (held,) = [c for c in stage.api.get("connections")["connections"] if c["provider"] == "oura"]
    expect("connection", "active", held["state"])
    return "both jobs completed, one refresh, no refresh token used twice"


def nothing_given_up(stage: Stage) -> str:
    stage.idle()
    expect("messages in dead-letter queues", 0, stage.depth(*DEAD))
    stage.listen()
    return f"{len(stage.heard):,} changes announced"


STEPS = (
    Step("Ada connects Oura; 7 days are on the dashboard", connect),
    Step("Ben joins; five of his syncs race over a dead token", farewell.join_and_race),
    Step("Ben disconnects, and connects again", farewell.leave_and_return),
    Step("Ben asks to be erased", farewell.ask_to_be_erased),
    Step("90 days of Ada fill in behind", backfill),
    Step("A webhook tells of a new night; the day shows it", webhook),
    Step("A webhook is lost; polling brings the night", lost_webhook),
    Step("Oura corrects yesterday's steps; the day follows", correction),
    Step("Dexcom and Withings join; each metric names its source", more_sources),
    Step("A CSV with three bad rows; the good ones are in", bad_rows),
    Step("A token dies under two syncs; it is refreshed once", dead_token),
    Step("Nothing of Ben is left anywhere", farewell.nothing_left),
    Step("The same webhook five times; nothing is written", repetition),
    Step("Forged, unsigned and stale webhooks are refused", impostors),
    Step("No message was given up on the way", nothing_given_up),
    Step("Ada's week is read back through every read", readback.read_back),
)


# ---------------------------------------------------------------- parts


def night_arrives(stage: Stage, day: date) -> str:
    hours = stage.sandbox.truth(day, day)[day.isoformat()]["sleep_hours"]
    eventually(lambda: stage.shows(day, "sleep_duration", hours, "oura", 0.001))
    eventually(lambda: stage.announced(day, "oura", "sleep"))
    return f"{hours:.1f} h of sleep on {day}"


def subscriptions(stage: Stage) -> Any:
    app = stage.sandbox.apps["oura"]
    headers = {"x-client-id": app["client_id"], "x-client-secret": app["client_secret"]}
    return stage.sandbox.http.get(f"{stage.sandbox.base}/oura/v2/webhook/subscription", headers=headers).json()


def true_steps(stage: Stage, day: date) -> int:
    return int(stage.sandbox.truth(day, day)[day.isoformat()]["steps"])


def correct(stage: Stage, day: date, steps: int) -> Hooks:
    return stage.sandbox.tell("steps", person="ada", day=day.isoformat(), steps=steps)


def signed(secret: str, body: bytes, at: int) -> dict[str, str]:
    proof = hook_of(provider("oura")).proof
    assert isinstance(proof, HmacSignature)
    assert proof.timestamp_header
    return {proof.timestamp_header: str(at), proof.header: sign(proof, secret, body, str(at))}


def post(url: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(
        url, content=body, headers={"content-type": "application/json", **headers}, timeout=30, trust_env=False
    )


def code_of(reply: httpx.Response) -> str:
    try:
        return str(reply.json()["error"]["code"])
    except (ValueError, KeyError) as error:
        raise StepFailed(f"expected an error that names its code, saw {reply.text[:200]}") from error
