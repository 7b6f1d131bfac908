"""What the routes about the person and their connections answer, from what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from shared import (
    condition,
    connections,
    consents,
    events,
    exports,
    freshness,
    profiles,
    progress,
    schemas,
    sections,
)  # fmt: skip
from shared.api import iso, iso_or_none
from shared.catalogue import METRICS
from shared.jobs import now_ms
from shared.looks import next_due
from shared.model import MINUTE, millis
from shared.providers.registry import provider
from shared.slots import slots

LATELY = timedelta(days=7)
EVENTS_A_PAGE = 100


def connection_list(user: str) -> schemas.Connections:
    held, now = connections.of_user(user), now_ms()
    newest = newest_of(user, now) if held else {}
    return schemas.Connections(connections=[connection(each, newest, now) for each in held])


def newest_of(user: str, now: int) -> dict[tuple[str, str], int]:
    """By source and resource, how old the newest knowledge of the last days is. One Query; local days may be a day
    ahead of UTC's."""
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    newest: dict[tuple[str, str], int] = {}
    for item in sections.query(user, f"D#{today - LATELY}", f"D#{today + timedelta(days=1)}"):
        for slot in slots(item):
            place = slot.source, slot.resource
            newest[place] = max(newest.get(place, 0), slot.as_of)
    return newest


def connection(held: connections.Connection, newest: Mapping[tuple[str, str], int], now: int) -> schemas.Connection:
    source = provider(held.provider)
    found = condition.of(held, source, now)
    polled = held.state == "active" and source.connects
    upcoming = next_due(source, held.resources, held.turn, now) if polled else None
    as_of = {resource: at for (name, resource), at in newest.items() if name == source.id}
    fresh = freshness.of(held, source, as_of, now) if held.state == "active" else []
    return schemas.Connection(
        id=held.id,
        provider=held.provider,
        name=source.name,
        state=found.state,
        cause=found.cause,
        advice=found.advice,
        since=iso(found.since),
        scopes=list(held.scopes),
        missing_scopes=condition.missing_scopes(held, source),
        resources=list(held.resources),
        backfill=held.backfill,
        last_data_at=iso_or_none(max(held.last_data_at, *as_of.values(), 0)),
        last_push_at=iso_or_none(held.last_push_at),
        last_poll_at=iso_or_none(held.last_poll_at),
        next_poll_at=iso_or_none(upcoming or 0),
        freshness=[freshness_of(each) for each in fresh],
    )


def freshness_of(found: freshness.Freshness) -> schemas.Freshness:
    expected, actual = (None if ms is None else ms // MINUTE for ms in (found.expected, found.actual))
    return schemas.Freshness(
        resource=found.resource, by=found.by, as_of=iso_or_none(found.as_of), expected_lag_minutes=expected,
        actual_lag_minutes=actual,
    )  # fmt: skip


def consent_list(user: str) -> schemas.Consents:
    ledger = consents.entries(user)
    return schemas.Consents(
        consents=[
            schemas.Consent(
                **{name: entry[name] for name in ("number", "action", "provider", "scopes", "text", "cause")},
                at=iso(entry["at"]),
                hash=entry["hash"].hex(),
            )
            for entry in ledger
        ]
    )


def event_list(user: str, first: date, last: date, provider: str, page: str) -> schemas.Events:
    """Days are UTC's; the last is included."""
    start, end = (millis(datetime.combine(d, time(), UTC)) for d in (first, last + timedelta(days=1)))
    lines, following = events.of(user, start, end, provider, page, EVENTS_A_PAGE)
    return schemas.Events(events=[event(line) for line in lines], next=following)


def event(line: events.Line) -> schemas.Event:
    return schemas.Event(
        id=line["id"],
        reason=line["reason"],
        provider=line.get("provider", ""),
        connection=line.get("connection", ""),
        received=iso(line["received"]),
        fetched=iso_or_none(line.get("fetched", 0)),
        finished=iso(line["finished"]),
        latency_ms=line["finished"] - line["received"],
        outcome=line["outcome"],
        cause=line.get("cause", ""),
        final=line.get("final", False),
        attempt=line.get("attempt", 0),
        same=line.get("same", []),
        resources=[written_days(name, row) for name, row in line.get("resources", {}).items()],
    )


def written_days(name: str, row: list[Any]) -> schemas.WrittenDays:
    days, *span, cause = events.told(row)
    first, last = (date.fromisoformat(day) if day else None for day in span)
    return schemas.WrittenDays(resource=name, days=days, first=first, last=last, cause=cause)


def profile(user: str) -> schemas.Profile:
    return profile_of(profiles.of(user))


def profile_of(found: profiles.Profile) -> schemas.Profile:
    told = {name: getattr(found, name) for name in ("timezone", "wake_hour", "glucose_unit")}
    return schemas.Profile(**told, priority={m: sources for m, sources in found.priority.items() if sources})


def catalogue() -> schemas.Metrics:
    return schemas.Metrics(
        metrics=[
            schemas.Metric(metric=n, unit=m.unit, loinc=m.loinc, day=m.day, reject=list(m.reject), flag=list(m.flag))
            for n, m in METRICS.items()
        ]
    )


def description() -> str:
    """OpenAPI, as deployed beside the code."""
    return (Path(__file__).parents[1] / "docs" / "openapi.json").read_text(encoding="utf-8")


def job(id_: str, user: str) -> schemas.Job:
    item = progress.load(id_, user)
    found = exports.link(item, user)
    link = schemas.Link(url=found.url, expires_at=iso(found.until), kept_until=iso(found.kept_until)) if found else None
    return schemas.Job(**{**progress.summed(item), "created": iso(item["created"])}, link=link)
