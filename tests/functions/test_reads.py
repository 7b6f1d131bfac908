"""Each read as a dashboard sees it: one request a screen, every number explained, and as few calls as said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from shared import aws, sections, series, settings
from shared.catalogue import METRICS, MG_DL_PER_MMOL_L
from shared.commit import Change, commit
from shared.jobs import new_id, now_ms
from shared.knowledge import News
from shared.log import logger
from shared.model import HOUR, MINUTE, Document, Episode, Reading, Series, millis
from shared.providers.registry import provider, providers
from shared.sections import Key
from shared.summary import summarise
from tests.functions.standing import ask, backend
from tests.functions.system import System
from tests.functions.wired import Asked, watched

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 2)
NIGHT = METRICS["sleep_duration"].prefer
SLEEPER = min((p for p in providers() if p.kind in NIGHT), key=lambda p: NIGHT.index(p.kind)).id
OTHER = next(p.id for p in providers() if p.kind not in NIGHT)
SENSOR = next(p.id for p in providers() if p.kind == "cgm")
FILE = next(p.id for p in providers() if p.kind == "file")


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    with backend(aws) as system:
        yield system


@pytest.fixture
def user() -> str:
    return new_id()


@pytest.fixture
def get(standing: System, user: str) -> Callable[..., Any]:
    """GET as the user, for one day unless told otherwise; the answer's JSON."""

    def read(path: str, **params: object) -> Any:
        reply = raw(standing, user, path, **params)
        assert reply.status_code == 200, reply.text
        return reply.json()

    return read


def raw(
    system: System, user: str, path: str, headers: dict[str, str] | None = None, **params: object
) -> httpx.Response:
    span = {} if path in ("recent", "provenance") else {"from": str(DAY), "to": str(DAY)}
    asked = {name.removesuffix("_"): value for name, value in {**span, **params}.items()}
    return ask(system, "GET", f"/v1/{path}", user, params={k: v for k, v in asked.items() if v}, headers=headers or {})


@pytest.fixture
def learn(standing: System, user: str) -> Callable[..., None]:
    """Stores documents about a day, as the worker does."""

    def told(source: str, resource: str, *documents: Document, day: date = DAY, as_of: int = 1_000_000) -> None:
        change = Change(
            Key(user, str(day), source, resource), News(as_of, documents, whole=True), provider(source).kind,
            raw="raw/2026/11/02/abc,10,20", version=3,
        )  # fmt: skip
        assert commit(sections, change, f"job-{as_of}")

    return told


@pytest.fixture
def counted(standing: System) -> Iterator[dict[str, int]]:
    """Calls of DynamoDB, by operation."""
    seen: dict[str, int] = {}

    def count(call: Asked) -> None:
        if call.service == "dynamodb":
            seen[call.operation] = seen.get(call.operation, 0) + 1

    with watched(before=count):
        yield seen


def at(hour: int, minute: int = 0, day: date = DAY) -> int:
    return millis(datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN))


def beats(first: int, count: int, step: int = MINUTE) -> Document:
    times = list(range(first, first + count * step, step))
    return Document(offset=60, series=(Series("heart_rate", times, [60 + n % 9 for n in range(count)]),))


def steps(value: float, id_: str = "d", **more: Any) -> Document:
    return Document(id_, readings=(Reading("steps", value),), **more)


# ---------------------------------------------------------------- days


def test_a_day_says_who_stands_for_it_and_on_request_who_does_not(get: Any, learn: Any) -> None:
    learn(SLEEPER, "activity", steps(8000), as_of=5_000)
    learn(OTHER, "activity", steps(9000), Document("w", readings=(Reading("weight", 70, at(7)),)), as_of=9_000)
    [plain] = get("days")["days"]
    [full] = get("days", others=1)["days"]
    assert (plain["metrics"]["steps"]["value"], plain["metrics"]["steps"]["others"]) == (8000, [])
    assert [o["value"] for o in full["metrics"]["steps"]["others"]] == [9000]
    assert plain["freshness"] == {"newest": "1970-01-01T00:00:09Z", "oldest": "1970-01-01T00:00:05Z"}
    assert plain["completeness"] == {"present": 2, "expected": 2, "missing": []}
    assert (plain["recovery"]["status"], plain["recovery"]["version"]) == ("missing_inputs", "recovery-v1")


