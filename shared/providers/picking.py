"""What the mappings of aggregators share: records of one shape for every source, with numbers at known paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.model import Reading, Series, instant
from shared.providers.reading import Json, dig


def readings(record: Json, fields: Mapping[str, tuple[str, float]], at: int | None = None) -> tuple[Reading, ...]:
    """`fields`: metric → (path, how many of the vendor's units are one of ours)."""
    found = {metric: (dig(record, path), unit) for metric, (path, unit) in fields.items()}
    return tuple(Reading(metric, value / unit, at) for metric, (value, unit) in found.items() if value is not None)


def column(metric: str, rows: Any, name: str, when: str = "timestamp") -> Series:
    """A sensor that heard nothing says null, or 0."""
    kept = [(instant(row[when])[0], row[name]) for row in rows or () if row.get(name)]
    return Series(metric, [at for at, _ in kept], [value for _, value in kept])


def some(*columns: Series) -> tuple[Series, ...]:
    return tuple(column for column in columns if column.times)
