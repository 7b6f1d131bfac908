"""What a vendor reply becomes, as rows a person can read. Needs no AWS: mappings are pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.catalogue import METRICS
from shared.filing import at_home, grounded
from shared.local_time import Zones, local_day
from shared.model import Deletion, Document, Episode, Item, Reading, Series, Skipped
from shared.providers import Provider, Resource

Row = dict[str, Any]


def explain(
    provider: Provider, resource: Resource, reply: Any, zones: Zones | None = None, expand: bool = False
) -> list[Row]:
    """The rows of a reply: the envelope the vendor returns, a list of records, or one bare record."""
    explainer = Explainer(provider.id, resource.name, zones or Zones(), expand)
    return [row for item in resource.map(resource.envelope(reply)) for row in explainer.rows(item)]


def iso(instant: int | None) -> str | None:
    if instant is None:
        return None
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def whole(document: Document) -> Row:
    """What a figure without an instant spans: its episode, or the day on the wearer's own clock (hence no zone)."""
    if document.episode:
        return {"start": iso(document.episode.start), "end": iso(document.episode.end)}
    if not document.day:
        return {}
    following = date.fromisoformat(document.day) + timedelta(days=1)
    return {"start": f"{document.day}T00:00:00", "end": f"{following}T00:00:00"}


class Explainer:
    """Rows of one resource's items."""

    def __init__(self, provider: str, resource: str, zones: Zones, expand: bool) -> None:
        self.source = f"{provider}:{resource}"
        self.provider, self.zones, self.expand = provider, zones, expand

    def rows(self, item: Item) -> Iterator[Row]:
        if isinstance(item, Skipped):
            yield {"skipped": item.index, "reason": item.reason, "field": item.field}
        elif isinstance(item, Deletion):
            yield {"deleted": item.id, "identity": f"{self.source}:{item.id}"}
        else:
            item = grounded(item, self.zones)
            for reading in item.readings:
                yield self.reading(item, reading)
            for series in item.series:
                yield from self.series(item, series)
            if item.episode:
                yield self.episode(item, item.episode)

    def day(self, document: Document, at: int | None) -> str | None:
        if at is None and document.episode and not document.day:
            return next(at_home(document, self.zones))[0]
        if document.day or at is None:
            return document.day
        return local_day(at, document.offset, self.zones)

    def reading(self, document: Document, reading: Reading) -> Row:
        at = reading.at
        identity = f"{self.source}:{document.id}:{reading.metric}" + ("" if at is None else f":{at}")
        row = self.row(document, reading.metric, reading.value, at, identity, reading.unit)
        return row if at is not None else {**row, **whole(document)}

    def series(self, document: Document, series: Series) -> Iterator[Row]:
        points = sorted(zip(series.times, series.values, strict=True))
        if self.expand:
            for at, value in points:
                yield self.row(document, series.metric, value, at, f"{self.provider}:{series.metric}:{at}", series.unit)
        elif points:
            first, last, values = points[0], points[-1], series.values
            row = self.row(document, series.metric, None, first[0], f"{self.provider}:{series.metric}:{first[0]}…")
            yield {**row, "end": iso(last[0]), "samples": len(points), "min": min(values), "max": max(values)}

    def row(
        self, document: Document, metric: str, value: float | None, at: int | None, identity: str, unit: str = ""
    ) -> Row:
        row: Row = {
            "metric": metric,
            "value": value if value is None else round(value, 4),
            "unit": METRICS[metric].unit,
            "start": iso(at),
            "end": iso(at),
            "day": self.day(document, at),
            "identity": identity,
            "manual": document.manual,
        }
        return {**row, "vendor_unit": unit} if unit else row

    def episode(self, document: Document, episode: Episode) -> Row:
        return {
            "episode": episode.kind,
            "label": episode.label,
            "start": iso(episode.start),
            "end": iso(episode.end),
            "day": self.day(document, None),
            "identity": f"{self.source}:{document.id}",
            "stages": [[iso(start), iso(end), name] for start, end, name in episode.stages],
            "readings": {r.metric: round(r.value, 4) for r in episode.readings},
            "series": {s.metric: len(s.times) for s in episode.series},
            "zones": [[name, round(minutes, 4)] for name, minutes in episode.zones],
            **({"notes": [list(note) for note in episode.notes]} if episode.notes else {}),
            "manual": document.manual,
        }
