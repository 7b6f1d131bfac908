import itertools

import pytest

from sandbox.clouds.dexcom import trend

EGVS = "/v3/users/self/egvs"


def test_the_window_is_utc_half_open_and_at_most_thirty_days(connect):
    ada = connect("dexcom")
    records = ada.get(EGVS, startDate="2026-11-10T00:02:11", endDate="2026-11-10T00:12:11").json()["records"]
    assert [record["systemTime"] for record in records] == ["2026-11-10T00:02:11Z", "2026-11-10T00:07:11Z"]
    for start, end in (
        ("2026-11-10T00:00:00Z", "2026-11-11T00:00:00"),
        ("2026-10-01T00:00:00", "2026-11-01T00:00:00"),
        ("2026-11-11T00:00:00", "2026-11-10T00:00:00"),
        ("", ""),
    ):
        assert ada.get(EGVS, startDate=start, endDate=end).status_code == 400
    assert ada.get(EGVS, startDate="2020-01-01T00:00:00", endDate="2020-01-02T00:00:00").json()["records"] == []


def test_neighbouring_windows_neither_share_nor_lose_a_reading(connect):
    ada = connect("dexcom")
    edges = ["2026-10-24T00:00:00", "2026-10-25T01:00:00", "2026-10-25T13:37:11", "2026-10-27T00:00:00"]
    parts = [
        record["recordId"]
        for start, end in itertools.pairwise(edges)
        for record in ada.get(EGVS, startDate=start, endDate=end).json()["records"]
    ]
    whole = ada.get(EGVS, startDate=edges[0], endDate=edges[-1]).json()["records"]
    assert parts == [record["recordId"] for record in whole]
    assert len(set(parts)) == 3 * 288


def test_out_of_range_readings_are_sentinels_with_a_status(connect):
    ada = connect("dexcom")
    windows = [("2026-08-01", "2026-08-30"), ("2026-09-01", "2026-09-30"), ("2026-10-01", "2026-10-30")]
    found = [
        (record["value"], record["status"])
        for start, end in windows
        for record in ada.get(EGVS, startDate=f"{start}T00:00:00", endDate=f"{end}T00:00:00").json()["records"]
    ]
    statuses = {status for _, status in found}
    assert statuses == {"high", "low", None}
    assert all((value == 401) == (status == "high") and (value == 39) == (status == "low") for value, status in found)
    assert all(39 <= value <= 401 for value, _ in found)


@pytest.mark.parametrize(
    ("rate", "name"),
    [
        (-4, "doubleDown"),
        (-3, "doubleDown"),
        (-2, "singleDown"),
        (-1, "fortyFiveDown"),
        (-0.9, "flat"),
        (0, "flat"),
        (0.9, "flat"),
        (1, "fortyFiveUp"),
        (2, "singleUp"),
        (3, "doubleUp"),
        (9, "rateOutOfRange"),
        (None, None),
    ],
)
def test_trends_follow_the_table(rate, name):
    assert trend(rate) == name


def test_events_are_carbs_and_insulin_and_a_deletion_is_a_record(connect, client):
    ada = connect("dexcom")
    window = {"startDate": "2026-11-12T00:00:00", "endDate": "2026-11-12T23:00:00"}
    events = ada.get("/v3/users/self/events", **window).json()["records"]
    assert {event["eventType"] for event in events} == {"carbs", "insulin"}
    assert {event["eventStatus"] for event in events} == {"created"}
    assert all(isinstance(event["value"], str) for event in events)
    client.post("/control/delete", json={"provider": "dexcom", "person": "ada", "kind": "carbs", "day": "2026-11-12"})
    after = ada.get("/v3/users/self/events", **window).json()["records"]
    assert [event["recordId"] for event in after] == [event["recordId"] for event in events]
    assert {e["eventType"] for e in after if e["eventStatus"] == "deleted"} == {"carbs"}


def test_the_data_range_spans_what_egvs_give(connect):
    ada = connect("dexcom")
    ranges = ada.get("/v3/users/self/dataRange").json()
    assert ranges["calibrations"] is None
    assert ranges["egvs"]["end"]["systemTime"] == "2026-11-21T09:57:11Z"
    first = ranges["egvs"]["start"]["systemTime"].removesuffix("Z")
    records = ada.get(EGVS, startDate="2026-07-20T00:00:00", endDate="2026-07-30T00:00:00").json()["records"]
    assert records[0]["systemTime"] == f"{first}Z"


def test_devices_and_calibrations(connect):
    ada = connect("dexcom")
    (device,) = ada.get("/v3/users/self/devices").json()["records"]
    assert len(device["transmitterId"]) == 64
    window = {"startDate": "2026-11-12T00:00:00", "endDate": "2026-11-12T23:00:00"}
    assert ada.get("/v3/users/self/calibrations", **window).json()["records"] == []
    ada.tokens["access_token"] = "dead"
    assert ada.get(EGVS, **window).status_code == 401
