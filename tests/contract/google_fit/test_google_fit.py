"""What the recorded replies cannot show: how Google Fit is asked, and which refusals are answers."""

from datetime import date
from itertools import pairwise

import pytest

from shared.errors import ProviderChangedError, RateLimitedError
from shared.model import Document, Reading, Skipped
from shared.providers import Holder, OAuth2, Request, Window
from shared.providers.google_fit import mapping
from shared.providers.google_fit.spec import PROVIDER
from shared.vendor import judge

DAYS = Window(date(2026, 11, 1), date(2026, 11, 2))
# 31 October 10:00 to 3 November 12:00 UTC
SPAN = {"startTimeMillis": "1793440800000", "endTimeMillis": "1793707200000"}


def asked(name: str) -> list[Request]:
    fetch = PROVIDER.resource(name).fetch
    assert fetch
    found: list[Request] = []
    following: Request | None = fetch(DAYS)
    while following:
        found.append(following)
        following = following.then
    return found


def test_one_type_a_call_over_every_hour_that_the_days_may_have() -> None:
    [steps, *others] = asked("activity")
    assert (steps.method, steps.url, steps.accepts) == ("POST", "/dataset:aggregate", (400,))
    assert steps.json == {
        "aggregateBy": [{"dataTypeName": "com.google.step_count.delta"}],
        "bucketByTime": {"durationMillis": "900000"},
        **SPAN,
    }
    types = [request.json["aggregateBy"][0]["dataTypeName"] for request in others]
    assert types == ["com.google.calories.expended", "com.google.active_minutes"]


def test_sleep_is_sessions_and_their_stages_as_they_were_told() -> None:
    told, stages = asked("sleep")
    assert (told.method, told.url) == ("GET", "/sessions")
    assert told.params == {
        "activityType": "72", "startTime": "2026-10-31T10:00:00Z", "endTime": "2026-11-03T12:00:00Z",
    }  # fmt: skip
    assert stages.json == {"aggregateBy": [{"dataTypeName": "com.google.sleep.segment"}], **SPAN}


def test_workouts_do_without_what_the_person_did_not_allow() -> None:
    sessions, *figures = asked("workouts")
    assert (sessions.url, "activityType" in sessions.params, sessions.accepts) == ("/sessions", False, ())
    assert [request.accepts for request in figures] == [(400,), (400,), (400, 403), (400, 403)]
    assert all(request.json["bucketBySession"] for request in figures)


def test_nothing_spans_more_than_ninety_days() -> None:
    for resource in PROVIDER.resources:
        widest = Window(date(2026, 6, 1), date(2026, 6, 1)).padded(resource.padding)
        start, end = widest.span()
        assert (end - start).days + resource.max_days <= 90


def test_an_error_is_an_answer_only_where_nothing_was_ever_written_or_allowed() -> None:
    never = {"error": {"code": 400, "message": "no default datasource found for: com.google.weight"}}
    judge(PROVIDER, 400, {}, never, (400,))
    judge(PROVIDER, 403, {}, {"error": {"message": "Cannot read data of type com.google.distance.delta"}}, (400, 403))
    with pytest.raises(ProviderChangedError):
        judge(PROVIDER, 400, {}, {"error": {"code": 400, "message": "aggregate duration too large"}}, (400,))
    with pytest.raises(RateLimitedError):
        judge(PROVIDER, 403, {}, {"error": {"errors": [{"reason": "userRateLimitExceeded"}]}}, (400, 403))


def test_pages_of_several_kinds_are_joined_and_what_is_neither_is_not_nothing() -> None:
    pages = [{"session": [{"id": "a"}]}, {"bucket": [1]}, {}, {"error": {}}, {"bucket": [2], "session": []}]
    assert mapping.together(pages) == {"session": [{"id": "a"}], "bucket": [1, 2]}
    for strange in ({"maintenance": True}, []):
        with pytest.raises(ProviderChangedError):
            mapping.together([strange])  # type: ignore[list-item]
        with pytest.raises(ProviderChangedError):
            list(mapping.measured(strange))  # type: ignore[arg-type]


def test_garbage_in_any_place_loses_nothing_but_itself() -> None:
    good = {"dataTypeName": "com.google.weight", "startTimeNanos": "1793440800000000000", "value": [{"fpVal": 70.5}]}
    odd = {"bucket": [7, {"dataset": 7}, {"dataset": [7, {"point": 7}, {"point": [7, None, {"value": 7}, good]}]}]}
    kept = [item for item in mapping.measured(odd) if not isinstance(item, Skipped)]
    assert kept == [Document(readings=(Reading("weight", 70.5, 1793440800000),))]


def test_every_metric_has_one_place_in_each_shape_of_a_type() -> None:
    for name, places in mapping.MEASURED.items():
        assert mapping.SUMMARIES[f"{name}.summary"].keys() == places.keys()
    ours = {metric for places in mapping.PLACES.values() for metric in places}
    declared = {m for r in PROVIDER.resources if r.records == "bucket" for m in r.series | r.spots}
    assert ours == declared


def test_stages_of_sleep_are_no_workouts_and_every_code_has_one_name() -> None:
    assert mapping.ACTIVITIES.keys().isdisjoint(mapping.NO_EXERCISE)
    names = sorted(mapping.ACTIVITIES.values())
    assert all(a != b for a, b in pairwise(names))


def test_signing_in_and_out_are_googles() -> None:
    assert isinstance(PROVIDER.auth, OAuth2)
    assert PROVIDER.auth.authorize_params == {"access_type": "offline", "prompt": "consent"}
    assert PROVIDER.auth.revoke
    [goodbye] = PROVIDER.auth.revoke(Holder("client", "secret", "token", "1", 0))
    assert (goodbye.url, goodbye.form, goodbye.bearer) == (
        "https://oauth2.googleapis.com/revoke", {"token": "token"}, False,
    )  # fmt: skip
