"""The shapes of what the reads answer about what was measured.

Times are ISO 8601 UTC, in columns milliseconds since 1970 UTC; `offset` is the wearer's minutes east of UTC then. Days
are the wearer's own. Figures are rounded to thousandths, and nothing is computed from a rounded one.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.api import EARLIEST, LATEST
from shared.exports import Format
from shared.glucose import Level, Trend
from shared.params import LocalDay
from shared.period import Trend as PeriodTrend
from shared.recovery import Band, HrvTrend, Status
from shared.schemas import Strict
from shared.series import Resolution

NEXT = Field(description="Ask again with this as `cursor` for what follows; null where nothing does")
RAW_NAMES = "The resource as the provider names it; see GET /v1/provenance"


class Told(BaseModel):
    """Made from our own values, field by field."""

    model_config = ConfigDict(from_attributes=True)


# ---------------------------------------------------------------- days


class Figure(BaseModel):
    source: str
    resource: str = Field(description=RAW_NAMES)
    value: float
    samples: int
    min: float
    max: float
    manual: bool = Field(description="The person entered it by hand")
    as_of: str = Field(description="How old this knowledge is")


class DayMetric(Figure):
    unit: str
    reason: str = Field(description="Why this source stands for the day")
    others: list[Figure] = Field(description="The figures that lost, best first; empty unless `others` is asked for")


class RecoveryComponent(BaseModel):
    metric: str
    source: str
    z: float = Field(description="Against the same source's last 60 days, held down by absolute guards; 0 is usual")
    weight: float
    baseline_days: int


class Recovery(BaseModel):
    """recovery-v1: today's heart and sleep against the person's own last 60 days. Not for medicine."""

    version: Literal["recovery-v1"] = "recovery-v1"
    score: int | None = Field(description="1-99, 50 is a usual day; null with the status saying why")
    band: Band | None = Field(description="low to 33, normal to 66, high above")
    status: Status = Field(
        description="provisional: a baseline under 14 days; calibrating: under 7; missing_inputs: too few"
    )
    coverage: float = Field(description="The weights present, of 1")
    hrv_trend: HrvTrend | None = Field(description="The last 7 days' HRV against the last 60; null under 3 days of it")
    components: dict[str, RecoveryComponent]


class Completeness(BaseModel):
    present: int
    expected: int = Field(description="Signals seen on 4 of the 14 days before, or here")
    missing: list[str]


class DayFreshness(BaseModel):
    newest: str = Field(description="When the newest of the figures that stand was learned")
    oldest: str


class Day(BaseModel):
    day: date
    metrics: dict[str, DayMetric]
    recovery: Recovery
    completeness: Completeness
    freshness: DayFreshness


class Days(BaseModel):
    """Merged days: each metric's figure, whose it is and why; recovery; what is missing; how fresh it is."""

    days: list[Day] = Field(description="Oldest first; days without data are left out")


# ---------------------------------------------------------------- columns


class Run(Told):
    day: date
    offset: int
    rows: int


class Column(BaseModel):
    source: str
    resource: str = Field(description=RAW_NAMES)
    times: list[int] = Field(description="Of each sample, or of the start of each minute, hour or day")
    values: list[float]
    samples: list[int] = Field(description="How many samples each value comes from; empty at `raw`")
    min: list[float] = Field(description="Empty at `raw`")
    max: list[float] = Field(description="Empty at `raw`")
    days: list[Run] = Field(description="In order, to which local day and offset the next so many rows belong")


class MetricSeries(BaseModel):
    """One metric over any days, each source in a column of its own: every sample, or by the wearer's minutes, hours or
    days. A day's value is the vendor's own figure where there is one. What belongs to a sleep or workout is with it."""

    metric: str
    unit: str
    loinc: str
    resolution: Resolution
    summary: str = Field(description="How samples become a minute's, an hour's or a day's value")
    series: list[Column] = Field(description="One column for each source and resource")
    next_cursor: str | None = NEXT


# ---------------------------------------------------------------- sleeps and workouts


class Quantity(BaseModel):
    value: float
    unit: str


