"""Oura's webhook subscriptions: one per (event_type, data_type) for the whole app, signed events."""

import hmac
import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256

from sandbox.cloud import refuse
from sandbox.webhooks import Webhook, call, with_query

LIFETIME = timedelta(days=90)
EVENT_TYPES = ("create", "update", "delete")
# there is no `heartrate`: a backend polls it after a sleep or activity event
DATA_TYPES = (
    *("tag", "enhanced_tag", "workout", "session", "sleep", "daily_sleep", "daily_readiness", "daily_activity"),
    *("daily_spo2", "sleep_time", "rest_mode_period", "ring_configuration", "daily_stress"),
    *("daily_cardiovascular_age", "daily_resilience", "vo2_max"),
)


@dataclass
class Subscription:
    id: str
    callback_url: str
    event_type: str
    data_type: str
    expires: datetime

    def shown(self) -> dict[str, str]:
        # without an offset, as seen; it is UTC
        expiration = self.expires.replace(tzinfo=None).isoformat(timespec="milliseconds")
        return {
            "id": self.id,
            "callback_url": self.callback_url,
            "event_type": self.event_type,
            "data_type": self.data_type,
            "expiration_time": expiration,
        }


class Subscriptions:
    def __init__(self) -> None:
        self._by_id: dict[str, Subscription] = {}

    def all(self) -> list[Subscription]:
        return list(self._by_id.values())

    def get(self, id: str) -> Subscription:
        if id not in self._by_id:
            raise refuse(403, {"detail": "Webhook subscription not found."})
        return self._by_id[id]

    def create(self, wanted: dict[str, str]) -> Subscription:
        _check(wanted, ("callback_url", "verification_token", "event_type", "data_type"))
        pair = (wanted["event_type"], wanted["data_type"])
        if any((s.event_type, s.data_type) == pair for s in self.all()):
            raise refuse(409, {"detail": "Subscription for this event and data type already exists."})
        _handshake(wanted["callback_url"], wanted["verification_token"])
        made = Subscription(secrets.token_hex(16), wanted["callback_url"], *pair, datetime.now(UTC) + LIFETIME)
        self._by_id[made.id] = made
        return made

    def update(self, id: str, wanted: dict[str, str]) -> Subscription:
        subscription = self.get(id)
        _check(wanted, ("verification_token",))
        _handshake(wanted.get("callback_url", subscription.callback_url), wanted["verification_token"])
        for name in ("callback_url", "event_type", "data_type"):
            setattr(subscription, name, wanted.get(name, getattr(subscription, name)))
        return subscription

    def renew(self, id: str) -> Subscription:
        subscription = self.get(id)
        subscription.expires = datetime.now(UTC) + LIFETIME
        return subscription

    def delete(self, id: str) -> None:
        self.get(id)
        self._by_id.pop(id, None)

    def events(self, secret: str, event_type: str, data_type: str, event: dict[str, str]) -> list[Webhook]:
        """The signed webhooks of one event; a reply of 410 Gone drops the subscription."""
        body = json.dumps(event, separators=(",", ":")).encode()
        wanted = [s for s in self.all() if (s.event_type, s.data_type) == (event_type, data_type)]
        return [
            Webhook(s.callback_url, signed(secret, int(time.time()), body), body, partial(self._by_id.pop, s.id, None))
            for s in wanted
            if s.expires > datetime.now(UTC)
        ]


def signed(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    signature = hmac.new(secret.encode(), str(timestamp).encode() + body, sha256).hexdigest().upper()
    return {
        "content-type": "application/json",
        "x-oura-signature": signature,
        "x-oura-timestamp": str(timestamp),
    }


def _check(wanted: dict[str, str], required: tuple[str, ...]) -> None:
    wrong = [name for name in required if not wanted.get(name)]
    if wanted.get("event_type", "create") not in EVENT_TYPES:
        wrong.append("event_type")
    if wanted.get("data_type", "sleep") not in DATA_TYPES:
        wrong.append("data_type")
    if wrong:
        detail = [{"type": "missing_or_wrong", "loc": ["body", name], "msg": "Field required"} for name in wrong]
        raise refuse(422, {"detail": detail})


def _handshake(callback_url: str, token: str) -> None:
    challenge = secrets.token_hex(16)
    reply = call("GET", with_query(callback_url, verification_token=token, challenge=challenge))
    try:
        echoed = json.loads(reply.body).get("challenge") if reply.status == 200 else None
    except (ValueError, AttributeError):
        echoed = None
    if echoed != challenge:
        raise refuse(400, {"detail": "Callback URL verification failed."})
