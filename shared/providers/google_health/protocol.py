"""How Google Health is asked: one data type a call. `dailyRollUp` sums civil days, `reconcile` merges what several
devices measured; a list would count twice.
https://developers.google.com/health/reference/rest/v4/users.dataTypes.dataPoints"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeAlias

from shared.errors import ReconnectError, TributaryError
from shared.providers import Json, Refusal, Request, Token, Window, as_utc, google

PARENT = "/v4/users/me/dataTypes/"
MORE = Token("nextPageToken", "pageToken")
DAY = timedelta(days=1)

Asks: TypeAlias = Callable[[Window], Request]


def by_filter(data_type: str, member: str, page_size: int = 10_000) -> Asks:
    """By the civil (the wearer's own) dates of `member`: closed at the start, open at the end."""
    path = f"{data_type.replace('-', '_')}.{member}"

    def fetch(window: Window) -> Request:
        span = f'{path} >= "{window.first}" AND {path} < "{window.last + DAY}"'
        wish = {"filter": span, "pageSize": str(page_size)}
        return Request(url=f"{PARENT}{data_type}/dataPoints:reconcile", params=wish)

    return fetch


def daily(data_type: str) -> Asks:
    return by_filter(data_type, "date")


def sampled(data_type: str) -> Asks:
    return by_filter(data_type, "sample_time.civil_time")


def session(data_type: str, member: str) -> Asks:
    """Pages of these hold 25 at most."""
    return by_filter(data_type, f"interval.{member}", 25)


def daily_roll_up(data_type: str) -> Asks:
    """A page too small for the days fails with a misleading INVALID_DATA_POINT_NAME, hence its size."""

    def fetch(window: Window) -> Request:
        span = {"start": {"date": parts(window.first)}, "end": {"date": parts(window.last + DAY)}}
        wish = {"range": span, "windowSizeDays": 1, "pageSize": len(window.days())}
        return Request(url=f"{PARENT}{data_type}/dataPoints:dailyRollUp", method="POST", json=wish)

    return fetch


def roll_up(data_type: str, window_size: str) -> Asks:
    """Means over windows of physical time, counted from the start of the range: a whole hour, so they are aligned."""

    def fetch(window: Window) -> Request:
        start, end = window.span()
        span = {"startTime": as_utc(start), "endTime": as_utc(end)}
        wish = {"range": span, "windowSize": window_size, "pageSize": 10_000}
        return Request(url=f"{PARENT}{data_type}/dataPoints:rollUp", method="POST", json=wish)

    return fetch


def parts(day: date) -> Json:
    return {"year": day.year, "month": day.month, "day": day.day}


def verdict(refusal: Refusal) -> TributaryError | None:
    """{"error": {"details": [{"reason": "ACCOUNT_NOT_LINKED"}]}}: a Google account without a health profile."""
    if "ACCOUNT_NOT_LINKED" in google.reasons(refusal.body):
        said = "this Google account has no Fitbit profile: make one at https://fitbit.google.com/auth/signup"
        return ReconnectError(said, "account_not_linked")
    return None
