"""Dexcom CGM, API v3: https://developer.dexcom.com/docs/dexcomv3/endpoint-overview

A person belongs to one region; `urls` in the app's credentials sends this host to api.dexcom.eu, api.dexcom.jp or the
sandbox."""

from shared.providers import (
    Account,
    ByInstant,
    Cadence,
    HmacSignature,
    Limit,
    Map,
    OAuth2,
    Provider,
    Request,
    Resource,
    Webhook,
    as_naive_utc,
)
from shared.providers.dexcom import hooks, mapping

HOST = "https://api.dexcom.com"
SELF = "/v3/users/self/"


def stream(name: str, map: Map, *series: str, cadence: Cadence = "steady") -> Resource:
    """Dexcom evaluates at most 30 days of `systemTime`; `Window.span` adds 26 hours to the days. Uploads come late and
    out of order and nothing that was measured is taken back, hence `merge`."""
    return Resource(
        name=name, map=map, records="records", mode="merge", max_days=28, series=frozenset(series), cadence=cadence,
        fetch=ByInstant(Request(url=SELF + name), "startDate", "endDate", as_naive_utc),
    )  # fmt: skip


PROVIDER = Provider(
    id="dexcom",
    name="Dexcom",
    docs="https://developer.dexcom.com/docs/dexcomv3/endpoint-overview",
    kind="cgm",
    base_url=HOST,
    auth=OAuth2(
        authorize_url=HOST + "/v3/oauth2/login",
        token_url=HOST + "/v3/oauth2/token",
        scopes=("offline_access",),
        pkce=False,
    ),
    limits=(Limit(60_000, seconds=3600),),
    # Every data reply carries the id; this one is small. It differs per client_id.
    account=Account("userId", Request(url=SELF + "dataRange")),
    webhook=Webhook(
        path="connection",
        proof=HmacSignature(header="x-dexcom-signature", prefix="sha256=", key="connection"),
        read=hooks.read_relay,
        hint_delay_s=0,
    ),
    resources=(
        stream("egvs", mapping.egvs, "glucose", "glucose_rate"),
        stream("events", mapping.events),
        # Documented without a window and tolerant of one: lists every device.
        stream("devices", mapping.devices, cadence="rare"),
    ),
)
