"""Fitbit's subscriptions and its manners: errors that are not RFC 6749's, and limits told in headers of its own.
https://dev.fitbit.com/build/reference/web-api/developer-guide/using-subscriptions/"""

import base64
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared.errors import RateLimitedError, ReconnectError, TributaryError
from shared.model import Skipped
from shared.providers import (
    ByPath,
    Event,
    Holder,
    Hook,
    Json,
    Refusal,
    Request,
    Subscription,
    Subscriptions,
    Window,
    attempt,
    dig,
    in_turn,
)

USER = "/1/user/-/"
BUSY_S = 60.0
WIDEST = timedelta(days=33)  # the days a question may span, and those around them
REVOKED = "userRevokedAccess"
COLLECTIONS = ("activities", "body", "sleep", REVOKED)


def greet(query: Json, token: str) -> Json | None:
    """GET ?verify=CODE, sent twice: with the code of the developer site, and with another that must be refused."""
    return {} if query.get("verify") == token else None


def read_event(body: bytes, for_topic: Callable[[str], tuple[str, ...]]) -> Iterator[Event | Skipped]:
    """[{"collectionType": "sleep", "date": "2026-09-20", "ownerId": "ABC123", …}]: of many people, and no values. What
    is said of the same person's same day becomes one event."""
    found: dict[tuple[str, Window | None], dict[str, None]] = {}
    goodbyes: dict[str, None] = {}

    def note(notification: Json) -> Iterable[Any]:
        owner, collection, day = notification["ownerId"], notification["collectionType"], notification.get("date")
        if collection == REVOKED:
            goodbyes[owner] = None
        elif resources := for_topic(collection):
            window = Window(date.fromisoformat(day), date.fromisoformat(day)) if day else None
            found.setdefault((owner, window), {}).update(dict.fromkeys(resources))
        return ()

    for index, notification in enumerate(json.loads(body)):
        yield from (fault for fault in attempt(index, note, notification) if isinstance(fault, Skipped))
    for (owner, window), resources in found.items():
        yield Event(resources=tuple(resources), account=owner, window=window)
    for owner in goodbyes:
        yield Event(account=owner, goodbye=True)


# ---------------------------------------------------------------- questions


def days(*paths: str, version: str = "1") -> Callable[[Window], Request]:
    """Both dates are included, and are the wearer's own."""
    user = USER.replace("/1/", f"/{version}/")
    return in_turn(*(ByPath(Request(url=f"{user}{path}/date/{{first}}/{{last}}.json")) for path in paths))


def list_workouts(window: Window) -> Request:
    """From a day on; the list has no end but today."""
    wish = {"afterDate": window.first.isoformat(), "sort": "asc", "limit": "100", "offset": "0"}
    return Request(url=f"{USER}activities/list.json", params=wish)


def more_workouts(request: Request, reply: Json) -> Request | None:
    """Of the link to the next page only where it begins is believed. A page that ends beyond any window is the last."""
    link, listed = dig(reply, "pagination.next"), reply["activities"]
    offset = dict(parse_qsl(urlsplit(link or "").query)).get("offset")
    until = date.fromisoformat(request.params["afterDate"]) + WIDEST
    if not offset or not listed or listed[-1]["startTime"][:10] > until.isoformat():
        return None
    return request.with_params(offset=offset)


# ---------------------------------------------------------------- refusals


def verdict(refusal: Refusal) -> TributaryError | None:
    """{"errors": [{"errorType": "invalid_grant", …}], "success": false}, on the token endpoint, too. A limit says in a
    header of its own how many seconds are left of the hour."""
    if refusal.status == 429:
        left = refusal.headers.get("fitbit-rate-limit-reset", "")
        return RateLimitedError("Fitbit asked us to slow down", max(1.0, float(left)) if left.isdecimal() else BUSY_S)
    errors = dig(refusal.body, "errors")
    if any(dig(error, "errorType") == "invalid_grant" for error in errors or ()):
        return ReconnectError("Fitbit refused the grant", "invalid_grant")
    return None


def revoke(holder: Holder) -> Generator[Request, Json, None]:
    """Either token ends the grant, and its subscriptions."""
    pair = base64.b64encode(f"{holder.client_id}:{holder.client_secret}".encode()).decode()
    yield Request(
        url="/oauth2/revoke", method="POST", form={"token": holder.access_token}, bearer=False,
        headers={"authorization": f"Basic {pair}"},
    )  # fmt: skip


# ---------------------------------------------------------------- subscriptions


def read_subscriptions(reply: Any) -> Iterable[Subscription]:
    """Where they lead is entered on the developer site, once for the app."""
    for item in reply.get("apiSubscriptions") or ():
        yield Subscription(topic=item["collectionType"], id=item["subscriptionId"])


def create(hook: Hook, topic: str) -> Request:
    """The id is ours to choose, at most 50 characters; asked for again under the same id it is simply there."""
    return subscription(topic, f"{hook.connection}-{topic}", "POST")


def subscription(topic: str, id: str, method: str) -> Request:
    return Request(url=f"{USER}{topic}/apiSubscriptions/{id}.json", method=method)


SUBSCRIPTIONS = Subscriptions(
    per="connection",
    topics=COLLECTIONS,
    listing=lambda hook: Request(url=f"{USER}apiSubscriptions.json"),
    read=read_subscriptions,
    create=create,
    delete=lambda hook, standing: subscription(standing.topic, standing.id, "DELETE"),
)
