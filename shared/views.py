"""What the read routes answer, from what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from shared import (
    condition,
    connections,
    consents,
    days,
    events,
    freshness,
    profiles,
    progress,
    schemas,
    sections,
    series,
)  # fmt: skip
from shared.api import iso, iso_or_none
from shared.catalogue import METRICS, MG_DL_PER_MMOL_L
from shared.days import Choice, Report, Value
from shared.errors import NotFoundError
from shared.jobs import now_ms
from shared.model import MINUTE, millis
from shared.providers import OAuth2
from shared.providers.registry import provider
from shared.recovery import Component
from shared.timetable import next_due

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
        for slot in days.slots(item):
            place = slot.source, slot.resource
            newest[place] = max(newest.get(place, 0), slot.as_of)
    return newest


def connection(held: connections.Connection, newest: Mapping[tuple[str, str], int], now: int) -> schemas.Connection:
    source = provider(held.provider)
    found = condition.of(held, source, now)
    polled = held.state == "active" and isinstance(source.auth, OAuth2)
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
        last_data_at=iso_or_none(held.last_data_at),
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


def day_list(user: str, first: date, last: date, fresh: bool) -> schemas.Days:
    found = profiles.of(user)
    reports = days.reports(user, first, last, fresh, found.priority)
    return schemas.Days(days=[day(report, found.glucose_unit) for report in reports])


def day(report: Report, glucose_unit: str) -> schemas.Day:
    present = len(report.expected) - len(report.missing)
    components = {name: component(c) for name, c in report.recovery.components.items()}
    found = report.recovery
    return schemas.Day(
        day=date.fromisoformat(report.day.day),
        metrics={m: day_metric(choice, wished_unit(m, glucose_unit)) for m, choice in report.day.choices.items()},
        recovery=schemas.Recovery(
            score=found.score, status=found.status, coverage=found.coverage, components=components,
        ),
        completeness=schemas.Completeness(present=present, expected=len(report.expected), missing=list(report.missing)),
    )  # fmt: skip


def component(found: Component) -> schemas.RecoveryComponent:
    return schemas.RecoveryComponent(z=round(found.z, 3), baseline_days=found.baseline_days)


@dataclass(frozen=True)
class Unit:
    """How a metric is answered: ours, or glucose in the person's own."""

    name: str
    per_ours: float = 1.0

    def of(self, value: float) -> float:
        return round(value / self.per_ours, 3)


def wished_unit(metric: str, glucose_unit: str) -> Unit:
    if metric == "glucose" and glucose_unit == "mmol/L":
        return Unit(glucose_unit, MG_DL_PER_MMOL_L)
    return Unit(METRICS[metric].unit)


def day_metric(choice: Choice, unit: Unit) -> schemas.DayMetric:
    return schemas.DayMetric(
        **figure(choice.best, unit),
        unit=unit.name,
        reason=choice.reason,
        others=[schemas.Figure(**figure(other, unit)) for other in choice.others],
    )


def figure(value: Value, unit: Unit) -> dict[str, Any]:
    return {
        "source": value.slot.source,
        "resource": value.slot.resource,
        "value": unit.of(value.value),
        "samples": value.stats.n,
        "min": unit.of(value.stats.low),
        "max": unit.of(value.stats.high),
        "as_of": iso(value.slot.as_of),
    }


def metric_series(user: str, metric: str, first: date, last: date, source: str, fresh: bool) -> schemas.MetricSeries:
    known = METRICS.get(metric)
    if known is None:
        raise NotFoundError("no such metric; GET /v1/metrics lists them", "metric")
    unit = wished_unit(metric, profiles.of(user).glucose_unit if metric == "glucose" else "")
    found = series.columns(user, metric, first, last, source, fresh)
    return schemas.MetricSeries(
        metric=metric,
        unit=unit.name,
        loinc=known.loinc,
        series=[
            schemas.Column(source=c.source, resource=c.resource, times=c.times, values=[unit.of(v) for v in c.values])
            for c in found
        ],
    )


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
    report = progress.report(id_, user)
    return schemas.Job(**{**report, "created": iso(report["created"])})
