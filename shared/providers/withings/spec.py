"""Withings, Public Health Data API: https://developer.withings.com/api-reference"""

from shared.providers import Account, Limit, OAuth2, Provider, Resource, SecretPath, Webhook
from shared.providers.withings import mapping, protocol
from shared.providers.withings.protocol import by_date, by_instant, next_24_hours, next_offset

PROVIDER: Provider = Provider(
    id="withings",
    name="Withings",
    docs="https://developer.withings.com/api-reference",
    kind="scale",
    base_url="https://wbsapi.withings.net",
    auth=OAuth2(
        authorize_url="https://account.withings.com/oauth2_user/authorize2",
        token_url="https://wbsapi.withings.net/v2/oauth2",
        scopes=("user.info", "user.metrics", "user.activity"),
        scope_separator=",",
        pkce=False,
        token_params={"action": "requesttoken"},
        read_token=protocol.read_token,
        revoke=protocol.revoke,
    ),
    limits=(Limit(120, seconds=60),),
    account=Account("userid"),
    check=protocol.check, zone=mapping.zone,
    webhook=Webhook(
        proof=SecretPath(),
        path="connection",
        read=lambda body, now: protocol.read_event(body, PROVIDER.for_topic),
    ),
    subscriptions=protocol.SUBSCRIPTIONS,
    # Whether `enddateymd` is inclusive is not said: ask by date for a day more on each side, believe the days between.
    resources=(
        Resource(
            name="measures", map=mapping.measures, records="body.measuregrps", scopes=("user.metrics",),
            fetch=by_instant("/measure", "getmeas", category="1", meastypes=mapping.TYPES), next_page=next_offset,
            topics=("1", "2", "4"), spots=mapping.SPOTS, cadence="daily",
        ),
        Resource(
            name="activity", map=mapping.activity, records="body.activities", scopes=("user.activity",), topics=("16",),
            fetch=by_date("/v2/measure", "getactivity", *mapping.fields(mapping.DAY)), next_page=next_offset, padding=1,
            totals=frozenset(mapping.DAY),
        ),
        Resource(
            name="intraday", map=mapping.intraday, records="body.series", scopes=("user.activity",), topics=("16",),
            fetch=by_instant("/v2/measure", "getintradayactivity", data_fields="heart_rate"), next_page=next_24_hours,
            max_days=7, series=frozenset({"heart_rate"}), cadence="daily",
        ),
        Resource(
            name="sleep", map=mapping.sleep, records="body.series", scopes=("user.activity",), topics=("44",),
            fetch=by_date("/v2/sleep", "getsummary", *mapping.fields(mapping.NIGHT), "asleepduration"),
            next_page=next_offset, padding=1, totals=frozenset(mapping.NIGHT), cadence="night",
        ),
        Resource(
            name="workouts", map=mapping.workouts, records="body.series", scopes=("user.activity",), topics=("16",),
            fetch=by_date("/v2/measure", "getworkouts", *mapping.fields(mapping.WORKOUT), *mapping.MANUAL,
                          *mapping.ZONES),
            next_page=next_offset, padding=1, cadence="daily",
        ),
    ),
)  # fmt: skip
