"""What the recorded replies cannot show: what a server may say of itself, and where that leads."""

from datetime import date
from typing import Any

import pytest

from shared.apps import App, Apps, Hooks
from shared.errors import BadRequestError, ProviderChangedError, ReconnectError, UnknownProviderError
from shared.providers import Holder, Json, OAuth2, Provider, Request, Window
from shared.providers.registry import provider
from shared.providers.smart_fhir import server
from shared.providers.smart_fhir.spec import PROVIDER
from shared.values import replace
from shared.vendor import address

HOME = "https://ehr.example.org/r4"
TOLD: dict[str, Any] = {
    "authorization_endpoint": "https://auth.example.org/authorize",
    "token_endpoint": "https://auth.example.org/token",
    "revocation_endpoint": "https://auth.example.org/revoke",
    "code_challenge_methods_supported": ["S256"],
    "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
    "capabilities": ["launch-standalone", "permission-offline", "permission-v1", "permission-v2"],
}
APP = App("ours", "secret", server=HOME, hosts=("auth.example.org",))
DAYS = Window(date(2026, 10, 1), date(2026, 10, 2))


def described(**told: Any) -> tuple[Provider, OAuth2]:
    asking = server.discover(replace(PROVIDER, base_url=HOME))
    assert next(asking) == Request(url="/.well-known/smart-configuration", bearer=False)
    with pytest.raises(StopIteration) as done:
        asking.send({**TOLD, **told})
    found = done.value.value
    assert isinstance(found.auth, OAuth2)
    return found, found.auth


def test_a_server_says_where_its_doors_are_and_what_may_be_asked() -> None:
    found, auth = described()
    assert (auth.authorize_url, auth.token_url) == (TOLD["authorization_endpoint"], TOLD["token_endpoint"])
    assert auth.authorize_params == {"aud": HOME}
    assert (auth.pkce, auth.client_auth, found.house) == (True, "basic", "smart_fhir")
    reads = ("patient/Observation.rs", "patient/MedicationRequest.rs")
    assert auth.scopes == ("launch/patient", "offline_access", *reads)


@pytest.mark.parametrize(
    ("told", "scopes"),
    [
        ({"capabilities": ["permission-v1"]}, ("offline_access", "patient/Observation.read")),
        ({"capabilities": None}, ("offline_access", "patient/Observation.read")),
        ({"capabilities": ["permission-online", "permission-v2"]}, ("online_access", "patient/Observation.rs")),
    ],
)
def test_older_servers_and_those_that_renew_only_while_somebody_is_there(told: Json, scopes: tuple[str, str]) -> None:
    assert described(**told)[1].scopes[1:3] == scopes


def test_what_a_server_leaves_out() -> None:
    _, auth = described(
        token_endpoint="token", token_endpoint_auth_methods_supported=["client_secret_post"], revocation_endpoint=None
    )
    assert (auth.token_url, auth.client_auth, auth.revoke) == (f"{HOME}/token", "body", None)


