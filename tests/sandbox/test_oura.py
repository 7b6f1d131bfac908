from datetime import UTC, datetime, timedelta

import pytest

DATA = "/v2/usercollection"
DAILIES = ("daily_readiness", "daily_sleep", "daily_spo2", "daily_stress")


def days(pages) -> list[str]:
    return [document["day"] for page in pages for document in page]


def test_pages_are_complete_and_disjoint(connect):
    ada = connect("oura")
    pages = ada.everything(f"{DATA}/daily_readiness", start_date="2026-08-01", end_date="2026-11-21")
    ids = [document["id"] for page in pages for document in page]
    assert len(pages) > 3
    assert len(set(ids)) == len(ids) == 111  # 1 August … 19 November: the last two nights are held back
    assert days(pages) == sorted(days(pages))


def test_heart_rate_pages_are_complete_and_in_order(connect):
    ada = connect("oura")
    window = {"start_datetime": "2026-11-10T00:00:00Z", "end_datetime": "2026-11-13T00:00:00+00:00"}
    pages = ada.everything(f"{DATA}/heartrate", **window)
    times = [row["timestamp_unix"] for page in pages for row in page]
    assert len(pages) == 2
    assert len(times) >= 3 * 288
    assert times == sorted(set(times))
    assert {row["source"] for page in pages for row in page} <= {"awake", "sleep", "workout"}


def test_a_next_token_only_continues_its_own_query(connect):
    ada = connect("oura")
    window = {"start_date": "2026-08-01", "end_date": "2026-11-21"}
    token = ada.get(f"{DATA}/daily_sleep", **window).json()["next_token"]
    window["start_date"] = "2026-08-02"
    assert ada.get(f"{DATA}/daily_sleep", **window, next_token=token).status_code == 400


@pytest.mark.parametrize(("collection", "last"), [("daily_activity", "11"), ("sleep", "11")])
def test_two_collections_leave_the_end_date_out(connect, collection, last):
    ada = connect("oura")
    window = {"start_date": "2026-11-11", "end_date": "2026-11-12"}
    assert set(days(ada.everything(f"{DATA}/{collection}", **window))) == {f"2026-11-{last}"}
    window["end_date"] = "2026-11-12T23:59:59"
    assert set(days(ada.everything(f"{DATA}/{collection}", **window))) == {"2026-11-11", "2026-11-12"}
    assert days(ada.everything(f"{DATA}/{collection}", start_date="2026-11-11", end_date="2026-11-11")) == []


@pytest.mark.parametrize("collection", DAILIES)
def test_the_others_include_it(connect, collection):
    found = connect("oura").everything(f"{DATA}/{collection}", start_date="2026-11-11", end_date="2026-11-12")
    assert days(found) == ["2026-11-11", "2026-11-12"]


def test_a_document_has_its_own_address(connect):
    ada = connect("oura")
    listed = ada.get(f"{DATA}/vO2_max", start_date="2026-11-01", end_date="2026-11-21").json()["data"][-1]
    assert ada.get(f"{DATA}/vO2_max/{listed['id']}").json() == listed
    assert ada.get(f"{DATA}/sleep/{listed['id']}").json() == {"detail": "Document not found."}
    assert connect("oura", "ben").get(f"{DATA}/vO2_max/{listed['id']}").status_code == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [({"start_date": "soon"}, 422), ({"start_date": "2026-11-12", "end_date": "2026-11-01"}, 400)],
)
def test_bad_windows(connect, query, status):
    reply = connect("oura").get(f"{DATA}/sleep", **query)
    assert reply.status_code == status
    assert "detail" in reply.json()


def test_a_sleep_document_agrees_with_itself(connect):
    for document in connect("oura").everything(f"{DATA}/sleep", start_date="2026-10-20", end_date="2026-11-19")[0]:
        stages = document["sleep_phase_30_sec"]
        start, end = (datetime.fromisoformat(document[f"bedtime_{edge}"]) for edge in ("start", "end"))
        assert (end - start).total_seconds() == document["time_in_bed"] == 30 * len(stages)
        for stage, field in (("1", "deep"), ("2", "light"), ("3", "rem")):
            assert document[f"{field}_sleep_duration"] == 30 * stages.count(stage)
        assert len(document["sleep_phase_5_min"]) == len(document["hrv"]["items"]) == len(stages) // 10
        assert min(item for item in document["heart_rate"]["items"] if item) == document["lowest_heart_rate"]


def subscription(receiver, **changed):
    wanted = {"callback_url": receiver.url, "verification_token": "tok"}
    return wanted | {"event_type": "create", "data_type": "daily_sleep"} | changed


def keys(app) -> dict[str, str]:
    return {f"x-{name.replace('_', '-')}": value for name, value in app("oura").items()}


def test_a_subscription_lives_through_its_calls(client, app, receiver):
    url, headers = "/oura/v2/webhook/subscription", keys(app)
    assert client.post(url, json=subscription(receiver)).status_code == 401
    made = client.post(url, json=subscription(receiver), headers=headers)
    assert made.status_code == 201
    assert client.post(url, json=subscription(receiver), headers=headers).status_code == 409
    shown = made.json()
    expires = datetime.fromisoformat(shown["expiration_time"]).replace(tzinfo=UTC)
    assert timedelta(days=89) < expires - datetime.now(UTC) < timedelta(days=91)
    assert client.get(url, headers=headers).json() == [shown]
    assert client.put(f"{url}/renew/{shown['id']}", headers=headers).json()["id"] == shown["id"]
    changed = client.put(f"{url}/{shown['id']}", headers=headers, json=subscription(receiver, data_type="sleep"))
    assert changed.json()["data_type"] == "sleep"
    assert client.delete(f"{url}/{shown['id']}", headers=headers).status_code == 204
    assert client.delete(f"{url}/{shown['id']}", headers=headers).status_code == 403


@pytest.mark.parametrize("wrong", ["token", "challenge", "nobody"])
def test_no_subscription_without_the_handshake(client, app, receiver, wrong):
    wanted = subscription(receiver)
    receiver.echo = wrong != "challenge"
    wanted |= {"token": {"verification_token": "other"}, "nobody": {"callback_url": "http://127.0.0.1:9/"}}.get(
        wrong, {}
    )
    url = "/oura/v2/webhook/subscription"
    assert client.post(url, json=wanted, headers=keys(app)).status_code == 400
    assert client.get(url, headers=keys(app)).json() == []


@pytest.mark.parametrize("wrong", [{"data_type": "heartrate"}, {"event_type": "born"}, {"callback_url": ""}])
def test_a_malformed_subscription(client, app, receiver, wrong):
    url = "/oura/v2/webhook/subscription"
    assert client.post(url, json=subscription(receiver, **wrong), headers=keys(app)).status_code == 422
