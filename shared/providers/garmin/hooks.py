"""How Garmin calls us, is asked for the past, and says goodbye. https://developer.garmin.com/gc-developer-program/"""

import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any

from shared.errors import NotGrantedError, TributaryError
from shared.model import Skipped
from shared.providers import Event, Holder, Json, Permissions, Refusal, Request, Window, as_epoch

BASE = "https://apis.garmin.com/wellness-api/rest"
CALLBACKS = re.compile(re.escape(BASE) + r"/[A-Za-z]+\?[\w.~%&=+-]+", re.ASCII)
"""One step below the base: neither what asks for the past nor what ends a registration."""
HEALTH, ACTIVITY, PAST = "HEALTH_EXPORT", "ACTIVITY_EXPORT", "HISTORICAL_DATA_EXPORT"
REACH = 29
"""Days that nobody doubts: the documentation has 90, support and the answers seen about a month."""

Told = Iterator[Event | Skipped]


def past(segment: str) -> Callable[[Window], Request]:
    """Asks Garmin to send what was recorded then, by ping or push. 409: it was asked that before, and has sent it or
    will. Whole days of UTC, so that windows that meet do not overlap: what overlaps may be taken for the same."""

    def ask(window: Window) -> Request:
        start = datetime.combine(window.first, time(), UTC)
        end = datetime.combine(window.last, time(23, 59, 59), UTC)
        span = {"summaryStartTimeInSeconds": as_epoch(start), "summaryEndTimeInSeconds": as_epoch(end)}
        return Request(url=f"/backfill/{segment}", params=span, accepts=(409,))

    return ask


def read_permissions(reply: Any) -> frozenset[str]:
    """As a list, alone or under a name; a map of what is allowed was seen as well."""
    found = reply["permissions"] if isinstance(reply, Mapping) and "permissions" in reply else reply
    return frozenset(name for name in found if not isinstance(found, Mapping) or found[name] is True)


PERMISSIONS = Permissions(Request(url="/user/permissions"), read_permissions)


def revoke(holder: Holder) -> Generator[Request, Json, None]:
    yield Request(url="/user/registration", method="DELETE")


def verdict(refusal: Refusal) -> TributaryError | None:
    """412: a permission is switched off. A 400 may say that the operator has not enabled a kind of summary, that there
    is nothing from before some day, or that a ping is too old to be followed: asking again makes none of it better."""
    said = str(refusal.body.get("errorMessage") or "") if isinstance(refusal.body, Mapping) else ""
    lasting = re.search(r"not enabled|min(imum)? start time|InvalidPullToken", said, re.IGNORECASE)
    if refusal.status == 412 or (refusal.status == 400 and lasting):
        return NotGrantedError(f"Garmin answered {refusal.status}: not allowed, not enabled, or no longer there")
    return None


# ---------------------------------------------------------------- webhooks


def read_events(body: bytes, for_topic: Callable[[str], tuple[str, ...]]) -> Told:
    """{"<kind of summary>": [{"userId": …, …}, …]}: many people at once. An entry is the summary itself (push) or an
    address that leads to it (ping)."""
    for topic, entries in json.loads(body).items():
        summaries: dict[str, list[Json]] = {}
        for index, entry in enumerate(entries):
            try:
                account = str(entry["userId"])
            except (KeyError, TypeError):
                yield Skipped(index, "names nobody", "userId")
                continue
            if topic == "deregistrations":
                yield Event(account=account, goodbye=True)
            elif topic == "userPermissionsChange":
                yield Event(account=account, permissions=True)
            elif "callbackURL" in entry:
                yield from told(for_topic(topic), account, callback=str(entry["callbackURL"]))
            else:
                summaries.setdefault(account, []).append(entry)
        for account, found in summaries.items():
            yield from told(for_topic(topic), account, payload={topic: found})


def told(resources: tuple[str, ...], account: str, **what: Any) -> Told:
    """Nothing of what we do not follow."""
    if resources:
        yield Event(resources=resources, account=account, **what)
