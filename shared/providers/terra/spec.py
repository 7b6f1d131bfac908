"""Terra, an aggregator, API v2: https://docs.tryterra.co/reference/health-and-fitness-api"""

from functools import partial

from shared.model import Kind
from shared.providers import Cadence, HmacSignature, Hosted, Limit, Map, Provider, Resource, Webhook
from shared.providers.terra import hooks, mapping, widget

UPSTREAMS: dict[str, tuple[str, Kind]] = {
    "coros": ("COROS", "watch"),
    "dexcom": ("Dexcom", "cgm"),
    "eight": ("Eight Sleep", "mat"),
    "fitbit": ("Fitbit", "watch"),
    "freestylelibre": ("FreeStyle Libre", "cgm"),
    "garmin": ("Garmin", "watch"),
    "huawei": ("Huawei", "watch"),
    "omron": ("Omron", "cuff"),
    "oura": ("Oura", "ring"),
    "polar": ("Polar", "watch"),
    "suunto": ("Suunto", "watch"),
    "ultrahuman": ("Ultrahuman", "ring"),
    "whoop": ("WHOOP", "watch"),
    "withings": ("Withings", "scale"),
}
EVERYTHING = ",".join(UPSTREAMS).upper()


def pushed(name: str, map: Map, cadence: Cadence, totals: tuple[str, ...] = (), series: tuple[str, ...] = (),
           spots: tuple[str, ...] = ()) -> Resource:  # fmt: skip
    """What is pushed is the data itself. An answer may be empty before the source's own has come, hence `merge`; it
    stays well below the month from which Terra answers in chunks."""
    return Resource(
        name=name, map=map, records="data", fetch=partial(hooks.ask, name), mode="merge", max_days=7, topics=(name,),
        totals=frozenset(totals), series=frozenset(series), spots=frozenset(spots), cadence=cadence,
    )  # fmt: skip


PROVIDER = Provider(
    id="terra", name="Terra", kind="watch",
    docs="https://docs.tryterra.co/reference/health-and-fitness-api", base_url="https://access.tryterra.co/api/v2",
    auth=Hosted(
        page=lambda guest: widget.page(guest, EVERYTHING), arrived=widget.arrived, leave=widget.leave,
        headers=widget.headers, about=widget.about,
    ),
    upstreams=UPSTREAMS,
    webhook=Webhook(
        proof=HmacSignature(header="terra-signature", stamped=True, key="webhook_secret"),
        read=hooks.read_event, sent_header="x-terra-ordering-timestamp", largest=4_500_000,
    ),
    # 6,000 days an hour, of which a question asks for seven at most.
    limits=(Limit(850, seconds=3600, whose="user"),),
    check=hooks.check,
    resources=(
        pushed("daily", mapping.daily, "steady", mapping.DAY, mapping.DAY_SERIES),
        pushed("sleep", mapping.sleep, "night", mapping.NIGHT),
        pushed("activity", mapping.activity, "daily"),
        pushed("body", mapping.body, "steady", (), mapping.BODY_SERIES, mapping.BODY),
    ),
)  # fmt: skip
