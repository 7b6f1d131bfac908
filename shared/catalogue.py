"""The metric catalogue: what we measure, in which unit, within which range, and how a day is summarised."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from shared.model import Kind

# Storage factor (Tidepool, Nightscout); 18.0182 or 18.0 elsewhere differ in the third digit.
MG_DL_PER_MMOL_L = 18.01559

Summary = Literal["sum", "mean", "last", "min", "max"]

WEARABLE: tuple[Kind, ...] = ("watch", "ring", "phone")
NIGHT: tuple[Kind, ...] = ("ring", "mat", "watch")
SCALE: tuple[Kind, ...] = ("scale",)
RECORD: tuple[Kind, ...] = ("record", "file")


class Range(NamedTuple):
    """Inclusive bounds in the metric's canonical unit."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def hold(self, values: Iterable[float]) -> bool:
        """All of a column. It says the same few values over and over."""
        spread = set(values)
        return not spread or (self.low <= min(spread) and max(spread) <= self.high)


class Metric(NamedTuple):
    """One kind of measurement.

    `unit` is UCUM and the only unit ever stored. Outside `reject` a value is an error of the device or the mapping
    and is dropped; outside `flag` it is kept, shown, and left out of averages. `day` says how many values become the
    day's one. `prefer` orders the kinds of source that may win a day, best first. `loinc` is empty where LOINC has no
    code we could confirm.
    """

    unit: str
    loinc: str
    reject: Range
    flag: Range
    day: Summary
    prefer: tuple[Kind, ...] = ()


def _metric(
    unit: str,
    loinc: str,
    reject: tuple[float, float],
    flag: tuple[float, float],
    day: Summary,
    prefer: tuple[Kind, ...] = (),
) -> Metric:
    return Metric(unit, loinc, Range(*reject), Range(*flag), day, prefer)


