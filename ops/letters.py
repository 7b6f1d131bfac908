"""Dead letters: found and explained, moved back, dropped.

Looking hides a letter for HELD_S and shows it again at the end. A letter is sent before it is deleted, so whoever is
killed in between leaves two, which does no harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError

from ops.deployment import Deployment, DeploymentError
from shared import connections, dead_letters, progress
from shared.errors import BadRequestError

T = TypeVar("T")
HELD_S = 900
LOOKS = 10
PATIENCE_S = 1
"""A long poll asks every server of a queue: one that comes back empty is empty."""
FASTEST = 500
SILENT = "no word of why: a worker that ran out of time or memory, or a letter older than its note"
THEIRS = "your app did not delete it"


@dataclass(frozen=True)
class Letter:
    """One message among the dead letters of `queue`. `told` is its body, where it is one of ours."""

    queue: str
    message: Mapping[str, Any]
    told: Mapping[str, Any]
    provider: str
    cause: str

    @property
    def id(self) -> str:
        return str(self.message["MessageId"])

    @property
    def sent(self) -> datetime:
        return datetime.fromtimestamp(int(self.message["Attributes"]["SentTimestamp"]) / 1000, UTC)

    @property
    def reason(self) -> str:
        return str(self.told.get("reason", "–"))

    @property
    def group(self) -> tuple[str, str, str, str]:
        return self.queue, self.provider, self.reason, self.cause


@dataclass(frozen=True)
class Wanted:
    """Which letters. Everything empty: all of them."""

    queue: str = ""
    provider: str = ""
    cause: str = ""
    reason: str = ""
    message: str = ""
    older_than_s: int = 0

    @property
    def picks(self) -> bool:
        """By more than the queue."""
        return bool(self.provider or self.cause or self.reason or self.message or self.older_than_s)

    def holds(self, letter: Letter) -> bool:
        return (
            self.provider in ("", letter.provider)
            and self.cause.lower() in letter.cause.lower()
            and self.reason in ("", letter.reason)
            and letter.id.startswith(self.message)
            and datetime.now(UTC).timestamp() - letter.sent.timestamp() >= self.older_than_s
        )


# ---------------------------------------------------------------- looking


def queues(at: Deployment, only: str = "") -> list[str]:
    """The queues that have dead letters, by the names of the stack's outputs."""
    found = [name.removesuffix("Dlq").lower() for name in at.outputs if name.endswith("Dlq")]
    if only and only not in found:
        raise BadRequestError(f"no queue {only}; there are {', '.join(sorted(found))}", "queue")
    return [only] if only else sorted(found)


def url(at: Deployment, queue: str, kind: str) -> str:
    return at.output(f"{queue.capitalize()}{kind}")


def letters(at: Deployment, wanted: Wanted) -> Generator[Letter]:
    """Each once, and none that died again meanwhile. What is left is shown to others again at the end."""
    began = datetime.now(UTC)
    for queue in queues(at, wanted.queue):
        sqs, dead = at.client("sqs"), url(at, queue, "Dlq")
        seen: dict[str, str] = {}
        try:
            while fresh := received(sqs, dead, seen):
                yield from (each for each in read(queue, fresh) if each.sent <= began and wanted.holds(each))
        finally:
            show_again(sqs, dead, list(seen.values()))


def received(sqs: Any, dead: str, seen: dict[str, str]) -> list[dict[str, Any]]:
    """The next few that were not seen. Of a long queue those come back that were looked at HELD_S ago."""
    for _ in range(LOOKS):
        reply = sqs.receive_message(
            QueueUrl=dead, MaxNumberOfMessages=10, VisibilityTimeout=HELD_S, WaitTimeSeconds=PATIENCE_S,
            MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"],
        )  # fmt: skip
        found = reply.get("Messages", [])
        fresh = [message for message in found if message["MessageId"] not in seen]
        seen.update((message["MessageId"], message["ReceiptHandle"]) for message in found)
        if fresh or not found:
            return fresh
    return []


