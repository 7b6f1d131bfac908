import json

import pytest

from sandbox.clouds.fitbit import signed

USER = "/1/user/-"
TODAY = "2026-11-21"


def test_the_signature_vector_of_the_fact_sheet():
    body = (
        b'[{"collectionType":"sleep","date":"2026-09-20","ownerId":"ABC123","ownerType":"user",'
        b'"subscriptionId":"sub-1"}]'
    )
    assert signed("test-client-secret", body)["x-fitbit-signature"] == "NHOKI6GXZwrdxCVV7c7jtvFln/I="


# --- OAuth


def test_the_same_refresh_says_the_same_until_its_token_is_used(connect, exchange):
    ada = connect("fitbit")
    form = {"grant_type": "refresh_token", "refresh_token": ada.tokens["refresh_token"]}
    first = exchange("fitbit", **form).json()
    assert exchange("fitbit", **form).json() == first
    ada.tokens = first
    assert ada.get(f"{USER}/profile.json").json()["user"]["timezone"] == "Europe/Berlin"
    refused = exchange("fitbit", **form)
    assert (refused.status_code, refused.json()["errors"][0]["errorType"]) == (400, "invalid_grant")


def test_the_secret_goes_in_the_header_and_a_scope_opens_its_own(connect, client, app):
    reply = client.post("/fitbit/oauth2/token", data={**app("fitbit"), "grant_type": "refresh_token"})
    assert (reply.status_code, reply.json()["success"]) == (401, False)
    ada = connect("fitbit", scope="sleep")
    refused = ada.get(f"{USER}/br/date/2026-11-20/2026-11-20.json")
    assert (refused.status_code, refused.json()["errors"][0]["errorType"]) == (403, "insufficient_scope")


def test_the_limit_is_each_persons_and_says_when_the_hour_ends(connect, client):
    ada, ben = connect("fitbit"), connect("fitbit", "ben")
    one = [{"calls": 1, "seconds": 3600, "whose": "user"}]
    client.post("/control/limits", json={"provider": "fitbit", "on": True, "limits": one})
    assert ada.get(f"{USER}/profile.json").status_code == 200
    refused = ada.get(f"{USER}/profile.json")
    assert (refused.status_code, refused.headers["fitbit-rate-limit-reset"]) == (429, "3600")
    assert ben.get(f"{USER}/profile.json").status_code == 200


# --- data


def test_steps_are_the_true_ones_in_strings(connect, client):
    query = {"person": "ada", "from": "2026-11-14", "to": "2026-11-20"}
    truth = [(day["day"], str(day["steps"])) for day in client.get("/control/truth", params=query).json()["days"]]
    reply = connect("fitbit").get(f"{USER}/activities/steps/date/2026-11-14/2026-11-20.json").json()
    assert [(row["dateTime"], row["value"]) for row in reply["activities-steps"]] == truth


def test_a_night_agrees_with_itself(connect):
    for night in connect("fitbit").get("/1.2/user/-/sleep/date/2026-11-10/2026-11-19.json").json()["sleep"]:
        seconds = {part["level"]: 0 for part in night["levels"]["data"]}
        for part in night["levels"]["data"]:
            seconds[part["level"]] += part["seconds"]
        assert sum(seconds.values()) * 1000 == night["duration"]
        assert night["endTime"][:10] == night["dateOfSleep"]
        assert night["minutesAsleep"] == round(sum(s for level, s in seconds.items() if level != "wake") / 60)


@pytest.mark.parametrize(
    "path", ["br/date/2026-10-01/2026-10-31", "hrv/date/2026-11-20/2026-11-19", "spo2/date/yesterday/today"]
)
def test_ranges_that_are_refused(connect, path):
    assert connect("fitbit").get(f"{USER}/{path}.json").status_code == 400


def test_workouts_follow_a_link(connect):
    ada = connect("fitbit")
    wish = {"afterDate": "2026-10-01", "sort": "asc", "limit": 5, "offset": 0}
    page = ada.get(f"{USER}/activities/list.json", **wish).json()
    assert len(page["activities"]) == 5
    assert page["pagination"]["next"].startswith("https://api.fitbit.com/1/user/-/activities/list.json?")
    assert ada.get(f"{USER}/activities/list.json", **{**wish, "limit": 101}).status_code == 400


# --- webhooks


def test_an_address_is_believed_that_knows_its_code_and_no_other(client, receiver):
    refused = client.post("/control/dashboard", json={"provider": "fitbit", "url": receiver.url})
    assert (refused.status_code, "wanted 204 and 404" in refused.text) == (400, True)


def test_one_subscription_for_each_collection_under_an_id_of_ours(connect, client):
    ada = connect("fitbit")

    def subscription(method: str, collection: str, id: str):
        url = f"/fitbit{USER}/{collection}/apiSubscriptions/{id}.json"
        return client.request(method, url, headers=ada.headers).status_code

    assert [subscription("POST", "sleep", "one"), subscription("POST", "sleep", "one")] == [201, 200]
    assert [subscription("POST", "sleep", "two"), subscription("POST", "body", "x" * 51)] == [409, 400]
    listed = ada.get(f"{USER}/apiSubscriptions.json").json()["apiSubscriptions"]
    assert [(item["collectionType"], item["subscriptionId"]) for item in listed] == [("sleep", "one")]
    assert [subscription("DELETE", "sleep", "two"), subscription("DELETE", "sleep", "one")] == [404, 204]
    assert client.post("/control/night", json={"person": "ada", "day": TODAY}).json()["webhooks"] == []
    assert json.loads(ada.get(f"{USER}/apiSubscriptions.json").text) == {"apiSubscriptions": []}
