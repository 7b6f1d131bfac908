"""What each metric is called in FHIR: LOINC and UCUM, from the catalogue but for the few that depend on how it was
measured, and the category that FHIR R4 files it under.

http://hl7.org/fhir/R4/observation-vitalsigns.html, https://loinc.org, https://ucum.org
"""

from __future__ import annotations

from typing import Any, TypeAlias

from shared.catalogue import METRICS
from shared.model import Kind

Json: TypeAlias = dict[str, Any]
PROFILE = "http://hl7.org/fhir/StructureDefinition/"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
VITAL = (
    *("heart_rate", "resting_heart_rate", "blood_pressure_systolic", "blood_pressure_diastolic", "spo2"),
    *("respiratory_rate", "body_temperature", "weight", "bmi"),
)
LABORATORY = (
    *("glucose", "glucose_rate", "ketone", "hba1c", "cholesterol", "hdl_cholesterol", "ldl_cholesterol"),
    *("triglycerides", "creatinine", "egfr", "albumin_creatinine_ratio", "tsh", "ferritin", "hemoglobin", "crp"),
    "vitamin_d",
)
ACTIVITY = (
    *("steps", "distance", "calories_burned", "active_calories", "active_minutes", "floors", "vo2_max"),
    *("sleep_duration", "rem_sleep", "deep_sleep", "light_sleep", "awake", "sleep_efficiency", "sleep_latency"),
)
EXAM = ("body_fat", "lean_mass")
CATEGORY = (
    dict.fromkeys(VITAL, "vital-signs") | dict.fromkeys(LABORATORY, "laboratory")
    | dict.fromkeys(ACTIVITY, "activity") | dict.fromkeys(EXAM, "exam")
)  # fmt: skip
PROFILES = {
    "heart_rate": "heartrate", "spo2": "oxygensat", "respiratory_rate": "resprate", "body_temperature": "bodytemp",
    "weight": "bodyweight", "bmi": "bmi", "resting_heart_rate": "vitalsigns",
}  # fmt: skip
"""What a single vital sign claims to be. They ask for a quantity, so a series claims none."""

WHOLE_DAY = {"steps": ("41950-7", "{steps}/d"), "calories_burned": ("41979-6", "kcal/(24.h)")}
"""Codes that mean a day's total, and their units; the figure is the same."""
SHORTER = {"calories_burned": "41981-2"}
"""For stretches where the catalogue's code means a day."""
MORE = {"spo2": ("2708-6",)}
"""The code that the base profile asks for; the catalogue's says how it was measured as well."""
CGM_GLUCOSE = "99504-3"
DIFFERENCES = {"temperature_deviation": "K"}
"""Of temperatures: a difference of degrees is not a temperature."""
PRESSURE_PANEL = "85354-9"
SLEEP, WORKOUT = "93832-4", "73985-4"
TIME_IN_BED, WORKOUT_MINUTES = "103213-5", "55411-3"


def loinc(metric: str, kind: Kind | None = None, day: bool = False) -> tuple[str, ...]:
    """Empty where LOINC has no code that we could confirm. `day`: of a whole day; `kind`: of what measured it."""
    if metric == "glucose" and kind == "cgm":
        return (CGM_GLUCOSE,)
    ours = METRICS[metric].loinc
    if day and metric in WHOLE_DAY:
        ours = WHOLE_DAY[metric][0]
    elif not day:
        ours = SHORTER.get(metric, ours)
    return (*MORE.get(metric, ()), *filter(None, [ours]))


def ucum(metric: str, day: bool = False) -> str:
    if day and metric in WHOLE_DAY:
        return WHOLE_DAY[metric][1]
    return DIFFERENCES.get(metric, METRICS[metric].unit)


def quantity(value: float, unit: str) -> Json:
    return {"value": value, "unit": unit.replace("{", "").replace("}", ""), "system": UCUM, "code": unit}


def category(name: str) -> list[Json]:
    return [{"coding": [{"system": CATEGORIES, "code": name}]}]
