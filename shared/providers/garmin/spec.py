"""Garmin, Health API and Activity API: https://developer.garmin.com/gc-developer-program/"""

from collections.abc import Iterable

from shared.providers import Account, Map, OAuth2, Provider, Request, Resource, SecretPath, Webhook
from shared.providers.garmin import hooks, mapping


def summaries(
    topic: str, map: Map, totals: Iterable[str] = (), series: Iterable[str] = (), spots: Iterable[str] = (),
    segment: str = "", scope: str = hooks.HEALTH, topics: tuple[str, ...] = (),
) -> Resource:  # fmt: skip
    """What is new comes by webhook. What is old is asked for, and comes by webhook as well."""
    return Resource(
        name=topic, map=map, topics=(topic, *topics), scopes=(scope,), mode="merge", cadence="rare",
        fetch=hooks.past(segment or topic), later=True, max_days=hooks.REACH, reach_days=hooks.REACH,
        totals=frozenset(totals), series=frozenset(series), spots=frozenset(spots),
    )  # fmt: skip


PROVIDER: Provider = Provider(
    id="garmin", name="Garmin", kind="watch",
    docs="https://developer.garmin.com/gc-developer-program/health-api/",
    base_url=hooks.BASE,
    auth=OAuth2(
        authorize_url="https://connect.garmin.com/oauth2Confirm",
        token_url="https://diauth.garmin.com/di-oauth2-service/oauth/token",
        # The `scope` of its tokens is a constant.
        scopes=(hooks.HEALTH, hooks.ACTIVITY, hooks.PAST), permissions=hooks.PERMISSIONS, revoke=hooks.revoke,
    ),
    account=Account("userId", Request(url="/user/id")),
    webhook=Webhook(
        proof=SecretPath(names_app="garmin-client-id"), callbacks=hooks.CALLBACKS,
        read=lambda body, now: hooks.read_events(body, PROVIDER.for_topic), largest=4_500_000,
    ),
    timer_polling=False, history_days=hooks.REACH - 7, verdict=hooks.verdict,
    # Only questions about the past are counted: by days of data, 100 a minute in evaluation and 10,000 in production.
    limits=(),
    resources=(
        summaries("dailies", mapping.dailies, mapping.DAY, ["heart_rate"]),
        summaries("epochs", mapping.epochs, series=mapping.EPOCH),
        summaries("sleeps", mapping.sleeps, mapping.NIGHT),
        summaries("hrv", mapping.hrv, ["heart_rate_variability"], ["heart_rate_variability"]),
        summaries("stressDetails", mapping.stress, series=["stress_level", "body_battery"]),
        summaries("pulseox", mapping.pulse_ox, series=["spo2"], segment="pulseOx"),
        summaries("allDayRespiration", mapping.respiration, series=["respiratory_rate"], segment="respiration"),
        summaries("bodyComps", mapping.body_composition, spots=mapping.BODY),
        summaries("bloodPressures", mapping.blood_pressure, spots=mapping.PRESSURE),
        summaries("userMetrics", mapping.user_metrics, ["vo2_max"]),
        summaries("skinTemp", mapping.skin_temperature, ["temperature_deviation"]),
        summaries("healthSnapshot", mapping.snapshot, spots=mapping.SNAPSHOT.values()),
        summaries(
            "activities", mapping.activities, scope=hooks.ACTIVITY, topics=("manuallyUpdatedActivities",),
        ),
    ),
)  # fmt: skip
