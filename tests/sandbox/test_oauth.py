import pytest

CALLBACK = "http://127.0.0.1:9/callback"
PROVIDERS = ("oura", "withings", "dexcom", "whoop", "polar", "google_health", "google_fit", "fitbit", "garmin")


def refused(reply) -> bool:
    """A dead grant in the provider's own words."""
    body = reply.json()
    if "status" in body:
        return body["status"] == 503 and "access_token" not in body["body"]
    if "errors" in body:
        return reply.status_code == 400 and [error["errorType"] for error in body["errors"]] == ["invalid_grant"]
    return reply.status_code == 400 and body.get("error") == "invalid_grant"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_code_works_once_and_only_for_its_redirect_uri(provider, authorize, exchange):
    query = authorize(provider)
    assert query["state"] == "st4te-of-ada"
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    assert refused(exchange(provider, **form, code=authorize(provider)["code"] + "x"))
    assert refused(exchange(provider, **(form | {"redirect_uri": "http://x"}), code=authorize(provider)["code"]))
    assert not refused(exchange(provider, **form, code=query["code"]))
    assert refused(exchange(provider, **form, code=query["code"]))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_denial_comes_back_as_an_error(provider, authorize):
    assert authorize(provider, decision="deny") == {"error": "access_denied", "state": "st4te-of-ada"}


@pytest.mark.parametrize("provider", ["oura", "dexcom", "whoop", "garmin"])
def test_a_used_refresh_token_is_dead(provider, connect, exchange, client):
    first = connect(provider).tokens
    form = {"grant_type": "refresh_token"}
    second = exchange(provider, **form, refresh_token=first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert refused(exchange(provider, **form, refresh_token=first["refresh_token"]))
    assert exchange(provider, **form, refresh_token=second["refresh_token"]).status_code == 200
    assert client.get("/control/log").json()["refreshes"][provider] == {"ok": 2, "reused": 1}


def test_withings_kills_the_old_refresh_token_when_the_new_access_token_is_used(connect, exchange, client):
    ada = connect("withings")
    old = {"grant_type": "refresh_token", "refresh_token": ada.tokens["refresh_token"]}
    exchange("withings", **old)
    ada.tokens = exchange("withings", **old).json()["body"]  # nobody has used the new access token: again is fine
    assert ada.post("/v2/user", action="getdevice").json()["status"] == 0
    assert refused(exchange("withings", **old))
    assert client.get("/control/log").json()["refreshes"]["withings"] == {"ok": 2, "reused": 1}


def test_oura_takes_basic_and_refuses_a_wrong_secret(connect, client, app):
    refresh = {"grant_type": "refresh_token", "refresh_token": connect("oura").tokens["refresh_token"]}
    pair = app("oura")
    wrong = client.post("/oura/oauth/token", data={**pair, "client_secret": "no", **refresh})
    assert (wrong.status_code, wrong.json()) == (400, {"error": "invalid_client"})
    right = client.post("/oura/oauth/token", data=refresh, auth=(pair["client_id"], pair["client_secret"]))
    assert right.status_code == 200


def test_unticked_scopes_are_not_granted(connect, authorize, exchange):
    code = authorize("oura", scope="daily heartrate", ticked="1", **{})["code"]
    reply = exchange("oura", grant_type="authorization_code", code=code, redirect_uri=CALLBACK).json()
    assert reply["scope"] == ""
    assert connect("oura", scope="daily heartrate").tokens["scope"] == "extapi:daily extapi:heartrate"


def test_oura_answers_401_to_a_dead_token_and_403_without_the_scope(connect, client):
    ada = connect("oura", scope="daily")
    assert ada.get("/v2/usercollection/sleep").status_code == 200
    assert ada.get("/v2/usercollection/heartrate").status_code == 403
    assert ada.get("/v2/usercollection/personal_info").json().keys() == {"id"}
    client.post("/oura/oauth/revoke", params={"access_token": ada.tokens["access_token"]})
    assert ada.get("/v2/usercollection/sleep").status_code == 401


def test_withings_needs_state(client, app):
    query = {"response_type": "code", "client_id": app("withings")["client_id"], "redirect_uri": CALLBACK}
    assert client.get("/withings/oauth2_user/authorize2", params=query).status_code == 400
    page = client.get("/withings/oauth2_user/authorize2", params={**query, "state": "s", "scope": "user.info,<b>"})
    assert page.status_code == 200
    assert "user.info" in page.text
    assert "<b>" not in page.text
