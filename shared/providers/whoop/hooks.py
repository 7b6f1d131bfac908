"""WHOOP's webhooks, its pages, and its goodbye. https://developer.whoop.com/docs/developing/webhooks"""

import json
from collections.abc import Generator, Iterator
from datetime import datetime

from shared.providers import ByInstant, Event, Holder, Json, Request, Token, as_utc
from shared.values import replace

SLEEPS = "/v2/activity/sleep"
TOPICS = ("workout", "sleep", "recovery")
# There is no event for cycles: one ends and the next begins with the night that this one scores.
CYCLE_FOLLOWS = "recovery"
MORE = Token("next_token", "nextToken")


def read_event(body: bytes, now: datetime) -> Iterator[Event]:
    """One record changed; `id` is its UUID. A recovery goes by the UUID of its sleep, and is deleted with it."""
    event = json.loads(body)
    topic, _, verb = event["type"].partition(".")
    account, document = str(event["user_id"]), event["id"]
    if topic in TOPICS and verb == "deleted":
        gone = ("sleep", "recovery") if topic == "sleep" else (topic,)
        yield Event(resources=gone, account=account, document=document, deleted=True)
    elif topic in TOPICS and verb == "updated":
        yield Event(resources=(topic,), account=account, document=document)
    if topic == CYCLE_FOLLOWS:
        yield Event(resources=("cycle",), account=account)


def span(path: str) -> ByInstant:
    """25 is the most a page may hold."""
    return ByInstant(Request(url=path, params={"limit": "25"}), "start", "end", as_utc)


def then_sleeps(request: Request, reply: Json) -> Request | None:
    """Every page, and then the sleeps of the same span, which say what day the records are of."""
    more = MORE(request, reply)
    if more or request.url == SLEEPS:
        return more
    span = {name: value for name, value in request.params.items() if name != MORE.param}
    return replace(request, url=SLEEPS, params=span)


def recovery_and_sleep(request: Request, reply: Json) -> Request | None:
    """In this order a list holds no recovery whose sleep is too young for the other list. One recovery is only found
    by way of its sleep."""
    if request.url.startswith(SLEEPS + "/"):
        return Request(url=f"/v2/cycle/{reply['cycle_id']}/recovery")
    return then_sleeps(request, reply) if "records" in reply else None


def revoke(holder: Holder) -> Generator[Request, Json, None]:
    """Ends the webhooks of this member, too."""
    yield Request(url="/v2/user/access", method="DELETE")
