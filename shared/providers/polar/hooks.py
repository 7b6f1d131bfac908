"""How Polar admits people, calls us and says goodbye. https://www.polar.com/accesslink-api/"""

import base64
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from shared.providers import Event, Holder, Hook, Json, Request, Subscription, Subscriptions, Window

BASE = "/v3/webhooks"
TOPIC = "EXERCISE SLEEP CONTINUOUS_HEART_RATE ACTIVITY_SUMMARY PHYSICAL_INFORMATION"
"""One webhook for everything and everybody: a second one is refused."""
EXERCISES = "exercises"
FOREVER_S = 100 * 365 * 86_400


def read_token(reply: Json) -> Json:
    """Tokens live until they are revoked, by the documentation, which gives them an `expires_in` all the same (a year,
    or ten). Only a 401 ends one. There is nothing to renew it with."""
    return {**reply, "expires_in": FOREVER_S}


def register(account: str) -> Request:
    """`member-id` is ours to choose, and must be nobody else's: Polar's own id of the person, so that a 409 can only
    mean that they are registered already."""
    return Request(url="/v3/users", method="POST", json={"member-id": account}, accepts=(409,))


def revoke(holder: Holder) -> Generator[Request, Json, None]:
    """Ends the registration, and the token with it."""
    yield Request(url=f"/v3/users/{holder.account}", method="DELETE")


def exercise(id_: str = "") -> Request:
    """One, or all; with what the sensors recorded."""
    return Request(url="/v3/exercises" + (f"/{id_}" if id_ else ""), params={"samples": "true"})


# ---------------------------------------------------------------- webhooks


def is_ping(body: bytes) -> bool:
    """Sent while the webhook is being made, before anybody told us what it is signed with."""
    try:
        return bool(json.loads(body)["event"] == "PING")
    except (KeyError, TypeError, ValueError, RecursionError):
        return False


def read_event(body: bytes, for_topic: Callable[[str], tuple[str, ...]]) -> Iterator[Event]:
    """{"event": "SLEEP", "user_id": 475, "date": "2026-11-02", "timestamp": …, "url": …}: a pointer, never a value. The
    `url` is not followed: we know where to ask."""
    event = json.loads(body)
    account, names = str(event["user_id"]), for_topic(event["event"])
    if "entity_id" in event:
        yield Event(resources=(EXERCISES,), account=account, document=event["entity_id"])
        # What else an exercise changes is asked for its day: that of sending, or the one before.
        names = tuple(name for name in names if name != EXERCISES)
        last = datetime.fromisoformat(event["timestamp"]).date()
        yield Event(resources=names, account=account, window=Window(last - timedelta(days=1), last))
    elif names:
        day = date.fromisoformat(event["date"]) if "date" in event else None
        yield Event(resources=names, account=account, window=Window(day, day) if day else None)


def app_request(hook: Hook, path: str = "", method: str = "GET", **more: Any) -> Request:
    """The webhook is the app's: its credentials, no bearer."""
    pair = base64.b64encode(f"{hook.client_id}:{hook.client_secret}".encode()).decode()
    return Request(url=BASE + path, method=method, headers={"authorization": f"Basic {pair}"}, bearer=False, **more)


def create(hook: Hook, topic: str) -> Request:
    """409: there is one already, another system's or the one another worker has just made."""
    return app_request(hook, method="POST", json={"events": topic.split(), "url": hook.url}, accepts=(409,))


def read_subscriptions(reply: Any) -> Iterable[Subscription]:
    """Seven days of failures switch a webhook off; it is renewed by switching it on."""
    for webhook in reply.get("data") or ():
        events = webhook["events"]
        topic = TOPIC if set(events) == set(TOPIC.split()) else " ".join(events)
        expires = None if webhook.get("active", True) else 0
        yield Subscription(topic=topic, id=webhook["id"], url=webhook["url"], expires=expires)


def issued(reply: Any) -> tuple[str, str] | None:
    made = reply.get("data")
    if not isinstance(made, dict) or "signature_secret_key" not in made:
        return None
    return made["id"], made["signature_secret_key"]


SUBSCRIPTIONS = Subscriptions(
    per="app",
    topics=(TOPIC,),
    listing=app_request,
    read=read_subscriptions,
    create=create,
    renew=lambda hook, subscription: app_request(hook, "/activate", "POST"),
    delete=lambda hook, subscription: app_request(hook, f"/{subscription.id}", "DELETE", accepts=(404,)),
    issued=issued,
)
