"""What the reads can be asked, as their description says it."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator

ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def iso_day(told: Any) -> Any:
    """Pydantic would read a bare number as seconds since 1970."""
    if isinstance(told, str) and not ISO_DAY.fullmatch(told):
        raise ValueError("a day is written as in 2026-11-20")
    return told


LocalDay = Annotated[date, BeforeValidator(iso_day)]
From = Annotated[LocalDay, Query(alias="from", description="First local day")]
To = Annotated[LocalDay, Query(description="Last local day, included")]
Day = Annotated[LocalDay, Query(description="A local day")]
Source = Annotated[str, Query(description="One source only")]
Resource = Annotated[str, Query(description="One resource only, as the provider names it")]
Metric = Annotated[str, Query(description="One metric only, or a kind of episode: sleep, nap, workout")]
Unit = Annotated[Literal["mg/dL", "mmol/L"] | None, Query(description="Of glucose; else as the profile says")]
Cursor = Annotated[str, Query(description="The `next_cursor` of the page before")]
Fresh = Annotated[bool, Query(description="Read what was written a moment ago, at twice the price")]
Others = Annotated[bool, Query(description="Also the figures that lost")]
Samples = Annotated[bool, Query(description="Also what was sampled within each")]
Readings = Annotated[bool, Query(description="Not the figures alone")]
