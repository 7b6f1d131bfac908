"""What `shared.values` makes behaves as what `dataclasses` makes of the same class, but that it refuses no change."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import values


def point(by: Any, **how: bool) -> Any:
    @by.dataclass(**how)
    class Point:
        x: int
        y: int = 2

    return Point


def shout(text: str) -> str:
    return text.upper()


def trip(by: Any) -> Any:
    @by.dataclass(frozen=True, kw_only=True)
    class Trip:
        where: str = "here"
        key: str = by.field(repr=False)
        stops: list[int] = by.field(default_factory=list)
        read: Callable[[str], str] = shout
        hint: str = by.field(default="", repr=False)

        def __post_init__(self) -> None:
            if self.where == "nowhere":
                raise ValueError("there is no such place")

        @property
        def heard(self) -> str:
            return self.read(self.where)

    return Trip


def said(call: Callable[[], object]) -> str:
    """What comes of it, be it an error."""
    try:
        return repr(call())
    except (TypeError, ValueError) as error:
        return type(error).__name__


HOW = [{"frozen": True}, {"frozen": True, "kw_only": True}, {"eq": False, "repr": False}, {"kw_only": True}, {}]
ARGUMENTS = st.tuples(
    st.lists(st.integers(0, 2), max_size=3), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2), max_size=3)
)


@pytest.mark.parametrize("how", HOW, ids=str)
@given(left=ARGUMENTS, right=ARGUMENTS)
def test_a_class_of_fields(how: Mapping[str, bool], left: Any, right: Any) -> None:
    """Whatever it is made of, compared with, changed into and asked for."""

    def story(by: Any) -> list[str]:
        kind = point(by, **how)

        def one(arguments: Any) -> Any:
            places, named = arguments
            return kind(*places, **named)

        return [
            said(lambda: vars(one(left))),
            said(lambda: one(left) == one(right)),
            said(lambda: hash(one(left)) == hash(one(right))),
            said(lambda: repr(one(left)).partition(" object at ")[0]),
            said(lambda: vars(by.replace(one(left), **right[1]))),
            said(lambda: vars(copy.copy(one(left)))),
        ]

    assert story(values) == story(dataclasses)


@given(st.dictionaries(st.sampled_from(["where", "key", "stops", "other"]), st.sampled_from(["", "nowhere", "k"])))
def test_fields_that_say_more(named: dict[str, Any]) -> None:
    """Secrets are not shown, each has a list of its own, and a function in a field is not a method."""

    def story(by: Any) -> list[str]:
        kind = trip(by)
        return [
            said(lambda: kind(**named)),
            said(lambda: kind(**named).heard),
            said(lambda: kind(**named).stops is kind(**named).stops),
            said(lambda: by.replace(kind(key="k"), **named)),
            said(lambda: (kind.where, kind.hint, hasattr(kind, "key"), hasattr(kind, "stops"))),
        ]

    assert story(values) == story(dataclasses)


def test_others_with_the_same_fields_are_not_the_same() -> None:
    assert point(values, frozen=True)(1) != point(values, frozen=True)(1)
