"""What the recorded replies cannot show: questions about the past, permissions in every shape seen, and the goodbye."""

from datetime import date

import pytest

from shared.providers import Holder, OAuth2, Window
from shared.providers.garmin import hooks
from shared.providers.garmin.spec import PROVIDER

DAYS = Window(date(2026, 11, 1), date(2026, 11, 2))


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("dailies", "dailies"),
        ("pulseox", "pulseOx"),
        ("allDayRespiration", "respiration"),
        ("activities", "activities"),
    ],
)
def test_the_past_is_asked_for_by_whole_days_of_utc(name: str, segment: str) -> None:
    fetch = PROVIDER.resource(name).fetch
    assert fetch
    request = fetch(DAYS)
    assert (request.method, request.url, request.accepts) == ("GET", f"/backfill/{segment}", (409,))
    span = {"summaryStartTimeInSeconds": "1793491200", "summaryEndTimeInSeconds": "1793663999"}
    assert dict(request.params) == span


def test_windows_that_meet_do_not_overlap() -> None:
    fetch = PROVIDER.resource("hrv").fetch
    assert fetch
    older, newer = (fetch(Window(day, day)).params for day in (DAYS.first, DAYS.last))
    assert int(newer["summaryStartTimeInSeconds"]) == int(older["summaryEndTimeInSeconds"]) + 1


@pytest.mark.parametrize(
    ("reply", "allowed"),
    [
        (["ACTIVITY_EXPORT", "HEALTH_EXPORT"], {"ACTIVITY_EXPORT", "HEALTH_EXPORT"}),
        ({"permissions": ["HEALTH_EXPORT"]}, {"HEALTH_EXPORT"}),
        ({"permissions": {"HEALTH_EXPORT": True, "ACTIVITY_EXPORT": False}}, {"HEALTH_EXPORT"}),
        ([], set()),
    ],
)
def test_permissions_are_read_in_every_shape_seen(reply: object, allowed: set[str]) -> None:
    assert hooks.read_permissions(reply) == allowed


def test_pkce_and_no_scope_of_the_token_is_believed() -> None:
    assert isinstance(PROVIDER.auth, OAuth2)
    assert PROVIDER.auth.pkce
    assert PROVIDER.auth.permissions
    assert not PROVIDER.timer_polling


def test_the_goodbye_ends_the_registration() -> None:
    [request] = hooks.revoke(Holder("client", "secret", "token", "u1", 0))
    assert (request.method, request.url, request.bearer) == ("DELETE", "/user/registration", True)
