"""What the recorded replies cannot show: pages, refused tokens, versions and the calls that subscribe."""

from datetime import date

import pytest

from shared.errors import RateLimitedError, ReconnectError
from shared.model import Document
from shared.providers import Hook, Json, Request, Subscription, Window
from shared.providers.withings import mapping, protocol
from shared.providers.withings.spec import PROVIDER

HOOK = Hook("https://hooks.example.org/w/c0ffee.mac", "token", "client", "secret")


def asked(resource: str, first: str, last: str) -> Request:
    fetch = PROVIDER.resource(resource).fetch
    assert fetch
    return fetch(Window(date.fromisoformat(first), date.fromisoformat(last)))


def test_measures_are_asked_by_instant_in_a_form() -> None:
    request = asked("measures", "2026-11-02", "2026-11-02")
    assert (request.method, request.url, dict(request.params)) == ("POST", "/measure", {})
    assert request.form == {
        "action": "getmeas",
        "category": "1",
        "meastypes": "1,5,6,9,10,11,54,71,123,4",
        "startdate": "1793527200",  # 2026-11-01 10:00 UTC, midnight at UTC+14
        "enddate": "1793707200",  # 2026-11-03 12:00 UTC, midnight at UTC-12
    }


def test_nights_are_asked_by_date_with_their_fields() -> None:
    form = asked("sleep", "2026-11-01", "2026-11-02").form
    assert form
    assert (form["startdateymd"], form["enddateymd"]) == ("2026-11-01", "2026-11-02")
    assert {"total_sleep_time", "asleepduration", "sleep_score"} <= set(form["data_fields"].split(","))


@pytest.mark.parametrize("more", [1, True])
def test_pages_follow_while_there_is_more(more: object) -> None:
    first = asked("measures", "2026-11-02", "2026-11-02")
    following = protocol.next_offset(first, {"status": 0, "body": {"more": more, "offset": 200}})
    assert following
    assert following.form == {**(first.form or {}), "offset": "200"}


@pytest.mark.parametrize("body", [{"more": 0, "offset": 200}, {"more": False, "offset": 0}, {}])
def test_the_last_page_is_the_last(body: Json) -> None:
    assert protocol.next_offset(asked("activity", "2026-11-02", "2026-11-02"), {"status": 0, "body": body}) is None


def test_a_day_anywhere_on_earth_takes_three_questions_of_24_hours() -> None:
    request: Request | None = asked("intraday", "2026-11-02", "2026-11-02")
    starts = []
    while request is not None:
        assert request.form
        assert request.form["enddate"] == "1793707200"
        starts.append(int(request.form["startdate"]))
        request = protocol.next_24_hours(request, {"status": 0, "body": {"series": []}})
    assert starts == [1793527200, 1793613600, 1793700000]


def test_exactly_24_hours_take_one_question() -> None:
    request = Request(url="/v2/measure", method="POST", form={"startdate": "1793527200", "enddate": "1793613600"})
    assert protocol.next_24_hours(request, {"status": 0, "body": {"series": []}}) is None


def test_a_dead_refresh_token_asks_the_person_again() -> None:
    with pytest.raises(ReconnectError) as caught:
        protocol.read_token({"status": 503, "body": {}, "error": "Invalid Params: invalid refresh_token"})
    assert caught.value.cause == "invalid_grant"


def test_a_busy_token_endpoint_condemns_nobody() -> None:
    with pytest.raises(RateLimitedError) as caught:
        protocol.read_token({"status": 601, "body": {}})
    assert caught.value.after == 60


def test_the_vendors_words_are_not_repeated() -> None:
    with pytest.raises(ReconnectError) as caught:
        protocol.check({"status": 503, "error": "invalid refresh_token s3cr3t"})
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "unit", "value"), [(74250, -3, 74.25), (1842, -2, 18.42), (12, 1, 120.0), (3, 0, 3.0), (1, -1, 0.1)]
)
def test_values_are_the_nearest_float_there_is(number: int, unit: int, value: float) -> None:
    assert mapping.exact(number, unit) == value


def test_a_correction_is_newer_than_what_it_corrects() -> None:
    group = {
        "grpid": 1,
        "attrib": 0,
        "date": 1793600400,
        "category": 1,
        "measures": [{"value": 74, "type": 1, "unit": 0}],
    }
    versions = []
    for modified in (1793600430, 1793696400):
        (document,) = mapping.measures({"body": {"measuregrps": [{**group, "modified": modified}]}})
        assert isinstance(document, Document)
        assert document.id == "1"
        versions.append(document.as_of)
    assert versions == [1793600430000, 1793696400000]


def test_subscribing_and_leaving_name_the_address_and_the_topic() -> None:
    subscriptions = PROVIDER.subscriptions
    assert subscriptions
    assert subscriptions.delete
    create = subscriptions.create(HOOK, "44")
    assert (create.url, create.method, create.bearer) == ("/notify", "POST", True)
    assert create.form == {"action": "subscribe", "callbackurl": HOOK.url, "appli": "44"}
    listed = list(
        subscriptions.read({"status": 0, "body": {"profiles": [{"appli": 44, "callbackurl": HOOK.url, "comment": ""}]}})
    )
    assert listed == [Subscription("44", "44", HOOK.url)]
    assert subscriptions.delete(HOOK, listed[0]).form == {"action": "revoke", "callbackurl": HOOK.url, "appli": "44"}
    assert subscriptions.listing(HOOK).form == {"action": "list"}


def test_every_topic_but_the_profile_leads_to_a_resource() -> None:
    assert PROVIDER.subscriptions
    assert [t for t in PROVIDER.subscriptions.topics if not PROVIDER.for_topic(t)] == [protocol.PROFILE_CHANGED]
