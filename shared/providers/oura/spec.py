"""Oura Ring, API v2: https://cloud.ouraring.com/v2/docs"""

from shared.providers import (
    Account,
    ByDate,
    ByInstant,
    Cadence,
    HmacSignature,
    Limit,
    Map,
    OAuth2,
    Provider,
    Request,
    Resource,
    Token,
    Webhook,
    as_utc,
)
from shared.providers.oura import hooks, mapping

PATH = "/v2/usercollection/"
MORE = Token("next_token", "next_token")


def collection(name: str, scope: str, cadence: Cadence, map: Map, *totals: str, path: str = "") -> Resource:
    """Documents by day. Nobody knows whether `end_date` is inclusive (recordings show both), so ask a day more on
    each side and believe only the days in between."""
    request = Request(url=PATH + (path or name))
    return Resource(
        name=name, map=map, records="data", scopes=(scope,), topics=(name,), totals=frozenset(totals), cadence=cadence,
        fetch=ByDate(request, "start_date", "end_date"), next_page=MORE, padding=1,
        fetch_one=lambda document: Request(url=f"{request.url}/{document}"),
    )  # fmt: skip


PROVIDER = Provider(
    id="oura", name="Oura", kind="ring",
    docs="https://cloud.ouraring.com/v2/docs", base_url="https://api.ouraring.com", limits=(Limit(5_000, seconds=300),),
    auth=OAuth2(
        authorize_url="https://cloud.ouraring.com/oauth/authorize",
        token_url="https://api.ouraring.com/oauth/token",
        scopes=("personal", "daily", "heartrate", "workout", "spo2", "stress", "heart_health"),
        pkce=False, revoke=hooks.revoke,
        # Live consent screens return scopes as `extapi:daily`.
        granted=lambda scope: frozenset(part.removeprefix("extapi:") for part in scope.split()),
    ),
    account=Account("id", Request(url=PATH + "personal_info")),
    webhook=Webhook(
        proof=HmacSignature(header="x-oura-signature", timestamp_header="x-oura-timestamp"),
        read=hooks.read_event, handshake=hooks.echo_challenge,
    ),
    subscriptions=hooks.SUBSCRIPTIONS,
    resources=(
        collection("daily_activity", "daily", "steady", mapping.daily_activity, *mapping.ACTIVITY),
        collection("daily_sleep", "daily", "night", mapping.daily_sleep, "sleep_score"),
        collection("daily_readiness", "daily", "night", mapping.daily_readiness, *mapping.READINESS),
        collection("daily_spo2", "spo2", "night", mapping.daily_spo2, "spo2"),
        collection("daily_stress", "daily", "daily", mapping.daily_stress, "stress"),
        collection("vo2_max", "heart_health", "rare", mapping.vo2_max, "vo2_max", path="vO2_max"),
        collection("sleep", "daily", "night", mapping.sleep, *mapping.NIGHT),
        collection("workout", "workout", "steady", mapping.workout),
        Resource(
            name="heartrate", map=mapping.heart_rate, records="data", next_page=MORE, scopes=("heartrate",),
            fetch=ByInstant(Request(url=PATH + "heartrate"), "start_datetime", "end_datetime", as_utc),
            topics=hooks.HEART_RATE_FOLLOWS, series=frozenset({"heart_rate"}),
        ),
    ),
)  # fmt: skip
