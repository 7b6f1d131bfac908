"""The relay: our own contract, not an interface Dexcom publishes (it pushes nothing). A partner's relay or a simulator
posts readings for one connection, signed with that connection's secret; polling corrects them later."""

import json
from collections.abc import Iterator
from datetime import datetime

from shared.catalogue import MG_DL_PER_MMOL_L
from shared.errors import SkipRecordError
from shared.model import DAY, MINUTE, Skipped, millis
from shared.providers import Event, Json, attempt
from shared.providers.dexcom.mapping import OUT_OF_RANGE, instant_of, number


def read_relay(body: bytes, now: datetime) -> Iterator[Event | Skipped]:
    """The good records as one page of `egvs`. A type we do not know is no fault, and says nothing to us."""
    message = json.loads(body)
    if message["type"] != "egv":
        return
    kept: list[Json] = []

    def keep(record: Json) -> tuple[()]:
        kept.append(as_polled(record, millis(now)))
        return ()

    for index, record in enumerate(message["records"]):
        yield from (fault for fault in attempt(index, keep, record) if isinstance(fault, Skipped))
    if kept:
        newest = max(instant_of(record["systemTime"]) for record in kept)
        yield Event(resources=("egvs",), payload={"recordType": "egv", "records": kept}, as_of=newest)


def as_polled(record: Json, now: int) -> Json:
    """The record in Dexcom's own shape. The signature holds no time, so old readings are refused as replays."""
    at = instant_of(record["systemTime"])
    if at < now - DAY:
        raise SkipRecordError("measured over 24 hours ago")
    if at > now + 5 * MINUTE:
        raise SkipRecordError("measured over 5 minutes in the future")
    return {**record, "value": mg_dl(number(record["value"]), record["unit"]), "unit": "mg/dL"}


def mg_dl(value: float, unit: str) -> float:
    """Dexcom's API itself only sends mg/dL. 39 and 401 are codes, not quantities, in either unit."""
    if unit not in ("mg/dL", "mmol/L"):
        raise SkipRecordError("neither mg/dL nor mmol/L")
    return value * MG_DL_PER_MMOL_L if unit == "mmol/L" and value not in OUT_OF_RANGE else value
