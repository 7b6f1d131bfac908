"""Days as text: a row a day, each figure with its source, and how old the newest knowledge is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.catalogue import METRICS

COLUMNS = 6
HEADLINES = (
    "steps", "sleep_duration", "resting_heart_rate", "heart_rate_variability", "weight", "glucose",
)  # fmt: skip
"""What comes first where a person has more metrics than a line has room for."""
NAMES = {
    "sleep_duration": "sleep",
    "resting_heart_rate": "resting",
    "heart_rate_variability": "hrv",
    "blood_pressure_systolic": "systolic",
    "blood_pressure_diastolic": "diastolic",
}
FINE = ("h", "kg", "kg/m2", "%", "mmol/L", "mg/dL/min", "Cel")
"""Units in which a tenth matters."""
AGES = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
Day = Mapping[str, Any]


def days_table(days: Iterable[Day], now: datetime) -> str:
    """`days` as GET /v1/days answers them."""
    listed = list(days)
    metrics = columns(listed)
    header = ["day", *(heading(metric) for metric in metrics), "recovery", "newest"]
    body = [[day["day"], *(figure(day, m) for m in metrics), recovery(day), age(newest(day), now)] for day in listed]
    return aligned([header, ["─" * len(name) for name in header], *body])


def columns(days: Sequence[Day]) -> list[str]:
    seen = {metric for day in days for metric in day["metrics"]}
    ranked = [m for m in HEADLINES if m in seen] + [m for m in METRICS if m in seen and m not in HEADLINES]
    return ranked[:COLUMNS]


def heading(metric: str) -> str:
    unit = METRICS[metric].unit
    name = NAMES.get(metric, metric.replace("_", " "))
    return name if unit.startswith("{") else f"{name} {unit}"


def figure(day: Day, metric: str) -> str:
    found = day["metrics"].get(metric)
    return f"{amount(metric, found['value'])} {found['source']}" if found else "–"


def amount(metric: str, value: float) -> str:
    return f"{value:,.{1 if METRICS[metric].unit in FINE else 0}f}"


def recovery(day: Day) -> str:
    found = day["recovery"]
    return str(found["status"]).replace("_", " ") if found["score"] is None else str(found["score"])


def newest(day: Day) -> datetime | None:
    instants = [datetime.fromisoformat(found["as_of"]) for found in day["metrics"].values()]
    return max(instants, default=None)


def age(instant: datetime | None, now: datetime) -> str:
    if instant is None:
        return "–"
    seconds = max(0, round((now - instant.astimezone(UTC)).total_seconds()))
    for size, unit in AGES:
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "now"


def shortened(name: str) -> str:
    """Enough to see that two are the same, and not who."""
    return "#" + hashlib.sha256(name.encode()).hexdigest()[:8]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
