"""What the recorded replies cannot show: the page, who comes back from it, questions, and an answer that is none."""

from datetime import date

import pytest

from shared.errors import ForbiddenError, ProviderChangedError, UnknownProviderError
from shared.model import Document, Episode
from shared.providers import Guest, Hosted, Json, Member, Window
from shared.providers.registry import provider
from shared.providers.terra.spec import PROVIDER
from shared.vendor import converse

GUEST = Guest("ref-1", "https://app/cb?state=s", "https://app/cb?state=s&error=access_denied")
DAYS = Window(date(2026, 11, 1), date(2026, 11, 2))
AUTH = PROVIDER.auth
assert isinstance(AUTH, Hosted)


def came_back(user: Json, guest: Guest = GUEST, **query: str) -> Member:
    return converse(AUTH.arrived(guest, query), lambda request: {"status": "success", "user": user})


def test_the_page_is_asked_for_with_our_name_for_the_person() -> None:
    for upstream, offered in (("", 14), ("garmin", 1)):
        asking = AUTH.page(Guest("ref-1", GUEST.home, GUEST.refused, upstream))
        request = next(asking)
        assert (request.method, request.url) == ("POST", "https://access.tryterra.co/api/widget/session")
        assert request.json["reference_id"] == "ref-1"
        assert request.json["auth_success_redirect_url"] == GUEST.home
        assert request.json["auth_failure_redirect_url"] == GUEST.refused
        assert len(request.json["providers"].split(",")) == offered
    assert converse(AUTH.page(GUEST), lambda request: {"url": "https://widget.tryterra.co/session/1"}).endswith("/1")
    with pytest.raises(ProviderChangedError):
        converse(AUTH.page(GUEST), lambda request: {"status": "error"})


def test_who_came_back_is_whom_terra_names() -> None:
    user = {"user_id": "u1", "provider": "FREESTYLELIBRE", "reference_id": "ref-1", "active": True, "scopes": None}
    assert came_back(user, user_id="u1", reference_id="ref-1") == Member("u1", "freestylelibre", frozenset())
    assert came_back({**user, "scopes": "A,B"}, user_id="u1").scopes == {"A", "B"}
    asked = next(AUTH.arrived(GUEST, {"user_id": "u1"}))
    assert (asked.url, dict(asked.params), asked.bearer) == ("/userInfo", {"user_id": "u1"}, True)


@pytest.mark.parametrize(
    "user",
    [
        {"user_id": "u1", "provider": "GARMIN", "reference_id": "ref-2", "active": True},
        {"user_id": "u1", "provider": "GARMIN", "reference_id": None, "active": True},
        {"user_id": "u1", "provider": "GARMIN", "reference_id": "ref-1", "active": False},
        {},
    ],
)
def test_nobody_else_comes_back(user: Json) -> None:
    with pytest.raises(ForbiddenError):
        came_back(user, user_id="u1", reference_id="ref-1")


def test_a_call_has_the_apps_key_and_names_the_person() -> None:
    assert AUTH.headers("dev", "key") == {"dev-id": "dev", "x-api-key": "key"}
    fetch = PROVIDER.resource("body").fetch
    assert fetch
    request = AUTH.about(fetch(DAYS), "u1")
    assert request.url == "/body"
    assert dict(request.params) == {
        "user_id": "u1", "start_date": "2026-11-01", "end_date": "2026-11-03", "to_webhook": "false",
        "with_samples": "true",
    }  # fmt: skip
    [goodbye] = AUTH.leave("u1")
    assert (goodbye.method, goodbye.url, dict(goodbye.params)) == (
        "DELETE", "/auth/deauthenticateUser", {"user_id": "u1"},
    )  # fmt: skip


@pytest.mark.parametrize("resource", PROVIDER.resources, ids=lambda resource: resource.name)
def test_an_answer_that_will_come_in_chunks_is_no_answer_yet(resource: object) -> None:
    accepted = {"status": "processing", "type": "large_request_processing", "reference": "r", "message": "", "user": {}}
    assert list(resource.map(accepted)) == []  # type: ignore[attr-defined]
    assert resource.mode == "merge"  # type: ignore[attr-defined]


def test_heart_rate_zones_in_minutes() -> None:
    zones = [{"zone": 0, "name": None, "duration_seconds": 90}, {"zone": 5, "name": "Peak", "duration_seconds": 30}]
    metadata = {"summary_id": "1", "start_time": "2026-11-02T07:00:00+01:00", "end_time": "2026-11-02T08:00:00+01:00"}
    record = {"metadata": metadata, "heart_rate_data": {"summary": {"hr_zone_data": zones}}}
    [found] = PROVIDER.resource("activity").map({"data": [record]})
    assert isinstance(found, Document)
    assert isinstance(found.episode, Episode)
    assert found.episode.zones == (("zone 0", 1.5), ("Peak", 0.5))
    assert found.episode.label == ""


def test_each_source_is_a_provider_of_its_own() -> None:
    sensor = provider("terra.freestylelibre")
    assert (sensor.id, sensor.name, sensor.kind, sensor.house) == (
        "terra.freestylelibre", "FreeStyle Libre (Terra)", "cgm", "terra",
    )  # fmt: skip
    assert sensor.resources == PROVIDER.resources
    for unknown in ("terra.abacus", "terra.GARMIN", "terra.garmin.x", "oura.garmin", "nobody.garmin"):
        with pytest.raises(UnknownProviderError):
            provider(unknown)
