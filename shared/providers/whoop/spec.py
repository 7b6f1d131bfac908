"""WHOOP, API v2: https://developer.whoop.com/api"""

from shared.providers import Account, HmacSignature, Limit, Map, OAuth2, Provider, Request, Resource, Webhook
from shared.providers.whoop import hooks, mapping
from shared.providers.whoop.hooks import SLEEPS, span

HOST = "https://api.prod.whoop.com"


def activity(name: str, path: str, map: Map, *totals: str) -> Resource:
    """A list may leave out what began before its span: ask for days more, and believe those in between."""
    return Resource(
        name=name, map=map, records="records", scopes=(f"read:{name}",), topics=(name,), totals=frozenset(totals),
        fetch=span(path), fetch_one=lambda id_: Request(url=f"{path}/{id_}"), next_page=hooks.MORE, padding=2,
        cadence="night" if totals else "daily",
    )  # fmt: skip


PROVIDER = Provider(
    id="whoop", name="WHOOP", kind="watch",
    docs="https://developer.whoop.com/api",
    base_url=HOST + "/developer",
    auth=OAuth2(
        authorize_url=HOST + "/oauth/oauth2/auth",
        token_url=HOST + "/oauth/oauth2/token",
        scopes=("offline", "read:profile", "read:recovery", "read:cycles", "read:sleep", "read:workout",
                "read:body_measurement"),
        pkce=False, refresh_params={"scope": "offline"}, revoke=hooks.revoke,
        # The second was seen of a refresh token that had been used before.
        dead_grant=frozenset({"invalid_grant", "invalid_request"}),
    ),
    account=Account("user_id", Request(url="/v2/user/profile/basic")),
    webhook=Webhook(
        # A delivery is repeated for about an hour, and nobody says whether it is signed anew.
        proof=HmacSignature(
            header="x-whoop-signature", timestamp_header="x-whoop-signature-timestamp", encoding="base64",
            tolerance_s=2 * 3600,
        ),
        read=hooks.read_event,
    ),
    # All that everybody's connections have between them: nothing is polled steadily.
    limits=(Limit(100, seconds=60), Limit(10_000, seconds=86_400)),
    resources=(
        activity("sleep", SLEEPS, mapping.sleep, *mapping.NIGHT),
        Resource(
            name="recovery", map=mapping.recovery, records="records", scopes=("read:recovery read:sleep",),
            fetch=span("/v2/recovery"), fetch_one=lambda sleep: Request(url=f"{SLEEPS}/{sleep}"),
            next_page=hooks.recovery_and_sleep, together=True, padding=2, topics=("recovery",), cadence="night",
            totals=frozenset(mapping.RECOVERY),
        ),
        Resource(
            name="cycle", map=mapping.cycle, records="records", scopes=("read:cycles read:sleep",),
            fetch=span("/v2/cycle"), next_page=hooks.then_sleeps, together=True, padding=2, cadence="daily",
            topics=(hooks.CYCLE_FOLLOWS,), totals=frozenset(mapping.CYCLE),
        ),
        activity("workout", "/v2/activity/workout", mapping.workout),
        Resource(
            name="body", map=mapping.body, scopes=("read:body_measurement",), mode="merge", current=True,
            fetch=lambda window: Request(url="/v2/user/measurement/body"), totals=frozenset(mapping.BODY),
            cadence="rare",
        ),
    ),
)  # fmt: skip
