"""What the reads answer about a stretch of days as a whole: glucose, a summary against the days before, how far it
reaches."""

from __future__ import annotations

from datetime import date, timedelta

from shared import glucose, period, profiles, reach, sections, series
from shared import reading_shapes as shapes
from shared.api import iso, window
from shared.catalogue import METRICS
from shared.jobs import now_ms
from shared.local_time import Zones, local_day, midnight
from shared.period import Overview
from shared.profiles import Profile
from shared.providers.registry import provider
from shared.units import Unit, known_metric, wished_unit


def today(zones: Zones) -> date:
    return date.fromisoformat(local_day(now_ms(), None, zones))


# ---------------------------------------------------------------- glucose


def glucose_of(
    user: str, first: date, last: date, unit: str, source: str, with_readings: bool, fresh: bool
) -> shapes.Glucose:
    """One Query."""
    told = profiles.of(user)
    named = unit or told.glucose_unit
    stored = sections.sections(user, first.isoformat(), last.isoformat(), fresh, holding=["glucose"])
    found = glucose.by_source(stored, told.zones)
    wanted = {key: rows for key, rows in found.items() if source in ("", key[0])}
    if not wanted:
        nobody = dict.fromkeys(("source", "resource", "latest", "figures", "readings"))
        return shapes.Glucose(unit=named, others=sorted({name for name, _ in found}), **nobody)
    kinds = {name: provider(name).kind for name, _ in wanted}
    key = glucose.chosen(wanted, kinds, told.priority.get("glucose", ()))
    passed = min(midnight(last + timedelta(days=1), told.zones), now_ms()) - midnight(first, told.zones)
    analysis = glucose.analyse(wanted[key], (last - first).days + 1, passed)
    how = wished_unit("glucose", named)
    return shapes.Glucose(
        unit=named,
        source=key[0],
        resource=key[1],
        others=sorted({name for name, _ in found} - {key[0]}),
        latest=latest(wanted[key][-1], how),
        figures=glucose_figures(analysis, how) if analysis else None,
        readings=glucose_readings(wanted[key], how) if with_readings else None,
    )


def latest(reading: glucose.Reading, unit: Unit) -> shapes.GlucoseLatest:
    return shapes.GlucoseLatest(at=iso(reading.at), value=unit.of(reading.value), trend=glucose.trend(reading.rate))


def glucose_readings(found: list[glucose.Reading], unit: Unit) -> shapes.GlucoseReadings:
    runs: list[series.Run] = []
    for reading in found:
        series.count(runs, reading.day, reading.offset)
    return shapes.GlucoseReadings(
        times=[reading.at for reading in found],
        values=[unit.of(reading.value) for reading in found],
        rates=[unit.maybe(reading.rate) for reading in found],
        trends=[glucose.trend(reading.rate) for reading in found],
        days=[shapes.Run.model_validate(run) for run in runs],
    )


def glucose_figures(found: glucose.Analysis, unit: Unit) -> shapes.GlucoseFigures:
    def percent(readings: int) -> float:
        return round(100 * readings / found.readings, 3)

    *bounds, tight = glucose.BOUNDS[unit.name]
    return shapes.GlucoseFigures(
        readings=found.readings,
        mean=unit.of(found.mean),
        sd=unit.maybe(found.sd),
        cv=None if found.cv is None else round(found.cv, 3),
        gmi=round(found.gmi, 3),
        ranges=[
            shapes.TimeInRange(name=name, bounds=told, readings=found.levels[name], percent=percent(found.levels[name]))
            for name, told in zip(glucose.LEVELS, bounds, strict=True)
        ],
        tight=shapes.TightRange(bounds=tight, readings=found.tight, percent=percent(found.tight)),
        active=round(found.active, 3),
        clamped=found.clamped,
        sufficient=found.enough,
    )


# ---------------------------------------------------------------- over a period


def summary(user: str, request: shapes.SummaryRequest) -> shapes.SummaryReply:
    told = profiles.of(user)
    first, last = asked_period(request, told)
    for metric in request.metrics:
        known_metric(metric, "metrics")
    start, end = period.before(first, last)
    found = period.overviews(user, first, last, dict.fromkeys(request.metrics), told.priority)
    return shapes.SummaryReply(
        period=shapes.Period.model_validate({"from": first, "to": last}),
        previous=shapes.Period.model_validate({"from": start, "to": end}),
        metrics={o.metric: metric_summary(o, wished_unit(o.metric, told.glucose_unit)) for o in found},
    )


def asked_period(request: shapes.SummaryRequest, told: Profile) -> tuple[date, date]:
    if request.first and request.last:
        return window(request.first, request.last)
    yesterday = today(told.zones) - timedelta(days=1)
    return yesterday - timedelta(days=request.days - 1), yesterday


def metric_summary(found: Overview, unit: Unit) -> shapes.MetricSummary:
    values, mean, past = found.values, found.mean, found.previous
    change = None if mean is None or past is None else mean - past
    return shapes.MetricSummary(
        unit=unit.name,
        mean=unit.maybe(mean),
        min=unit.maybe(min(values, default=None)),
        max=unit.maybe(max(values, default=None)),
        total=unit.of(sum(values)) if values and METRICS[found.metric].day == "sum" else None,
        days=len(values),
        missing=[date.fromisoformat(day) for day in found.missing],
        best_source=next(iter(found.sources), None),
        sources=found.sources,
        previous_mean=unit.maybe(past),
        change=unit.maybe(change),
        change_percent=round(100 * change / abs(past), 3) if change is not None and past else None,
        trend=found.trend,
    )


def recent(user: str) -> shapes.Recent:
    now = today(profiles.of(user).zones)
    found = reach.of(user, now)
    return shapes.Recent(
        today=now,
        days=max((each.refresh_days(now) for each in found.values()), default=reach.LONG),
        sources=[
            shapes.SourceReach(source=name, day=each.day, as_of=iso(each.as_of)) for name, each in sorted(found.items())
        ],
    )
