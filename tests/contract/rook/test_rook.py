"""What the recorded replies cannot show: authorizing a source, questions, and whose a document is in which version."""

import hmac
import json
from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from shared.errors import BadRequestError, ForbiddenError, ProviderChangedError
from shared.filing import Answer, Filed, file
from shared.freshness import version
from shared.knowledge import Known, learn
from shared.local_time import Zones
from shared.model import Document
from shared.providers import Guest, Hosted, Json, Member, Request, Window
from shared.providers.registry import provider
from shared.providers.rook.spec import PROVIDER
from shared.vendor import converse
from shared.visits import Question

HOME = "https://app/cb?state=s"
GUEST = Guest("ref-1", HOME, f"{HOME}&error=access_denied", "garmin")
DAYS = Window(date(2026, 11, 2), date(2026, 11, 2))
AUTH = PROVIDER.auth
assert isinstance(AUTH, Hosted)
DAY = json.loads((Path(__file__).parent / "physical" / "a_day_in_its_third_version.json").read_text(encoding="utf-8"))


def test_the_hash_rook_publishes() -> None:
    made = hmac.digest(b"ROOK_Secret_Key", b"ROOK", "sha256").hex()
    assert made == "382da6381717a0fdfeba9ef922041df3ea8db97bbd2d20af21e216bdd1e6096b"


# ---------------------------------------------------------------- connecting


def led_to(reply: Json) -> str:
    return converse(AUTH.page(GUEST), lambda request: reply)


def test_a_source_is_authorized_at_its_own_address_under_our_name_for_the_person() -> None:
    request = next(AUTH.page(GUEST))
    assert (request.method, request.url) == ("GET", "/api/v1/user_id/ref-1/data_source/Garmin/authorizer")
    assert dict(request.params) == {"redirect_url": HOME}
    assert led_to({"authorized": False, "authorization_url": "https://garmin/a"}) == "https://garmin/a"
    assert led_to({"authorized": True, "authorization_url": None}) == HOME
    with pytest.raises(ProviderChangedError):
        led_to({"authorized": False, "authorization_url": None})
    with pytest.raises(BadRequestError):
        next(AUTH.page(Guest("ref-1", HOME, HOME)))


def test_who_comes_back_is_believed_where_rook_says_so() -> None:
    def arrived(reply: Json) -> Member:
        return converse(AUTH.arrived(GUEST, {"user_id": "ref-2"}), lambda request: reply)

    assert arrived({"authorized": True}) == Member("ref-1/garmin", "garmin")
    for refused in ({"authorized": False}, {}, {"authorized": "no"}):
        with pytest.raises(ForbiddenError):
            arrived(refused)


def test_a_call_has_the_apps_key_and_names_the_person() -> None:
    assert AUTH.headers("demoClientUUID", "demoClientSecret") == {
        "authorization": "Basic ZGVtb0NsaWVudFVVSUQ6ZGVtb0NsaWVudFNlY3JldA=="
    }
    [goodbye] = AUTH.leave("ref-1/whoop")
    assert (goodbye.method, goodbye.url) == ("POST", "/api/v1/user_id/ref-1/data_sources/revoke_auth")
    assert goodbye.json == {"data_source": "Whoop"}


# ---------------------------------------------------------------- questions


def asked(request: Request | None) -> list[tuple[str, dict[str, str]]]:
    found = []
    while request:
        request = AUTH.about(request, "ref-1/garmin")
        found.append((request.url, dict(request.params)))
        request = request.then
    return found


def test_each_address_is_asked_for_one_date() -> None:
    for resource in PROVIDER.resources:
        assert resource.fetch
        assert resource.fetch_one
        each = [f"/v2/processed_data/{topic}" for topic in resource.topics]
        assert [url for url, _ in asked(resource.fetch(DAYS))] == each
        [one] = asked(resource.fetch_one(f"{resource.topics[-1]}/2026-11-02"))
        assert one == (each[-1], {"user_id": "ref-1", "date": "2026-11-02"})
        assert resource.max_days == 1


@pytest.mark.parametrize(
    "wrong", [{"data_structure": "horoscope"}, {**DAY, "document_version": "last"}, {"error": "x"}]
)
def test_an_answer_that_is_no_document_is_not_understood(wrong: Json) -> None:
    with pytest.raises(ProviderChangedError):
        filed("rook.garmin", wrong)


# ---------------------------------------------------------------- documents


def filed(source: str, reply: Json, as_of: int = 1) -> list[Document]:
    asked = provider(source)
    answer = Answer("ada", asked, asked.resource("physical"), [reply], as_of, Zones(((0, "Europe/Berlin"),)))
    return [document for change in file(answer).changes for document in change.news.documents]


def test_a_document_is_its_sources_own() -> None:
    assert filed("rook.garmin", DAY) == filed("rook", DAY) != []
    assert filed("rook.oura", DAY) == []
    both = told_by("Oura", "Garmin")
    assert filed("rook.oura", both) == filed("rook.garmin", both) != []
    assert filed("rook.oura", told_by()) == filed("rook.garmin", told_by()) != []


def told_by(*names: str) -> Json:
    told: Any = json.loads(json.dumps(DAY))
    told["physical_health"]["summary"]["physical_summary"]["metadata"]["sources_of_data_array"] = list(names)
    return dict(told)


def test_a_version_is_no_time_of_telling() -> None:
    question = Question(PROVIDER.resource("physical"), filed=Filed(changes(2, 1), [], []))
    assert version(question, 1_800_000_000_000) is None


def test_the_latest_version_stands_whenever_it_comes() -> None:
    """Figures and samples alike; and the fetch that began last may be answered with the oldest."""
    for order in permutations((1, 2, 3)):
        known = Known()
        for as_of, number in enumerate(order, 1_800_000_000_000):
            for change in changes(number, as_of):
                known = learn(known, change.news)
        [day] = [d for d in known.documents.values() if d.id]
        [samples] = [d for d in known.documents.values() if not d.id]
        assert {r.metric: r.value for r in day.readings}["steps"] == 3_000, order
        assert samples.series[0].values[0] == 53, order


def changes(number: int, as_of: int) -> list[Any]:
    told: Any = json.loads(json.dumps(DAY))
    told["document_version"] = number
    summary = told["physical_health"]["summary"]["physical_summary"]
    summary["distance"]["steps_int"] = 1_000 * number
    summary["heart_rate"]["hr_granular_data_array"] = [
        {"datetime_string": "2026-11-02T08:00:00.000000Z", "hr_bpm_int": 50 + number}
    ]
    asked = provider("rook.garmin")
    answer = Answer("ada", asked, asked.resource("physical"), [told], as_of, Zones(((0, "Europe/Berlin"),)))
    return [change for change in file(answer).changes if change.key.day == "2026-11-02"]