def show_again(sqs: Any, dead: str, receipts: list[str]) -> None:
    for start in range(0, len(receipts), 10):
        entries = [
            {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for n, receipt in enumerate(receipts[start : start + 10])
        ]
        sqs.change_message_visibility_batch(QueueUrl=dead, Entries=entries)  # those deleted are refused one by one


@cache
def readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(10, thread_name_prefix="letters")


def read(queue: str, messages: Iterable[Mapping[str, Any]]) -> Iterator[Letter]:
    return readers().map(lambda message: letter(queue, message), messages)


def letter(queue: str, message: Mapping[str, Any]) -> Letter:
    told = dead_letters.read(message["Body"])
    if "revision" in told:
        return Letter(queue, message, told, str(told.get("source", "–")), THEIRS)
    cause = dead_letters.cause(message["MessageId"]) or SILENT
    return Letter(queue, message, told, provider_of(told), cause)


def provider_of(told: Mapping[str, Any]) -> str:
    if "provider" not in told and (held := connections.load(str(told.get("connection", "")))):
        return held.provider
    return str(told.get("provider", "–"))


# ---------------------------------------------------------------- acting


def paced(
    items: Iterable[T],
    per_second: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[T]:
    """No more of them a second, however fast they come."""
    due = clock()
    for item in items:
        sleep(max(0.0, due - clock()))
        due = max(due, clock()) + 1 / per_second
        yield item


def move(at: Deployment, wanted: Wanted, per_second: float) -> int:
    """Back to the queues they came from, one by one."""
    moved = 0
    with closing(letters(at, wanted)) as found:
        for each in paced(found, per_second):
            attributes = {name: resent(value) for name, value in each.message.get("MessageAttributes", {}).items()}
            home, body = url(at, each.queue, "Queue"), each.message["Body"]
            at.client("sqs").send_message(QueueUrl=home, MessageBody=body, MessageAttributes=attributes)
            delete(at, each)
            moved += 1
    return moved


def resent(attribute: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attribute.items() if name in ("DataType", "StringValue", "BinaryValue")}


def delete(at: Deployment, each: Letter) -> None:
    dead, receipt = url(at, each.queue, "Dlq"), each.message["ReceiptHandle"]
    at.client("sqs").delete_message(QueueUrl=dead, ReceiptHandle=receipt)


def drop(at: Deployment, wanted: Wanted) -> int:
    """For good. A tracked job that waits for one of them is told that this part has failed."""
    dropped = 0
    with closing(letters(at, wanted)) as found:
        for each in found:
            if "tracked" in each.told:
                progress.finish(str(each.told["tracked"]), str(each.told.get("part", "")), cause="dropped")
            delete(at, each)
            dropped += 1
    return dropped


def move_all(at: Deployment, queue: str, per_second: float) -> int | None:
    """By SQS itself, which goes on though we are gone; how many it moved. None where it cannot, or not so slowly."""
    if per_second < 1:
        return None
    sqs = at.session.client("sqs", endpoint_url=at.endpoint, config=Config(retries={"total_max_attempts": 1}))
    source = arn(sqs, url(at, queue, "Dlq"))
    home, pace = arn(sqs, url(at, queue, "Queue")), min(FASTEST, int(per_second))
    try:
        sqs.start_message_move_task(SourceArn=source, DestinationArn=home, MaxNumberOfMessagesPerSecond=pace)
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidAction" or status(error) >= 500:
            return None
        raise
    while True:
        [task, *_] = sqs.list_message_move_tasks(SourceArn=source)["Results"]
        if task["Status"] == "FAILED":
            raise DeploymentError(f"SQS gave up moving the dead letters of {queue}: {task.get('FailureReason')}")
        if task["Status"] not in ("RUNNING", "CANCELLING"):
            return int(task.get("ApproximateNumberOfMessagesMoved", 0))
        time.sleep(PATIENCE_S)


def arn(sqs: Any, queue_url: str) -> str:
    found = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
