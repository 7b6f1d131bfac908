"""How much: what a phone measures, in the units it may come in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from shared.catalogue import METRICS, MG_DL_PER_MMOL_L
from shared.errors import SkipRecordError
from shared.model import Reading, Series, instant
from shared.providers.reading import Json

Units: TypeAlias = Mapping[str, float]
"""By the name of a unit, how many of ours it is."""
FAHRENHEIT = "degF"
MOLAR_MASS = re.compile(r"mmol<[\d.]+>/")

COUNT: Units = {"count": 1}
RATE: Units = {"count/min": 1, "beats/min": 1, "bpm": 1, "breaths/min": 1, "/min": 1, "count/s": 60}
MILLISECONDS: Units = {"ms": 1, "s": 1000}
PERCENT: Units = {"%": 1}
FRACTION: Units = {"%": 100}
GLUCOSE: Units = {"mg/dL": 1, "mmol/L": MG_DL_PER_MMOL_L}
PRESSURE: Units = {"mmHg": 1, "kPa": 7.500616827}
MASS: Units = {"kg": 1, "g": 0.001, "lb": 0.45359237, "oz": 0.028349523125, "st": 6.35029318}
LENGTH: Units = {"m": 1, "km": 1000, "ft": 0.3048, "yd": 0.9144, "mi": 1609.344}
TEMPERATURE: Units = {"degC": 1, FAHRENHEIT: 5 / 9}
ENERGY: Units = {"kcal": 1, "Cal": 1, "cal": 0.001, "kJ": 1 / 4.184, "J": 1 / 4184}
DURATION: Units = {"min": 1, "s": 1 / 60, "hr": 60}
UPTAKE: Units = {"mL/(kg·min)": 1, "mL/(kg*min)": 1, "mL/kg/min": 1, "mL/min·kg": 1, "mL/kg·min": 1}


class Quantity(NamedTuple):
    """A metric of ours, the units it may come in, and the one it is in where a record names none."""

    metric: str
    units: Units
    unit: str = ""

    def of(self, value: float | None, unit: str) -> float:
        """In our unit. Raises KeyError for what is missing, SkipRecordError for a unit this does not come in."""
        if value is None or not unit:
            raise KeyError("unit" if value is not None else "value")
        if unit not in self.units:
            raise SkipRecordError(f"not a unit of {self.metric}: send {' or '.join(self.units)}", "unit")
        shown, many = value - 32 if unit == FAHRENHEIT else value, self.units[unit]
        return shown if many == 1 else round(float(shown * many), 6)


Quantities: TypeAlias = Mapping[str, Quantity]
"""By the store's name of a type."""


def metrics(*tables: Quantities) -> frozenset[str]:
    return frozenset(quantity.metric for table in tables for quantity in table.values())


def known(part: Json, table: Quantities) -> Quantity:
    if part["type"] not in table:
        raise SkipRecordError("not a type that is read here", "type")
    return table[part["type"]]


def reading(part: Json, table: Quantities, at: int | None) -> Reading:
    """The value of a record, or of a part of one. Its own unit is remembered where it is not ours."""
    quantity = known(part, table)
    unit = unit_of(part) or quantity.unit
    value = quantity.of(part.get("value"), unit)
    ours = quantity.units[unit] == 1 or unit == METRICS[quantity.metric].unit
    return Reading(quantity.metric, value, at, "" if ours else unit)


def column(record: Json, table: Quantities) -> Series:
    """The samples of a record that holds many."""
    quantity = known(record, table)
    unit = unit_of(record) or quantity.unit
    times = [instant(sample["t"])[0] for sample in record["samples"]]
    return Series(quantity.metric, times, [quantity.of(sample["v"], unit) for sample in record["samples"]])


def unit_of(part: Json) -> str:
    """A millimole may name the molar mass that it was converted with: mmol<180.1558800000541>/L."""
    unit = part.get("unit") or ""
    return MOLAR_MASS.sub("mmol/", unit) if "<" in unit else unit
