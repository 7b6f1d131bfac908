"""Fitbit Web API, turned off in November 2026; its people are led to Google Health:
https://dev.fitbit.com/build/reference/web-api/"""

from typing import Any

from shared.providers import Account, ByPath, HmacSignature, Limit, Map, OAuth2, Provider, Request, Resource, Webhook
from shared.providers.fitbit import hooks, mapping
from shared.providers.fitbit.hooks import USER, days


def resource(name: str, map: Map, scope: str, *topics: str, **more: Any) -> Resource:
    return Resource(name=name, map=map, scopes=(scope,), topics=topics, **{"cadence": "night", **more})


PROVIDER: Provider = Provider(
    id="fitbit", name="Fitbit", kind="watch",
    docs="https://dev.fitbit.com/build/reference/web-api/",
    base_url="https://api.fitbit.com",
    successor="google_health",
    auth=OAuth2(
        authorize_url="https://www.fitbit.com/oauth2/authorize",
        token_url="https://api.fitbit.com/oauth2/token",
        scopes=(
            "activity", "cardio_fitness", "heartrate", "oxygen_saturation", "profile", "respiratory_rate", "sleep",
            "temperature", "weight",
        ),
        client_auth="basic", revoke=hooks.revoke,
    ),
    account=Account("user_id"),
    verdict=hooks.verdict, zone=mapping.zone, zone_request=Request(url=f"{USER}profile.json"),
    webhook=Webhook(
        proof=HmacSignature(header="x-fitbit-signature", digest="sha1", encoding="base64", key_suffix="&"),
        handshake=hooks.greet, answer=lambda body: 204, refusal=404,
        read=lambda body, now: hooks.read_event(body, PROVIDER.for_topic),
    ),
    subscriptions=hooks.SUBSCRIPTIONS,
    # Fitbit starts each hour anew; counted by any hour, it is kept either way.
    limits=(Limit(150, seconds=3600, whose="user"),),
    resources=(
        resource("activity", mapping.activity, "activity", "activities", cadence="steady",
                 fetch=days(*(f"activities/{name}" for name in mapping.SERIES)), totals=frozenset(mapping.ACTIVITY)),
        resource("workouts", mapping.workouts, "activity", "activities", records="activities", cadence="steady",
                 fetch=hooks.list_workouts, next_page=hooks.more_workouts, padding=1),
        resource("heart", mapping.heart, "heartrate", "activities", "sleep", fetch=days("activities/heart", "hrv"),
                 totals=frozenset({"resting_heart_rate", "heart_rate_variability"})),
        # Needs an app of the type Personal, or Fitbit's leave; a day at a time.
        resource("heart_rate", mapping.heart_rate, "heartrate", "activities", cadence="daily", max_days=1,
                 fetch=ByPath(Request(url=f"{USER}activities/heart/date/{{first}}/1d/1min.json")),
                 series=frozenset({"heart_rate"})),
        resource("spo2", mapping.spo2, "oxygen_saturation", "sleep", fetch=days("spo2"), totals=frozenset({"spo2"})),
        resource("breathing", mapping.breathing, "respiratory_rate", "sleep", records="br", fetch=days("br"),
                 totals=frozenset({"respiratory_rate"})),
        resource("temperature", mapping.temperature, "temperature", "sleep", fetch=days("temp/skin", "temp/core"),
                 totals=frozenset({"temperature_deviation"}), spots=frozenset({"body_temperature"})),
        resource("cardio", mapping.cardio, "cardio_fitness", "activities", records="cardioScore", cadence="rare",
                 fetch=days("cardioscore"), totals=frozenset({"vo2_max"})),
        resource("sleep", mapping.sleep, "sleep", "sleep", records="sleep", fetch=days("sleep", version="1.2"),
                 totals=frozenset({**mapping.DURATIONS, **mapping.MAIN_SLEEP})),
        resource("body", mapping.body, "weight", "body", fetch=days("body/log/weight", "body/log/fat"), cadence="daily",
                 spots=frozenset({"weight", "bmi", "body_fat"})),
    ),
)  # fmt: skip
