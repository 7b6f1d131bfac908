"""The shapes of a push: a batch, the items in it, and what is answered to each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StrictInt, ValidationInfo, WithJsonSchema, field_validator

from shared.schemas import Strict


def shown_as(shape: str) -> WithJsonSchema:
    """Of what is checked one by one, and described all the same."""
    return WithJsonSchema({"$ref": f"#/components/schemas/{shape}"})


MOST_SAMPLES = 20_000
"""Of one item: a day of a sample every five seconds."""
KNOWN_YEARS = range(1980, 2100)


def known_instant(text: str) -> str:
    """An ISO 8601 instant, left as it was written."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("not an ISO 8601 instant") from None
    if at.tzinfo is None or at.year not in KNOWN_YEARS:
        raise ValueError("an instant with Z or an offset, between the years 1980 and 2099")
    return text


Instant = Annotated[str, AfterValidator(known_instant)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\w.:-]+$")]
"""Of a record, an app or a type: as its store names it."""


class PushValue(BaseModel):
    """Part of an item: one of a blood pressure's two, or what a workout came to."""

    type: Name
    value: Number
    unit: str = ""


class PushSample(BaseModel):
    t: Instant
    v: Number


class PushStage(BaseModel):
    start: Instant
    end: Instant
    stage: StrictInt


class PushSource(BaseModel):
    """Whose record it is: the app, and the device that it ran on."""

    bundle_id: Name | None = None
    package: Name | None = None
    product_type: str | None = Field(None, max_length=64, description="Such as Watch7,5")


class PushDevice(BaseModel):
    type: StrictInt | None = Field(None, description="Android's Device.TYPE_*")


class PushVersion(BaseModel):
    last_modified: Instant | None = None


class PushItem(BaseModel):
    """A sample or record as its store has it. Fields that are not named here are kept and not read."""

    source_id: Name = Field(description="The store's own id of it, by which it is replaced and deleted")
    type: Name = Field(description="The store's own name of its type")
    start: Instant
    end: Instant | None = None
    zone: str | None = Field(None, description="IANA zone it was measured in, if the record knows")
    zone_offset: str | None = Field(None, description="Such as +01:00, if the record knows")
    end_zone_offset: str | None = None
    value: Number | None = None
    unit: str | None = Field(None, description="The unit of `value` and `samples`, in the store's spelling and meaning")
    samples: list[PushSample] | None = Field(None, max_length=MOST_SAMPLES)
    components: list[PushValue] | None = Field(None, max_length=20)
    stages: list[PushStage] | None = Field(None, max_length=MOST_SAMPLES)
    activity: str | StrictInt | None = Field(None, description="Of a workout")
    source: PushSource | None = None
    device: PushDevice | None = None
    version: PushVersion | None = Field(None, description="Of a record that is edited in place: the later one stands")
    user_entered: bool = Field(False, strict=True)
    recording_method: StrictInt | None = None

    @field_validator("end")
    @classmethod
    def after_its_start(cls, end: str | None, told: ValidationInfo) -> str | None:
        if end and "start" in told.data and datetime.fromisoformat(end) < datetime.fromisoformat(told.data["start"]):
            raise ValueError("must not be before `start`")
        return end


class PushDelete(BaseModel):
    source_id: Name
    type: Name | None = Field(None, description="If the store tells it; not every store does")


class PushCursor(Strict):
    """How far the phone has read its store, for one type, in the store's own words: an anchor, a changes token."""

    type: Name
    cursor: str = Field(max_length=4096)


class PushBatch(Strict):
    """Up to 2000 items. Each is judged by itself: a bad one spoils no other."""

    time_zone: str = Field(description="IANA zone the phone is in; for a person whose zone nobody knows yet")
    stage: Literal["daily", "historical"] = Field("daily", description="historical: of long ago, and in no hurry")
    cursors: list[PushCursor] = Field(default_factory=list, max_length=200)
    upserts: list[Annotated[Any, shown_as("PushItem")]] = Field(default_factory=list)
    deletes: list[Annotated[Any, shown_as("PushDelete")]] = Field(default_factory=list)
    consent_text: str = Field("", description="Version of the words the person agreed to; kept with the first push")
    reconnect: bool = Field(False, strict=True, description="The person agreed again, after disconnecting")
    installation_id: str = Field("", max_length=128, description="The app's, for its own use")
    sent_at: str = Field("", max_length=64, description="By the phone's clock, for its own use")


class PushResult(BaseModel):
    """`field` and `message` say what is wrong with a rejected item; sent again as it is, it is rejected again."""

    source_id: str
    status: Literal["accepted", "rejected"]
    field: str = ""
    message: str = ""


class PushReply(BaseModel):
    """The same key with the same batch gets the same reply. What is accepted is safe with us, and soon to be read."""

    id: str = Field(description="What `GET /v1/events` knows the push by")
    accepted: int
    rejected: int
    upserts: list[PushResult] = Field(description="One for each, in their order")
    deletes: list[PushResult]
    acknowledged: list[PushCursor] = Field(description="The cursors of the batch: the phone may go on from them")
