"""Workers in processes of their own, fed as Lambda's pollers feed them, and killed at random in the middle of it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from random import Random
from threading import Event, Lock, Thread
from typing import Any

from moto.sqs.models import sqs_backends

from shared import tokens
from tests.functions.system import System, invoke

ACCOUNT, REGION = "123456789012", "us-east-1"
IN_FLIGHT_S = 600
MOST_RECEIVES = 5
SOON_MS = 500
LEASE_MS = 5_000
"""Who dies in a refresh keeps the others waiting: not for a minute, here."""
BATCHES = {"fresh": 10, "bulk": 1}
PROCESSES = get_context("spawn")


def serve(calls: Connection, env: Mapping[str, str]) -> None:
    os.environ.update(env)
    import_module("functions.worker.handler")
    tokens.LEASE_MS = LEASE_MS
    calls.send("ready")
    with suppress(EOFError):
        while True:
            calls.send(invoke("worker", calls.recv()))


class Worker:
    """One process, replaced when it was killed."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.begin()

    def begin(self) -> None:
        self.calls, theirs = PROCESSES.Pipe()
        self.process = PROCESSES.Process(target=serve, args=(theirs, self.env), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.process.close()
        self.calls.close()

    def call(self, event: dict[str, Any], lives_s: float | None) -> Any:
        """The reply; None where it was killed before there was one. None lives until it has answered."""
        self.ready = self.ready or self.calls.recv() == "ready"
        self.calls.send(event)
        if self.calls.poll(lives_s):
            return self.calls.recv()
        self.end()
        self.begin()
        return None


class Workers:
    """`count` of them until the end of the block. Of their invocations, `deadly` (0 to 1) may die within `soon_s`."""

    def __init__(self, system: System, count: int, seed: int = 1, deadly: float = 0.0, soon_s: float = 0.0) -> None:
        self.system, self.deadly, self.soon_s, self.killed, self.hurried = system, deadly, soon_s, 0, False
        self._rng, self._over, self._lock = Random(seed), Event(), Lock()
        self._threads = [Thread(target=self._tend, daemon=True) for _ in range(count)]

    def __enter__(self) -> Workers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def spare(self) -> None:
        """From now on nobody dies, and nobody waits for what was put off."""
        self.deadly, self.hurried = 0.0, True

    def _tend(self) -> None:
        worker, sqs = Worker(dict(os.environ)), self.system.aws("sqs")
        while not self._over.is_set():
            ready = [queue for queue in BATCHES if visible(queue)]
            for queue in ready:
                self._feed(worker, sqs, queue)
            if not ready:
                self._over.wait(0.05)
                if self.hurried:
                    hurry()
        worker.end()
        sqs.close()

    def _feed(self, worker: Worker, sqs: Any, queue: str) -> None:
        """One batch, if nobody else has taken it."""
        url = self.system.env[f"{queue.upper()}_QUEUE"]
        with self._lock:
            taken = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=BATCHES[queue], VisibilityTimeout=IN_FLIGHT_S, AttributeNames=["All"]
            ).get("Messages", [])
            lives_s = self._rng.uniform(0, self.soon_s) if self._rng.random() < self.deadly else None
        if not taken:
            return
        arn = f"arn:aws:sqs:{REGION}:1:{queue}"
        records = [
            {"messageId": m["MessageId"], "body": m["Body"], "eventSourceARN": arn, "attributes": m["Attributes"]}
            for m in taken
        ]
        reply = worker.call({"Records": records}, lives_s)
        self.killed += reply is None
        kept = {m["MessageId"] for m in taken} if reply is None else failed(reply)
        for message in taken:
            self._settle(sqs, url, message, message["MessageId"] in kept)

    def _settle(self, sqs: Any, url: str, message: dict[str, Any], kept: bool) -> None:
        handle = message["ReceiptHandle"]
        dead = int(message["Attributes"]["ApproximateReceiveCount"]) >= MOST_RECEIVES
        if kept and dead:
            sqs.send_message(QueueUrl=self.system.env["DEAD_QUEUE"], MessageBody=message["Body"])
        if kept and not dead:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        else:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)


def failed(reply: Any) -> set[str]:
    return {failure["itemIdentifier"] for failure in reply["batchItemFailures"]}


def visible(queue: str) -> bool:
    """Asked of moto itself: a call costs it milliseconds."""
    return any(not m.delayed and m.visible for m in list(sqs_backends[ACCOUNT][REGION].queues[queue]._messages))


def hurry() -> None:
    """Time passes: what was to come later comes soon."""
    soon = time.time() * 1000 + SOON_MS
    for queue in sqs_backends[ACCOUNT][REGION].queues.values():
        for message in list(queue._messages):
            message.delayed_until = min(message.delayed_until, soon)
