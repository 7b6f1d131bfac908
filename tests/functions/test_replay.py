"""Replays of kept replies after a mapping was corrected: what is written, and what newer knowledge keeps."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ops.replay
from ops import local
from ops.cli import main
from shared import connections, fetching, jobs, sections
from shared.jobs import Job, new_id, now_ms
from shared.local_time import Zones
from shared.model import DAY, Document, Item, Reading, Series, Skipped
from shared.progress import report
from shared.providers import FileUpload, Provider, Resource, Upload, Window, registry
from shared.raw import Answered, RawObject
from shared.replay import again
from shared.values import replace
from shared.visits import Question, Visit
from shared.writing import write
from tests.functions.deployed import stack
from tests.functions.system import System
from tests.functions.wired import Asked, watched

TODAY = datetime.now(UTC).date()
FIRST = TODAY - timedelta(days=9)
DAYS = [(FIRST + timedelta(days=n)).isoformat() for n in range(8)]
NOW = now_ms() - DAY
TICKS, USERS = count(NOW), count(1)
Page = dict[str, Any]
Map = Callable[[Page], Iterator[Item]]


def nights(field: str, more: int = 0) -> Map:
    """Records as a mapping sees them that reads the day from `field`, and adds so much to each value."""

    def mapped(page: Page) -> Iterator[Item]:
        for record in page["items"]:
            if record[field]:
                readings = (Reading("steps", record["value"] + more),)
                yield Document(record["id"], day=record[field], readings=readings)

    return mapped


def beats(shift_ms: int) -> Map:
    def mapped(page: Page) -> Iterator[Item]:
        times = [record["at"] + shift_ms for record in page["items"]]
        yield Document(offset=0, series=(Series("heart_rate", times, [record["value"] for record in page["items"]]),))

    return mapped


def ring(whole: Map, parts: Map, series: Map, version: int) -> Provider:
    nobody = FileUpload((), lambda body, media, zone, dates: Upload({}, 0, ()))
    found = (
        Resource(name="nights", map=whole, records="items", version=version),
        Resource(name="pushed", map=parts, records="items", mode="merge", version=version),
        Resource(name="beats", map=series, records="items", mode="merge", version=version),
    )
    return Provider(id="testring", name="Test", docs="", kind="ring", base_url="", auth=nobody, resources=found)


BEFORE = ring(nights("day"), nights("day"), beats(0), 1)
AFTER = ring(nights("truly", 1), nights("truly", 1), beats(3_600_000), 2)


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    with stack(aws) as system:
        yield system


@pytest.fixture
def system(standing: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    monkeypatch.setattr(local, "LOCAL", tmp_path)
    for queue in ("fresh", "bulk", "changes"):
        standing.messages(queue)
    spec = ModuleType("shared.providers.testring.spec")
    for name, module in (("shared.providers.testring", ModuleType("testring")), (spec.__name__, spec)):
        monkeypatch.setitem(sys.modules, name, module)
    known = (*registry.provider_ids(), "testring")
    monkeypatch.setattr(registry, "provider_ids", lambda: known)
    deploy(BEFORE)
    yield standing
    registry.provider.cache_clear()


def deploy(source: Provider) -> None:
    sys.modules["shared.providers.testring.spec"].PROVIDER = source  # type: ignore[attr-defined]
    registry.provider.cache_clear()


def person() -> connections.Connection:
    return connections.establish(f"person{next(USERS)}", BEFORE, "", (), "UTC")


def arrive(held: connections.Connection, name: str, items: list[Page], window: Window | None = None) -> str:
    """An answer of the vendor's as it goes through the corridor; where it is kept."""
    source, page = registry.provider("testring"), {"items": items}
    as_of = next(TICKS)
    question = Question(source.resource(name), window, pages=[orjson.dumps(page)], replies=[page], as_of=as_of)
    job = Job(id=new_id(), reason="sync", as_of=as_of, connection=held.id)
    visit = Visit(job, held, source, Zones(), [question])
    fetching.compare(visit)
    kept = RawObject()
    if question.changed:
        question.raw = kept.add(held.owner, Answered(question.pages, as_of, window))
        kept.keep()
    write(visit)
    return question.raw


def night(id_: str, value: int, day: int | None, truly: int | None) -> Page:
    return {"id": id_, "value": value, "day": named(day), "truly": named(truly)}


def named(day: int | None) -> str | None:
    return None if day is None else DAYS[day]


