"""Everything a person has, as flat rows of a few kinds: a line of NDJSON each, or a row of a Parquet table each.

docs/exports.md says what each column means; a test holds it against `KINDS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from shared import connections, consents
from shared.catalogue import METRICS
from shared.days import Report, Value
from shared.exporting.person import Person, carriers, figures, measured
from shared.local_time import offsets
from shared.model import Document, Episode
from shared.nights import joined
from shared.sections import Section

Type = Literal["text", "words", "number", "whole", "flag", "instant"]
Row = tuple[Any, ...]
"""In the order of its kind's columns. Instants are milliseconds; None where there is nothing to say."""

SOURCE: dict[str, Type] = {"source": "text", "resource": "text", "document": "text"}
KINDS: dict[str, dict[str, Type]] = {
    "profile": {"timezone": "text", "wake_hour": "whole", "glucose_unit": "text"},
    "trust": {"metric": "text", "sources": "words"},
    "connection": {
        "id": "text", "provider": "text", "state": "text", "account": "text", "scopes": "words", "resources": "words",
        "created": "instant",
    },
    "consent": {
        "number": "whole", "at": "instant", "action": "text", "provider": "text", "scopes": "words", "text": "text",
        "cause": "text",
    },
    "day": {
        "day": "text", "metric": "text", "value": "number", "unit": "text", "source": "text", "resource": "text",
        "chosen": "flag", "reason": "text", "samples": "whole", "low": "number", "high": "number", "manual": "flag",
    },
    "recovery": {"day": "text", "status": "text", "score": "whole", "band": "text", "coverage": "number"},
    "figure": {
        "day": "text", "metric": "text", "value": "number", "unit": "text", **SOURCE, "episode": "text",
        "manual": "flag",
    },
    "sample": {
        "day": "text", "metric": "text", "at": "instant", "offset": "whole", "value": "number", "unit": "text",
        **SOURCE, "episode": "text", "manual": "flag",
    },
    "episode": {
        "day": "text", "type": "text", "start": "instant", "end": "instant", "offset": "whole", "label": "text",
        **SOURCE, "manual": "flag",
    },
    "stage": {"day": "text", "type": "text", "start": "instant", "end": "instant", "name": "text", **SOURCE},
    "zone": {"day": "text", "name": "text", "minutes": "number", **SOURCE},
    "note": {"day": "text", "name": "text", "text": "text", **SOURCE},
}  # fmt: skip


def everything(person: Person) -> Iterator[tuple[str, Row]]:
    """Each row with its kind."""
    yield from about(person)
    for report in person.reports():
        yield from of_day(report)
    for section in person.sections():
        yield from of_section(person, section)


def about(person: Person) -> Iterator[tuple[str, Row]]:
    told = person.profile
    yield "profile", (told.timezone, told.wake_hour, told.glucose_unit)
    yield from (("trust", (metric, sources)) for metric, sources in sorted(told.priority.items()) if sources)
    for held in sorted(connections.of_user(person.user), key=lambda held: held.id):
        scopes, resources = list(held.scopes), list(held.resources)
        yield "connection", (held.id, held.provider, held.state, held.account, scopes, resources, held.created)
    for entry in consents.entries(person.user):
        yield "consent", tuple(entry[name] for name in KINDS["consent"])


def of_day(report: Report) -> Iterator[tuple[str, Row]]:
    day, found = report.day.day, report.recovery
    for choice in report.day.choices.values():
        yield "day", figure(day, choice.best, True, choice.reason)
        yield from (("day", figure(day, other, False, "")) for other in choice.others)
    yield "recovery", (day, found.status, found.score, found.band, found.coverage)


def figure(day: str, value: Value, chosen: bool, reason: str) -> Row:
    slot, stats, unit = value.slot, value.stats, METRICS[value.metric].unit
    return (
        day, value.metric, round(value.value, 3), unit, slot.source, slot.resource, chosen, reason, stats.n,
        stats.low, stats.high, stats.manual,
    )  # fmt: skip


def of_section(person: Person, section: Section) -> Iterator[tuple[str, Row]]:
    day = section.key.day
    for document in joined(section.documents()):
        place, manual = (section.key.source, section.key.resource, document.id), document.manual
        for episode, reading in figures(document):
            unit, kind = METRICS[reading.metric].unit, episode.kind if episode else ""
            yield "figure", (day, reading.metric, reading.value, unit, *place, kind, manual)
        for episode in carriers(document):
            for found in measured(section.key, document, episode, person.zones):
                rest = (METRICS[found.metric].unit, *place, episode.kind if episode else "", manual)
                columns = zip(found.times, found.offsets, found.values, strict=True)
                yield from (("sample", (day, found.metric, *row, *rest)) for row in columns)
        if document.episode:
            yield from of_episode(person, section, document, document.episode)


def of_episode(person: Person, section: Section, document: Document, episode: Episode) -> Iterator[tuple[str, Row]]:
    day, place = section.key.day, (section.key.source, section.key.resource, document.id)
    [offset] = offsets([episode.end], document.offset, person.zones)
    span = (episode.start, episode.end)
    yield "episode", (day, episode.kind, *span, offset, episode.label, *place, document.manual)
    yield from (("stage", (day, episode.kind, *stage, *place)) for stage in episode.stages)
    yield from (("zone", (day, *zone, *place)) for zone in episode.zones)
    yield from (("note", (day, *note, *place)) for note in episode.notes)
