"""What the recorded replies cannot show: questions without a range, the webhook's calls, and the goodbye."""

import base64
from datetime import date
from typing import Any

import pytest

from shared.providers import Holder, Hook, OAuth2, Request, Window
from shared.providers.polar import hooks
from shared.providers.polar.spec import PROVIDER

HOOK = Hook("https://hooks.example.org/v1/webhooks/polar", "token", "client", "secret")
OWN = {"authorization": "Basic " + base64.b64encode(b"client:secret").decode()}
DAYS = Window(date(2026, 11, 1), date(2026, 11, 2))


def asked(name: str) -> Request:
    fetch = PROVIDER.resource(name).fetch
    assert fetch
    return fetch(DAYS)


@pytest.mark.parametrize(
    ("name", "url", "params"),
    [
        ("exercises", "/v3/exercises", {"samples": "true"}),
        ("activity", "/v3/users/activities", {"from": "2026-11-01", "to": "2026-11-02"}),
        ("sleep", "/v3/users/sleep", {}),
        ("nightly_recharge", "/v3/users/nightly-recharge", {}),
        ("heart_rate", "/v3/users/continuous-heart-rate", {"from": "2026-11-01", "to": "2026-11-02"}),
        ("cardio_load", "/v3/users/cardio-load/date", {"from": "2026-11-01", "to": "2026-11-02"}),
        ("skin_temperature", "/v3/users/biosensing/skintemperature", {"from": "2026-11-01", "to": "2026-11-02"}),
        ("physical_info", "/v3/users/physical-info", {}),
    ],
)
def test_questions(name: str, url: str, params: dict[str, str]) -> None:
    request = asked(name)
    assert (request.method, request.url, dict(request.params)) == ("GET", url, params)


def test_one_exercise_comes_with_its_samples() -> None:
    fetch_one = PROVIDER.resource("exercises").fetch_one
    assert fetch_one
    assert fetch_one("7QK90ZD") == Request(url="/v3/exercises/7QK90ZD", params={"samples": "true"})


def test_people_are_registered_under_the_vendors_own_id() -> None:
    assert isinstance(PROVIDER.auth, OAuth2)
    assert PROVIDER.auth.register
    request = PROVIDER.auth.register("90210")
    assert (request.method, request.url, request.json) == ("POST", "/v3/users", {"member-id": "90210"})
    assert request.accepts == (409,)
    [goodbye] = hooks.revoke(Holder("client", "secret", "token", "90210", 0))
    assert (goodbye.method, goodbye.url, goodbye.bearer) == ("DELETE", "/v3/users/90210", True)


def test_the_webhook_is_the_apps_and_one_for_all_events() -> None:
    wished = hooks.SUBSCRIPTIONS
    [topic] = wished.topics
    made = wished.create(HOOK, topic)
    assert (made.method, made.url, made.headers, made.bearer) == ("POST", "/v3/webhooks", OWN, False)
    assert made.json["url"] == HOOK.url
    assert set(made.json["events"]) <= {name for r in PROVIDER.resources for name in r.topics}
    assert {name for r in PROVIDER.resources for name in r.topics} <= set(made.json["events"])


@pytest.mark.parametrize(
    ("webhook", "topic", "expires"),
    [
        ({"events": list(reversed(hooks.TOPIC.split())), "active": True}, hooks.TOPIC, None),
        ({"events": hooks.TOPIC.split()}, hooks.TOPIC, None),
        ({"events": hooks.TOPIC.split(), "active": False}, hooks.TOPIC, 0),
        ({"events": ["SLEEP"], "active": True}, "SLEEP", None),
        ({"events": [*hooks.TOPIC.split(), "SLEEP_WISE_ALERTNESS"]}, hooks.TOPIC + " SLEEP_WISE_ALERTNESS", None),
    ],
)
def test_a_webhook_is_read_as_the_one_subscription_it_is(
    webhook: dict[str, Any], topic: str, expires: int | None
) -> None:
    [found] = hooks.SUBSCRIPTIONS.read({"data": [{"id": "wh7k2q", "url": HOOK.url, **webhook}]})
    assert (found.id, found.url, found.topic, found.expires) == ("wh7k2q", HOOK.url, topic, expires)
    assert hooks.SUBSCRIPTIONS.renew
    assert hooks.SUBSCRIPTIONS.delete
    assert hooks.SUBSCRIPTIONS.renew(HOOK, found).url == "/v3/webhooks/activate"
    gone = hooks.SUBSCRIPTIONS.delete(HOOK, found)
    assert (gone.method, gone.url, gone.accepts) == ("DELETE", "/v3/webhooks/wh7k2q", (404,))


@pytest.mark.parametrize(
    ("reply", "issued"),
    [
        ({"data": {"id": "wh7k2q", "events": [], "url": "", "signature_secret_key": "1111"}}, ("wh7k2q", "1111")),
        ({"timestamp": "", "status": 409, "errorType": "conflict", "message": "", "corrId": ""}, None),
        ({"data": [{"id": "wh7k2q", "active": True}]}, None),
        ({}, None),
    ],
)
def test_the_secret_is_in_the_reply_to_creating_and_in_no_other(reply: Any, issued: Any) -> None:
    assert hooks.SUBSCRIPTIONS.issued
    assert hooks.SUBSCRIPTIONS.issued(reply) == issued