class Span(BaseModel):
    name: str = Field(description="Of a sleep: awake, light, deep, rem or asleep. Of a workout: the vendor's name")
    start: str
    end: str


class Samples(BaseModel):
    unit: str
    times: list[int]
    values: list[float]


class Episode(BaseModel):
    id: str = Field(description="The vendor's")
    day: date = Field(description="A sleep belongs to the day of waking")
    start: str
    end: str
    offset: int
    source: str
    resource: str = Field(description=RAW_NAMES)
    preferred: bool = Field(description="False where another source tells of these hours and is believed")
    manual: bool = Field(description="The person entered it by hand")
    metrics: dict[str, Quantity]
    series: dict[str, Samples] = Field(description="What was sampled within it; empty unless `samples` is asked for")
    as_of: str | None = Field(description="The vendor's version of this record, else when we learned of it")


class Sleep(Episode):
    kind: str = Field(description="sleep or nap")
    stages: list[Span]


class Sleeps(BaseModel):
    """Every source's sleeps and naps. Of several that tell of the same hours, one is `preferred`."""

    sleep: list[Sleep] = Field(description="By day, then start")
    next_cursor: str | None = NEXT


class Zone(BaseModel):
    name: str = Field(description="The vendor's name")
    minutes: float


class Workout(Episode):
    sport: str = Field(description="The vendor's word")
    laps: list[Span]
    zones: list[Zone] = Field(description="Heart rate zones, lightest first")


class Workouts(BaseModel):
    """Every source's workouts. Of several that tell of the same hours, one is `preferred`."""

    workouts: list[Workout] = Field(description="By day, then start")
    next_cursor: str | None = NEXT


# ---------------------------------------------------------------- medications


class Note(BaseModel):
    name: str = Field(description="status, intent, dosage, or code as `system|code`")
    text: str


class Medication(BaseModel):
    id: str = Field(description="The source's")
    day: date = Field(description="When it was written down")
    name: str = Field(description="As the record calls it; may be empty")
    notes: list[Note] = Field(description="In the record's own words")
    source: str
    resource: str = Field(description=RAW_NAMES)
    as_of: str | None = Field(description="The source's version of this record, else when we learned of it")


class Medications(BaseModel):
    """What was prescribed, or said to be taken. Nothing is added up, and no source is believed over another."""

    medications: list[Medication] = Field(description="By day, then source")
    next_cursor: str | None = NEXT


# ---------------------------------------------------------------- glucose


class GlucoseReadings(BaseModel):
    times: list[int]
    values: list[float]
    rates: list[float | None] = Field(description="A minute: the sensor's own, else of the last 15 minutes")
    trends: list[Trend] = Field(description="steady below 1 mg/dL a minute, slowly below 2, fast from 3")
    days: list[Run]


class TightRange(BaseModel):
    """70–140 mg/dL, of which no level is agreed."""

    bounds: str
    readings: int
    percent: float


class TimeInRange(BaseModel):
    name: Level
    bounds: str = Field(description="In the unit asked for; as the consensus writes them")
    readings: int
    percent: float


class GlucoseFigures(BaseModel):
    """Battelino et al. 2019, over one reading for each 5 minutes (15 for sensors that keep no more)."""

    readings: int
    mean: float
    sd: float | None
    cv: float | None = Field(description="Percent; stable up to 36")
    gmi: float = Field(description="Glucose management indicator, percent")
    ranges: list[TimeInRange] = Field(description="They share no reading and leave none out: 100 % together")
    tight: TightRange
    active: float = Field(description="Percent of the readings expected in the period so far")
    clamped: int = Field(description="Readings beyond the sensor's reach: right in ranges, a bias in mean, CV and GMI")
    sufficient: bool = Field(description="14 days and 70 % active: below, these figures say little")


class GlucoseLatest(BaseModel):
    at: str
    value: float
    trend: Trend


class Glucose(BaseModel):
    """One source's readings with their trend, and the consensus figures over them. At most 92 days."""

    unit: str = Field(description="mg/dL or mmol/L: as asked, else as the person's profile says")
    source: str | None = Field(description="Whose readings these are: sources are never mixed. Null without any")
    resource: str | None
    others: list[str] = Field(description="Other sources with readings in these days; ask for one with `source`")
    latest: GlucoseLatest | None
    figures: GlucoseFigures | None
    readings: GlucoseReadings | None = Field(description="Null where `readings` is false")


