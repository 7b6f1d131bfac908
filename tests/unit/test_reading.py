"""What mappings read by: numbers that are told as text, and samples that come as often."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import Skipped
from shared.providers.garmin.mapping import dailies
from shared.providers.reading import integers, regular


@given(st.integers(0, 10**12), st.integers(1, 10**6), st.lists(st.one_of(st.none(), st.integers(30, 220))))
def test_samples_are_those_that_are_told(start: int, step: int, values: list[int | None]) -> None:
    times, told = regular(start, step, values)
    expected = [(start + n * step, value) for n, value in enumerate(values) if value is not None]
    assert list(zip(times, told, strict=True)) == expected


@given(st.lists(st.integers(-(10**12), 10**12)))
def test_integers_are_what_int_makes_of_them(numbers: list[int]) -> None:
    assert integers([str(number) for number in numbers]) == numbers


@pytest.mark.parametrize("told", [["1.5"], ["1e3"], ["15", "x"], ["1,2"], [""], ["null"], ['"15"'], ["1", "[2]"]])
def test_what_is_none_is_not_taken_for_one(told: list[str]) -> None:
    with pytest.raises((ValueError, TypeError)):
        integers(told)


def test_a_record_of_such_is_skipped() -> None:
    samples = {"15": 51, "soon": 52}
    record = {"startTimeInSeconds": 1_793_574_000, "durationInSeconds": 900, "timeOffsetHeartRateSamples": samples}
    [item] = dailies({"dailies": [record]})
    assert isinstance(item, Skipped)