@pytest.mark.parametrize(
    "told",
    [
        {"code_challenge_methods_supported": ["plain"]},
        {"token_endpoint": None},
        {"token_endpoint": "http://auth.example.org/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_server_without_pkce_or_without_a_door_is_refused(told: Json) -> None:
    asking = server.discover(replace(PROVIDER, base_url=HOME))
    next(asking)
    with pytest.raises(ProviderChangedError):
        asking.send({**TOLD, **told})


CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


@pytest.mark.parametrize(
    ("scope", "opened"),
    [
        ("patient/Observation.read launch/patient", {"patient/Observation.rs", "launch/patient"}),
        ("patient/Observation.cruds", {"patient/Observation.rs"}),
        ("patient/*.*", {"patient/Observation.rs", "patient/MedicationRequest.rs"}),
        ("patient/Observation.r patient/Observation.s", {"patient/Observation.rs"}),
        ("patient/Observation.s", set()),
        (f"patient/Observation.rs?category={CATEGORY}|laboratory", {"patient/Observation.rs?category=laboratory"}),
    ],
)
def test_scopes_of_either_version_are_read(scope: str, opened: set[str]) -> None:
    assert server.granted(scope) == opened


def test_a_patient_is_one_of_this_server_and_of_no_other() -> None:
    _, auth = described()
    token = auth.read_token({"access_token": "t", "patient": "pt/7 f"})
    assert (token["patient"], token["expires_in"]) == (f"{HOME}/Patient/pt/7 f", 300)
    question = server.observations("laboratory", DAYS)
    asked = auth.about(question, token["patient"])
    assert asked.url == (
        "/Observation?category=laboratory&date=ge2026-09-30T10:00:00Z&date=le2026-10-03T12:00:00Z&_count=100"
        "&patient=pt%2F7%20f"
    )
    with pytest.raises(ReconnectError):
        auth.about(question, "https://other.example.org/r4/Patient/pt-7f31")


def test_a_goodbye_takes_the_refresh_token_where_there_is_one() -> None:
    _, auth = described()
    assert auth.revoke
    [said] = auth.revoke(Holder("ours", "secret", "at", f"{HOME}/Patient/1", 0, "rt"))
    assert (said.url, said.form) == (TOLD["revocation_endpoint"], {"token": "rt", "token_type_hint": "refresh_token"})
    assert said.headers["authorization"].startswith("Basic ")
    assert not said.bearer
    [said] = auth.revoke(Holder("ours", "", "at", f"{HOME}/Patient/1", 0))
    assert said.form == {"token": "at", "token_type_hint": "access_token", "client_id": "ours"}


# ---------------------------------------------------------------- where a server may lead


@pytest.mark.parametrize(
    "link", [f"{HOME}/Observation?page=2", "https://ehr.example.org:443/other", "Observation?page=2"]
)
def test_a_next_page_is_on_the_same_server(link: str) -> None:
    following = server.next_link(Request(url="/Observation"), {"link": [{"relation": "next", "url": link}]})
    assert following
    assert address(described()[0], APP, following).startswith("https://ehr.example.org")


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/r4/Observation?page=2", "http://ehr.example.org/r4/Observation", "https://ehr.example.org:8443/",
        "https://ehr.example.org@evil.example/", "https://ehr.example.org.evil.example/", "https://auth.example.org/page",
        "http://169.254.169.254/latest/meta-data", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_a_next_page_anywhere_else_is_never_asked(link: str) -> None:
    following = server.next_link(Request(url="/Observation"), {"link": [{"relation": "next", "url": link}]})
    assert following
    with pytest.raises(ProviderChangedError):
        address(described()[0], APP, following)


@pytest.mark.parametrize("link", ["//evil.example/r4", "/Observation?page=2", "evil.example"])
def test_a_link_without_a_scheme_is_below_the_server(link: str) -> None:
    following = server.next_link(Request(url="/Observation"), {"link": [{"relation": "next", "url": link}]})
    assert following
    assert address(described()[0], APP, following).startswith(f"{HOME}/")


def test_tokens_are_asked_for_at_the_hosts_listed_and_nowhere_else() -> None:
    found, auth = described()
    ask = Request(url=auth.token_url, method="POST", bearer=False)
    assert address(found, APP, ask) == auth.token_url
    for app, there in ((replace(APP, hosts=()), ask), (APP, replace(ask, url="http://auth.example.org/token"))):
        with pytest.raises(ProviderChangedError):
            address(found, app, there)


# ---------------------------------------------------------------- servers by name


def test_each_server_is_a_provider_with_credentials_of_its_own() -> None:
    named = provider("smart_fhir.epic-sandbox")
    assert (named.name, named.house) == ("SMART on FHIR (epic-sandbox)", "smart_fhir.epic-sandbox")
    apps = Apps(Hooks(b"key"), {"smart_fhir": APP, "smart_fhir.epic-sandbox": replace(APP, client_id="there")})
    assert apps.app("smart_fhir").client_id == "ours"
    assert apps.app("smart_fhir.epic-sandbox").client_id == "there"
    with pytest.raises(BadRequestError, match="no application is configured"):
        apps.app("smart_fhir.another")


@pytest.mark.parametrize("name", ["Epic", "a.b", "a/b", "a#b", "-a", "a" * 41])
def test_a_server_has_a_short_plain_name(name: str) -> None:
    with pytest.raises(UnknownProviderError):
        provider(f"smart_fhir.{name}")
