import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.clouds.google_health.subscribers import Subscriber, Subscribers

TYPES = "/v4/users/me/dataTypes"
PROJECT = "/google_health/v4/projects/1/subscribers"
OPERATOR = {"authorization": "Bearer sandbox-service-account"}
LONG = 'sleep.interval.civil_end_time >= "2026-09-01" AND sleep.interval.civil_end_time < "2026-11-22"'


def reason(reply) -> str:
    return reply.json()["error"]["details"][0]["reason"]


def rolled(ada, data_type: str, first: int, end: int, size: int = 90, month: int = 11):
    span = {
        "start": {"date": {"year": 2026, "month": month, "day": first}},
        "end": {"date": {"year": 2026, "month": 11, "day": end}},
    }
    wish = {"range": span, "windowSizeDays": 1, "pageSize": size}
    url = f"/google_health{TYPES}/{data_type}/dataPoints:dailyRollUp"
    return ada.client.post(url, json=wish, headers=ada.headers)


def asked(ada, data_type: str, filter: str, **query: object):
    return ada.get(f"{TYPES}/{data_type}/dataPoints:reconcile", filter=filter, **query)


# --- OAuth


def test_a_refresh_token_is_for_offline_access_and_for_who_is_asked_again(authorize, exchange, client, app):
    def tokens(**query: str) -> dict:
        asked = {"response_type": "code", "client_id": app("google_health")["client_id"], "redirect_uri": "http://x/"}
        url, form = "/google_health/o/oauth2/v2/auth", {"person": "ada", "decision": "allow"}
        reply = client.post(url, params={**asked, **query}, data=form)
        code = reply.headers["location"].split("code=")[1]
        return exchange("google_health", grant_type="authorization_code", code=code, redirect_uri="http://x/").json()

    assert "refresh_token" not in tokens()
    assert "refresh_token" not in tokens(access_type="offline")
    first = tokens(access_type="offline", prompt="consent")
    again = exchange("google_health", grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert "refresh_token" not in again
    assert exchange("google_health", grant_type="refresh_token", refresh_token=first["refresh_token"]).is_success


def test_what_was_not_ticked_is_403_and_a_dead_token_401(authorize, exchange, connect):
    scope = "https://www.googleapis.com/auth/googlehealth.sleep.readonly"
    ada = connect("google_health", scope=scope)
    refused = rolled(ada, "steps", 14, 15)
    assert (refused.status_code, reason(refused)) == (403, "MISSING_OAUTH_SCOPE")
    assert asked(ada, "sleep", LONG).status_code == 200
    assert ada.client.post("/google_health/revoke", data={"token": ada.tokens["access_token"]}).status_code == 200
    assert asked(ada, "sleep", LONG).status_code == 401


# --- data


def test_steps_are_the_true_ones_by_civil_day_newest_first(connect, client):
    ada = connect("google_health")
    query = {"person": "ada", "from": "2026-11-14", "to": "2026-11-20"}
    truth = {day["day"]: str(day["steps"]) for day in client.get("/control/truth", params=query).json()["days"]}
    points = rolled(ada, "steps", 14, 21).json()["rollupDataPoints"]
    days = [f"2026-11-{point['civilStartTime']['date']['day']}" for point in points]
    assert days == sorted(truth, reverse=True)
    assert {day: point["steps"]["countSum"] for day, point in zip(days, points, strict=True)} == truth


@pytest.mark.parametrize(
    ("data_type", "first", "month", "size", "why"),
    [
        ("total-calories", 1, 11, 90, "INVALID_ROLLUP_QUERY_DURATION"),
        ("steps", 1, 8, 200, "INVALID_ROLLUP_QUERY_DURATION"),
        ("steps", 14, 11, 3, "INVALID_DATA_POINT_NAME"),
        ("sleep", 14, 11, 90, "UNSUPPORTED_DATA_TYPE_ACTION"),
    ],
)
def test_roll_ups_that_are_refused(connect, data_type, first, month, size, why):
    reply = rolled(connect("google_health"), data_type, first, 21, size, month)
    assert (reply.status_code, reason(reply)) == (400, why)


@pytest.mark.parametrize(
    "filter", ['sleep.interval.civil_start_time >= "2026-11-01"', 'steps.date >= "2026-11-01"', "sleep > 1"]
)
def test_sleep_is_filtered_by_its_end(connect, filter):
    reply = asked(connect("google_health"), "sleep", filter)
    assert (reply.status_code, reason(reply).startswith("INVALID_DATA_POINT_FILTER")) == (400, True)


def test_sleeps_come_25_a_page_and_a_token_continues_its_own_question(connect):
    ada = connect("google_health")
    first = asked(ada, "sleep", LONG, pageSize=10_000).json()
    assert len(first["dataPoints"]) == 25
    assert asked(ada, "sleep", LONG, pageSize=10_000, pageToken=first["nextPageToken"]).json()["dataPoints"]
    assert asked(ada, "sleep", LONG, pageSize=25, pageToken=first["nextPageToken"]).status_code == 400


# --- webhooks


def test_subscribers_are_the_service_accounts_and_their_address_is_tried(connect, client, receiver):
    wish = {
        "endpointUri": receiver.url,
        "subscriberConfigs": [{"dataTypes": ["sleep"]}],
        "endpointAuthorization": {"secret": "Bearer s"},
    }
    params = {"subscriberId": "tributary"}
    assert client.post(PROJECT, params=params, json=wish, headers=connect("google_health").headers).status_code == 403
    refused = client.post(PROJECT, params=params, json=wish, headers=OPERATOR).json()["error"]
    assert refused["status"] == "FAILED_PRECONDITION"
    assert [body for _, headers, body in receiver.seen if "authorization" in headers] == [b'{"type":"verification"}']
    unknown = {**wish, "subscriberConfigs": [{"dataTypes": ["daily-vo2-max"]}]}
    assert client.post(PROJECT, params=params, json=unknown, headers=OPERATOR).status_code == 400
    assert client.get(PROJECT, headers=OPERATOR).json() == {"subscribers": []}


def test_a_notification_is_signed_by_the_key_that_is_published():
    subscribers = Subscribers()
    subscribers._by_name["s"] = Subscriber("s", "http://x/", "Bearer s", frozenset({"sleep"}))
    hooks = subscribers.tell([{"data": {"dataType": "sleep"}}] * 120 + [{"data": {"dataType": "steps"}}])
    assert [hook.body.count(b"sleep") for hook in hooks] == [99, 21]
    [key] = subscribers.keyset()["key"]
    value = base64.b64decode(key["keyData"]["value"])
    x, y = (int.from_bytes(value[at : at + 33], "big") for at in (10, 45))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    signature = base64.b64decode(hooks[0].headers["google-health-api-signature"])
    assert signature[:5] == b"\x01" + key["keyId"].to_bytes(4, "big")
    public.verify(signature[5:], hooks[0].body, ec.ECDSA(hashes.SHA256()))
