"""Observations and MedicationRequests of FHIR R4 as ours: https://hl7.org/fhir/R4/observation.html

A result is known by its LOINC code and its unit by UCUM; what has no metric here is left in the raw reply. A time in
UTC says when, and not where: its day is told by the person's zones."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from shared.catalogue import METRICS, MG_DL_PER_MMOL_L
from shared.model import Deletion, Document, Episode, Item, Reading, Skipped, instant
from shared.providers import Json, Map, dig, per_record

LOINC = "http://loinc.org"
GONE = ("entered-in-error", "cancelled")
DAY, ANNOTATION = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"/?\{[^}]*\}")


class Line(NamedTuple):
    """How many of ours one of a unit is, and what is added."""

    factor: float
    offset: float = 0


class Figure(NamedTuple):
    """`unit` is the server's own, where that is not ours."""

    metric: str
    value: float
    unit: str = ""


# by LOINC code, all of a metric's in one row
LABORATORY: Mapping[str, str] = {
    **dict.fromkeys(("4548-4", "17856-6", "59261-8"), "hba1c"),
    **dict.fromkeys(("2345-7", "2339-0", "15074-8", "41653-7", "99504-3", "105272-9"), "glucose"),
    "2093-3": "cholesterol", "2085-9": "hdl_cholesterol", "2571-8": "triglycerides",
    **dict.fromkeys(("13457-7", "18262-6", "2089-1"), "ldl_cholesterol"),
    "2160-0": "creatinine", **dict.fromkeys(("98979-8", "62238-1", "33914-3"), "egfr"),
    "9318-7": "albumin_creatinine_ratio", "3016-3": "tsh", "2276-4": "ferritin", "718-7": "hemoglobin",
    **dict.fromkeys(("1988-5", "30522-7"), "crp"), "1989-3": "vitamin_d",
}  # fmt: skip
VITAL_SIGNS: Mapping[str, str] = {
    "8867-4": "heart_rate", "40443-4": "resting_heart_rate", "9279-1": "respiratory_rate",
    "8480-6": "blood_pressure_systolic", "8462-4": "blood_pressure_diastolic",
    "59408-5": "spo2", "2708-6": "spo2", "8310-5": "body_temperature",
    "29463-7": "weight", "39156-5": "bmi", "41982-0": "body_fat",
}  # fmt: skip
LABORATORY_METRICS, VITAL_METRICS = frozenset(LABORATORY.values()), frozenset(VITAL_SIGNS.values())
CHOLESTEROL = {"mmol/L": Line(38.67)}
# Beside the catalogue's own unit. HbA1c: https://ngsp.org/ifcc.asp
UNITS: Mapping[str, Mapping[str, Line]] = {
    "hba1c": {"mmol/mol": Line(0.09148, 2.152)},
    "glucose": {"mmol/L": Line(MG_DL_PER_MMOL_L)},
    "cholesterol": CHOLESTEROL, "hdl_cholesterol": CHOLESTEROL, "ldl_cholesterol": CHOLESTEROL,
    "triglycerides": {"mmol/L": Line(88.57)},
    "creatinine": {"umol/L": Line(1 / 88.42)},
    "albumin_creatinine_ratio": {"mg/mmol": Line(8.84)},
    "tsh": {"u[IU]/mL": Line(1), "mU/L": Line(1)},
    "ferritin": {"ug/L": Line(1)},
    "hemoglobin": {"g/L": Line(0.1), "mmol/L": Line(1.611)},
    "crp": {"mg/dL": Line(10)},
    "vitamin_d": {"nmol/L": Line(1 / 2.496)},
    "body_temperature": {"[degF]": Line(5 / 9, -160 / 9)},
    "weight": {"g": Line(0.001), "[lb_av]": Line(0.45359237), "[oz_av]": Line(0.028349523125)},
}  # fmt: skip
# Where a server gives the name of a unit and no code.
SPELT = {
    "mmhg": "mm[Hg]", "beats/min": "/min", "beats/minute": "/min", "bpm": "/min", "breaths/min": "/min",
    "breaths/minute": "/min", "per minute": "/min", "degc": "Cel", "°c": "Cel", "degf": "[degF]", "°f": "[degF]",
    "lb": "[lb_av]", "lbs": "[lb_av]", "% of total hgb": "%", "percent": "%", "miu/l": "m[IU]/L", "uiu/ml": "u[IU]/mL",
    "µmol/l": "umol/L", "μmol/l": "umol/L", "ml/min/1.73m2": "mL/min", "ml/min/1.73 m2": "mL/min", "mcg/l": "ug/L",
}  # fmt: skip


