"""Rook's envelope, the same in a reply as in a webhook, and the addresses at which it answers for what is in it.
https://docs.tryrook.io/docs/rookconnect/data_delivery"""

from collections.abc import Sequence
from typing import NamedTuple

from shared.providers import Json

PILLARS = ("physical_health", "sleep_health", "body_health")
ADDRESSES = {
    "physical": (
        "physical_health/summary",
        "physical_health/events/heart_rate",
        "physical_health/events/oxygenation",
        "physical_health/events/stress",
        "body_health/events/heart_rate",
        "body_health/events/oxygenation",
    ),
    "sleep": ("sleep_health/summary",),
    "activity": ("physical_health/events/activity",),
    "body": (
        "body_health/summary",
        "body_health/events/body_metrics",
        "body_health/events/blood_glucose",
        "body_health/events/blood_pressure",
        "body_health/events/temperature",
    ),
}
"""By resource: who brings samples of the same metrics is one, whatever Rook calls it."""


class Opened(NamedTuple):
    """`records` are the one summary, or the events. `version` counts how often Rook has told this document."""

    address: str
    structure: str
    records: Sequence[Json]
    version: int


def opened(told: Json) -> Opened:
    """Raises KeyError where there is no record of health in it."""
    structure, version = str(told["data_structure"]), int(told.get("document_version") or 0)
    pillar = next((pillar for pillar in PILLARS if pillar in told), "")
    within = told[pillar]
    if "summary" in within:
        return Opened(f"{pillar}/summary", structure, [within["summary"][structure]], version)
    address = f"{pillar}/events/{structure.removesuffix('_event')}"
    return Opened(address, structure, within["events"][structure], version)


def day_of(record: Json) -> str:
    """The date under which Rook files it, as it is written."""
    named = (record.get("duration") or {}).get("sleep_date_string")
    return str(named or record["metadata"]["datetime_string"])[:10]


def sources(record: Json) -> tuple[str, ...]:
    names = record["metadata"].get("sources_of_data_array") or ()
    return tuple(name.lower().replace(" ", "_") for name in names)
