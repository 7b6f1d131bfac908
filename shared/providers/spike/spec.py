"""Spike, an aggregator, API v3: https://docs.spikeapi.com"""

from collections.abc import Iterable

from shared.providers import (
    ByDate,
    ByInstant,
    Cadence,
    HmacSignature,
    Hosted,
    Map,
    Provider,
    Request,
    Resource,
    Webhook,
    as_utc,
    in_turn,
)
from shared.providers.spike import hooks, integrations, mapping


def listed(name: str, map: Map, cadence: Cadence, path: str, totals: Iterable[str] = (),
           spots: Iterable[str] = ()) -> Resource:  # fmt: skip
    """What is listed is all there is. A day more at either end, since a record is asked for by its beginning."""
    return Resource(
        name=name, map=map, records=name, fetch=span(Request(url=path)), padding=1, cadence=cadence,
        topics=tuple(sorted(mapping.TOPICS[name])), totals=frozenset(totals), spots=frozenset(spots),
    )  # fmt: skip


def span(request: Request) -> ByInstant:
    return ByInstant(request, "from_timestamp", "to_timestamp", as_utc)


DAILY = Request(url="/queries/statistics/daily", params={"types": ",".join(mapping.METRIC)})
PROVIDER = Provider(
    id="spike", name="Spike", kind="watch", docs="https://docs.spikeapi.com",
    base_url="https://app-api.spikeapi.com/v3",
    auth=Hosted(
        page=integrations.page, arrived=integrations.arrived, leave=integrations.leave, headers=integrations.headers,
        token=integrations.token,
    ),
    upstreams=integrations.UPSTREAMS,
    webhook=Webhook(
        proof=HmacSignature(header="x-body-signature", key="webhook_secret", encoding="either"), read=hooks.read_event,
    ),
    resources=(
        Resource(
            name="statistics", map=mapping.statistics, records="statistics", totals=frozenset(mapping.DAILY),
            fetch=ByDate(DAILY, "from_date", "to_date"), topics=tuple(sorted(mapping.TOPICS["statistics"])),
        ),
        # Which source a series is from may change from one answer to the next, hence `merge`.
        Resource(
            name="timeseries", map=mapping.timeseries, mode="merge", max_days=7, topics=tuple(mapping.SAMPLED),
            fetch=in_turn(*(span(Request(url="/queries/timeseries", params={"metric": m})) for m in mapping.SAMPLED)),
            series=frozenset(mapping.SAMPLED.values()),
        ),
        listed("sleeps", mapping.sleeps, "night", "/queries/sleeps", totals=mapping.NIGHTLY),
        listed("workouts", mapping.workouts, "daily", "/queries/workouts"),
        listed("records", mapping.records, "daily", "/queries/provider_records", spots=mapping.MEASURED),
    ),
)  # fmt: skip
