"""Rook, an aggregator, API v2: https://docs.tryrook.io/api"""

from functools import partial

from shared.providers import Cadence, HmacSignature, Hosted, Provider, Resource, Webhook, in_turn
from shared.providers.rook import authorizers, hooks, mapping
from shared.providers.rook.documents import ADDRESSES


def told(name: str, cadence: Cadence, totals: tuple[str, ...] = (), series: tuple[str, ...] = (),
         spots: tuple[str, ...] = ()) -> Resource:  # fmt: skip
    """Rook keeps what it told for ten days and says nothing (204) of others, hence `merge`."""
    addresses = ADDRESSES[name]
    return Resource(
        name=name, map=mapping.documents, fetch=in_turn(*(partial(hooks.ask, address) for address in addresses)),
        fetch_one=hooks.dated, mode="merge", max_days=1, reach_days=10, dated=False, topics=addresses,
        cadence=cadence, totals=frozenset(totals), series=frozenset(series), spots=frozenset(spots),
    )  # fmt: skip


PROVIDER = Provider(
    id="rook", name="Rook", kind="watch", docs="https://docs.tryrook.io/api",
    base_url="https://api.rook-connect.com",
    auth=Hosted(
        page=authorizers.page, arrived=authorizers.arrived, leave=authorizers.leave, headers=authorizers.headers,
        about=authorizers.about,
    ),
    upstreams=authorizers.UPSTREAMS,
    webhook=Webhook(
        proof=HmacSignature(header="x-rook-hash", key="webhook_secret", covers=hooks.hashed), read=hooks.read_event,
        largest=4_500_000,
    ),
    # Seven days at once, three behind them.
    history_days=3,
    resources=(
        # It is not made to be asked often, so none of them is steady.
        told("physical", "daily", tuple(mapping.DAILY), tuple(mapping.PHYSICAL), tuple(mapping.PHYSICAL)),
        told("sleep", "night", (*mapping.NIGHTLY, "skin_temperature")),
        told("activity", "daily"),
        told("body", "daily", (*mapping.MEASURED, *mapping.PRESSURE), ("glucose",),
             (*mapping.MEASURED, *mapping.PRESSURE, *mapping.TEMPERATURES, "glucose")),
    ),
)  # fmt: skip