def test_what_the_person_entered_stands_until_they_trust_another(
    get: Any, learn: Any, standing: System, user: str
) -> None:
    learn(SLEEPER, "activity", steps(8000))
    learn(OTHER, "activity", steps(9000, manual=True))
    [day] = get("days")["days"]
    assert (day["metrics"]["steps"]["value"], day["metrics"]["steps"]["reason"]) == (9000, "entered by hand")
    reply = ask(standing, "PUT", "/v1/profile", user, json={"priority": {"steps": [SLEEPER]}})
    assert reply.status_code == 200
    assert get("days")["days"][0]["metrics"]["steps"]["value"] == 8000


def test_ninety_days_are_one_query(get: Any, user: str, counted: dict[str, int]) -> None:
    for n in range(90):
        key = Key(user, str(DAY + timedelta(days=n)), SLEEPER, "activity")
        sections.set_slot(key, 1, 1, "ring", summarise([steps(n)]))
    counted.clear()
    assert len(get("days", to=DAY + timedelta(days=89))["days"]) == 90
    assert counted == {"Query": 1, "GetItem": 1}, "the days, and the person's profile"
    counted.clear()
    [column] = get("metrics/steps", resolution="day", to=DAY + timedelta(days=89))["series"]
    assert column["values"] == list(range(90))
    assert counted == {"Query": 1, "GetItem": 1}


# ---------------------------------------------------------------- columns


def test_a_day_of_heart_rate_is_one_request_and_one_query(get: Any, learn: Any, counted: dict[str, int]) -> None:
    learn(SLEEPER, "beats", beats(at(0), 5760, 15_000))
    learn(SLEEPER, "activity", steps(8000))
    counted.clear()
    told = get("metrics/heart_rate")
    assert counted == {"Query": 1, "GetItem": 1}
    [column] = told["series"]
    assert (len(column["times"]), column["times"][0], column["samples"]) == (5760, at(0), [])
    assert column["days"] == [{"day": str(DAY), "offset": 60, "rows": 5760}]
    assert (told["unit"], told["summary"], told["next_cursor"]) == ("/min", "mean", None)


def test_a_read_passes_over_what_does_not_hold_the_metric(learn: Any, user: str) -> None:
    learn(SLEEPER, "beats", beats(at(0), 10))
    learn(SLEEPER, "activity", steps(8000))
    found = sections.sections(user, str(DAY), str(DAY), consistent=True, holding=["heart_rate"])
    assert [section.key.resource for section in found] == ["beats"]
    table = settings.settings().data_table
    sk = {"S": f"P#{DAY}#{SLEEPER}#activity"}
    aws.dynamodb().update_item(TableName=table, Key={"pk": {"S": user}, "sk": sk}, UpdateExpression="REMOVE holds")
    found = sections.sections(user, str(DAY), str(DAY), consistent=True, holding=["heart_rate"])
    assert [section.key.resource for section in found] == ["activity", "beats"], "what does not say is looked into"


@pytest.mark.parametrize(("resolution", "rows"), [("minute", 30), ("hour", 2), ("day", 1)])
def test_every_resolution_comes_from_the_same_samples(get: Any, learn: Any, resolution: str, rows: int) -> None:
    learn(SLEEPER, "beats", beats(at(7, 45), 60, 30_000))
    [exact] = get("metrics/heart_rate")["series"]
    [column] = get("metrics/heart_rate", resolution=resolution)["series"]
    assert len(column["values"]) == rows
    assert sum(column["samples"]) == 60
    mean = sum(v * n for v, n in zip(column["values"], column["samples"], strict=True)) / 60
    assert mean == pytest.approx(sum(exact["values"]) / 60, abs=0.001)
    assert (min(column["min"]), max(column["max"])) == (min(exact["values"]), max(exact["values"]))


def test_pages_go_on_where_they_stopped(get: Any, learn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    learn(SLEEPER, "beats", beats(at(0), 50))
    learn(OTHER, "beats", beats(at(0), 30, 2 * MINUTE))
    learn(SLEEPER, "beats", beats(at(0, day=DAY + timedelta(days=1)), 20), day=DAY + timedelta(days=1))
    span = {"to": DAY + timedelta(days=1)}
    whole = get("metrics/heart_rate", **span)
    monkeypatch.setattr(series.paged, "__defaults__", (23,))
    pages, given = [], ""
    while given is not None:
        pages.append(get("metrics/heart_rate", **span, cursor=given))
        given = pages[-1]["next_cursor"]
    assert len(pages) == 5
    for column in whole["series"]:
        same = [c for p in pages for c in p["series"] if c["source"] == column["source"]]
        assert [t for c in same for t in c["times"]] == column["times"]
    assert [c["source"] for c in get("metrics/heart_rate", source=OTHER)["series"]] == [OTHER]


def test_a_cursor_of_another_question_is_refused(standing: System, user: str, learn: Any, monkeypatch: Any) -> None:
    learn(SLEEPER, "beats", beats(at(0), 50))
    monkeypatch.setattr(series.paged, "__defaults__", (10,))
    given = raw(standing, user, "metrics/heart_rate").json()["next_cursor"]
    for wrong in ({"resolution": "minute"}, {"to": DAY + timedelta(days=1)}, {"source": OTHER}):
        reply = raw(standing, user, "metrics/heart_rate", cursor=given, **wrong)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "cursor")
    for path in ("sleep", "workouts"):
        assert raw(standing, user, path, cursor=given).json()["error"]["param"] == "cursor"


