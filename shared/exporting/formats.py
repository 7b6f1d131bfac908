"""Which format is written by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO

from shared.exporting import fhir, ndjson, omh, parquet
from shared.exporting.person import Person
from shared.exporting.written import Written

WRITERS: Mapping[str, Callable[[Person, BinaryIO], Written]] = {
    "fhir": fhir.write, "omh": omh.write, "ndjson": ndjson.write, "parquet": parquet.write,
}  # fmt: skip
