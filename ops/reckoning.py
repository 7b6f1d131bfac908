"""The reckoning after chaos: every record the vendors hold of a person, against every record and day that we do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.model import Document
from shared.packing import unpack
from shared.slots import slots

NEAR = 0.01
SHOWN = 10
HEADLINES = {
    ("oura", "daily_activity"): "steps",
    ("oura", "sleep"): "sleep_duration",
    ("withings", "activity"): "steps",
    ("withings", "measures"): "weight",
    ("withings", "sleep"): "sleep_duration",
}
COLUMNS = {("oura", "heartrate"): "heart_rate", ("withings", "intraday"): "heart_rate", ("dexcom", "egvs"): "glucose"}
Records = Mapping[str, float | None]


class Spot(NamedTuple):
    """A section, whoever's it is."""

    source: str
    resource: str
    day: str


@dataclass(frozen=True)
class Held:
    """What the Data table holds of one person."""

    records: Mapping[Spot, list[tuple[str, float | None]]]
    behind: frozenset[Spot]
    """Sections whose day does not show their last revision."""


@dataclass
class Reckoning:
    """How many records there should be, and what is amiss; `lines` tell of the first few, without their values."""

    records: int = 0
    sections: int = 0
    days: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    lines: list[str] = field(default_factory=list)

    @property
    def amiss(self) -> int:
        return self.lost + self.doubled + self.wrong

    def note(self, what: str, person: str, spot: Spot) -> None:
        setattr(self, what, getattr(self, what) + 1)
        if len(self.lines) < SHOWN:
            self.lines.append(f"{what}: {person}, {spot.source} {spot.resource} of {spot.day}")


def truth(told: Mapping[str, Mapping[str, Mapping[str, Records]]]) -> dict[Spot, Records]:
    """The sandbox's holdings of a person, by section; a section without records is none."""
    return {
        Spot(source, resource, day): records
        for day, sources in told.items()
        for source, resources in sources.items()
        for resource, records in resources.items()
        if records
    }


def held(items: Iterable[Mapping[str, Any]]) -> Held:
    """A person's items of the Data table, as the low-level client gives them."""
    records: dict[Spot, list[tuple[str, float | None]]] = {}
    revisions: dict[Spot, int] = {}
    shown: dict[Spot, int] = {}
    for item in items:
        kind, day, *where = item["sk"]["S"].split("#")
        if kind == "P":
            spot = Spot(where[0], where[1], day)
            revisions[spot] = int(item["rev"]["N"])
            data = bytes(item["data"]["B"])
            records[spot] = [pair for d in (unpack(data, day) if data else ()) for pair in counted(spot, d)]
        elif kind == "D":
            shown |= {Spot(slot.source, slot.resource, day): slot.rev for slot in slots(item)}
    return Held(records, frozenset(spot for spot, rev in revisions.items() if shown.get(spot) != rev))


def counted(spot: Spot, document: Document) -> Iterator[tuple[str, float | None]]:
    """A document by its id with its headline figure, or the samples that stand for themselves."""
    if document.id:
        metric = HEADLINES.get(spot[:2])
        found = (*document.readings, *(document.episode.readings if document.episode else ()))
        yield document.id, next((r.value for r in found if r.metric == metric), None)
        return
    for series in document.series:
        if series.metric == COLUMNS.get(spot[:2]):
            yield from ((str(at), value) for at, value in zip(series.times, series.values, strict=True))


def reckon(found: Reckoning, person: str, true: Mapping[Spot, Records], seen: Held) -> None:
    """Adds one person's: a record of the truth that is not in its section is lost, one there twice or in two sections
    is doubled, and one that should not be there or says something else is wrong. So is a day behind its section."""
    known = {(spot.source, spot.resource) for spot in true} | set(COLUMNS) | set(HEADLINES)
    found.records += sum(map(len, true.values()))
    found.sections += len(true)
    found.days += len({spot.day for spot in true})
    places = Counter((spot[:2], key) for spot, pairs in seen.records.items() for key, _ in pairs)
    for (where, _), count in places.items():
        for _ in range(count - 1):
            found.note("doubled", person, Spot(*where, "several days or one twice"))
    for spot in {*true, *(s for s in seen.records if s[:2] in known)}:
        compare(found, person, spot, true.get(spot, {}), dict(seen.records.get(spot, [])))
    for spot in seen.behind:
        found.note("wrong", person, spot)


def compare(found: Reckoning, person: str, spot: Spot, true: Records, seen: Records) -> None:
    for _ in true.keys() - seen.keys():
        found.note("lost", person, spot)
    for key, value in seen.items():
        if key not in true or not same(true[key], value):
            found.note("wrong", person, spot)


def same(true: float | None, seen: float | None) -> bool:
    return true is None or (seen is not None and abs(true - seen) <= NEAR)


def shown(found: Reckoning, person: str, true: Mapping[Spot, Records], days: Mapping[str, Mapping[str, Any]]) -> None:
    """Adds what the API answers: each source's own steps of each day, and how many readings of glucose it counts."""
    for spot, records in true.items():
        metric = HEADLINES.get(spot[:2]) or COLUMNS.get(spot[:2])
        figure = figures(days.get(spot.day, {}), metric or "").get(spot.source, {})
        if metric == "steps" and [figure.get("value")] != list(records.values()):
            found.note("wrong", person, spot)
        if metric == "glucose" and figure.get("samples") != len(records):
            found.note("wrong", person, spot)


def figures(day: Mapping[str, Any], metric: str) -> dict[str, Mapping[str, Any]]:
    """By source."""
    best = day.get("metrics", {}).get(metric)
    return {figure["source"]: figure for figure in (best, *best["others"])} if best else {}
