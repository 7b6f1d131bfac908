"""What Rook is asked, and what it tells by webhook. https://docs.tryrook.io/docs/rookconnect/data-consumption"""

import json
from collections.abc import Iterator
from datetime import date, datetime
from itertools import product
from typing import Any

from shared.model import Skipped
from shared.providers import Event, Json, Request, Window
from shared.providers.hosted import account
from shared.providers.rook.authorizers import UPSTREAMS
from shared.providers.rook.documents import ADDRESSES, PILLARS, day_of, opened, sources

RESOURCES = {address: name for name, addresses in ADDRESSES.items() for address in addresses}


def ask(address: str, window: Window) -> Request:
    """One date is all that a question may name."""
    return dated(f"{address}/{window.first}")


def dated(document: str) -> Request:
    """Our own name for what Rook has no id for: the address, and the date."""
    address, _, day = document.rpartition("/")
    return Request(url=f"/v2/processed_data/{address}", params={"date": day})


# ---------------------------------------------------------------- webhooks


def hashed(body: bytes) -> Iterator[str]:
    """`X-ROOK-HASH` is of the ids and a time. Which of the times in a document is shown in a picture alone, so any of
    them will do: what is hashed proves as little of the data."""
    told = json.loads(body)
    for moment in dict.fromkeys(moments(told)):
        yield f"{told['client_uuid']}{told['user_id']}{moment}"


def moments(told: Json) -> Iterator[str]:
    """Of the document and of its records, not of the samples in them."""
    for name, value in told.items():
        if isinstance(value, dict):
            yield from moments(value)
        elif isinstance(value, list) and name.endswith("_event"):
            for event in filter(None, value):
                yield from moments(event)
        elif isinstance(value, str) and name.endswith(("datetime_string", "date_string")):
            yield value


def read_event(body: bytes, now: datetime) -> Iterator[Event | Skipped]:
    """Where to ask for what it holds; what it holds is not believed. What we do not follow (nutrition, mood, hydration,
    user_info) is no fault."""
    told = json.loads(body)
    if any(pillar in told for pillar in PILLARS):
        found = opened(told)
        if found.address in RESOURCES:
            hints = (hint for n, record in enumerate(found.records) for hint in hinted(n, record, told, found.address))
            yield from dict.fromkeys(hints)


def hinted(index: int, record: Any, told: Json, address: str) -> Iterator[Event | Skipped]:
    try:
        days, names = dates(record, address), sources(record)
    except (KeyError, TypeError, ValueError, AttributeError):
        yield Skipped(index, "without a date")
        return
    for name, day in product(names or UPSTREAMS, days):
        whose = account(told["user_id"], name)
        yield Event(resources=(RESOURCES[address],), account=whose, document=f"{address}/{day}")


def dates(record: Json, address: str) -> list[date]:
    """A summary names its date. An event has an instant in UTC, and is filed under the wearer's date: one of two at
    most. Who lives where it is a third waits for the next poll."""
    if address.endswith("/summary"):
        return [date.fromisoformat(day_of(record))]
    at = datetime.fromisoformat(record["metadata"]["datetime_string"])
    if at.utcoffset():
        return [at.date()]
    return Window.around(at, at).days()
