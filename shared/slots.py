"""What a day item holds: a slot for each section of the day, with its small summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from shared.summary import Stats
from shared.values import dataclass


@dataclass(frozen=True)
class Slot:
    """One section as its day shows it. `as_of` in milliseconds; `kind` is what the person wears or steps on."""

    source: str
    resource: str
    rev: int
    as_of: int
    kind: str
    stats: Mapping[str, Stats]


def slots(item: Mapping[str, Any]) -> list[Slot]:
    found = []
    for name, attribute in item.items():
        source, hash_, resource = name.partition("#")
        if hash_:
            slot = attribute["M"]
            stats = {m: Stats.read(row) for m, row in orjson.loads(slot["stats"]["S"]).items()}
            kind, rev, at = slot["kind"]["S"], int(slot["rev"]["N"]), int(slot["at"]["N"])
            found.append(Slot(source, resource, rev, at, kind, stats))
    return found
