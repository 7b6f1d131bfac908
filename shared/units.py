"""In which unit a metric is answered: ours, or glucose in the person's own. Rounded here, and nowhere before."""

from __future__ import annotations

from shared.catalogue import METRICS, MG_DL_PER_MMOL_L
from shared.errors import NotFoundError
from shared.values import dataclass

MMOL_L = "mmol/L"


@dataclass(frozen=True)
class Unit:
    """A unit by name, and how many of ours make one of it."""

    name: str
    per_ours: float = 1.0

    def of(self, value: float) -> float:
        return round(value / self.per_ours, 3)

    def maybe(self, value: float | None) -> float | None:
        return None if value is None else self.of(value)


def wished_unit(metric: str, glucose_unit: str) -> Unit:
    ours = METRICS[metric].unit
    if metric in ("glucose", "glucose_rate") and glucose_unit == MMOL_L:
        return Unit(ours.replace("mg/dL", MMOL_L), MG_DL_PER_MMOL_L)
    return Unit(ours)


def known_metric(metric: str, param: str = "metric") -> str:
    if metric not in METRICS:
        raise NotFoundError("no such metric; GET /v1/metrics lists them", param)
    return metric
