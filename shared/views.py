"""What the read routes answer, from what is stored."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from shared import condition, connections, consents, days, progress, schemas, series
from shared.api import iso, iso_or_none
from shared.catalogue import METRICS
from shared.days import Choice, Report, Value
from shared.errors import NotFoundError
from shared.jobs import now_ms
from shared.providers import OAuth2
from shared.providers.registry import provider
from shared.recovery import Component
from shared.timetable import next_due


def connection_list(user: str) -> schemas.Connections:
    return schemas.Connections(connections=[connection(held) for held in connections.of_user(user)])


def connection(held: connections.Connection) -> schemas.Connection:
    source, now = provider(held.provider), now_ms()
    found = condition.of(held, source, now)
    minute = int(connections.segment(held.id).split("#")[0])
    polled = held.state == "active" and isinstance(source.auth, OAuth2)
    upcoming = next_due(source, held.resources, held.zone, minute, now) if polled else None
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
    )


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


def day_list(user: str, first: date, last: date, fresh: bool) -> schemas.Days:
    return schemas.Days(days=[day(report) for report in days.reports(user, first, last, fresh)])


def day(report: Report) -> schemas.Day:
    present = len(report.expected) - len(report.missing)
    components = {name: component(c) for name, c in report.recovery.components.items()}
    found = report.recovery
    return schemas.Day(
        day=date.fromisoformat(report.day.day),
        metrics={metric: day_metric(metric, choice) for metric, choice in report.day.choices.items()},
        recovery=schemas.Recovery(
            score=found.score, status=found.status, coverage=found.coverage, components=components,
        ),
        completeness=schemas.Completeness(present=present, expected=len(report.expected), missing=list(report.missing)),
    )  # fmt: skip


def component(found: Component) -> schemas.RecoveryComponent:
    return schemas.RecoveryComponent(z=round(found.z, 3), baseline_days=found.baseline_days)


def day_metric(metric: str, choice: Choice) -> schemas.DayMetric:
    return schemas.DayMetric(
        **figure(choice.best),
        unit=METRICS[metric].unit,
        reason=choice.reason,
        others=[schemas.Figure(**figure(other)) for other in choice.others],
    )


def figure(value: Value) -> dict[str, Any]:
    return {
        "source": value.slot.source,
        "resource": value.slot.resource,
        "value": round(value.value, 3),
        "samples": value.stats.n,
        "min": value.stats.low,
        "max": value.stats.high,
        "as_of": iso(value.slot.as_of),
    }


def metric_series(user: str, metric: str, first: date, last: date, source: str, fresh: bool) -> schemas.MetricSeries:
    known = METRICS.get(metric)
    if known is None:
        raise NotFoundError("no such metric; GET /v1/metrics lists them", "metric")
    found = series.columns(user, metric, first, last, source, fresh)
    return schemas.MetricSeries(
        metric=metric,
        unit=known.unit,
        loinc=known.loinc,
        series=[schemas.Column(**vars(column)) for column in found],
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
