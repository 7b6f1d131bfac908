"""Every provider at once: one person connects all there are, each in its own way, and what each brought is counted."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from textwrap import indent, wrap

from ops.coverage import metrics, way_in
from ops.deployment import of_local
from ops.stage import Stage, eventually, expect
from ops.story import Step
from ops.table import aligned
from shared.catalogue import METRICS
from shared.providers import PhonePush, Provider, house
from shared.providers.registry import providers
from shared.secret import apps
from shared.subscriptions import our_side

CONTEXT = {"backfill_days": 7, "worker_timeout_s": 60}
"""Behind the first week; all of their past would only take longer. And everybody's first week comes in one batch."""
WEEK = 7
PATIENCE_S = 900.0
INDENT, WIDTH = "      ", 60
THROUGH = ("garmin", "freestylelibre", "freestyle_libre")
"""Of an aggregator's sources: a watch, and the sensor for which there is no other way."""
NEAR = 0.05
"""Of the true steps: no two trackers count alike."""


def enter_addresses(stage: Stage) -> str:
    """As an operator does on the sites of the vendors that have one webhook address for an app."""
    with of_local(stage.system).entered():
        told = apps()
        hooked = [p for p in providers() if p.id in told.providers and p.webhook and p.webhook.path == "app"]
        for source in hooked:
            address = our_side(source, told.app(source.id), "").url
            stage.sandbox.switch("dashboard", provider=source.id, url=address)
    return f"{len(hooked)} vendors know where to send webhooks"


def connect_all(stage: Stage) -> str:
    for name in connectable():
        stage.show(name)
        connected = stage.api.connect(name, stage.person, stage.zone)
        stage.jobs[connected["connected"]] = connected["job"]
    return ", ".join(stage.jobs)


def connectable() -> Iterator[str]:
    for source in providers():
        if source.upstreams:
            yield from (f"{source.id}.{name}" for name in THROUGH if name in source.upstreams)
        elif source.connects:
            yield source.id


def push_all(stage: Stage) -> str:
    """What the person's phones hold of the week, batch by batch, and each batch with a key of its own."""
    span = {"from": stage.ago(WEEK - 1).isoformat(), "to": stage.today.isoformat()}
    records = 0
    for source in of_kind(PhonePush):
        batches = stage.sandbox.read("phone", person=stage.person, platform=source.id, **span)["batches"]
        for number, batch in enumerate(batches):
            stage.show(f"{source.id}: batch {number + 1} of {len(batches)}")
            stage.api.post(f"push/{source.id}", json=batch, headers={"idempotency-key": f"{source.id}-{number}"})
            records += len(batch["upserts"])
    return f"{records:,} records"


def upload(stage: Stage) -> str:
    """A file with a reading a day: the day's true mean."""
    truth = stage.sandbox.truth(stage.ago(WEEK), stage.ago(1))
    told = io.StringIO()
    rows = csv.writer(told)
    rows.writerow(("timestamp", "glucose", "unit"))
    rows.writerows((f"{day}T12:00:00Z", true["mean_glucose"], "mg/dL") for day, true in truth.items())
    reply = stage.api.upload(told.getvalue().encode(), "text/csv")
    expect("good rows", len(truth), reply["rows"])
    return f"{reply['rows']} rows"


def complete(stage: Stage) -> str:
    """Every window of every connection's first job, and whatever else had to wait for its turn."""
    for name, job in stage.jobs.items():
        eventually(lambda job=job: stage.finished(job), PATIENCE_S)  # type: ignore[misc]
        stage.show(f"{name} is complete")
    stage.idle()
    return f"{len(stage.jobs)} jobs"


def agree(stage: Stage) -> str:
    """Whoever counts steps has counted the same: they all tell of one life."""
    day = stage.ago(2)
    true = stage.sandbox.truth(day, day)[day.isoformat()]["steps"]
    counted = {source: value for source, metric, value in figures(stage, day, day) if metric == "steps"}
    expect(
        "who counted otherwise", [], [source for source, value in counted.items() if abs(value - true) > NEAR * true]
    )
    return f"{true:,} steps on {day}, as {len(counted)} sources have it"


def coverage(stage: Stage) -> str:
    """Of what a provider's spec says that it gives, what came; a sandbox's person does not have all of it."""
    seen: dict[str, set[str]] = {}
    for source, metric, _ in figures(stage, stage.ago(WEEK), stage.today):
        seen.setdefault(house(source), set()).add(metric)
    expect("providers that brought nothing", [], [p.id for p in providers() if not seen.get(p.id)])
    rows = [row(source, seen[source.id]) for source in providers()]
    table = aligned([("provider", "connect by", "metrics", "which"), *rows])
    return f"{len(rows)} providers, {len(set().union(*seen.values()))} metrics\n{indent(table, INDENT)}"


def row(source: Provider, seen: set[str]) -> tuple[str, ...]:
    declared = metrics(source)
    expect(f"metrics of {source.id} that its spec does not name", set(), seen - declared)
    named = wrap(", ".join(metric for metric in METRICS if metric in seen), WIDTH)
    return source.name, way_in(source), f"{len(seen)} of {len(declared)}", named[0] + (" …" if named[1:] else "")


def figures(stage: Stage, first: date, last: date) -> Iterator[tuple[str, str, float]]:
    """(source, metric, value) of every day, of those that stand for it and of the others."""
    for day in stage.api.days(first.isoformat(), last.isoformat()).values():
        for metric, found in day["metrics"].items():
            for each in (found, *found["others"]):
                yield each["source"], metric, each["value"]


def of_kind(auth: type) -> Iterator[Provider]:
    return (source for source in providers() if isinstance(source.auth, auth))


STEPS = (
    Step("Webhook addresses are entered at the vendors", enter_addresses),
    Step("Ada connects every provider there is", connect_all),
    Step("Her phones push their week", push_all),
    Step("A file is uploaded", upload),
    Step("Two weeks of each are fetched", complete),
    Step("All sources tell of one life", agree),
    Step("What each of them brought", coverage),
)
