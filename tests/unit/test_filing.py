"""From a vendor's pages to sections: every document on its one day, every value possible, nothing left behind."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import permutations
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.commit import Change, commit
from shared.errors import ProviderChangedError
from shared.filing import Answer, file
from shared.local_time import Zones, local_day
from shared.model import DAY, HOUR, MINUTE, Deletion, Document, Episode, Item, Reading, Series, Skipped, instant
from shared.providers import FileUpload, Provider, Resource, Upload, Window
from shared.sections import Key, Section
from shared.series import samples
from shared.values import replace

BERLIN = Zones(((0, "Europe/Berlin"),))
MOVED = Zones(((0, "Europe/Berlin"), (instant("2026-11-20T12:00Z")[0], "America/New_York")))
NIGHTS = ("2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22")


def at(text: str) -> int:
    return instant(text)[0]


def window(first: str, last: str) -> Window:
    return Window(date.fromisoformat(first), date.fromisoformat(last))


def answer(
    items: Iterable[Item], days: Window | None = None, zones: Zones = BERLIN, as_of: int = 1, **more: Any
) -> Answer:
    """What a vendor that sends our own items would answer."""
    resource = Resource(name="data", map=lambda page: page["items"], **more)
    nobody = FileUpload((), lambda body, media, zone: Upload({}, 0, ()))
    provider = Provider(id="ring", name="Ring", docs="", kind="ring", base_url="", auth=nobody, resources=(resource,))
    return Answer("ada", provider, resource, [{"items": list(items)}], as_of, zones, days)


def beats(*times: int, offset: int | None = None, value: float = 60) -> Document:
    return Document(offset=offset, series=(Series("heart_rate", times, [value] * len(times)),))


def sleep(id_: str, end: int, day: str | None = None) -> Document:
    return Document(id_, day=day, offset=60, episode=Episode("sleep", end - 8 * HOUR, end))


class Shelf:
    """The Data table as `commit` uses it."""

    def __init__(self) -> None:
        self.sections: dict[Key, Section] = {}

    def read(self, keys: Any) -> dict[Key, Section]:
        return {key: self.sections.get(key, Section(key)) for key in keys}

    def put(self, section: Section, seen: int) -> bool:
        self.sections[section.key] = replace(section, rev=seen + 1)
        return True

    def set_slot(self, key: Key, rev: int, at: int, kind: str, stats: Any) -> bool:
        return True

    def learn(self, said: Answer) -> None:
        for change in file(said).changes:
            commit(self, change, f"job-{said.as_of}")

    def shows(self) -> dict[str, list[str]]:
        """By day, the ids and instants to be seen."""
        found: dict[str, list[str]] = {}
        for key, section in sorted(self.sections.items()):
            for document in section.documents():
                times = [str(t) for series in document.series for t in series.times]
                found.setdefault(key.day, []).extend([document.id] if document.id else times)
        return {day: sorted(shown) for day, shown in found.items() if shown}


def by_day(changes: Iterable[Change]) -> dict[str, Change]:
    return {change.key.day: change for change in changes}


# ---------------------------------------------------------------- whose day

times = st.lists(st.integers(at("2026-03-27T00:00Z"), at("2026-03-31T00:00Z")), unique=True, max_size=30) | st.lists(
    st.integers(at("2026-10-23T00:00Z"), at("2026-10-27T00:00Z")), unique=True, max_size=30
)


@settings(deadline=None)
@given(times, st.none() | st.integers(-720, 840), st.sampled_from([BERLIN, MOVED]))
def test_every_sample_is_filed_once_under_its_own_day(at: list[int], offset: int | None, zones: Zones) -> None:
    said = answer([beats(*at, offset=offset)] if at else [], zones=zones, mode="merge")
    filed = [
        (change.key.day, t) for change in file(said).changes
        for d in change.news.documents for s in d.series for t in s.times
    ]  # fmt: skip
    assert sorted(filed) == sorted((local_day(t, offset, zones), t) for t in at)


@pytest.mark.parametrize(
    ("document", "day"),
    [
        (sleep("a", at("2026-11-21T05:00Z")), "2026-11-21"),  # a sleep belongs to its wake day
        (sleep("a", at("2026-11-20T23:30Z")), "2026-11-21"),  # by the record's own offset: 00:30
        (sleep("a", at("2026-11-21T05:00Z"), "2026-11-20"), "2026-11-20"),  # the vendor names the day
        (Document("a", readings=(Reading("weight", 70, at("2026-11-20T22:59Z")),)), "2026-11-20"),
        (Document("a", readings=(Reading("weight", 70, at("2026-11-20T23:00Z")),)), "2026-11-21"),
        (Document(readings=(Reading("weight", 70, at("2026-11-20T23:00Z")),)), "2026-11-21"),
        (Document("a", series=(Series("heart_rate", [at("2026-11-20T22:00Z"), at("2026-11-20T23:30Z")], [60, 61]),)),
         "2026-11-21"),
    ],
)  # fmt: skip
def test_a_record_lives_on_one_day(document: Document, day: str) -> None:
    filed = [c.key.day for c in file(answer([document], mode="merge")).changes if c.news.documents]
    assert filed == [day]


def test_what_names_no_day_at_all_is_not_understood() -> None:
    for document in (Document("a", readings=(Reading("steps", 1),)), Document(readings=(Reading("steps", 1),))):
        with pytest.raises(ProviderChangedError):
            file(answer([document]))


# ---------------------------------------------------------------- what an answer speaks of


def test_a_whole_answer_speaks_of_its_days_and_of_no_padding() -> None:
    items = [sleep(day, 0, day) for day in ("2026-11-19", "2026-11-20", "2026-11-22")]
    changes = by_day(file(answer(items, window("2026-11-20", "2026-11-21"))).changes)
    assert {day for day, c in changes.items() if c.news.whole} == {"2026-11-20", "2026-11-21"}
    assert [d.id for d in changes["2026-11-20"].news.documents] == ["2026-11-20"]
    assert changes["2026-11-21"].news.documents == ()
    assert all(not c.news.documents for day, c in changes.items() if day in ("2026-11-19", "2026-11-22"))


def test_what_vanished_at_the_vendor_vanishes_here_and_padding_days_are_let_be() -> None:
    shelf = Shelf()
    stored = [sleep(f"{day}-{n}", 0, day) for day in NIGHTS for n in "ab"]
    shelf.learn(answer(stored, window(NIGHTS[0], NIGHTS[-1]), as_of=1))
    left = [d for d in stored if d.id != "2026-11-20-b" and d.day != "2026-11-19"]
    shelf.learn(answer(left, window("2026-11-20", "2026-11-21"), as_of=2))
    assert shelf.shows() == {
        "2026-11-19": ["2026-11-19-a", "2026-11-19-b"],
        "2026-11-20": ["2026-11-20-a"],
        "2026-11-21": ["2026-11-21-a", "2026-11-21-b"],
        "2026-11-22": ["2026-11-22-a", "2026-11-22-b"],
    }


@pytest.mark.parametrize("more", [{"mode": "merge"}, {}])
def test_what_does_not_say_which_exist_removes_nothing(more: dict[str, Any]) -> None:
    shelf = Shelf()
    shelf.learn(answer([sleep("a", 0, "2026-11-20")], window("2026-11-20", "2026-11-20"), as_of=1))
    part = None if not more else window("2026-11-20", "2026-11-20")
    shelf.learn(answer([sleep("b", 0, "2026-11-20")], part, as_of=2, **more))
    assert shelf.shows() == {"2026-11-20": ["a", "b"]}


days = st.sampled_from(NIGHTS)
owned = st.tuples(days, days).map(lambda pair: window(min(pair), max(pair)))


@settings(deadline=None)
@given(st.lists(days, min_size=1, max_size=4), st.none() | owned, st.sampled_from(["replace", "merge"]))
def test_a_document_that_moves_next_door_leaves_no_copy(path: list[str], part: Window | None, mode: str) -> None:
    """However it is asked for, as long as the answer speaks of the day it lives on now."""
    shelf, here = Shelf(), path[0]
    shelf.learn(answer([sleep("a", 0, here)], as_of=1, mode=mode))
    for as_of, day in enumerate(path[1:], 2):
        near = abs((date.fromisoformat(day) - date.fromisoformat(here)).days) <= 1
        if near and (part is None or part.first <= date.fromisoformat(day) <= part.last):
            shelf.learn(answer([sleep("a", 0, day)], part, as_of=as_of, mode=mode))
            here = day
            assert shelf.shows() == {here: ["a"]}


def test_how_things_stand_is_of_the_day_it_was_asked_and_yesterdays_stays() -> None:
    def profile(weight: float, as_of: str) -> Answer:
        said = [Document(readings=(Reading("weight", weight),))]
        return answer(said, as_of=at(as_of), mode="merge", current=True)

    shelf = Shelf()
    for weight, when in ((70, "2026-11-20T22:30Z"), (72, "2026-11-20T23:30Z"), (71, "2026-11-20T23:10Z")):
        shelf.learn(profile(weight, when))
    assert shelf.shows() == {"2026-11-20": ["2026-11-20"], "2026-11-21": ["2026-11-21"]}
    found = [d.readings[0].value for section in shelf.sections.values() for d in section.documents()]
    assert found == [70, 72]


def test_times_on_the_wearers_clock_become_instants_by_the_zone_history() -> None:
    wall = (at("2026-11-20T00:02Z"), at("2026-11-20T23:58Z"))
    floating = Document(day="2026-11-20", series=(Series("heart_rate", wall, [60, 61]),), floating=True)
    [change] = file(answer([floating], mode="merge")).changes
    [document] = change.news.documents
    assert (change.key.day, document.floating) == ("2026-11-20", False)
    assert list(document.series[0].times) == [at("2026-11-19T23:02Z"), at("2026-11-20T22:58Z")]


def test_what_a_profile_dates_itself_keeps_its_date() -> None:
    dated = Document(readings=(Reading("weight", 70, at("2026-06-01T12:00Z")),))
    [change] = file(answer([dated], as_of=at("2026-11-20T12:00Z"), mode="merge", current=True)).changes
    assert change.key.day == "2026-06-01"


def test_samples_filed_anew_after_a_move_leave_no_copy() -> None:
    """A flight told late: the same samples, asked for again, belong to the day before."""
    night = [at("2026-11-21T00:00Z") + n * HOUR for n in range(4)]
    shelf = Shelf()
    shelf.learn(answer([beats(*night)], as_of=1, mode="merge"))
    assert set(shelf.shows()) == {"2026-11-21"}
    shelf.learn(answer([beats(*night)], as_of=2, mode="merge", zones=MOVED))
    assert shelf.shows() == {"2026-11-20": [str(t) for t in night]}


def test_a_deletion_in_a_window_removes_the_document_wherever_in_it() -> None:
    shelf = Shelf()
    days = window("2026-11-20", "2026-11-21")
    shelf.learn(answer([sleep("a", 0, "2026-11-20"), sleep("b", 0, "2026-11-20")], days, as_of=1, mode="merge"))
    shelf.learn(answer([Deletion("a")], days, as_of=2, mode="merge"))
    assert shelf.shows() == {"2026-11-20": ["b"]}


@settings(deadline=None)
@given(st.lists(st.sets(st.integers(1, 3)), min_size=2, max_size=3))
@example([{1}, {1}, {2}])
def test_single_readings_may_come_in_any_order(news: list[set[int]]) -> None:
    """Identity is (metric, instant): a newer reading of another instant says nothing about this one."""
    noon = at("2026-11-20T12:00Z")
    said = [
        answer([Document(readings=tuple(Reading("weight", 60 + n, noon + t) for t in told))], as_of=n, mode="merge")
        for n, told in enumerate(news, 1)
    ]
    for order in permutations(said):
        shelf = Shelf()
        for each in order:
            shelf.learn(each)
        rows = [row for section in shelf.sections.values() for row in samples(section, "weight", BERLIN)]
        assert {row.at: row.value for row in rows} == {noon + t: 60 + n for n, told in enumerate(news, 1) for t in told}


# ---------------------------------------------------------------- what cannot be


def test_impossible_values_are_dropped_and_counted_without_being_told() -> None:
    noon = at("2026-11-20T12:00Z")
    day = Document(
        "a", "2026-11-20",
        readings=(Reading("steps", -41), Reading("distance", 5)),
        series=(Series("heart_rate", [noon, noon + 1, noon + 2], [60, 4141, 61]),),
    )  # fmt: skip
    filed = file(answer([day]))
    [document] = [d for c in filed.changes for d in c.news.documents]
    assert [r.metric for r in document.readings] == ["distance"]
    assert [*document.series[0].times] == [noon, noon + 2]
    assert [*document.series[0].values] == [60, 61]
    assert sorted(s.field for s in filed.skipped) == ["heart_rate", "steps"]
    assert "41" not in repr(filed.skipped)


def test_neither_are_they_kept_inside_a_sleep_or_a_workout() -> None:
    end = at("2026-11-20T06:00Z")
    night = Episode(
        "sleep", end - 8 * HOUR, end,
        readings=(Reading("sleep_efficiency", 4141), Reading("sleep_duration", 8)),
        series=(Series("heart_rate", [end - 2, end - 1], [4141, 50]),),
    )  # fmt: skip
    filed = file(answer([Document("a", "2026-11-20", episode=night)]))
    [episode] = [d.episode for c in filed.changes for d in c.news.documents]
    assert episode
    assert [r.metric for r in episode.readings] == ["sleep_duration"]
    assert [*episode.series[0].values] == [50]
    assert len(filed.skipped) == 2


def test_a_bad_record_is_counted_and_an_answer_of_nothing_else_is_not_understood() -> None:
    bad = Skipped(0, "missing field", "day")
    filed = file(answer([bad, sleep("a", 0, "2026-11-20"), bad]))
    assert len(filed.skipped) == 2
    assert [d.id for c in filed.changes for d in c.news.documents] == ["a"]
    with pytest.raises(ProviderChangedError):
        file(answer([bad, bad]))
    assert file(answer([])).changes == []


def test_pages_that_need_each_other_are_mapped_as_one() -> None:
    def told(page: Any) -> list[Item]:
        days = {row["id"]: row["day"] for row in page["rows"] if "day" in row}
        return [sleep(row["of"], 0, days[row["of"]]) for row in page["rows"] if "of" in row]

    pages = [{"rows": [{"of": "a"}]}, {"rows": [{"id": "b", "day": "2026-11-21"}, {"of": "b"}]},
             {"rows": [{"id": "a", "day": "2026-11-20"}]}]  # fmt: skip
    said = answer([], records="rows", together=True)
    said = replace(said, resource=replace(said.resource, map=told), pages=pages)
    assert [c.key.day for c in file(said).changes if c.news.documents] == ["2026-11-20", "2026-11-21"]
    with pytest.raises(ProviderChangedError):
        file(replace(said, pages=[*pages, {"error": "maintenance"}]))


@given(st.permutations(range(6)))
def test_pages_may_come_in_any_order(order: list[int]) -> None:
    start = at("2026-11-20T22:57Z")
    pages = [{"items": [beats(start + n * MINUTE)]} for n in range(6)]
    whole = window("2026-11-20", "2026-11-21")
    shelf, shuffled = Shelf(), Shelf()
    shelf.learn(replace(answer([], whole), pages=pages))
    shuffled.learn(replace(answer([], whole), pages=[pages[n] for n in order]))
    assert shelf.shows() == shuffled.shows()
    assert sum(map(len, shelf.shows().values())) == 6


def test_a_day_of_the_wearer_is_as_long_as_their_clock_said() -> None:
    """Berlin, 2026-10-25: 25 hours, of which the vendor's own offset explains two."""
    start = at("2026-10-24T22:00Z")
    hours = range(start, start + DAY + HOUR, 30 * MINUTE)
    [change] = file(answer([beats(*hours)], mode="merge")).changes
    assert change.key.day == "2026-10-25"
    assert len([t for d in change.news.documents for s in d.series for t in s.times]) == 50
