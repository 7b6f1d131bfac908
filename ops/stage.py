"""What the story is played on: a running local system, looked at from every side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import httpx

from ops.client import Api, ApiError, ask, token
from ops.deployment import Deployment, of_local
from ops.local import Local
from shared import connections

T = TypeVar("T")
PERSON, ZONE = "ada", "Europe/Berlin"
GUEST, GUEST_ZONE = "ben", "America/New_York"
PATIENCE_S = 240.0
QUEUES = ("FreshQueue", "BulkQueue")
DEAD = ("FreshDlq", "BulkDlq", "SegmentsDlq", "ExportsDlq", "ImportsDlq", "ChangesDlq")
WAITING = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
SEGMENTS = 30
"""In one invocation: a page of each, and a page is a second's work."""
FIGURES = {"sleep_duration": "sleep_hours", "deep_sleep": "deep_hours", "resting_heart_rate": "resting_hr"}
"""Our metrics of a night, and what the sandbox's truth calls them."""


class StepFailed(Exception):
    """What was expected, and what was seen."""


def expect(what: str, wanted: object, seen: object) -> None:
    if wanted != seen:
        raise StepFailed(f"{what}: expected {wanted}, saw {seen}")


def nearly(what: str, wanted: float, seen: float | None, within: float) -> None:
    if seen is None or abs(wanted - seen) > within:
        raise StepFailed(f"{what}: expected {wanted} ± {within}, saw {seen}")