def observations(metrics: Mapping[str, str]) -> Map:
    """Of one category, the metrics that it owns: a server may file one result under several."""

    @per_record("entry", may_lack=True)
    def observation(entry: Json) -> Iterator[Item]:
        record = entry["resource"]
        if record["resourceType"] != "Observation":
            return  # what a server wants to say beside its records
        if record["status"] in GONE:
            yield Deletion(record["id"])
            return
        found = [read for part in (record, *(record.get("component") or ())) for read in figures(part, metrics)]
        text = first(record, "effectiveDateTime", "effectiveInstant", "effectivePeriod.end", "effectivePeriod.start")
        if found and names_day(text):
            yield from (read for read in found if isinstance(read, Skipped))
            yield measured(record, [read for read in found if not isinstance(read, Skipped)], text)

    return observation


laboratory, vital_signs = observations(LABORATORY), observations(VITAL_SIGNS)


@per_record("entry", may_lack=True)
def medications(entry: Json) -> Iterator[Item]:
    """A prescription that was stopped or cancelled is history; of one made by mistake nothing is left on its day."""
    record = entry["resource"]
    text = first(record, "authoredOn", "dispenseRequest.validityPeriod.start")
    if record["resourceType"] != "MedicationRequest" or not names_day(text):
        return
    at, place = when(text)
    if record["status"] == "entered-in-error":
        yield Document(id=record["id"], day=text[:10], as_of=version(record))
        return
    notes = {
        "status": record["status"],
        "intent": record["intent"],
        "dosage": "; ".join(d["text"] for d in record.get("dosageInstruction") or () if d.get("text")),
        "code": coded(record),
    }
    known = tuple((name, said) for name, said in notes.items() if said)
    episode = Episode("medication", at, at, named(record), notes=known)
    yield Document(id=record["id"], as_of=version(record), **place, episode=episode)


# ---------------------------------------------------------------- parts


def figures(part: Json, metrics: Mapping[str, str]) -> Iterator[Figure | Skipped]:
    """What an observation, or a component of one, says in numbers. A bound ("<0.3") is none."""
    codings = part["code"].get("coding") or ()
    known = [metrics[c["code"]] for c in codings if c.get("system") == LOINC and c.get("code") in metrics]
    quantity = part.get("valueQuantity") or {}
    if known and quantity.get("value") is not None and not quantity.get("comparator"):
        yield converted(known[0], quantity)


def converted(metric: str, quantity: Json) -> Figure | Skipped:
    """In our unit, and with the server's own where that is another. How one laboratory spells a unit is no change of
    the server's: the record stays, without that figure."""
    given = quantity.get("code") or quantity.get("unit") or ""
    ours = METRICS[metric].unit
    plain = ANNOTATION.sub("", SPELT.get(given.lower(), given))
    lines = {ANNOTATION.sub("", ours): Line(1), **UNITS.get(metric, {})}
    if plain not in lines:
        return Skipped(-1, f"not a unit of {metric}", "valueQuantity")
    if plain == ANNOTATION.sub("", ours):
        return Figure(metric, quantity["value"])
    return Figure(metric, quantity["value"] * lines[plain].factor + lines[plain].offset, plain)


def measured(record: Json, found: list[Figure], text: str) -> Document:
    """Without a time of day it is a figure of that day."""
    at, place = when(text)
    readings = tuple(Reading(m, value, None if "day" in place else at, unit) for m, value, unit in found)
    dated = place if found else {"day": text[:10]}
    return Document(id=record["id"], as_of=version(record), readings=readings, **dated)


def first(record: Json, *paths: str) -> str:
    return next(filter(None, (dig(record, path) for path in paths)), "")


def names_day(text: str) -> bool:
    """A year or a month has no place in a day."""
    return DAY.match(text) is not None


def when(text: str) -> tuple[int, dict[str, Any]]:
    """The instant, and how its day is told: by its date alone, by the offset, or by the person's zones where the server
    gives UTC."""
    if DAY.fullmatch(text):
        return instant(text)[0], {"day": text, "floating": True}
    at, east = instant(text)
    return at, {"floating": True} if east is None else {"offset": east or None}


def version(record: Json) -> int | None:
    changed = dig(record, "meta.lastUpdated")
    return instant(changed)[0] if changed else None


def named(record: Json) -> str:
    concept = record.get("medicationCodeableConcept") or {}
    names = [concept.get("text"), *(coding.get("display") for coding in concept.get("coding") or ())]
    names += [dig(record, "medicationReference.display"), *(dig(c, "code.text") for c in record.get("contained") or ())]
    return next(filter(None, names), "")


def coded(record: Json) -> str:
    """As `system|code`, the way FHIR writes it."""
    codings = dig(record, "medicationCodeableConcept.coding") or ()
    return next((f"{c['system']}|{c['code']}" for c in codings if c.get("system") and c.get("code")), "")
