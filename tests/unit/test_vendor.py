"""What a vendor's Retry-After asks for, whatever it says."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from shared.vendor import retry_after


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 60), ("17", 17), ("0", 1), ("-5", 1), ("soon", 60), ("inf", 86_400), ("1e9", 86_400), ("", 60)],
)
def test_seconds_and_nonsense(header: str | None, seconds: float) -> None:
    assert retry_after(header) == seconds


def test_a_date() -> None:
    at = datetime.now(UTC) + timedelta(seconds=90)
    for spelled in (format_datetime(at, usegmt=True), format_datetime(at.replace(tzinfo=None))):
        assert 80 < retry_after(spelled) <= 90
