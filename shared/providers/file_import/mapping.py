"""The rows of a file, as `parsing.payload` writes them, as columns of samples that stand for themselves."""

from collections.abc import Iterator

from shared.catalogue import METRICS
from shared.model import Document, Item, Series
from shared.providers import Json, per_record

OURS = METRICS["glucose"].unit


def glucose(reply: Json) -> Iterator[Item]:
    """One document per offset and unit. An instant is one sample: rows parsed as equal may repeat it, the last wins."""
    samples: dict[int, Document] = {}
    for item in sample(reply):
        if isinstance(item, Document):
            samples[item.series[0].times[0]] = item
        else:
            yield item
    columns: dict[tuple[int | None, str], list[tuple[int, float]]] = {}
    for at, document in sorted(samples.items()):
        (series,) = document.series
        columns.setdefault((document.offset, series.unit), []).append((at, series.values[0]))
    for (offset, unit), column in columns.items():
        times, values = zip(*column, strict=True)
        yield Document(offset=offset, series=(Series("glucose", times, values, unit),))


@per_record("rows")
def sample(row: Json) -> Iterator[Document]:
    unit = "" if row["unit"] == OURS else row["unit"]
    yield Document(offset=row["offset"], series=(Series("glucose", (row["at"],), (row["mg_dl"],), unit),))
