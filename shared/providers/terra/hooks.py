"""What Terra is asked, and what it tells by webhook. https://docs.tryterra.co/reference/health-and-fitness-api"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from shared.errors import RetryLaterError
from shared.model import Skipped
from shared.providers import Event, Json, Request, Window

DATA = ("activity", "body", "daily", "sleep")
ENDED = ("deauth", "access_revoked")
BUSY_S = 60.0


def ask(kind: str, window: Window) -> Request:
    """`end_date` is excluded. By default Terra would send the answer to the webhook, and leave the samples out."""
    end = window.last + timedelta(days=1)
    days = {"start_date": window.first.isoformat(), "end_date": end.isoformat()}
    return Request(url=f"/{kind}", params={**days, "to_webhook": "false", "with_samples": "true"})


def check(reply: Json) -> None:
    """200, and nothing yet: Terra itself is still asking the source."""
    if isinstance(reply, Mapping) and reply.get("type") == "processing":
        raise RetryLaterError("Terra is still fetching", float(reply.get("retry_after_seconds") or BUSY_S))


# ---------------------------------------------------------------- webhooks


def read_event(body: bytes, now: datetime) -> Iterator[Event | Skipped]:
    """The data itself, one event for each of its objects, or news of the connection. What says nothing to us (auth,
    large_request_sending, healthcheck, nutrition …) is no fault."""
    event = json.loads(body)
    kind = event["type"]
    if kind in DATA:
        account = event["user"]["user_id"]
        for index, record in enumerate(event["data"]):
            if isinstance(record, Mapping) and isinstance(record.get("metadata"), Mapping):
                yield Event(resources=(kind,), account=account, payload={"type": kind, "data": [record]})
            else:
                yield Skipped(index, "without metadata")
    elif kind in ENDED:
        yield Event(account=event["user"]["user_id"], goodbye=True)
    elif kind == "connection_error":
        yield Event(account=event["user"]["user_id"], trouble=True)
    elif kind == "user_reauth":
        yield from renamed(event.get("old_user"), event["new_user"])


def renamed(old: Json | None, new: Json) -> Iterator[Event]:
    """Each consent makes a new user of the same person at the same source."""
    same = ("reference_id", "provider")
    if old and all(old.get(name) == new.get(name) for name in same):
        yield Event(account=old["user_id"], successor=new["user_id"])
