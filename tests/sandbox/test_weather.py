"""What `make chaos` asks of the sandbox: people without end, faults by chance, lives that stop, what is held."""

import pytest

from sandbox.faults import WEBHOOK_FAULTS, Faults
from sandbox.life import PEOPLE
from sandbox.people import NEWCOMER_DAYS, person
from sandbox.webhooks import Sender, Webhook
from sandbox.world import World

CALLS = ("rate_limit", "server_error")


def test_newcomers_are_drawn_from_their_names_and_are_nobody_else():
    drawn = [person(f"newcomer-{number}") for number in range(50)]
    assert len({(p.zone.key, p.resting, p.weight, p.glucose_phase) for p in drawn}) == 50
    assert person("newcomer-7") == drawn[7]
    assert person("ada") is PEOPLE["ada"]
    for nobody in ("", "eve", "newcomer-", "newcomer-x"):
        with pytest.raises(KeyError):
            person(nobody)


def test_a_newcomer_has_days_since_the_devices_were_bought(world):
    assert len(list(world.days(person("newcomer-1")))) == NEWCOMER_DAYS + 1


def test_the_weather_keeps_its_chances_and_repeats_itself():
    def drawn(seed: str) -> list[str]:
        faults = Faults()
        faults.weather({"rate_limit": 0.1, "server_error": 0.05}, seed)
        return [fault.kind if (fault := faults.draw(CALLS)) else "" for _ in range(10_000)]

    found = drawn("1")
    assert drawn("1") == found != drawn("2")
    assert abs(found.count("rate_limit") - 1000) < 100
    assert abs(found.count("server_error") - 500) < 75


def test_fair_weather_has_no_faults_and_lets_go_what_was_held(receiver):
    faults = Faults()
    sender = Sender("oura", faults)
    faults.weather({"reorder_webhooks": 1}, "1")
    first = Webhook(receiver.url, {}, b"first")
    assert [line["status"] for line in sender.send([first])] == ["held"]
    faults.weather({}, "1")
    lines = sender.send([Webhook(receiver.url, {}, b"second")])
    assert [(line["body"], line.get("late", False)) for line in lines] == [("second", False), ("first", True)]
    assert receiver.bodies == [b"second", b"first"]
    assert faults.draw(WEBHOOK_FAULTS) is None
    assert faults.drawn == {"reorder_webhooks": 1}


def test_weather_that_is_none_is_refused(client):
    for wrong in ({"hail": 0.1}, {"rate_limit": 2}):
        assert client.post("/control/weather", json=wrong).status_code == 400


def test_a_person_at_the_consent_page_stays_dry(client, authorize):
    assert client.post("/control/weather", json={"rate_limit": 1}).status_code == 200
    assert authorize("oura", "newcomer-3")["code"]
    assert client.get("/oura/v2/usercollection/sleep").status_code == 429


def test_lives_can_be_stopped(life):
    world = World(life)
    world.stopped = world.now() - 3600
    assert world.now() == world.stopped


def test_holdings_are_what_reading_everything_would_find(client, connect):
    ada = connect("oura")
    query = {"person": "ada", "from": "2026-11-10", "to": "2026-11-12"}
    held = client.get("/control/holdings", params=query).json()["days"]
    days = {"start_date": "2026-11-10", "end_date": "2026-11-13"}
    for document in ada.get("/v2/usercollection/daily_activity", **days).json()["data"]:
        assert held[document["day"]]["oura"]["daily_activity"] == {document["id"]: document["steps"]}
    assert len(held["2026-11-11"]["dexcom"]["egvs"]) == 288
    truth = {day["day"]: day for day in client.get("/control/truth", params=query).json()["days"]}
    for day, clouds in held.items():
        weighed = [kg for kg in clouds["withings"]["measures"].values() if kg is not None]
        assert weighed[-1:] == ([truth[day]["weight"]] if truth[day]["weight"] else [])


def test_a_deleted_record_is_held_no_more(client):
    query = {"person": "ada", "from": "2026-11-12", "to": "2026-11-12"}

    def events() -> int:
        return len(client.get("/control/holdings", params=query).json()["days"]["2026-11-12"]["dexcom"]["events"])

    before = events()
    client.post("/control/delete", json={"provider": "dexcom", "person": "ada", "kind": "carbs", "day": "2026-11-12"})
    assert events() == before / 2
