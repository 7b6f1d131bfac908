"""Bytes by their differences: what the loop over them would say, and back."""

from hypothesis import given
from hypothesis import strategies as st

from shared.octets import apart, together


@given(st.binary(max_size=70))
def test_of_all_at_once_it_is_what_it_is_of_each(values: bytes) -> None:
    assert apart(values) == bytes((value - before) % 256 for before, value in zip(b"\0" + values, values, strict=False))
    assert together(apart(values)) == values
