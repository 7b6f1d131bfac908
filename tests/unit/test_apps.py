"""The operator's credentials and the secrets derived for webhooks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apps import App, Apps, Hooks
from shared.errors import BadRequestError, InvalidSignatureError
from shared.model import DAY
from shared.values import replace

NOW = 1_795_000_000_000
OLD = Hooks(b"key", 4, NOW - 90 * DAY)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=12)


@given(names, names)
def test_a_path_is_read_back_and_leads_to_one_place(provider: str, connection: str) -> None:
    path = OLD.path(provider, connection)
    assert OLD.connection(provider, path, NOW) == connection
    for other in (replace(OLD, key=b"other"), replace(OLD, generation=6)):
        with pytest.raises(InvalidSignatureError):
            other.connection(provider, path, NOW)
    with pytest.raises(InvalidSignatureError):
        OLD.connection(f"{provider}x", path, NOW)


@pytest.mark.parametrize(("days", "alive"), [(0, True), (6.99, True), (7, False), (400, False)])
def test_the_last_generation_lives_for_a_week_after_a_rotation(days: float, alive: bool) -> None:
    rotated = replace(OLD, generation=5, rotated_at=NOW)
    now = NOW + round(days * DAY)
    old, older = OLD.path("ring", "c1"), replace(OLD, generation=3).path("ring", "c1")
    assert rotated.connection("ring", rotated.path("ring", "c1"), now) == "c1"
    assert OLD.secrets("ring", "c1", NOW)[0] in rotated.secrets("ring", "c1", now) or not alive
    assert len(rotated.secrets("ring", "c1", now)) == 1 + alive
    for path, good in ((old, alive), (older, False)):
        if good:
            assert rotated.connection("ring", path, now) == "c1"
        else:
            with pytest.raises(InvalidSignatureError):
                rotated.connection("ring", path, now)


def test_no_two_purposes_share_a_secret() -> None:
    found = [OLD.path("ring", "c1").split(".")[1], OLD.secrets("ring", "c1", NOW)[0], OLD.token("ring")]
    assert len({secret[:22] for secret in [*found, OLD.reference("ring", "c1")]}) == 4


def test_a_person_is_called_the_same_for_ever_and_no_two_alike() -> None:
    """By any of an aggregator's sources, after a rotation, and within what the strictest vendor allows in a name."""
    named = OLD.reference("ring", "ada@example.org")
    assert named == Hooks(OLD.key, 9).reference("ring.band", "ada@example.org")
    assert len({named, OLD.reference("ring", "ben"), OLD.reference("band", "ada@example.org")}) == 3
    assert named.isalnum()
    assert len(named) <= 50


def test_the_longest_prefix_sends_an_url_elsewhere() -> None:
    app = App("id", "s", {"https://a.example": "http://x", "https://a.example/v2": "http://y/two"})
    assert app.url("https://a.example/v1/me") == "http://x/v1/me"
    assert app.url("https://a.example/v2/me") == "http://y/two/me"
    assert app.url("https://b.example/v1") == "https://b.example/v1"


def test_an_aggregators_sources_share_its_app() -> None:
    app = App("id", "s")
    assert Apps(OLD, {"ring": app}).app("ring.band") is app


def test_the_secret_is_read_and_a_provider_without_an_app_is_told() -> None:
    apps = Apps.read({"hook_key": "k", "providers": {"ring": {"client_id": "i", "client_secret": "s"}}})
    assert (apps.hooks, apps.app("ring")) == (Hooks(b"k", 1, 0), App("i", "s"))
    with pytest.raises(BadRequestError) as refused:
        apps.app("scale")
    assert refused.value.param == "provider"
