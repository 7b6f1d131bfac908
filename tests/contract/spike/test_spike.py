"""What the recorded replies cannot show: a person's token, integrating a source, questions, and whose a record is."""

import hmac
import json
from datetime import date
from pathlib import Path

import pytest

from shared.errors import BadRequestError, ForbiddenError, ProviderChangedError
from shared.filing import Answer, file
from shared.local_time import Zones
from shared.model import Document
from shared.providers import Guest, Hosted, Json, Member, Window
from shared.providers.registry import provider
from shared.providers.spike.spec import PROVIDER
from shared.vendor import converse

HOME = "https://app/cb?state=s"
GUEST = Guest("ref-1", HOME, f"{HOME}&error=access_denied", "garmin")
DAYS = Window(date(2026, 11, 2), date(2026, 11, 2))
AUTH = PROVIDER.auth
assert isinstance(AUTH, Hosted)
TWO = json.loads(
    (Path(__file__).parent / "workouts" / "a_run_over_midnight_with_laps.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("whose", ["ref-1", "ref-1/garmin"])
def test_a_token_is_had_for_a_signature_over_the_user(whose: str) -> None:
    assert AUTH.token
    request = AUTH.token("1000", "hmac-key", whose)
    assert (request.method, request.url, request.bearer) == ("POST", "/auth/hmac", False)
    signature = hmac.digest(b"hmac-key", b"ref-1", "sha256").hex()
    assert request.json == {"application_id": 1000, "application_user_id": "ref-1", "signature": signature}
    assert AUTH.token("app-1", "hmac-key", whose).json["application_id"] == "app-1"
    assert AUTH.headers("1000", "jwt") == {"authorization": "Bearer jwt"}


def test_a_source_is_integrated_at_its_own_address() -> None:
    request = next(AUTH.page(GUEST))
    assert (request.url, dict(request.params)) == ("/providers/garmin/integration/init_url", {"redirect_uri": HOME})
    for reply in ({"path": "https://garmin/a"}, {"url": "https://garmin/a"}):
        assert led_to(reply) == "https://garmin/a"
    with pytest.raises(ProviderChangedError):
        led_to({})
    with pytest.raises(BadRequestError):
        next(AUTH.page(Guest("ref-1", HOME, HOME)))


def led_to(reply: Json) -> str:
    return converse(AUTH.page(GUEST), lambda request: reply)


@pytest.mark.parametrize(
    "told",
    [
        {"integrations": ["oura", "garmin"]},
        {"integrations": [{"provider_slug": "garmin"}]},
        {"integrations": [{"provider": "garmin"}]},
        {"application_user_id": "ref-1"},
    ],
)
def test_who_comes_back_is_believed_unless_spike_says_otherwise(told: Json) -> None:
    assert arrived(told) == Member("ref-1/garmin", "garmin")
    with pytest.raises(ForbiddenError):
        arrived(told, error="access_denied")


@pytest.mark.parametrize("told", [{"integrations": []}, {"integrations": [{"provider_slug": "oura"}]}])
def test_who_integrated_something_else_is_refused(told: Json) -> None:
    with pytest.raises(ForbiddenError):
        arrived(told)


def arrived(told: Json, **query: str) -> Member:
    return converse(AUTH.arrived(GUEST, {"user_id": "ref-2", "provider_slug": "oura", **query}), lambda request: told)


def test_questions_and_the_goodbye() -> None:
    asked = {}
    for resource in PROVIDER.resources:
        request = resource.fetch(DAYS) if resource.fetch else None
        while request:
            asked[request.params.get("metric", request.url)] = dict(request.params)
            request = request.then
    span = {"from_timestamp": "2026-11-01T10:00:00Z", "to_timestamp": "2026-11-03T12:00:00Z"}
    assert asked.pop("/queries/statistics/daily")["to_date"] == "2026-11-02"
    assert asked.keys() >= {"heartrate", "glucose", "/queries/sleeps", "/queries/workouts", "/queries/provider_records"}
    assert all(params.items() >= span.items() for params in asked.values())
    [goodbye] = AUTH.leave("ref-1/garmin")
    assert (goodbye.method, goodbye.url) == ("DELETE", "/providers/garmin/integration")


def test_a_record_is_its_sources_own() -> None:
    assert [len(filed(source)) for source in ("spike", "spike.garmin", "spike.whoop", "spike.oura")] == [2, 1, 1, 0]


def filed(source: str) -> list[Document]:
    asked = provider(source)
    answer = Answer("ada", asked, asked.resource("workouts"), [TWO], 1, Zones(((0, "Europe/Berlin"),)))
    return [document for change in file(answer).changes for document in change.news.documents]
