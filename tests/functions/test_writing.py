"""What an answer makes of a section is looked at when it comes and written later: what may have happened in between."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from shared import connections, fetching, sections, writing
from shared.jobs import Job, Reason
from shared.local_time import Zones
from shared.providers import Window
from shared.providers.registry import provider
from shared.visits import Question, Visit
from shared.wire import Answer
from tests.functions.system import System
from tests.functions.wired import Asked, watched

DAY = date(2026, 11, 20)
OURA = provider("oura")


def visit(
    held: connections.Connection, *said: tuple[int, int], day: date = DAY, reason: Reason = "sync", id_: str = ""
) -> Visit:
    """Answers about the same day: when the fetch began, and the score it brought."""
    resource = OURA.resource("daily_sleep")
    questions = []
    for as_of, score in said:
        reply = {"data": [{"id": "night", "day": str(day), "score": score}]}
        questions.append(Question(resource, Window(day, day), replies=[reply], as_of=as_of))
    job = Job(id=id_ or f"job-{said}", reason=reason, as_of=1, connection=held.id)
    return Visit(job, held, OURA, Zones(), questions)


def days(user: str) -> list[str]:
    """Where the night is."""
    return [s.key.day for s in sections.sections(user, "2026-11-01", "2026-11-30", consistent=True) if s.ids]


def put(found: Visit) -> list[bool]:
    """All looked at first, then all written: of each try to put a section, whether it was refused."""
    refused = []

    def note(call: Asked, answer: Answer) -> None:
        if call.operation == "PutItem":
            refused.append(answer.status != 200)

    fetching.compare(found)
    with watched(after=note):
        for question in found.questions:
            writing.written(found, question)
    return refused


def score(user: str) -> tuple[int, float]:
    [section] = sections.sections(user, str(DAY), str(DAY), consistent=True)
    [document] = section.documents()
    return section.rev, document.readings[0].value


@pytest.mark.parametrize("said", [[(1, 70), (2, 80)], [(2, 80), (1, 70)]])
def test_two_answers_of_one_visit_meet_in_a_day(standing: System, said: list[tuple[int, int]]) -> None:
    """What the visit wrote itself is read again before, so that no put is tried in vain. The newer answer stands."""
    held = connections.establish(f"meets-{said}", OURA, "", (), "UTC")
    refused = put(visit(held, *said))
    assert refused == [False] * (2 if said[0] < said[1] else 1)
    assert score(held.user) == (len(refused), 80)


def test_what_somebody_else_wrote_in_between_is_found_by_the_put(standing: System) -> None:
    held = connections.establish("in between", OURA, "", (), "UTC")
    slow, quick = visit(held, (2, 80)), visit(held, (1, 70))
    fetching.compare(slow)
    assert put(quick) == [False]
    assert [a.rev for a in writing.written(slow, slow.questions[0])] == [2]
    assert score(held.user) == (2, 80)


def test_nor_does_an_older_answer_overwrite_a_newer_one_then(standing: System) -> None:
    held = connections.establish("older", OURA, "", (), "UTC")
    slow, quick = visit(held, (1, 70)), visit(held, (2, 80))
    fetching.compare(slow)
    put(quick)
    assert writing.written(slow, slow.questions[0]) == []
    assert score(held.user) == (1, 80)


def test_a_poll_looks_beside_its_days_for_what_was_not_there_before(standing: System) -> None:
    """And for nothing once it is: what it has of that day is read at half the price, and what is beside it not."""
    held, looked = connections.establish("beside", OURA, "", (), "UTC"), list[tuple[bool, int]]()
    put(visit(held, (1, 70), day=DAY - timedelta(days=1)))

    def note(call: Asked) -> None:
        for table in call.told.get("RequestItems", {}).values():
            looked.append((table["ConsistentRead"], len(table["Keys"])))

    for at in (2, 3):
        with watched(before=note):
            fetching.compare(moved := visit(held, (at, 80), reason="poll"))
        writing.written(moved, moved.questions[0])
        assert days(held.user) == [str(DAY)]
    assert looked == [(False, 1), (False, 2), (False, 1)]


def test_a_poll_that_died_in_a_move_ends_it(standing: System) -> None:
    """The document is where it is now, by this very job; and still where it was."""
    held = connections.establish("died", OURA, "", (), "UTC")
    put(visit(held, (1, 70), day=DAY - timedelta(days=1)))
    fetching.compare(dying := visit(held, (2, 80), reason="poll", id_="poll"))
    [change] = [change for change in dying.questions[0].filed.changes if not change.leaves]  # type: ignore[union-attr]
    assert sections.put(dying.questions[0].proposed[change.key].section, 0)
    assert len(days(held.user)) == 2
    put(visit(held, (3, 80), reason="poll", id_="poll"))
    assert days(held.user) == [str(DAY)]


def test_what_was_deleted_in_between_does_not_come_back(standing: System) -> None:
    held = connections.establish("deleted", OURA, "", (), "UTC")
    slow = visit(held, (1, 70))
    fetching.compare(slow)
    # By the clock, or the deletion would be long forgotten.
    now = writing.now_ms()
    sections.bury(held.user, "oura", "daily_sleep", {"night"}, now)
    assert writing.written(slow, slow.questions[0]) == []
    assert list(sections.sections(held.user, str(DAY), str(DAY), consistent=True)) == []


def test_what_is_read_of_a_day_is_read_at_once(standing: System) -> None:
    """The day's sections of one source, in one request, where three of them are asked for; what else is there is not
    taken for one of them."""
    held = connections.establish("crowd", OURA, "", (), "UTC")
    put(visit(held, (1, 70)))
    names = ("daily_activity", "daily_sleep", "workout")
    keys = [sections.Key(held.user, str(DAY), "oura", name) for name in names]
    for asked, loosely in ((keys, keys[1:]), (keys[:2], keys[2:]), ((), keys), (keys[:1] + keys[2:], keys[1:])):
        found = sections.read(asked, loosely)
        assert {key: section.rev for key, section in found.items()} == dict(zip(keys, (0, 1, 0), strict=True))
    assert sections.read([*keys[::2], keys[0]._replace(resource="sleep")]).keys() == {
        *keys[::2],
        keys[0]._replace(resource="sleep"),
    }
