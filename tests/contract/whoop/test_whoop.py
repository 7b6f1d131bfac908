"""What the recorded replies cannot show: which questions follow which, and who may be asked what."""

from datetime import date

from shared.connections import granted
from shared.providers import Holder, Json, OAuth2, Request, Window
from shared.providers.whoop import hooks
from shared.providers.whoop.spec import PROVIDER

DAY = Window(date(2026, 11, 20), date(2026, 11, 20))
SPAN = {"limit": "25", "start": "2026-11-19T10:00:00Z", "end": "2026-11-21T12:00:00Z"}


def asked(name: str, *replies: Json) -> list[tuple[str, Json]]:
    """The questions of one answer, given what comes back."""
    resource = PROVIDER.resource(name)
    assert resource.fetch
    return chain(resource.fetch(DAY), name, *replies)


def chain(request: Request | None, name: str, *replies: Json) -> list[tuple[str, Json]]:
    found = []
    for reply in replies:
        assert request
        found.append((request.url, dict(request.params)))
        request = PROVIDER.resource(name).next_page(request, reply)
    assert request is None
    return found


def test_pages_follow_their_token_until_there_is_none() -> None:
    more = {"records": [], "next_token": "t2"}
    first, second = asked("sleep", more, {"records": []})
    assert first == ("/v2/activity/sleep", SPAN)
    assert second == ("/v2/activity/sleep", {**SPAN, "nextToken": "t2"})


def test_after_the_last_cycle_come_the_sleeps_of_the_same_span() -> None:
    more, last = {"records": [], "next_token": "t2"}, {"records": [], "next_token": None}
    for name, path in (("cycle", "/v2/cycle"), ("recovery", "/v2/recovery")):
        assert asked(name, more, last, more, last) == [
            (path, SPAN),
            (path, {**SPAN, "nextToken": "t2"}),
            ("/v2/activity/sleep", SPAN),
            ("/v2/activity/sleep", {**SPAN, "nextToken": "t2"}),
        ]


def test_one_recovery_is_found_by_way_of_its_sleep() -> None:
    fetch_one = PROVIDER.resource("recovery").fetch_one
    assert fetch_one
    sleep, recovery = {"id": "s1", "cycle_id": 7, "nap": False}, {"cycle_id": 7, "sleep_id": "s1"}
    assert chain(fetch_one("s1"), "recovery", sleep, recovery) == [
        ("/v2/activity/sleep/s1", {}),
        ("/v2/cycle/7/recovery", {}),
    ]


def test_what_is_dated_by_sleeps_needs_both_scopes() -> None:
    assert granted(PROVIDER, ["offline", "read:recovery", "read:cycles"]) == ()
    assert granted(PROVIDER, ["read:recovery", "read:sleep"]) == ("sleep", "recovery")
    assert granted(PROVIDER, []) == ("sleep", "recovery", "cycle", "workout", "body")


def test_a_refresh_asks_for_offline_and_a_goodbye_is_the_members_own() -> None:
    assert isinstance(PROVIDER.auth, OAuth2)
    assert PROVIDER.auth.refresh_params == {"scope": "offline"}
    [goodbye] = hooks.revoke(Holder("client", "secret", "token", "4410072", 0))
    assert (goodbye.method, PROVIDER.base_url + goodbye.url) == (
        "DELETE",
        "https://api.prod.whoop.com/developer/v2/user/access",
    )
    assert goodbye.bearer