def window(first: int, last: int) -> Window:
    return Window(date.fromisoformat(DAYS[first]), date.fromisoformat(DAYS[last]))


def stored(held: connections.Connection, name: str = "nights") -> dict[str, sections.Section]:
    found = sections.sections(held.user, DAYS[0], DAYS[-1], consistent=True)
    return {section.key.day: section for section in found if section.key.resource == name}


def values(held: connections.Connection, name: str = "nights") -> dict[str, dict[str, float]]:
    """By day and document: the days that hold one."""
    found = {day: {d.id: d.readings[0].value for d in s.documents()} for day, s in stored(held, name).items()}
    return {day: documents for day, documents in found.items() if documents}


def replayed(held: connections.Connection, first: int = 0, last: int = 7, **more: Any) -> dict[str, int]:
    days = (DAYS[first], DAYS[last])
    job = Job(id=new_id(), task="replay", reason="sync", as_of=now_ms(), connection=held.id, window=days, **more)
    return again(job, held, registry.provider("testring"))


def announced(system: System) -> set[tuple[str, str, int]]:
    said = [json.loads(message["Body"]) for message in system.messages("changes")]
    return {(one["day"], one["resource"], one["revision"]) for one in said}


# ---------------------------------------------------------------- through the command line


def replay(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    capsys.readouterr()
    status = main(["replay", *arguments])
    told = capsys.readouterr()
    assert (status, told.err) == (0, "at stack Tributary in us-east-1\n")
    return told.out.splitlines()


def test_a_corrected_mapping_writes_what_it_changes_and_nothing_else(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    held, other = person(), person()
    for one in (held, other):
        arrive(one, "nights", [night(f"n{n}", n, n, n) for n in range(4)], window(0, 3))
    arrive(held, "pushed", [night("p", 7, 1, 1)])
    before, system_before = stored(held), system.items()
    announced(system)
    deploy(ring(halved, nights("day"), beats(0), 2))
    span = ("--user", held.user, "--from", DAYS[0], "--to", DAYS[-1])
    said = replay(capsys, *span, "--detach")
    assert said[0] == f"1 connections, {DAYS[0]} to {DAYS[-1]}: 2 windows"
    assert system.items() == system_before
    assert system.work(("bulk",)) == 2
    assert replay(capsys, "--job", said[1].removeprefix("job ")) == [
        "2 windows done, 0 failed",
        "       5 sections looked at",
        "       2 sections changed",
        "       0 sections made only partly of the reply kept last",
        "       0 sections whose reply is no longer kept",
        "       0 sections whose reply this mapping does not understand",
    ]
    after = stored(held)
    assert {day for day in after if after[day] != before[day]} == {DAYS[1], DAYS[3]}
    assert announced(system) == {(DAYS[1], "nights", 2), (DAYS[3], "nights", 2)}
    for day in (DAYS[1], DAYS[3]):
        assert (after[day].as_of, after[day].raw) == (before[day].as_of, before[day].raw), "no newer than its fetch"
        slot = system.items()[held.user, f"D#{day}"]["testring#nights"]["M"]
        assert slot["rev"]["N"] == "2"
        assert values(held)[day] == {f"n{DAYS.index(day)}": DAYS.index(day) + 10}


def halved(page: Page) -> Iterator[Item]:
    """Only every other record comes out differently."""
    for record in page["items"]:
        more = 10 * (int(record["id"][1:]) % 2)
        yield Document(record["id"], day=record["day"], readings=(Reading("steps", record["value"] + more),))


def test_everybody_of_a_provider_in_jobs_that_stay_small(
    system: System, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those who left: what they brought is still here. Who is erased meanwhile holds nobody up."""
    people = [person() for _ in range(3)]
    for held in people:
        arrive(held, "nights", [night("n", 5, 2, 2)], window(0, 3))
    connections.close(people[0])
    deploy(ring(nights("day", 1), nights("day"), beats(0), 2))
    monkeypatch.setattr(ops.replay, "PARTS", 2)
    span = ("--provider", "testring", "--from", DAYS[0], "--to", DAYS[-1])
    everybody = len([pk for pk, _ in system.items("Control") if pk.startswith("C#")])
    assert everybody >= 3
    dry = replay(capsys, *span, "--dry-run")
    assert dry[0].startswith(f"{everybody} connections, ")
    assert dry[1] == "nothing was queued"
    assert system.messages("bulk") == []
    job = replay(capsys, *span, "--resource", "nights", "--detach")[-1].removeprefix("job ")
    connections.delete(people[2])
    system.work(("bulk",))
    assert system.failures == []
    assert [values(held) for held in people] == [{DAYS[2]: {"n": 6}}, {DAYS[2]: {"n": 6}}, {DAYS[2]: {"n": 5}}]
    windows = 2 * everybody
    assert report(f"{job}.{(windows - 1) // 2}", "everyone")["status"] == "completed"
    assert replay(capsys, "--job", job)[0] == f"{windows} windows done, 0 failed"
    assert replay(capsys, *span[:2], "--user", people[1].user, "--dry-run")[0].startswith("1 connections, ")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ((), "say whose"),
        (("--user", "nobody", "--from", DAYS[1], "--to", DAYS[0]), "--from is after --to"),
        (("--provider", "testrings"), "unknown provider"),
        (("--job", "none"), "no such replay"),
    ],
)
def test_wrong_use_is_said(
    system: System, capsys: pytest.CaptureFixture[str], wrong: tuple[str, ...], told: str
) -> None:
    assert main(["replay", *wrong]) == 2
    assert told in capsys.readouterr().err


# ---------------------------------------------------------------- what is written


def test_a_raised_version_alone_writes_nothing(system: System) -> None:
    held = person()
    arrive(held, "nights", [night("n", 5, 2, 2)], window(0, 3))
    arrive(held, "pushed", [night("p", 5, 2, 2)])
    before = stored(held), stored(held, "pushed")
    deploy(ring(nights("day"), nights("day"), beats(0), 2))
    assert replayed(held) == {"sections": 2, "changed": 0, "partly": 0, "expired": 0, "unread": 0}
    assert (stored(held), stored(held, "pushed")) == before


def test_what_was_pushed_in_several_parts_is_learned_again_in_its_last_and_counted(system: System) -> None:
    held = person()
    arrive(held, "pushed", [night("a", 1, 2, 2)])
    arrive(held, "pushed", [night("b", 2, 2, 2)])
    deploy(AFTER)
    assert replayed(held) == {"sections": 1, "changed": 1, "partly": 1, "expired": 0, "unread": 0}
    assert values(held, "pushed") == {DAYS[2]: {"a": 1, "b": 3}}


def test_knowledge_that_came_later_stays(system: System) -> None:
    """A later answer about one of the days, and a document that the vendor deleted: neither is undone."""
    held = person()
    arrive(held, "nights", [night("a", 1, 1, 1), night("b", 2, 2, 2), night("c", 3, 3, 3)], window(0, 3))
    arrive(held, "nights", [night("b", 20, 2, 2)], window(2, 2))
    deletion = Job(id=new_id(), reason="webhook", as_of=now_ms(), connection=held.id, resources=("nights",),
                   document="c", deleted=True)  # fmt: skip
    assert system.deliver("fresh", [{"MessageId": "m", "Body": jobs.write(deletion)}]) == []
    deploy(AFTER)
    assert replayed(held)["changed"] == 2
    assert values(held) == {DAYS[1]: {"a": 2}, DAYS[2]: {"b": 21}}


def test_what_an_answer_said_and_wrote_nothing_new_is_known_now(system: System) -> None:
    """The old mapping did not see that `b` changed, so that the day still points at the older answer."""
    held = person()
    arrive(held, "nights", [night("a", 1, 1, 1), {**night("b", 2, 2, 2), "more": 1}], window(1, 2))
    arrive(held, "nights", [night("a", 9, 1, 1), {**night("b", 2, 2, 2), "more": 5}], window(1, 2))

    def reads_more(page: Page) -> Iterator[Item]:
        for record in page["items"]:
            value = record["value"] + record.get("more", 0)
            yield Document(record["id"], day=record["day"], readings=(Reading("steps", value),))

    deploy(ring(reads_more, nights("day"), beats(0), 2))
    replayed(held)
    assert values(held) == {DAYS[1]: {"a": 9}, DAYS[2]: {"b": 7}}


def test_days_the_old_mapping_could_not_read_appear(system: System) -> None:
    held = person()
    arrive(held, "nights", [night("a", 1, 1, 1), night("b", 2, None, 2)], window(0, 3))
    deploy(AFTER)
    assert replayed(held)["changed"] == 2
    assert values(held) == {DAYS[1]: {"a": 2}, DAYS[2]: {"b": 3}}


@pytest.mark.parametrize("name", ["nights", "pushed"])
@pytest.mark.parametrize("other", [True, False], ids=["where something lies already", "where nothing does"])
def test_a_record_that_belongs_to_another_day_is_moved_there(system: System, name: str, other: bool) -> None:
    """Also over the edge of the days asked for, and into a section that another reply was the last to change."""
    held, span = person(), {"nights": (window(1, 4), window(4, 4)), "pushed": (None, None)}[name]
    arrive(held, name, [night("a", 1, 3, 4), night("b", 2, 3, 3), night("c", 3, 1, 1)], span[0])
    if other:
        arrive(held, name, [night("d", 4, 4, 4), *([night("a", 1, 3, 4)] if span[1] else [])], span[1])
    deploy(AFTER)
    replayed(held, 3, 3)
    there = values(held, name)
    placed = [id_ for documents in there.values() for id_ in documents]
    assert sorted(placed) == (["a", "b", "c", "d"] if other else ["a", "b", "c"]), "nothing is lost, and nothing twice"
    assert there[DAYS[3]]["b"] == 3
    replayed(held)
    truly = {DAYS[1]: {"c": 4}, DAYS[3]: {"b": 3}, DAYS[4]: {"a": 2, **({"d": 5} if other else {})}}
    assert values(held, name) == truly


def test_samples_that_were_read_an_hour_off_are_taken_back(system: System) -> None:
    """Each bears the date of the answer that brought it, so what others brought is left alone."""
    held = person()
    midnight = int(datetime.fromisoformat(f"{DAYS[3]}T00:00:00+00:00").timestamp() * 1000)
    first = [{"at": midnight + hour * 3_600_000, "value": 60} for hour in (-3, -2, -1, 1)]
    arrive(held, "beats", first, window(2, 3))
    arrive(held, "beats", [{"at": midnight + 5 * 3_600_000, "value": 70}], window(3, 3))
    deploy(AFTER)
    assert replayed(held, 2, 3)["expired"] == 0
    hours = {
        day: [(t - midnight) // 3_600_000 for d in section.documents() for s in d.series for t in s.times]
        for day, section in stored(held, "beats").items()
    }
    assert hours == {DAYS[2]: [-2, -1], DAYS[3]: [0, 2, 6]}


# ---------------------------------------------------------------- what cannot be


def test_replies_that_are_gone_are_counted_and_their_sections_left(system: System) -> None:
    held, other = person(), person()
    place = arrive(held, "nights", [night("a", 1, 1, 1), night("b", 2, 2, 2)], window(0, 3))
    arrive(held, "nights", [night("c", 3, 5, 5)], window(5, 5))
    system.aws("s3").delete_object(Bucket="raw", Key=place.split(",")[0])
    deploy(AFTER)
    assert replayed(held) == {"sections": 3, "changed": 1, "partly": 0, "expired": 2, "unread": 0}
    assert values(held) == {DAYS[1]: {"a": 1}, DAYS[2]: {"b": 2}, DAYS[5]: {"c": 4}}
    # A pointer to another person's bytes opens nothing.
    theirs = arrive(other, "pushed", [night("d", 4, 1, 1)])
    [mine] = [s for s in stored(held).values() if s.key.day == DAYS[5]]
    assert sections.put(replace(mine, raw=theirs), mine.rev)
    assert replayed(held, 5, 5)["expired"] == 1


def test_a_reply_older_than_deletions_are_remembered_is_not_believed(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = person()
    monkeypatch.setitem(globals(), "TICKS", count(now_ms() - 31 * DAY))
    arrive(held, "nights", [night("a", 1, 1, 1)], window(0, 3))
    deploy(AFTER)
    assert replayed(held) == {"sections": 1, "changed": 0, "partly": 0, "expired": 1, "unread": 0}


def test_a_reply_the_new_mapping_cannot_read_is_counted(system: System) -> None:
    held = person()
    arrive(held, "nights", [night("a", 1, 1, 1)], window(0, 3))
    refuses: Map = lambda page: iter([Skipped(0, "what is this")])  # noqa: E731
    deploy(ring(refuses, nights("day"), beats(0), 2))
    assert replayed(held) == {"sections": 1, "changed": 0, "partly": 0, "expired": 0, "unread": 1}
    assert values(held) == {DAYS[1]: {"a": 1}}


# ---------------------------------------------------------------- whatever came


records = st.tuples(st.sampled_from("abcd"), st.integers(0, 9), st.none() | st.integers(0, 4), st.integers(0, 4))
answers = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 2), st.lists(records, max_size=3)), min_size=1, max_size=4
)


@given(answers)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_day_is_what_the_newest_kept_answer_about_it_says(
    system: System, said: list[tuple[int, int, list[tuple[str, int, int | None, int]]]]
) -> None:
    """Whatever whole answers came, as the corrected mapping reads them; nothing is lost and nothing is there twice."""
    deploy(BEFORE)
    held, kept = person(), []
    for first, more, items in said:
        span, page = window(first, min(first + more, 4)), [night(*item) for item in {i[0]: i for i in items}.values()]
        kept.append((arrive(held, "nights", page, span), span, page))
    pointed = {section.raw for section in stored(held).values()}
    expected = dict(values(held))
    for place, span, page in kept:
        if place in pointed:
            for day in (day.isoformat() for day in span.days()):
                found = {item["id"]: item["value"] + 1 for item in page if item["truly"] == day}
                expected = {**{d: v for d, v in expected.items() if d != day}, **({day: found} if found else {})}
    deploy(AFTER)
    counts = replayed(held)
    assert values(held) == expected
    assert counts["expired"] == counts["unread"] == 0
    assert replayed(held)["changed"] == 0


def test_neighbouring_days_may_be_replayed_at_once(system: System) -> None:
    """A record moves from one's last day to the other's first, while the other runs at any step of the one."""
    steps, done = 0, False
    while not done:
        deploy(BEFORE)
        held = person()
        arrive(held, "nights", [night("a", 1, 3, 4), night("b", 2, 3, 3)], window(1, 4))
        arrive(held, "nights", [night("d", 4, 4, 4), night("a", 1, 3, 4)], window(4, 4))
        deploy(AFTER)
        done = not interrupts(steps, lambda held=held: replayed(held, 4, 7), lambda held=held: replayed(held, 0, 3))
        assert values(held) == {DAYS[3]: {"b": 3}, DAYS[4]: {"a": 2, "d": 5}}, steps
        steps += 1
    assert steps > 6


def interrupts(steps: int, other: Callable[[], object], work: Callable[[], object]) -> bool:
    """Does the work, and the other's in front of one of its steps; whether there was such a step."""
    left = iter([*range(steps)])
    ran: list[bool] = []

    def step(call: Asked) -> None:
        if not ran and call.operation in ("BatchGetItem", "PutItem") and next(left, None) is None:
            ran.append(True)
            other()

    with watched(before=step):
        work()
    if not ran:
        other()
    return bool(ran)


class Killed(BaseException):
    """As if the worker were no more."""


def test_a_replay_killed_anywhere_is_finished_by_the_next(system: System) -> None:
    """At every write and every announcement, in the middle of a record's move to another day."""
    calls, done = 0, False
    while not done:
        calls += 1
        deploy(BEFORE)
        held = person()
        arrive(held, "pushed", [night("a", 1, 3, 4), night("b", 2, 3, 3)])
        arrive(held, "pushed", [night("c", 3, 4, 4)])
        announced(system)
        deploy(AFTER)
        days = (DAYS[3], DAYS[4])
        job = Job(id=new_id(), task="replay", reason="sync", as_of=now_ms(), connection=held.id, window=days)
        done = dies(calls, lambda job=job, held=held: again(job, held, registry.provider("testring")))
        again(job, held, registry.provider("testring"))
        assert values(held, "pushed") == {DAYS[3]: {"b": 3}, DAYS[4]: {"a": 2, "c": 4}}
        last = {(day, "pushed", section.rev) for day, section in stored(held, "pushed").items()}
        assert last <= announced(system), calls
        slots = {item["sk"]["S"]: item for item in sections.query(held.user, "D#", "D$")}
        for day, section in stored(held, "pushed").items():
            assert slots[f"D#{day}"]["testring#pushed"]["M"]["rev"]["N"] == str(section.rev)
    assert calls > 6


def dies(calls: int, work: Callable[[], object]) -> bool:
    """Does the work with so many writes and announcements; whether that was enough."""
    left = iter(range(calls))

    def lives(call: Asked) -> None:
        if call.operation in ("PutItem", "UpdateItem", "SendMessageBatch") and next(left, None) is None:
            raise Killed

    try:
        with watched(before=lives):
            work()
    except Killed:
        return False
    return True
