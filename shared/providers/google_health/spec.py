"""Google Health API v4, successor of the Fitbit Web API: https://developers.google.com/health"""

from typing import Any

from shared.providers import Account, Limit, Provider, Request, Resource, Webhook, google, in_turn
from shared.providers.google_health import hooks, mapping, protocol
from shared.providers.google_health.protocol import Asks, daily, daily_roll_up, roll_up, sampled, session

ACTIVITY, HEALTH, SLEEP, SETTINGS = (
    f"https://www.googleapis.com/auth/googlehealth.{name}.readonly"
    for name in ("activity_and_fitness", "health_metrics_and_measurements", "sleep", "settings")
)
ROLLED = ("steps", "distance", "floors", "total-calories", "active-energy-burned", "active-minutes")
RESTING = "daily-resting-heart-rate"
NIGHTLY = (
    "daily-heart-rate-variability", "daily-oxygen-saturation", "daily-respiratory-rate",
    "daily-sleep-temperature-derivations",
)  # fmt: skip
OVERNIGHT = ("heart-rate-variability", "oxygen-saturation", "respiratory-rate-sleep-summary")
BODY = ("weight", "body-fat", "core-body-temperature")


def resource(name: str, *asks: Asks, scope: str = HEALTH, **more: Any) -> Resource:
    """Types that change together are asked in turn: one answer, and one section a day."""
    usual = {"map": mapping.points, "records": "dataPoints", "cadence": "night"}
    return Resource(name=name, fetch=in_turn(*asks), next_page=protocol.MORE, scopes=(scope,), **{**usual, **more})


PROVIDER: Provider = Provider(
    id="google_health", name="Google Health", kind="watch",
    docs="https://developers.google.com/health",
    base_url="https://health.googleapis.com",
    auth=google.sign_in(ACTIVITY, HEALTH, SLEEP, SETTINGS),
    account=Account("healthUserId", Request(url="/v4/users/me/identity")),
    verdict=protocol.verdict, zone=mapping.zone, zone_request=Request(url="/v4/users/me/settings"),
    webhook=Webhook(
        proof=hooks.PROOF, answer=hooks.answer, read=lambda body, now: hooks.read_event(body, PROVIDER.for_topic),
    ),
    limits=(Limit(300, seconds=60, whose="user"), Limit(120_000, seconds=60), Limit(86_400_000, seconds=86_400)),
    resources=(
        resource("activity", *map(daily_roll_up, ROLLED), scope=ACTIVITY, map=mapping.activity, max_days=14,
                 records="rollupDataPoints", topics=(*ROLLED, "active-zone-minutes"), cadence="steady",
                 totals=mapping.owned(mapping.ROLLED, "active_minutes")),
        # Twelve local days and the hours around them are less than the 14 days that may be asked for.
        resource("heart_rate", roll_up("heart-rate", "60s"), map=mapping.heart_rate, records="rollupDataPoints",
                 max_days=12, topics=("heart-rate",), cadence="daily", series=frozenset({"heart_rate"})),
        resource("resting", daily(RESTING), topics=(RESTING,), cadence="hourly", totals=mapping.owned(mapping.RESTING)),
        resource("night", *map(daily, NIGHTLY), topics=NIGHTLY,
                 totals=mapping.owned(mapping.NIGHTLY, "temperature_deviation")),
        resource("overnight", *map(sampled, OVERNIGHT), topics=OVERNIGHT,
                 series=mapping.owned(mapping.OVERNIGHT), spots=frozenset({"respiratory_rate"})),
        resource("sleep", session("sleep", "civil_end_time"), scope=SLEEP, map=mapping.sleep, topics=("sleep",),
                 totals=frozenset(mapping.NIGHT)),
        # Asked for by their start and filed by their end: one over midnight is found from either side.
        resource("exercise", session("exercise", "civil_start_time"), scope=ACTIVITY, map=mapping.exercise,
                 topics=("exercise",), padding=1, cadence="steady"),
        resource("cardio", daily("daily-vo2-max"), sampled("vo2-max"), sampled("run-vo2-max"), scope=ACTIVITY,
                 topics=("run-vo2-max",), cadence="rare", totals=frozenset({"vo2_max"}), spots=frozenset({"vo2_max"})),
        resource("body", *map(sampled, BODY), topics=BODY, cadence="daily",
                 spots=mapping.owned(mapping.BODY)),
        resource("glucose", sampled("blood-glucose"), topics=("blood-glucose",), cadence="steady",
                 series=frozenset({"glucose"})),
    ),
)  # fmt: skip