# ---------------------------------------------------------------- sleeps and workouts


def night(source_id: str, start: int, hours: float = 7) -> Document:
    end = round(start + hours * HOUR)
    stages = ((start, start + HOUR, "light"), (start + HOUR, end, "deep"))
    sampled = (Series("heart_rate", [start, start + MINUTE], [50, 51]),)
    episode = Episode("sleep", start, end, stages=stages, series=sampled)
    return Document(source_id, offset=60, as_of=7_000, readings=(Reading("sleep_duration", hours),), episode=episode)


def test_a_night_of_two_devices_has_stages_and_one_is_preferred(get: Any, learn: Any) -> None:
    learn(SLEEPER, "sleep", night("a", at(0)))
    learn(OTHER, "sleep", night("b", at(0, 30), 6.5))
    learn(SLEEPER, "activity", steps(8000))
    told = get("sleep")["sleep"]
    assert [(s["source"], s["preferred"]) for s in told] == [(SLEEPER, True), (OTHER, False)]
    assert told[0]["stages"][0] == {"name": "light", "start": "2026-11-01T23:00:00Z", "end": "2026-11-02T00:00:00Z"}
    assert (told[0]["day"], told[0]["offset"], told[0]["as_of"]) == (str(DAY), 60, "1970-01-01T00:00:07Z")
    assert told[0]["metrics"] == {"sleep_duration": {"value": 7, "unit": "h"}}
    assert told[0]["series"] == {}
    assert get("sleep", samples=1)["sleep"][0]["series"]["heart_rate"]["values"] == [50, 51]
    assert [s["source"] for s in get("sleep", source=OTHER)["sleep"]] == [OTHER]
    assert get("workouts")["workouts"] == []


def test_a_workout_has_laps_and_zones(get: Any, learn: Any) -> None:
    laps = ((at(18), at(18, 10), "1"), (at(18, 10), at(18, 30), "2"))
    zones = (("easy", 12.0), ("hard", 18.0))
    run = Episode("workout", at(18), at(18, 30), "run", laps, (Reading("distance", 5000),), zones=zones)
    learn(SLEEPER, "workout", Document("r", offset=60, episode=run))
    [told] = get("workouts")["workouts"]
    assert (told["sport"], told["metrics"]) == ("run", {"distance": {"value": 5000, "unit": "m"}})
    assert [lap["name"] for lap in told["laps"]] == ["1", "2"]
    assert told["zones"] == [{"name": "easy", "minutes": 12}, {"name": "hard", "minutes": 18}]


