"""Polar, AccessLink API v3: https://www.polar.com/accesslink-api/"""

from shared.providers import Account, ByDate, HmacSignature, Limit, Map, OAuth2, Provider, Request, Resource, Webhook
from shared.providers.polar import hooks, mapping

HOST = "https://www.polaraccesslink.com"
USER = "/v3/users/"


def ranged(name: str, path: str, topic: str, map: Map, *totals: str, reach: int | None = None) -> Resource:
    """By the wearer's own dates, both included."""
    return Resource(
        name=name, map=map, fetch=ByDate(Request(url=USER + path), "from", "to"), topics=(topic,), max_days=28,
        reach_days=reach, totals=frozenset(totals), cadence="night" if topic == "SLEEP" else "daily",
    )  # fmt: skip


def nights(name: str, path: str, records: str, map: Map, *totals: str) -> Resource:
    """The last 28 days, whatever is asked. Whose 28 days is not said: believe those that are in anybody's."""
    return Resource(
        name=name, map=map, records=records, fetch=lambda window: Request(url=USER + path), reach_days=26,
        topics=("SLEEP",), cadence="night", totals=frozenset(totals),
    )  # fmt: skip


PROVIDER: Provider = Provider(
    id="polar", name="Polar", kind="watch",
    docs="https://www.polar.com/accesslink-api/",
    base_url=HOST,
    auth=OAuth2(
        authorize_url="https://flow.polar.com/oauth2/authorization",
        token_url="https://polarremote.com/v2/oauth2/token",
        scopes=("accesslink.read_all",), client_auth="basic", pkce=False,
        read_token=hooks.read_token, register=hooks.register, revoke=hooks.revoke,
    ),
    account=Account("x_user_id"),
    webhook=Webhook(
        proof=HmacSignature(header="polar-webhook-signature", key="issued"),
        read=lambda body, now: hooks.read_event(body, PROVIDER.for_topic), is_ping=hooks.is_ping,
    ),
    subscriptions=hooks.SUBSCRIPTIONS,
    # Of an app with one user; 20 and 100 more for each further one.
    limits=(Limit(520, seconds=900), Limit(5_100, seconds=86_400)),
    resources=(
        # Uploaded in the last 30 days, but after the person was registered, be it for the second time: hence `merge`.
        Resource(
            name="exercises", map=mapping.exercises, fetch=lambda window: hooks.exercise(), fetch_one=hooks.exercise,
            mode="merge", reach_days=28, topics=("EXERCISE",), cadence="daily",
        ),
        ranged("activity", "activities", "ACTIVITY_SUMMARY", mapping.activity, *mapping.ACTIVITY, reach=364),
        nights("sleep", "sleep", "nights", mapping.sleep, *mapping.NIGHT),
        nights("nightly_recharge", "nightly-recharge", "recharges", mapping.nightly_recharge, *mapping.RECHARGE),
        Resource(
            # What a range of days is answered with is in doubt; one day is one day either way.
            name="heart_rate", map=mapping.heart_rate, topics=("CONTINUOUS_HEART_RATE",), max_days=1, cadence="daily",
            fetch=ByDate(Request(url=USER + "continuous-heart-rate"), "from", "to"), series=frozenset({"heart_rate"}),
        ),
        ranged("cardio_load", "cardio-load/date", "EXERCISE", mapping.cardio_load, *mapping.CARDIO_LOAD),
        ranged("skin_temperature", "biosensing/skintemperature", "SLEEP", mapping.skin_temperature, *mapping.SKIN),
        Resource(
            name="physical_info", map=mapping.physical_info, fetch=lambda window: Request(url=USER + "physical-info"),
            mode="merge", current=True, topics=("PHYSICAL_INFORMATION",), spots=frozenset(mapping.PROFILE),
            cadence="rare",
        ),
    ),
)  # fmt: skip
