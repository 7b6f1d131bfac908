"""What the reads answer about what was measured, from what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, TypeVar

from shared import days, episodes, profiles, provenance, series
from shared import reading_shapes as shapes
from shared.api import iso, iso_or_none
from shared.catalogue import METRICS
from shared.days import Choice, Report, Value
from shared.episodes import Told
from shared.errors import BadRequestError
from shared.model import Stage
from shared.providers.registry import provider
from shared.recovery import WEIGHTS
from shared.summary import summarise
from shared.units import Unit, known_metric, wished_unit

E = TypeVar("E", bound=shapes.Episode)


def quantity(metric: str, value: float, glucose_unit: str) -> shapes.Quantity:
    unit = wished_unit(metric, glucose_unit)
    return shapes.Quantity(value=unit.of(value), unit=unit.name)


# ---------------------------------------------------------------- days


def day_list(user: str, first: date, last: date, others: bool, fresh: bool) -> shapes.Days:
    told = profiles.of(user)
    reports = days.reports(user, first, last, fresh, told.priority)
    return shapes.Days(days=[day(report, told.glucose_unit, others) for report in reports])


def day(report: Report, glucose_unit: str, others: bool) -> shapes.Day:
    choices = report.day.choices
    learned = [choice.best.slot.as_of for choice in choices.values()]
    present = len(report.expected) - len(report.missing)
    return shapes.Day(
        day=date.fromisoformat(report.day.day),
        metrics={m: day_metric(choice, wished_unit(m, glucose_unit), others) for m, choice in choices.items()},
        recovery=recovery(report),
        completeness=shapes.Completeness(present=present, expected=len(report.expected), missing=list(report.missing)),
        freshness=shapes.DayFreshness(newest=iso(max(learned)), oldest=iso(min(learned))),
    )


def recovery(report: Report) -> shapes.Recovery:
    found, components = report.recovery, {}
    for name, part in found.components.items():
        metric, _ = days.INPUTS[name]
        components[name] = shapes.RecoveryComponent(
            metric=metric,
            source=report.day.choices[metric].best.slot.source,
            z=round(part.z, 3),
            weight=WEIGHTS[name],
            baseline_days=part.baseline_days,
        )
    return shapes.Recovery(
        score=found.score,
        band=found.band,
        status=found.status,
        coverage=found.coverage,
        hrv_trend=report.hrv_trend,
        components=components,
    )


def day_metric(choice: Choice, unit: Unit, others: bool) -> shapes.DayMetric:
    lost = [shapes.Figure(**figure(other, unit)) for other in choice.others] if others else []
    return shapes.DayMetric(**figure(choice.best, unit), unit=unit.name, reason=choice.reason, others=lost)


def figure(value: Value, unit: Unit) -> dict[str, Any]:
    return {
        "source": value.slot.source,
        "resource": value.slot.resource,
        "value": unit.of(value.value),
        "samples": value.stats.n,
        "min": unit.of(value.stats.low),
        "max": unit.of(value.stats.high),
        "manual": value.stats.manual,
        "as_of": iso(value.slot.as_of),
    }


# ---------------------------------------------------------------- columns


def metric_series(user: str, asked: series.Asked, cursor: str, fresh: bool) -> shapes.MetricSeries:
    metric = METRICS[known_metric(asked.metric)]
    told = profiles.of(user)
    unit = wished_unit(asked.metric, told.glucose_unit)
    page = series.page(user, asked, told.zones, cursor, fresh)
    return shapes.MetricSeries(
        metric=asked.metric,
        unit=unit.name,
        loinc=metric.loinc,
        resolution=asked.resolution,
        summary=metric.day,
        series=[column(c, unit, rolled=asked.resolution != "raw") for c in page.columns],
        next_cursor=page.next_cursor or None,
    )


def column(found: series.Column, unit: Unit, rolled: bool) -> shapes.Column:
    stretches = found.rows if rolled else []
    return shapes.Column(
        source=found.source,
        resource=found.resource,
        times=[row.at for row in found.rows],
        values=[unit.of(row.value) for row in found.rows],
        samples=[row.samples for row in stretches],
        min=[unit.of(row.low) for row in stretches],
        max=[unit.of(row.high) for row in stretches],
        days=[shapes.Run.model_validate(run) for run in found.runs],
    )


# ---------------------------------------------------------------- sleeps and workouts


def sleeps(user: str, asked: episodes.Asked, cursor: str, fresh: bool) -> shapes.Sleeps:
    found, next_cursor = episode_page(user, asked, cursor, fresh, sleep)
    return shapes.Sleeps(sleep=found, next_cursor=next_cursor)


def workouts(user: str, asked: episodes.Asked, cursor: str, fresh: bool) -> shapes.Workouts:
    found, next_cursor = episode_page(user, asked, cursor, fresh, workout)
    return shapes.Workouts(workouts=found, next_cursor=next_cursor)


def episode_page(
    user: str, asked: episodes.Asked, cursor: str, fresh: bool, shape: Callable[[Told, str], E]
) -> tuple[list[E], str | None]:
    told = profiles.of(user)
    trusted = told.priority.get(episodes.JUDGED_BY[asked.kinds[0]], [])
    page = episodes.page(user, asked, told.zones, trusted, cursor, fresh)
    return [shape(found, told.glucose_unit) for found in page.episodes], page.next_cursor or None


def sleep(told: Told, glucose_unit: str) -> shapes.Sleep:
    stages = spans(told.episode.stages)
    return shapes.Sleep(**common(told, glucose_unit), kind=told.episode.kind, stages=stages)


def workout(told: Told, glucose_unit: str) -> shapes.Workout:
    zones = [shapes.Zone(name=name, minutes=round(minutes, 3)) for name, minutes in told.episode.zones]
    return shapes.Workout(
        **common(told, glucose_unit), sport=told.episode.label, laps=spans(told.episode.stages), zones=zones
    )


def common(told: Told, glucose_unit: str) -> dict[str, Any]:
    document, episode, key = told.document, told.episode, told.section.key
    readings = [r for r in (*document.readings, *episode.readings) if r.at is None]
    return {
        "id": document.id,
        "day": key.day,
        "start": iso(episode.start),
        "end": iso(episode.end),
        "offset": told.offset,
        "source": key.source,
        "resource": key.resource,
        "preferred": told.preferred,
        "manual": document.manual,
        "metrics": {r.metric: quantity(r.metric, r.value, glucose_unit) for r in readings},
        "series": {s.metric: sampled(s.metric, s.times, s.values, glucose_unit) for s in episode.series},
        "as_of": iso_or_none(document.as_of or told.section.as_of),
    }


def sampled(metric: str, times: Iterable[int], values: Iterable[float], glucose_unit: str) -> shapes.Samples:
    unit = wished_unit(metric, glucose_unit)
    return shapes.Samples(unit=unit.name, times=list(times), values=[unit.of(value) for value in values])


def spans(stages: Iterable[Stage]) -> list[shapes.Span]:
    return [shapes.Span(name=name, start=iso(start), end=iso(end)) for start, end, name in stages]


# ---------------------------------------------------------------- medications


def medications(user: str, asked: episodes.Asked, cursor: str, fresh: bool) -> shapes.Medications:
    page = episodes.page(user, asked, profiles.of(user).zones, [], cursor, fresh)
    found = [medication(told) for told in page.episodes]
    return shapes.Medications(medications=found, next_cursor=page.next_cursor or None)


def medication(told: Told) -> shapes.Medication:
    return shapes.Medication(
        id=told.document.id,
        day=date.fromisoformat(told.section.key.day),
        name=told.episode.label,
        notes=[shapes.Note(name=name, text=text) for name, text in told.episode.notes],
        source=told.section.key.source,
        resource=told.section.key.resource,
        as_of=iso_or_none(told.document.as_of or told.section.as_of),
    )


# ---------------------------------------------------------------- where it came from


def origins(user: str, day: date, metric: str, source: str, resource: str, fresh: bool) -> shapes.Provenance:
    if metric and metric not in (*METRICS, *episodes.SLEEP, *episodes.WORKOUT):
        raise BadRequestError("no such metric, nor one of sleep, nap and workout", "metric")
    unit = profiles.of(user).glucose_unit
    found = provenance.of_day(user, day, metric, source, resource, fresh)
    return shapes.Provenance(day=day, origins=[origin(each, metric, unit) for each in found])


def origin(found: provenance.Origin, metric: str, glucose_unit: str) -> shapes.Origin:
    section, source = found.section, provider(found.section.key.source)
    documents = section.documents()
    stats = summarise(documents)
    return shapes.Origin(
        source=source.id,
        name=source.name,
        resource=section.key.resource,
        docs=source.docs,
        revision=section.rev,
        received_at=iso_or_none(section.received),
        corrected_at=iso_or_none(section.corrected),
        as_of=iso(section.known_at(documents)),
        mapping_version=section.mapping_version,
        unsigned=section.unsigned,
        job=section.by,
        raw=shapes.RawPointer.model_validate(found.raw) if found.raw else None,
        figures={m: quantity(m, s.day_value(m), glucose_unit) for m, s in stats.items() if metric in ("", m)},
        documents=[
            shapes.Documented(
                id=d.id, as_of=iso_or_none(d.as_of or 0), manual=d.manual, vendor_units=provenance.said(d)
            )
            for d in found.documents
        ],
    )