def eventually(check: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """The check's result as soon as it passes. Raises its last StepFailed."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return check()
        except StepFailed as failed:
            if time.monotonic() > until:
                raise StepFailed(f"{failed} (after {patience_s:.0f} s)") from failed
        time.sleep(0.1)


class Sandbox:
    """The providers' clouds and their switches, and one person's life in them."""

    def __init__(self, base: str, person: str) -> None:
        self.base, self.person = base, person
        self.http = httpx.Client(timeout=60, trust_env=False)
        self.apps: dict[str, Any] = self.read("apps")

    def read(self, path: str, **params: str) -> Any:
        return ask(self.http, "GET", f"{self.base}/control/{path}", params=params)

    def switch(self, path: str, **body: Any) -> Any:
        return ask(self.http, "POST", f"{self.base}/control/{path}", json=body)

    def tell(self, path: str, **body: Any) -> list[dict[str, Any]]:
        """Makes something happen; the webhooks it caused, each with the status our door answered."""
        lines: list[dict[str, Any]] = self.switch(path, **body)["webhooks"]
        return lines

    def forget_faults(self) -> None:
        ask(self.http, "DELETE", f"{self.base}/control/faults")

    def truth(self, first: date, last: date) -> dict[str, dict[str, Any]]:
        reply = self.read("truth", person=self.person, **{"from": first.isoformat(), "to": last.isoformat()})
        return {day["day"]: day for day in reply["days"]}

    def count(self, provider: str, request: str) -> int:
        return int(self.read("log")["requests"][provider].get(request, 0))

    def refreshes(self, provider: str) -> dict[str, int]:
        counts: dict[str, int] = self.read("log")["refreshes"][provider]
        return counts


@dataclass
class Stage:
    """`show` prints progress within a step; `heard` are the announcements so far, by id; `guest` somebody else's stage
    in the same system."""

    system: Local
    person: str = PERSON
    zone: str = ZONE
    show: Callable[[str], None] = lambda _: None
    heard: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    remains: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sandbox = Sandbox(self.system.sandbox, self.person)
        self.api = Api(self.system.api, token(self.system.issuer, grant_type="password", username=self.person))
        self.user = f"user-{self.person}"
        self.today = datetime.now(ZoneInfo(self.zone)).date()
        self.sqs, self.dynamodb = self.system.client("sqs"), self.system.client("dynamodb")

    @cached_property
    def guest(self) -> Stage:
        return Stage(self.system, GUEST, GUEST_ZONE)

    def close(self) -> None:
        self.api.close()
        self.sandbox.http.close()
        if "guest" in self.__dict__:
            self.guest.close()

    # --- acting

    def connect(self, provider: str) -> None:
        connected = self.api.connect(provider, self.person, self.zone)
        expect("connected", provider, connected["connected"])
        self.jobs[provider] = connected["job"]

    def poll(self) -> int:
        """An operator's "look now" at every connection; how many polls it queued."""
        return poll(of_local(self.system))

    # --- looking

    def ago(self, days: int) -> date:
        return self.today - timedelta(days=days)

    def day(self, day: date) -> Mapping[str, Any]:
        """The merged day's metrics; empty where there is no such day yet."""
        found = self.api.days(day.isoformat(), day.isoformat()).get(day.isoformat())
        return found["metrics"] if found else {}

    def shows(self, day: date, metric: str, value: float, source: str, within: float = 0.0) -> Mapping[str, Any]:
        figure: Mapping[str, Any] = self.day(day).get(metric, {})
        nearly(f"{metric} on {day}", value, figure.get("value"), within)
        expect(f"source of {metric} on {day}", source, figure["source"])
        return figure

    def shows_truth(self, first: date, last: date) -> int:
        """Every day there is, with the person's own steps and, where the night is known, sleep; how many days."""
        truth = self.sandbox.truth(first, last)
        seen = self.api.days(first.isoformat(), last.isoformat())
        expect(f"days from {first} to {last}", list(truth), list(seen))
        for day, true in truth.items():
            metrics = seen[day]["metrics"]
            steps = metrics.get("steps", {}).get("value")
            if day == self.today.isoformat():  # still being walked, and maybe not told of yet
                nearly("steps today", true["steps"] / 2, steps or 0, true["steps"] / 2)
            else:
                expect(f"steps on {day}", true["steps"], steps)
            if true["sleep_visible"] and not true["naps"]:
                for ours, theirs in FIGURES.items():
                    nearly(f"{ours} on {day}", true[theirs], metrics.get(ours, {}).get("value"), 0.001)
        return len(seen)

    def finished(self, job: str) -> dict[str, Any]:
        report = self.api.job(job)
        self.show(f"{report['done']} of {report['windows']} windows")
        if report["status"] in ("failed", "partial"):
            raise ApiError(f"job {job} {report['status']}: {report['failed']}")
        expect("job", "completed", report["status"])
        return report

    def depth(self, *queues: str) -> int:
        """Messages that wait, are being worked on, or are delayed."""
        total = 0
        for queue in queues:
            url = self.system.output(queue)
            seen = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            total += sum(int(seen[name]) for name in WAITING)
        return total

    def idle(self) -> None:
        eventually(lambda: expect("messages left to work on", 0, self.depth(*QUEUES)))

    def stored(self) -> dict[str, str]:
        """What the Data table holds about days that are over: today may grow at any time."""
        items: dict[str, str] = {}
        query: dict[str, Any] = {
            "TableName": self.system.output("DataTable"),
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": self.user}},
        }
        while True:
            page = self.dynamodb.query(**query)
            for item in page["Items"]:
                if self.today.isoformat() not in item["sk"]["S"]:
                    items[item["sk"]["S"]] = json.dumps(item, sort_keys=True, default=repr)
            if "LastEvaluatedKey" not in page:
                return items
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def listen(self) -> list[dict[str, Any]]:
        """Takes what was announced since last asked, as the app behind the changes queue would."""
        url, new = self.system.output("ChangesQueue"), []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                said = json.loads(message["Body"])
                if said["id"] not in self.heard:
                    new.append(said)
                self.heard[said["id"]] = said
            gone = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
            self.sqs.delete_message_batch(QueueUrl=url, Entries=gone)
        return new

    def announced(self, day: date, source: str, resource: str) -> None:
        self.listen()
        said = {(a["day"], a["source"], a["resource"]) for a in self.heard.values()}
        if (day.isoformat(), source, resource) not in said:
            raise StepFailed(f"expected an announcement of {source} {resource} on {day}, heard none")


def delivered(webhooks: Iterable[Mapping[str, Any]]) -> int:
    """Checks that there were some and that our door took every one of them."""
    statuses = [hook["status"] for hook in webhooks]
    if not statuses or set(statuses) != {200}:
        raise StepFailed(f"webhooks delivered: expected status 200 for each, saw {statuses or 'none sent'}")
    return len(statuses)


def poll(at: Deployment, review: bool = False) -> int:
    """Has every connection of the deployment polled, or its last fortnight reviewed; how many were queued. Of a segment
    of several pages the poller queues the rest itself, uncounted."""
    every = connections.segments(int(at.told().get("RING_SHARDS", "1")))
    return sum(look(at, every[start : start + SEGMENTS], review) for start in range(0, len(every), SEGMENTS))


def look(at: Deployment, segments: list[str], review: bool) -> int:
    asked = json.dumps({"segments": segments, "review": review})
    reply = at.client("lambda").invoke(FunctionName=at.output("PollFunction"), Payload=asked)
    answer = json.loads(reply["Payload"].read())
    if "FunctionError" in reply:
        raise ApiError(f"the poll function failed: {answer.get('errorMessage')}")
    queued: int = answer["queued"]
    return queued
