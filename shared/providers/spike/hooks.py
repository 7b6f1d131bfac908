"""What Spike tells by webhook: that something changed, and in which span. https://docs.spikeapi.com/api-docs/webhooks"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from shared.model import Skipped, millis
from shared.providers import Event, Window
from shared.providers.hosted import account
from shared.providers.spike.mapping import TOPICS


def read_event(body: bytes, now: datetime) -> Iterator[Event | Skipped]:
    """Many users' in one call; one that makes no sense loses none of the others. An integration that was made is not
    believed without the callback."""
    for index, told in enumerate(json.loads(body)):
        try:
            yield from event(told)
        except (KeyError, TypeError, ValueError, AttributeError):
            yield Skipped(index, "not an event of Spike's")


def event(told: Any) -> Iterator[Event]:
    kind, whose = told["event_type"], account(told["application_user_id"], told["provider_slug"])
    at = datetime.fromisoformat(told["timestamp"])
    if kind == "record_change":
        span = (told["earliest_record_start_at"], told["latest_record_end_at"])
        window = Window.around(*map(datetime.fromisoformat, span))
        yield Event(resources=changed(told), account=whose, window=window, as_of=millis(at))
    elif kind == "provider_integration_deleted":
        yield Event(account=whose, goodbye=True, as_of=millis(at))


def changed(told: Any) -> tuple[str, ...]:
    """`metrics` are names. What they do not lead to may be anywhere."""
    names = set(told.get("metrics") or ())
    return tuple(resource for resource, topics in TOPICS.items() if names & topics)
