"""Sending webhooks as a vendor does: a few attempts, no redirects — and the ways they go missing on purpose."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlencode, urlsplit

from sandbox.faults import WEBHOOK_FAULTS, Faults

TIMEOUT = 10.0
ATTEMPTS = 3
PAUSE = 0.3


@dataclass(frozen=True)
class Webhook:
    url: str
    headers: dict[str, str]
    body: bytes
    gone: Callable[[], object] | None = None  # what a reply of 410 does to the subscription


@dataclass(frozen=True)
class Reply:
    """What a callback answered; status 0 means that nobody answered."""

    status: int
    body: bytes = b""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


def call(method: str, url: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> Reply:
    parts = urlsplit(url)
    # Resolvers differ on *.localhost (an emulated API has such a name); RFC 6761 says it is this machine.
    host = "127.0.0.1" if (parts.hostname or "").endswith(".localhost") else parts.hostname or ""
    connection = (HTTPSConnection if parts.scheme == "https" else HTTPConnection)(host, parts.port, timeout=TIMEOUT)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body=body, headers={"host": parts.netloc, **(headers or {})})
        reply = connection.getresponse()
        return Reply(reply.status, reply.read())
    except (OSError, HTTPException):
        return Reply(0)
    finally:
        connection.close()


def with_query(url: str, **params: str) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(params)}"


@dataclass
class Sender:
    provider: str
    faults: Faults
    counts: dict[str, int] = field(default_factory=lambda: {"sent": 0, "refused": 0, "dropped": 0})
    last: tuple[Webhook, int] | None = None
    _held: list[Webhook] = field(default_factory=list)

    def send(self, hooks: list[Webhook]) -> list[dict[str, object]]:
        """Deliver in order, unless a fault says otherwise; one line per event with its final status."""
        return [line for hook in hooks for line in self._one(hook)]

    def resend(self, times: int) -> list[dict[str, object]]:
        """The last webhook again: the same bytes, signature and timestamp."""
        if self.last is None:
            return []
        return [self._deliver(self.last[0]) for _ in range(times)]

    def release(self) -> list[dict[str, object]]:
        """Send what was held back to be out of order, newest first: lines marked as `late`, of earlier events."""
        held, self._held = self._held, []
        return [{**self._deliver(hook), "late": True} for hook in reversed(held)]

    def _one(self, hook: Webhook) -> list[dict[str, object]]:
        fault = self.faults.take(WEBHOOK_FAULTS, hook.url) or self.faults.draw(WEBHOOK_FAULTS)
        if fault is None:
            # What the weather held back comes after the next one.
            return [self._deliver(hook), *([] if self.faults.waiting() else self.release())]
        if fault.kind == "drop_webhooks":
            self.counts["dropped"] += 1
            return [self._line(hook, "dropped")]
        if fault.kind == "duplicate_webhooks":
            return [self._deliver(hook), self._deliver(hook)]
        self._held.append(hook)
        return [self._line(hook, "held")] if fault.times > 0 else self.release()

    def _deliver(self, hook: Webhook) -> dict[str, object]:
        for attempt in range(ATTEMPTS):
            time.sleep(PAUSE * attempt)
            reply = call("POST", hook.url, hook.headers, hook.body)
            if reply.ok or reply.status == 410:
                break
        self.counts["sent" if reply.ok else "refused"] += 1
        self.last = (hook, reply.status)
        if reply.status == 410 and hook.gone:
            hook.gone()
        return self._line(hook, reply.status)

    def _line(self, hook: Webhook, status: int | str) -> dict[str, object]:
        return {"provider": self.provider, "url": hook.url, "status": status, "body": hook.body.decode()}
