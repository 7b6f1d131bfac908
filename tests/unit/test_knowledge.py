"""When two pieces of knowledge meet: the order in which they arrive does not matter, only how old they are.

The strategies tell one true story of a vendor, and `told` draws what was said of it, and when; whatever the order
of arrival, the section must end the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.knowledge import Known, News, learn
from shared.model import Document, Reading, Series
from shared.values import replace

METRIC = "heart_rate"
FEW = range(1, 4)

values = st.integers(40, 60)
samples = st.dictionaries(st.sampled_from(FEW), values, max_size=3)


def record(id_: str, value: int, as_of: int | None = None) -> Document:
    return Document(id_, as_of=as_of, readings=(Reading("steps", value),))


def columns(rows: dict[int, int], readings: dict[int, int] | None = None) -> Document:
    """Samples that stand for themselves, some of them single readings."""
    series = (Series(METRIC, [*sorted(rows)], [rows[t] for t in sorted(rows)]),) if rows else ()
    return Document(series=series, readings=tuple(Reading("weight", v, t) for t, v in (readings or {}).items()))


records = st.builds(lambda i, v: record(i, v), st.sampled_from("ab"), values)
delivered = st.lists(records, max_size=2, unique_by=lambda d: d.id).map(tuple)
parts = st.builds(lambda d: News(0, d), delivered)
wholes = st.builds(lambda d: News(0, d, whole=True), delivered)
pushes = st.builds(lambda rows: News(0, (columns(rows),)), samples)
answers = st.builds(lambda rows: News(0, (columns(rows),), whole=True), samples)
departures = st.builds(lambda at: News(0, moved=frozenset((METRIC, t) for t in at)), st.sets(st.sampled_from(FEW)))
deletions = st.builds(lambda i: News(0, deleted=frozenset({i})), st.sampled_from("ab"))


def told(*kinds: st.SearchStrategy[News]) -> st.SearchStrategy[list[News]]:
    """Two to four news of these kinds, oldest first, no two equally old."""
    return st.lists(st.one_of(kinds), min_size=2, max_size=4).map(
        lambda found: [replace(news, as_of=10 * n) for n, news in enumerate(found, 1)]
    )


def arrive(order: Iterable[News]) -> Known:
    """As `commit` lets them in: a whole answer older than the last is not even read."""
    known = Known()
    for news in order:
        if not (news.whole and known.as_of > news.as_of):
            known = learn(known, news)
    return known


def content(known: Known) -> dict[str, Any]:
    """What is visible of it: values, without dates and without empty columns."""
    return {
        i: (sorted((r.metric, r.at or 0, r.value) for r in d.readings), rows(d))
        for i, d in known.documents.items()
        if d.id or d.readings or rows(d)
    }


def rows(document: Document) -> list[tuple[str, int, float]]:
    return sorted((s.metric, t, v) for s in document.series for t, v in zip(s.times, s.values, strict=True))


def check(news: list[News]) -> None:
    in_order = content(arrive(news))
    for order in permutations(news):
        assert content(arrive(order)) == in_order, [n.as_of for n in order]


@given(told(parts))
def test_documents_commute(news: list[News]) -> None:
    check(news)


@given(told(parts, wholes))
def test_documents_and_whole_answers_commute(news: list[News]) -> None:
    check(news)


@given(told(pushes))
def test_samples_commute(news: list[News]) -> None:
    check(news)


@given(told(pushes))
def test_the_offset_is_that_of_the_newest(news: list[News]) -> None:
    """Each push from another place; an empty one says nothing of where."""
    said = [replace(n, documents=(replace(n.documents[0], offset=n.as_of),)) for n in news if rows(n.documents[0])]
    for order in permutations(said):
        assert [d.offset for d in arrive(order).documents.values()] == [n.as_of for n in said[-1:]]


@given(told(pushes, answers))
@example([News(1, (columns({1: 50}),), whole=True), News(2, whole=True), News(3, (columns({2: 51}),))])
@example([News(1, (columns({1: 50}),)), News(2, (columns({2: 51}),), whole=True)])
def test_samples_and_whole_answers_commute(news: list[News]) -> None:
    """A push does not keep alive what a whole answer before it no longer lists."""
    check(news)


@given(told(pushes), st.data())
@example([News(1, (columns({1: 50}),)), News(2, (columns({2: 51}),))], None)
def test_a_sample_that_moved_away_is_gone_whatever_else_is_newer(news: list[News], data: st.DataObject | None) -> None:
    """The news of a departure is newer than the sample and older than other samples beside it."""
    first = news[0]
    gone = replace(data.draw(departures) if data else News(0, moved=frozenset({(METRIC, 1)})), as_of=first.as_of + 1)
    before = arrive([first, gone, *news[1:]])
    assert content(arrive([first, *news[1:], gone])) == content(before)


@given(told(parts, wholes), st.sampled_from("ab"))
def test_a_deletion_does_not_touch_what_is_newer(news: list[News], id_: str) -> None:
    """That what is *older* stays away is the tombstone's part, tests/functions/test_worker.py."""
    deletion = News(1, deleted=frozenset({id_}))
    assert content(arrive([*news, deletion])) == content(arrive([deletion, *news]))


# ---------------------------------------------------------------- single rules


@settings(max_examples=50)
@given(told(parts, wholes, pushes, answers, departures, deletions))
def test_saying_it_again_changes_nothing(news: list[News]) -> None:
    known = arrive(news)
    assert content(learn(known, news[-1])) == content(known)


def test_a_whole_answer_removes_what_vanished_and_spares_what_is_newer() -> None:
    known = arrive([News(1, (record("old", 1), record("both", 1))), News(9, (record("young", 1),))])
    found = learn(known, News(5, (record("both", 2),), whole=True))
    assert content(found) == content(arrive([News(5, (record("both", 2),)), News(9, (record("young", 1),))]))
    assert found.as_of == 5


def test_the_vendors_own_version_decides_between_two_of_one_document() -> None:
    """Fetched later, but older by the vendor's own clock: a cache of theirs."""
    known = arrive([News(5, (record("a", 2, as_of=4),)), News(6, (record("a", 1, as_of=3),))])
    assert known.documents["a"].readings[0].value == 2


def test_the_newer_half_of_a_document_replaces_it_as_a_whole() -> None:
    long = Document("a", readings=(Reading("steps", 1), Reading("distance", 5)))
    known = arrive([News(1, (long,)), News(2, (record("a", 2),))])
    assert known.documents["a"].readings == (Reading("steps", 2),)


def test_two_parts_without_an_id_in_one_delivery_are_one() -> None:
    known = arrive([News(1, (columns({1: 50}), columns({2: 51}, {3: 80})))])
    assert content(known) == content(arrive([News(1, (columns({1: 50, 2: 51}, {3: 80}),))]))


def test_a_part_older_than_the_whole_answer_cannot_bring_back_what_it_left_out() -> None:
    assert arrive([News(5, whole=True), News(4, (record("a", 1),))]).documents == {}
