"""Oura's webhooks: one subscription per app for each kind of event and data.
https://cloud.ouraring.com/v2/docs#tag/Webhook-Subscription-Routes"""

import json
from collections.abc import Generator, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.model import instant
from shared.providers import Event, Holder, Hook, Json, Request, Subscription, Subscriptions, Window

BASE = "/v2/webhook/subscription"
DATA_TYPES = (
    "daily_activity", "daily_sleep", "daily_readiness", "daily_spo2", "daily_stress", "vo2_max", "sleep", "workout",
)  # fmt: skip
EVENT_TYPES = ("create", "update", "delete")
# There is no event for `heartrate`: new rows arrive with the sync that brought one of these.
HEART_RATE_FOLLOWS = ("sleep", "workout", "daily_activity")


def read_event(body: bytes, now: datetime) -> Iterator[Event]:
    """One document changed; its day is not said, so the column that follows is asked for around the event's time."""
    event = json.loads(body)
    topic, account = event["data_type"], event["user_id"]
    if topic in DATA_TYPES:
        deleted = event["event_type"] == "delete"
        yield Event(resources=(topic,), account=account, document=event["object_id"], deleted=deleted)
    if topic in HEART_RATE_FOLLOWS:
        day = datetime.fromtimestamp(instant(event["event_time"])[0] / 1000, UTC).date()
        yield Event(resources=("heartrate",), account=account, window=Window(day - timedelta(days=1), day))


def echo_challenge(query: Json, token: str) -> Json | None:
    """GET with our own `verification_token`: answer the `challenge`; anything else is refused."""
    if query.get("verification_token") != token or "challenge" not in query:
        return None
    return {"challenge": query["challenge"]}


def read_subscriptions(reply: Any) -> Iterable[Subscription]:
    for item in reply:
        # `expiration_time` may lack an offset; it is UTC.
        expires = item.get("expiration_time")
        yield Subscription(
            topic=f"{item['event_type']}:{item['data_type']}",
            id=item["id"],
            url=item["callback_url"],
            expires=instant(expires)[0] if expires else None,
        )


def app_request(hook: Hook, path: str = "", method: str = "GET", json: Json | None = None) -> Request:
    """Subscriptions are the app's: its credentials in headers, no bearer."""
    headers = {"x-client-id": hook.client_id, "x-client-secret": hook.client_secret}
    return Request(url=BASE + path, method=method, json=json, headers=headers, bearer=False)


def create(hook: Hook, topic: str) -> Request:
    event_type, data_type = topic.split(":")
    wish = {
        "callback_url": hook.url, "verification_token": hook.token, "event_type": event_type, "data_type": data_type,
    }  # fmt: skip
    return app_request(hook, method="POST", json=wish)


def revoke(holder: Holder) -> Generator[Request, Json, None]:
    """The token travels in the query, as documented. Subscriptions are the app's and stay."""
    yield Request(url="/oauth/revoke", params={"access_token": holder.access_token}, bearer=False)


SUBSCRIPTIONS = Subscriptions(
    per="app",
    topics=tuple(f"{event}:{data}" for data in DATA_TYPES for event in EVENT_TYPES),
    listing=app_request,
    read=read_subscriptions,
    create=create,
    renew=lambda hook, subscription: app_request(hook, f"/renew/{subscription.id}", "PUT"),
    delete=lambda hook, subscription: app_request(hook, f"/{subscription.id}", "DELETE"),
)