def test_nights_come_in_pages_of_whole_days(get: Any, learn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(4):
        learn(SLEEPER, "sleep", night(str(n), at(0, day=DAY + timedelta(days=n))), day=DAY + timedelta(days=n))
    monkeypatch.setattr("shared.episodes.PAGE", 4)
    first = get("sleep", to=DAY + timedelta(days=3))
    rest = get("sleep", to=DAY + timedelta(days=3), cursor=first["next_cursor"])
    assert [s["id"] for page in (first, rest) for s in page["sleep"]] == ["0", "1", "2", "3"]
    assert rest["next_cursor"] is None


# ---------------------------------------------------------------- glucose


def sensor(values: list[float], first: int, unit: str = "") -> Document:
    times = [first + n * 5 * MINUTE for n in range(len(values))]
    return Document(offset=60, series=(Series("glucose", times, values, unit),))


def test_glucose_is_told_with_trend_and_ranges(get: Any, learn: Any) -> None:
    learn(SENSOR, "egvs", sensor([100, 105, 110, 125, 190, 60], at(8)))
    learn(FILE, "glucose", sensor([round(10.0 * MG_DL_PER_MMOL_L, 3)], at(9), "mmol/L"))
    told = get("glucose")
    assert (told["unit"], told["source"], told["others"]) == ("mg/dL", SENSOR, [FILE])
    assert told["readings"]["values"] == [100, 105, 110, 125, 190, 60]
    assert told["readings"]["trends"] == ["unknown", "rising_slowly", "rising_slowly", "rising_slowly", "rising_fast",
                                          "falling_slowly"]  # fmt: skip
    ranges = {r["name"]: (r["bounds"], r["readings"]) for r in told["figures"]["ranges"]}
    assert ranges["in_range"] == ("70–180", 4)
    assert sum(count for _, count in ranges.values()) == told["figures"]["readings"] == 6
    assert told["figures"]["sufficient"] is False
    assert told["latest"]["trend"] == told["readings"]["trends"][-1]


def test_the_unit_of_the_answer_decides_nothing(get: Any, learn: Any) -> None:
    learn(FILE, "glucose", sensor([round(v * MG_DL_PER_MMOL_L, 3) for v in (3.9, 10.0, 10.1, 13.9)], at(8), "mmol/L"))
    mg, mmol = get("glucose", unit="mg/dL"), get("glucose", unit="mmol/L")
    for told in (mg, mmol):
        assert [r["readings"] for r in told["figures"]["ranges"]] == [0, 0, 2, 2, 0]
    assert mmol["readings"]["values"] == [3.9, 10.0, 10.1, 13.9]
    assert mmol["figures"]["ranges"][2]["bounds"] == "3.9–10.0"
    assert mmol["figures"]["mean"] == pytest.approx(mg["figures"]["mean"] / MG_DL_PER_MMOL_L, abs=0.001)
    assert {k: mg["figures"][k] for k in ("cv", "gmi", "active")} == {
        k: mmol["figures"][k] for k in ("cv", "gmi", "active")
    }


def test_without_readings_there_are_no_figures(get: Any, learn: Any) -> None:
    learn(SENSOR, "egvs", sensor([100, 101], at(8)))
    assert get("glucose", readings="false")["readings"] is None
    told = get("glucose", source=FILE)
    assert (told["source"], told["figures"], told["readings"], told["others"]) == (None, None, None, [SENSOR])


# ---------------------------------------------------------------- a period, and how far it reaches


def summarised(system: System, user: str, **asked: object) -> Any:
    reply = ask(system, "POST", "/v1/summary", user, json=asked)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_a_period_is_told_against_the_one_before(standing: System, user: str, learn: Any, counted: Any) -> None:
    for n, value in enumerate(accumulate([1000] * 14)):
        if n != 10:
            learn(SLEEPER, "activity", steps(value), day=DAY + timedelta(days=n))
    counted.clear()
    span = {"from": str(DAY + timedelta(days=7)), "to": str(DAY + timedelta(days=13))}
    told = summarised(standing, user, **span)
    assert counted == {"Query": 1, "GetItem": 1}
    assert told["previous"] == {"from": str(DAY), "to": str(DAY + timedelta(days=6))}
    found = told["metrics"]["steps"]
    assert (found["min"], found["max"], found["mean"]) == (8000, 14000, 11000)
    assert (found["previous_mean"], found["change"], found["change_percent"]) == (4000, 7000, 175)
    assert (found["trend"], found["best_source"], found["days"]) == ("rising", SLEEPER, 6)
    assert (found["missing"], found["total"]) == ([str(DAY + timedelta(days=10))], 66000)
    nothing = summarised(standing, user, metrics=["weight"], **span)["metrics"]
    assert (list(nothing), nothing["weight"]["mean"], len(nothing["weight"]["missing"])) == (["weight"], None, 7)


@pytest.mark.parametrize(
    ("asked", "status", "param"),
    [({"metrics": ["charm"]}, 404, "metrics"), ({"from": "2026-11-02"}, 400, "body"), ({"days": 0}, 400, "days"),
     ({"from": "2026-11-02", "to": "2026-11-01"}, 400, "to"), ({"colour": "red"}, 400, "colour"),
     ({"from": "2020-11-02", "to": "2026-11-01"}, 400, "from")],
)  # fmt: skip
def test_a_summary_of_nonsense_is_refused(standing: System, asked: dict[str, Any], status: int, param: str) -> None:
    reply = ask(standing, "POST", "/v1/summary", "ada", json=asked)
    assert (reply.status_code, reply.json()["error"]["param"]) == (status, param)


def test_recent_is_one_query_and_says_how_many_days_to_fetch(get: Any, learn: Any, counted: dict[str, int]) -> None:
    assert get("recent") == {"today": str(datetime.now(ZoneInfo("UTC")).date()), "days": 7, "sources": []}
    today = date.fromisoformat(get("recent")["today"])
    learn(SLEEPER, "activity", steps(1), day=today - timedelta(days=1), as_of=5_000)
    counted.clear()
    told = get("recent")
    assert counted == {"Query": 1, "GetItem": 1}
    assert (told["days"], told["sources"]) == (
        2, [{"source": SLEEPER, "day": str(today - timedelta(days=1)), "as_of": "1970-01-01T00:00:05Z"}]
    )  # fmt: skip
    learn(OTHER, "activity", steps(1), day=today - timedelta(days=4))
    assert get("recent")["days"] == 7


# ---------------------------------------------------------------- where it came from


def test_every_value_can_be_asked_where_it_came_from(get: Any, learn: Any) -> None:
    learn(SLEEPER, "activity", steps(8000, "doc-1"), as_of=5_000)
    learn(SLEEPER, "activity", steps(8001, "doc-1"), as_of=9_000)
    learn(SLEEPER, "beats", beats(at(0), 10), as_of=6_000)
    learn(FILE, "glucose", sensor([104.49], at(8), "mmol/L"), as_of=7_000)
    [origin] = get("provenance", day=DAY, metric="steps")["origins"]
    assert (origin["source"], origin["resource"], origin["name"]) == (SLEEPER, "activity", provider(SLEEPER).name)
    assert (origin["revision"], origin["mapping_version"], origin["job"]) == (2, 3, "job-9000")
    assert (origin["received_at"], origin["corrected_at"]) == ("1970-01-01T00:00:05Z", "1970-01-01T00:00:09Z")
    assert origin["raw"] == {"object": "raw/2026/11/02/abc", "offset": 10, "length": 20}
    assert origin["figures"] == {"steps": {"value": 8001, "unit": "{steps}"}}
    assert [(d["id"], d["manual"]) for d in origin["documents"]] == [("doc-1", False)]
    assert len(get("provenance", day=DAY)["origins"]) == 3
    [glucose] = get("provenance", day=DAY, source=FILE)["origins"]
    assert (glucose["corrected_at"], glucose["documents"][0]["vendor_units"]) == (None, {"glucose": "mmol/L"})


def test_each_figure_of_a_day_has_an_origin(get: Any, learn: Any) -> None:
    learn(SLEEPER, "sleep", night("a", at(0)))
    learn(OTHER, "activity", steps(9000))
    [day] = get("days")["days"]
    for metric, figure in day["metrics"].items():
        named = {"source": figure["source"], "resource": figure["resource"]}
        [origin] = get("provenance", day=DAY, metric=metric, **named)["origins"]
        assert origin["figures"][metric]["value"] == figure["value"]
    assert [o["documents"][0]["id"] for o in get("provenance", day=DAY, metric="sleep")["origins"]] == ["a"]


# ---------------------------------------------------------------- how it travels


def test_what_was_seen_is_not_sent_again_and_what_is_large_is_packed(standing: System, user: str, learn: Any) -> None:
    learn(SLEEPER, "beats", beats(at(0), 2000))
    first = raw(standing, user, "metrics/heart_rate", {"accept-encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip"
    assert len(first.json()["series"][0]["values"]) == 2000
    again = raw(standing, user, "metrics/heart_rate", {"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    learn(SLEEPER, "beats", beats(at(0), 2001), as_of=now_ms())
    changed = raw(standing, user, "metrics/heart_rate", {"if-none-match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]
    assert changed.headers["cache-control"] == "private, no-cache"


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(vars(record))


def test_our_own_fault_has_the_same_shape_and_names_nothing(
    standing: System, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    logger().addHandler(heard)
    monkeypatch.setenv("DATA_TABLE", "Gone")
    settings.settings.cache_clear()
    reply = raw(standing, user, "days")
    settings.settings.cache_clear()
    logger().removeHandler(heard)
    assert reply.status_code == 500
    assert reply.json()["error"].keys() == {"type", "code", "message", "param"}
    assert (reply.json()["error"]["type"], reply.json()["request_id"]) == ("internal", "test-request")
    [failed] = [record for record in heard.records if record["msg"] == "failed"]
    assert failed["error"].endswith("was refused: 400 ResourceNotFoundException")
    assert ".py:" in failed["at"]
    assert user not in f"{heard.records}{reply.text}"
