"""Google Fit REST API, which ends with 2026; its people are led to Google Health: https://developers.google.com/fit/rest"""

from typing import Any

from shared.providers import Account, ByInstant, Json, Provider, Request, Resource, google, in_turn
from shared.providers.google_fit import mapping, protocol
from shared.providers.google_fit.protocol import AS_TOLD, EACH_MINUTE, EACH_QUARTER, EACH_SESSION, aggregate, sessions
from shared.providers.stages import NIGHT

SCOPE = "https://www.googleapis.com/auth/fitness.{}.read"
ACTIVITY, LOCATION, HEART, SLEEP, BODY, OXYGEN, GLUCOSE, PRESSURE, TEMPERATURE = (
    SCOPE.format(name)
    for name in (
        "activity", "location", "heart_rate", "sleep", "body", "oxygen_saturation", "blood_glucose", "blood_pressure",
        "body_temperature",
    )
)  # fmt: skip


def measured(name: str, scope: str, *data_types: str, each: Json = EACH_QUARTER, **more: Any) -> Resource:
    asks = (aggregate(data_type, each) for data_type in data_types)
    usual = {"map": mapping.measured, "records": "bucket", "cadence": "daily"}
    return Resource(name=name, scopes=(scope,), fetch=in_turn(*asks), **{**usual, **more})


def told_in_sessions(name: str, scope: str, *asks: ByInstant, **more: Any) -> Resource:
    """Who asks for sessions by their end, and who by their start, gets both with a day around them."""
    usual = {"records": "session", "together": mapping.together, "padding": 1}
    return Resource(name=name, scopes=(scope,), fetch=in_turn(*asks), **{**usual, **more})


PROVIDER = Provider(
    id="google_fit", name="Google Fit", kind="phone",
    docs="https://developers.google.com/fit/rest",
    base_url="https://www.googleapis.com/fitness/v1/users/me",
    successor="google_health",
    auth=google.sign_in("openid", ACTIVITY, LOCATION, HEART, SLEEP, BODY, OXYGEN, GLUCOSE, PRESSURE, TEMPERATURE),
    account=Account("sub", Request(url="https://openidconnect.googleapis.com/v1/userinfo")),
    verdict=protocol.verdict,
    resources=(
        measured("activity", ACTIVITY, "step_count.delta", "calories.expended", "active_minutes", cadence="steady",
                 series=frozenset({"steps", "calories_burned", "active_minutes"})),
        measured("distance", LOCATION, "distance.delta", cadence="steady", series=frozenset({"distance"})),
        measured("heart_rate", HEART, "heart_rate.bpm", each=EACH_MINUTE, max_days=3,
                 series=frozenset({"heart_rate"})),
        told_in_sessions("sleep", SLEEP, sessions(activityType=str(mapping.SLEEP)), aggregate("sleep.segment", AS_TOLD),
                         map=mapping.sleep, cadence="night", totals=frozenset(NIGHT)),
        # Distance and heart rate have scopes of their own: who did not give them has workouts without.
        told_in_sessions("workouts", ACTIVITY, sessions(), aggregate("calories.expended", EACH_SESSION),
                         aggregate("step_count.delta", EACH_SESSION), aggregate("distance.delta", EACH_SESSION, 403),
                         aggregate("heart_rate.bpm", EACH_SESSION, 403), map=mapping.workouts, cadence="hourly"),
        measured("body", BODY, "weight", "body.fat.percentage", spots=frozenset({"weight", "body_fat"})),
        measured("oxygen", OXYGEN, "oxygen_saturation", series=frozenset({"spo2"})),
        measured("glucose", GLUCOSE, "blood_glucose", each=EACH_MINUTE, max_days=3, cadence="hourly",
                 series=frozenset({"glucose"})),
        measured("pressure", PRESSURE, "blood_pressure",
                 spots=frozenset({"blood_pressure_systolic", "blood_pressure_diastolic"})),
        measured("temperature", TEMPERATURE, "body.temperature", spots=frozenset({"body_temperature"})),
    ),
)  # fmt: skip
