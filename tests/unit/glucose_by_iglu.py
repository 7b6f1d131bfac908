"""Writes glucose_by_iglu.json: what iglu-python says of the series in it. The package brings pandas and matplotlib, so
it is not installed here; run this where it is (`pip install iglu-python==0.4.3`) to make the numbers again."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import iglu_python as iglu
import pandas as pd

VERSION = "0.4.3"


def fortnight() -> list[int]:
    """14 days of a reading every 5 minutes, with lows and highs."""
    found = [
        round(140 + 55 * math.sin(2 * math.pi * t / 288) + 18 * math.sin(2 * math.pi * t / 48 + 0.7) + (t % 7) - 3)
        for t in range(288 * 14)
    ]
    for first, last, value in ((1000, 1012, 52), (2000, 2020, 65), (3000, 3040, 265)):
        found[first:last] = [value] * (last - first)
    return found


SERIES = {
    "fortnight": fortnight(),
    "edges": [52, 54, 65, 69, 70, 110, 140, 141, 180, 181, 230, 250, 251],
    "lows": [39, 41, 48, 53, 53, 55, 58, 62, 66, 71, 75, 83],
    "highs": [401, 388, 342, 300, 275, 252, 251, 249, 220, 199, 182, 179],
}


def figures(values: list[int]) -> dict[str, float]:
    frame = pd.DataFrame(
        {"id": "a", "time": pd.date_range("2026-11-02", periods=len(values), freq="5min"), "gl": [*map(float, values)]}
    )

    def one(table: Any, column: str) -> float:
        return float(table[column].iloc[0])

    below = iglu.below_percent(frame, targets_below=[54, 70])
    above = iglu.above_percent(frame, targets_above=[180, 250])
    within = iglu.in_range_percent(frame, target_ranges=[[70, 180], [70, 140]])
    return {
        "mean": one(iglu.mean_glu(frame), "mean"),
        "sd": one(iglu.sd_glu(frame), "SD"),
        "cv": one(iglu.cv_glu(frame), "CV"),
        "gmi": one(iglu.gmi(frame), "GMI"),
        "very_low": one(below, "below_54"),
        "low": one(below, "below_70") - one(below, "below_54"),
        "in_range": one(within, "in_range_70_180"),
        "high": one(above, "above_180") - one(above, "above_250"),
        "very_high": one(above, "above_250"),
        "tight": one(within, "in_range_70_140"),
    }


if __name__ == "__main__":
    cases = {name: {"values": values, "figures": figures(values)} for name, values in SERIES.items()}
    told = {"package": f"iglu-python {VERSION}", "cases": cases}
    Path(__file__).with_suffix(".json").write_text(json.dumps(told) + "\n", encoding="utf-8")
