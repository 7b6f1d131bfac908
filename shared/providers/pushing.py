"""What phones push, as their mappings read it: a mapping of one record lifted to a batch, and a record's time and app.

A resource's part of a batch is `{<resource>: {"received": ms, "upserts": [records], "deletes": [ids]}}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache, wraps
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.errors import SkipRecordError
from shared.model import Deletion, Document, Episode, Item, Kind, Reading, Series, instant
from shared.providers import Archive, PhonePush, Provider, Resource
from shared.providers.quantities import Quantities, column, metrics, reading
from shared.providers.reading import Json, Map, dig, per_record
from shared.providers.stages import NIGHT
from shared.values import replace


class AsDocument(Protocol):
    """Who recorded it, when and where, is said in each store's own way; what it says, is said alike."""

    def __call__(
        self,
        record: Json,
        *,
        readings: tuple[Reading, ...] = (),
        series: tuple[Series, ...] = (),
        episode: Episode | None = None,
    ) -> Document: ...


def pushed(name: str) -> Callable[[Map], Map]:
    """Lifts a mapping of one record to this resource's part of a batch. What the batch deletes, it does not bring.

    No version is newer than our knowledge of it: a phone's clock may be ahead, and its records could else never be
    deleted.
    """

    def lift(map_record: Map) -> Map:
        records = per_record(f"{name}.upserts")(map_record)

        @wraps(map_record)
        def map_part(reply: Json) -> Iterator[Item]:
            gone, received = frozenset(dig(reply, f"{name}.deletes") or ()), dig(reply, f"{name}.received")
            yield from map(Deletion, sorted(gone))
            for item in records(reply):
                if not isinstance(item, Document):
                    yield item
                elif item.id not in gone:
                    yield no_newer(item, received)

        return map_part

    return lift


def resource(
    name: str, map: Map, *spots: Quantities, series: Iterable[str] = (), totals: Iterable[str] = ()
) -> Resource:
    """What is pushed adds and corrects."""
    return Resource(
        name=name, map=map, records=f"{name}.upserts", mode="merge", spots=metrics(*spots), series=frozenset(series),
        totals=frozenset(totals),
    )  # fmt: skip


def health_store(
    *, id: str, name: str, docs: str, tables: Mapping[str, Quantities], cuff: Quantities, exercise: Quantities,
    others: Mapping[str, str], document: AsDocument, sleep: Map, activity: Callable[[Json], str],
    archives: Mapping[str, Archive] | None = None,
) -> Provider:  # fmt: skip
    """A health store on a phone. `tables` name by resource the types of the store that are a value each; `others` say
    which resources the rest belong to: both blood pressures (`cuff`), the stretches of a sleep, and workouts, whose
    figures are `exercise` and whose `activity` is read off a record. `archives` are its own exports, by their media
    type."""

    def sampled(resource_name: str) -> Resource:
        table = tables[resource_name]
        return resource(resource_name, values(resource_name, table, document), table, series=metrics(table))

    return Provider(
        id=id, name=name, docs=docs, kind="phone", base_url="", timer_polling=False,
        auth=PhonePush(types(tables, others), archives or {}),
        resources=(
            sampled("activity"), sampled("heart_rate"),
            resource("vitals", vitals(tables["vitals"], cuff, document), tables["vitals"], cuff),
            sampled("glucose"), sampled("body"), resource("sleep", sleep, totals=NIGHT),
            resource("workouts", workouts(exercise, activity, document)),
        ),
    )  # fmt: skip


def values(name: str, table: Quantities, document: AsDocument) -> Map:
    """Of records that hold one value, or the samples of one metric."""

    @pushed(name)
    def map_record(record: Json) -> Iterator[Item]:
        if record.get("samples"):
            yield document(record, series=(column(record, table),))
        else:
            yield document(record, readings=(reading(record, table, span(record)[0]),))

    return map_record


def vitals(table: Quantities, cuff: Quantities, document: AsDocument) -> Map:
    """Of readings at an instant; what the cuff measures comes as the components of one record."""

    @pushed("vitals")
    def map_record(record: Json) -> Iterator[Item]:
        parts, known = ([record], table) if record["type"] in table else (record["components"], cuff)
        yield document(record, readings=tuple(reading(part, known, span(record)[0]) for part in parts))

    return map_record


def workouts(exercise: Quantities, activity: Callable[[Json], str], document: AsDocument) -> Map:
    @pushed("workouts")
    def map_record(record: Json) -> Iterator[Item]:
        found = tuple(reading(part, exercise, None) for part in record.get("components") or ())
        yield document(record, episode=Episode("workout", *span(record), activity(record), readings=found))

    return map_record


def types(tables: Mapping[str, Quantities], others: Mapping[str, str]) -> dict[str, str]:
    """By the store's own name of a type, the resource that reads it."""
    return {type: name for name, table in tables.items() for type in table} | dict(others)


def no_newer(document: Document, received: int | None) -> Document:
    if document.as_of is None or received is None or document.as_of <= received:
        return document
    return replace(document, as_of=received)


# ---------------------------------------------------------------- when


def span(record: Json) -> tuple[int, int]:
    """Start and end; of a single instant, twice that."""
    start = read(record["start"])[0]
    return start, read(record["end"])[0] if record.get("end") else start


read = lru_cache(maxsize=64)(instant)
"""Of a single record start and end are looked at several times, and are often the same."""


def offset(record: Json, at: int, field: str = "zone_offset", named: str | None = None) -> int | None:
    """The wearer's minutes east of UTC at that instant, by the zone `named` or the record's own, or else by its own
    offset. None where it says neither: the phone's present zone is not that of its history."""
    if named or record.get("zone"):
        there = datetime.fromtimestamp(at / 1000, zone(named or record["zone"])).utcoffset()
        return None if there is None else round(there.total_seconds() / 60)
    text = record.get(field) or record.get("zone_offset")
    if not text:
        return None
    try:
        east = datetime.fromisoformat(f"2000-01-01T00:00{text}").utcoffset()
    except ValueError as error:
        raise SkipRecordError("not an offset such as +01:00", "zone_offset") from error
    return None if east is None else round(east.total_seconds() / 60)


def zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a folder of zones is an OSError
        raise SkipRecordError("not an IANA time zone", "zone") from error


# ---------------------------------------------------------------- whose


def app(kind: Kind, name: str | None) -> str:
    """For `Document.app`. What names no app is filed with what the provider itself says."""
    return f"{kind}:{name}" if name else ""
