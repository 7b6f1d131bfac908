"""The reads of what was measured or prescribed: days, columns, sleeps, workouts, medications; where it came from."""

from __future__ import annotations

from shared import episodes
from shared import reading_shapes as shapes
from shared import reading_views as views
from shared.api import answers, resolver, user, window
from shared.params import Cursor, Day, Fresh, From, Metric, Others, Resource, Samples, Source, To
from shared.replies import outgoing
from shared.series import Asked, Resolution

app = resolver()


@app.get("/v1/days", summary="Merged days", tags=["read"], responses=answers(shapes.Days))
def days(first: From, to: To, others: Others = False, fresh: Fresh = False) -> shapes.Days:
    return views.day_list(user(app), *window(first, to), others, fresh)


@app.get("/v1/metrics/<metric>", summary="One metric in columns", tags=["read"], responses=answers(shapes.MetricSeries))
def metric(
    metric: str, first: From, to: To, resolution: Resolution = "raw", source: Source = "", cursor: Cursor = "",
    fresh: Fresh = False,
) -> shapes.MetricSeries:  # fmt: skip
    asked = Asked(metric, *window(first, to, None), resolution, source)
    return views.metric_series(user(app), asked, cursor, fresh)


@app.get("/v1/sleep", summary="Sleeps and naps, with stages", tags=["read"], responses=answers(shapes.Sleeps))
def sleep(
    first: From, to: To, source: Source = "", samples: Samples = False, cursor: Cursor = "", fresh: Fresh = False
) -> shapes.Sleeps:
    asked = episodes.Asked(episodes.SLEEP, *window(first, to, None), source, samples)
    return views.sleeps(user(app), asked, cursor, fresh)


@app.get("/v1/workouts", summary="Workouts, with laps and zones", tags=["read"], responses=answers(shapes.Workouts))
def workouts(
    first: From, to: To, source: Source = "", samples: Samples = False, cursor: Cursor = "", fresh: Fresh = False
) -> shapes.Workouts:
    asked = episodes.Asked(episodes.WORKOUT, *window(first, to, None), source, samples)
    return views.workouts(user(app), asked, cursor, fresh)


@app.get("/v1/medications", summary="Prescriptions", tags=["read"], responses=answers(shapes.Medications))
def meds(first: From, to: To, source: Source = "", cursor: Cursor = "", fresh: Fresh = False) -> shapes.Medications:
    asked = episodes.Asked(episodes.MEDICATION, *window(first, to, None), source)
    return views.medications(user(app), asked, cursor, fresh)


@app.get("/v1/provenance", summary="Where values came from", tags=["read"], responses=answers(shapes.Provenance))
def provenance(
    day: Day, metric: Metric = "", source: Source = "", resource: Resource = "", fresh: Fresh = False
) -> shapes.Provenance:
    return views.origins(user(app), day, metric, source, resource, fresh)


handler = outgoing(app.resolve)
