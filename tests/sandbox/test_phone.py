"""The phones of the sandbox tell the life that the clouds tell, in the words of their stores."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from sandbox.life import PEOPLE, Life
from sandbox.phone import MOST, Android, IPhone, Phone
from sandbox.world import World

DAY = date(2026, 11, 15)
WORLD = World(Life(7, datetime(2026, 11, 19, 12, tzinfo=UTC)), frozen=True)


@pytest.fixture(params=[IPhone, Android])
def phone(request: pytest.FixtureRequest) -> Phone:
    made: Phone = request.param(WORLD, PEOPLE["ada"])
    return made


def test_the_same_day_is_told_the_same_and_each_record_has_its_id(phone: Phone) -> None:
    records = list(phone.records(DAY))
    assert records == list(phone.records(DAY))
    assert len({record["source_id"] for record in records}) == len(records)


def test_a_night_is_told_stage_by_stage_or_as_one(phone: Phone) -> None:
    [night] = WORLD.sleeps(phone.person, DAY)
    told = [r for r in phone.records(DAY) if "Sleep" in r["type"]]
    spans = told[0].get("stages", told)
    assert (spans[0]["start"], spans[-1]["end"]) == (told[0]["start"], told[-1]["end"])
    assert len(spans) > 10
    assert (instant(told[0]["start"]), instant(told[-1]["end"])) == (night.start, night.end)


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_batches_hold_everything_and_no_more_than_they_may(phone: Phone) -> None:
    batches = list(phone.batches(DAY))
    assert [r for batch in batches for r in batch["upserts"]] == list(phone.records(DAY))
    assert all(len(batch["upserts"]) <= MOST for batch in batches)


def test_who_gets_no_answer_asks_again_with_the_same_key(phone: Phone) -> None:
    asked: list[tuple[str, str, bytes]] = []

    def send(path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        asked.append((path, headers["idempotency-key"], body))
        return (503, {}) if len(asked) < 3 else (202, {"id": "x"})

    [batch, *_] = phone.batches(DAY)
    assert phone.push(send, "k", batch) == {"status": 202, "id": "x"}
    assert set(asked) == {(f"/v1/push/{phone.platform}", "k", json.dumps(batch).encode())}