METRICS: dict[str, Metric] = {
    # activity
    "steps": _metric("{steps}", "55423-8", (0, 1_000_000), (0, 100_000), "sum", WEARABLE),
    "distance": _metric("m", "55430-3", (0, 1_000_000), (0, 200_000), "sum", WEARABLE),
    "calories_burned": _metric("kcal", "41979-6", (0, 100_000), (0, 10_000), "sum", WEARABLE),
    "active_calories": _metric("kcal", "41981-2", (0, 100_000), (0, 10_000), "sum", WEARABLE),
    "active_minutes": _metric("min", "55411-3", (0, 1_440), (0, 1_440), "sum", WEARABLE),
    "floors": _metric("{floors}", "", (0, 10_000), (0, 500), "sum", WEARABLE),
    "vo2_max": _metric("mL/min/kg", "94122-9", (0, 100), (10, 90), "last", WEARABLE),
    # heart, breath, stress
    "heart_rate": _metric("/min", "8867-4", (1, 300), (30, 220), "mean", WEARABLE),
    "resting_heart_rate": _metric("/min", "40443-4", (1, 300), (30, 120), "min", NIGHT),
    "heart_rate_variability": _metric("ms", "", (1, 400), (5, 300), "mean", NIGHT),
    "heart_rate_variability_sdnn": _metric("ms", "80404-7", (1, 400), (5, 300), "mean", NIGHT),
    "blood_pressure_systolic": _metric("mm[Hg]", "8480-6", (10, 300), (70, 250), "mean", ("cuff",)),
    "blood_pressure_diastolic": _metric("mm[Hg]", "8462-4", (10, 200), (40, 150), "mean", ("cuff",)),
    "spo2": _metric("%", "59408-5", (0, 100), (70, 100), "mean", NIGHT),
    "respiratory_rate": _metric("/min", "9279-1", (0, 120), (4, 60), "mean", NIGHT),
    "stress": _metric("min", "", (0, 1_440), (0, 1_440), "sum", WEARABLE),
    "stress_level": _metric("{score}", "", (0, 100), (0, 100), "mean", WEARABLE),
    "body_battery": _metric("{score}", "", (0, 100), (0, 100), "max", WEARABLE),
    # sleep
    "sleep_duration": _metric("h", "93832-4", (0, 24), (0, 20), "sum", NIGHT),
    "sleep_score": _metric("{score}", "", (0, 100), (0, 100), "last", NIGHT),
    "rem_sleep": _metric("h", "93829-0", (0, 24), (0, 12), "sum", NIGHT),
    "deep_sleep": _metric("h", "93831-6", (0, 24), (0, 12), "sum", NIGHT),
    "light_sleep": _metric("h", "93830-8", (0, 24), (0, 16), "sum", NIGHT),
    "awake": _metric("h", "", (0, 24), (0, 12), "sum", NIGHT),
    "sleep_efficiency": _metric("%", "", (0, 100), (20, 100), "mean", NIGHT),
    "sleep_latency": _metric("min", "103212-7", (0, 1_440), (0, 240), "mean", NIGHT),
    # metabolism
    "glucose": _metric("mg/dL", "2339-0", (0, 900), (20, 600), "mean", ("cgm", "file")),
    "glucose_rate": _metric("mg/dL/min", "", (-20, 20), (-10, 10), "last", ("cgm", "file")),
    "ketone": _metric("mmol/L", "", (0, 30), (0, 10), "mean", ("cgm", "file")),
    "hba1c": _metric("%", "4548-4", (2, 25), (3, 20), "last", RECORD),
    # laboratory
    "cholesterol": _metric("mg/dL", "2093-3", (0, 2_000), (50, 600), "last", RECORD),
    "hdl_cholesterol": _metric("mg/dL", "2085-9", (0, 500), (5, 200), "last", RECORD),
    "ldl_cholesterol": _metric("mg/dL", "13457-7", (0, 1_500), (5, 500), "last", RECORD),
    "triglycerides": _metric("mg/dL", "2571-8", (0, 20_000), (10, 5_000), "last", RECORD),
    "creatinine": _metric("mg/dL", "2160-0", (0, 100), (0.1, 25), "last", RECORD),
    "egfr": _metric("mL/min/{1.73_m2}", "98979-8", (0, 300), (1, 200), "last", RECORD),
    "albumin_creatinine_ratio": _metric("mg/g", "9318-7", (0, 50_000), (0, 20_000), "last", RECORD),
    "tsh": _metric("m[IU]/L", "3016-3", (0, 2_000), (0.001, 500), "last", RECORD),
    "ferritin": _metric("ng/mL", "2276-4", (0, 200_000), (0.5, 50_000), "last", RECORD),
    "hemoglobin": _metric("g/dL", "718-7", (0.5, 35), (2, 27), "last", RECORD),
    "crp": _metric("mg/L", "1988-5", (0, 2_000), (0, 1_000), "last", RECORD),
    "vitamin_d": _metric("ng/mL", "1989-3", (0, 1_000), (1, 300), "last", RECORD),
    # body
    "weight": _metric("kg", "29463-7", (0.2, 1_000), (20, 500), "last", SCALE),
    "body_fat": _metric("%", "41982-0", (0, 100), (2, 60), "last", SCALE),
    "bmi": _metric("kg/m2", "39156-5", (1, 200), (10, 80), "last", SCALE),
    "lean_mass": _metric("kg", "", (0.2, 500), (10, 200), "last", SCALE),
    "body_temperature": _metric("Cel", "8310-5", (20, 50), (30, 45), "mean", ()),
    "skin_temperature": _metric("Cel", "", (10, 50), (20, 42), "mean", NIGHT),
    "temperature_deviation": _metric("Cel", "", (-20, 20), (-5, 5), "mean", NIGHT),
    # scores of the vendors, each on the vendor's own scale
    "readiness_score": _metric("{score}", "", (0, 100), (0, 100), "last", WEARABLE),
    "strain_score": _metric("{score}", "", (0, 100), (0, 21), "last", WEARABLE),
    "recovery_score": _metric("{score}", "", (0, 100), (0, 100), "last", WEARABLE),
    "nightly_recharge": _metric("{score}", "", (1, 6), (1, 6), "last", NIGHT),
    "ans_charge": _metric("{score}", "", (-10, 10), (-10, 10), "last", NIGHT),
    # training load: of the day, and its daily average over 7 and 28 days
    "cardio_load": _metric("{TRIMP}", "", (0, 10_000), (0, 2_000), "sum", WEARABLE),
    "cardio_strain": _metric("{TRIMP}", "", (0, 10_000), (0, 2_000), "last", WEARABLE),
    "cardio_tolerance": _metric("{TRIMP}", "", (0, 10_000), (0, 2_000), "last", WEARABLE),
}
