"""How Google Fit is asked: one data type a call, because one that nothing was ever written of is refused, and with it
all that is asked in the same call. https://developers.google.com/fit/rest/v1/reference/users/dataset/aggregate"""

from datetime import datetime

from shared.errors import ProviderChangedError, RateLimitedError, TributaryError
from shared.providers import ByInstant, Json, Refusal, Request, as_utc, dig, google

BUSY_S = 60.0
TOO_MANY = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded", "RATE_LIMIT_EXCEEDED"})
NEVER_WRITTEN = "no default datasource found"

EACH_MINUTE: Json = {"bucketByTime": {"durationMillis": "60000"}}
EACH_QUARTER: Json = {"bucketByTime": {"durationMillis": "900000"}}
"""Of an hour: wherever people live, their midnight is the start of one."""
EACH_SESSION: Json = {"bucketBySession": {"minDurationMillis": "1"}}
AS_TOLD: Json = {}
"""Segments come as they are, in one bucket."""


def aggregate(data_type: str, buckets: Json, *accepts: int) -> ByInstant:
    """Merged from all that tells of this type; summing raw sources would count a phone's and a watch's steps both."""
    wish = {"aggregateBy": [{"dataTypeName": f"com.google.{data_type}"}], **buckets}
    ask = Request(url="/dataset:aggregate", method="POST", json=wish, accepts=(400, *accepts))
    return ByInstant(ask, "startTimeMillis", "endTimeMillis", as_millis)


def sessions(**only: str) -> ByInstant:
    """Without a page: tokens are for who asks without a span."""
    return ByInstant(Request(url="/sessions", params=only), "startTime", "endTime", as_utc)


def as_millis(at: datetime) -> str:
    """int64 are strings, both ways."""
    return str(int(at.timestamp() * 1000))


def verdict(refusal: Refusal) -> TributaryError | None:
    """A 403 is a scope that is missing, or too many calls. A 400 is our mistake, but for a type that is unwritten: then
    there is nothing to read."""
    if refusal.status == 403 and google.reasons(refusal.body) & TOO_MANY:
        return RateLimitedError("Google Fit asked us to slow down", BUSY_S)
    if refusal.status == 400 and not str(dig(refusal.body, "error.message") or "").startswith(NEVER_WRITTEN):
        return ProviderChangedError("Google Fit answered 400 to a request it documents")
    return None