# ---------------------------------------------------------------- over a period


class ExportRequest(Strict):
    """Without `from`, from the first day there is; without `to`, up to the last."""

    format: Format = Field(
        description="fhir: a FHIR R4 Bundle; omh: IEEE 1752.1 and Open mHealth data points; "
        "ndjson, parquet: everything, as rows"
    )
    first: LocalDay = Field(EARLIEST, alias="from", description="First local day")
    last: LocalDay = Field(LATEST, alias="to", description="Last local day, included")


class SummaryRequest(Strict):
    """With neither `from` nor `to`, the last so many whole days: today, which is not over, is left out."""

    first: LocalDay | None = Field(None, alias="from", description="First local day")
    last: LocalDay | None = Field(None, alias="to", description="Last local day, included")
    days: int = Field(7, ge=1, le=183, strict=True)
    metrics: list[str] = Field(default_factory=list, max_length=100, description="All there is if none is named")

    @model_validator(mode="after")
    def both_or_neither(self) -> SummaryRequest:
        if (self.first is None) != (self.last is None):
            raise ValueError("give `from` and `to`, or neither")
        return self


class MetricSummary(BaseModel):
    """Of the days' own figures, as GET /v1/days tells them."""

    unit: str
    mean: float | None
    min: float | None
    max: float | None
    total: float | None = Field(description="Where a day is a sum")
    days: int = Field(description="Days with a figure")
    missing: list[date]
    best_source: str | None = Field(description="The one that stands for the most days")
    sources: dict[str, int] = Field(description="For how many days each stands")
    previous_mean: float | None
    change: float | None
    change_percent: float | None
    trend: PeriodTrend = Field(
        description="steady: the means differ by a fifth of the days' standard deviation or less; unknown: under 3 days"
    )


class Period(BaseModel):
    first: date = Field(alias="from")
    last: date = Field(alias="to")


class SummaryReply(BaseModel):
    """Per metric what the days come to, and how that compares with as many days before."""

    period: Period
    previous: Period
    metrics: dict[str, MetricSummary]


class SourceReach(Told):
    source: str
    day: str = Field(description="The last local day it told something about")
    as_of: str


class Recent(BaseModel):
    """How far each source's data reaches. Cheap; POST /v1/refresh asks it and acts on it."""

    today: date = Field(description="The wearer's")
    days: int = Field(description="How many days a refresh must ask for to leave no gap: 2 or 7")
    sources: list[SourceReach] = Field(description="Those that told something about the last week")


# ---------------------------------------------------------------- where it came from


class RawPointer(Told):
    object: str
    offset: int
    length: int


class Documented(BaseModel):
    id: str = Field(description="The vendor's; empty for samples that stand for themselves")
    as_of: str | None = Field(description="The vendor's version of this record, else when we learned of it")
    manual: bool
    vendor_units: dict[str, str] = Field(description="Per metric, the unit it came in; ours where empty")


class Origin(BaseModel):
    source: str
    name: str = Field(description="The provider's")
    resource: str
    docs: str = Field(description="The provider's own description")
    revision: int = Field(description="1 as first told, one more for each change")
    received_at: str | None = Field(description="When we first learned of it")
    corrected_at: str | None = Field(description="When we learned of the last change; null where there was none")
    as_of: str = Field(description="How old this knowledge is")
    mapping_version: int
    unsigned: bool = Field(description="Some of it came by a webhook that nobody signed, as the operator allows")
    job: str = Field(description="The job that wrote it last")
    raw: RawPointer | None = Field(description="The vendor's sealed answer in the raw bucket, while it is kept")
    figures: dict[str, Quantity] = Field(description="What it says of the day, by metric")
    documents: list[Documented]


class Provenance(BaseModel):
    """What says something about a day, or about one metric or kind of episode of it, and where that came from."""

    day: date
    origins: list[Origin]
