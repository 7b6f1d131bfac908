"""Laws of the packed section: nothing is lost, equal content has equal bytes, dates are not content."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import Document, Episode, Reading, Series, Ticks
from shared.packing import pack, unpack
from shared.values import replace

instants = st.integers(0, 4_000_000_000_000)
milli = st.integers(-(10**9), 10**9).map(lambda n: n // 1000 if n % 1000 == 0 else n / 1000)


steps, counts = st.integers(1, 10**6), st.integers(0, 9)
regular = st.builds(lambda at, step, count: range(at, at + count * step, step), instants, steps, counts)

ticks = st.builds(Ticks, instants, steps, st.sets(st.integers(0, 9_000), max_size=30).map(sorted))


@st.composite
def columns(draw: st.DrawFn) -> Series:
    times = draw(st.one_of(st.sets(instants, max_size=30).map(sorted), regular, ticks))
    values = draw(st.lists(st.one_of(st.integers(0, 300), milli), min_size=len(times), max_size=len(times)))
    as_of = draw(st.one_of(st.just([]), st.lists(instants, min_size=len(times), max_size=len(times))))
    return Series("heart_rate", times, values, draw(st.sampled_from(["", "mmol/L"])), as_of)


readings = st.builds(Reading, st.just("steps"), milli, st.one_of(st.none(), instants), st.just(""))
episodes = st.builds(
    Episode,
    st.just("sleep"),
    instants,
    instants,
    stages=st.lists(st.tuples(instants, instants, st.just("rem"))).map(tuple),
    readings=st.lists(readings, max_size=2).map(tuple),
    series=st.lists(columns().map(lambda s: replace(s, as_of=())), max_size=2).map(tuple),
    zones=st.lists(st.tuples(st.sampled_from(["easy", "hard"]), st.integers(0, 90)), max_size=2).map(tuple),
)
documents = st.builds(
    Document,
    st.text(max_size=5),
    st.just("2026-11-20"),
    st.one_of(st.none(), st.integers(-720, 840)),
    st.one_of(st.none(), instants),
    st.lists(readings, max_size=3).map(tuple),
    st.lists(columns(), max_size=2).map(tuple),
    st.one_of(st.none(), episodes),
    st.booleans(),
)


def plain(document: Document) -> Document:
    """With columns as lists, so that two spellings of one sequence compare equal."""
    episode = document.episode and replace(document.episode, series=listed(document.episode.series))
    return replace(document, series=listed(document.series), episode=episode)


def listed(columns: Iterable[Series]) -> tuple[Series, ...]:
    return tuple(replace(s, times=[*s.times], values=[*s.values], as_of=[*s.as_of]) for s in columns)


@given(st.lists(documents, max_size=4, unique_by=lambda d: d.id))
def test_what_goes_in_comes_out(given: list[Document]) -> None:
    packed = pack(given).data
    assert [plain(d) for d in unpack(packed, "2026-11-20")] == [plain(d) for d in sorted(given, key=lambda d: d.id)]


unkept = st.builds(Series, st.just("glucose"), st.lists(instants, min_size=3, max_size=3), st.lists(st.one_of(
    st.integers(0, 300), st.floats(0, 300)), min_size=3, max_size=3))  # fmt: skip
mapped = st.builds(Reading, st.just("steps"), st.floats(0, 300), instants)


@given(st.lists(st.builds(Document, st.just("d"), st.just("2026-11-20"), readings=st.tuples(mapped),
                          series=st.tuples(unkept)), max_size=1))  # fmt: skip
def test_what_comes_out_is_known_when_it_goes_in(given: list[Document]) -> None:
    """To the spelling of a whole number: the day is summarised from what was packed, or from what was read again."""
    packed = pack(given)
    again = unpack(packed.data, "2026-11-20")
    assert repr([plain(d) for d in packed.documents]) == repr([plain(d) for d in again])
    assert pack(again)[:2] == packed[:2]


@given(st.lists(documents, max_size=2, unique_by=lambda d: d.id))
def test_in_whatever_way_times_are_told_they_are_packed_alike(given: list[Document]) -> None:
    packed = pack(given)
    assert pack(map(plain, given))[:2] == packed[:2]


@given(ticks, st.slices(30))
def test_ticks_read_as_a_list(told: Ticks, part: slice) -> None:
    times = [told.start + told.each * count for count in told.counts]
    assert ([*told], len(told), [*told[part]]) == (times, len(times), times[part])
    assert [told[n] for n in range(-len(times), len(times))] == times + times


@given(st.lists(documents, max_size=4, unique_by=lambda d: d.id), instants)
def test_the_hash_is_of_the_content_only(given: list[Document], later: int) -> None:
    again = [replace(d, as_of=later) for d in reversed(given)]
    assert pack(given)[1] == pack(again)[1]


def test_a_whole_number_has_one_spelling() -> None:
    spelled = [Document(series=(Series("heart_rate", [1, 2, 3], values),)) for values in ([60, 61, 61], [60.0, 61, 61])]
    assert pack([spelled[0]]) == pack([spelled[1]])


def test_a_different_value_is_a_different_hash() -> None:
    first, second = (pack([Document(readings=(Reading("steps", n),))])[1] for n in (1, 2))
    assert first != second


def test_times_out_of_order_and_twice_are_put_right() -> None:
    packed = pack([Document(series=(Series("glucose", [30, 10, 30], [1, 2, 3]),))]).data
    [series] = unpack(packed, "2026-11-20")[0].series
    assert (list(series.times), list(series.values)) == ([10, 30], [2, 3])


def test_a_day_of_dense_heart_rate_is_under_a_byte_and_a_half_a_sample() -> None:
    values = [60 + (i * 7919 % 13) - (i * 104729 % 7) for i in range(5760)]
    packed = pack([Document(series=(Series("heart_rate", [i * 15_000 for i in range(5760)], values),))]).data
    assert len(packed) / 5760 < 1.5


def test_sorted_in_an_episode_too() -> None:
    series = (Series("heart_rate", [30, 10], [60, 61]), Series("spo2", [10, 30], [97.5, 96]))
    packed = pack([Document("d", "2026-11-20", episode=Episode("workout", 1, 40, series=series))])
    [document] = unpack(packed.data, "2026-11-20")
    assert [plain(document)] == [*map(plain, packed.documents)]
    assert document.episode
    assert listed(document.episode.series)[0] == Series("heart_rate", [10, 30], [61, 60], "", [])


@pytest.mark.parametrize("widest", [100, 30_000, 2 * 10**9, 4 * 10**12])
def test_long_columns_of_any_width(widest: int) -> None:
    times = [n * widest + n * n for n in range(400)]
    values = [widest * (-1) ** n + n / 1000 for n in range(400)]
    series = Series("heart_rate", times, values, "", [*reversed(times)])
    [document] = unpack(pack([Document(series=(series,))]).data, "2026-11-20")
    assert document.series == (series,)


@pytest.mark.parametrize("version", [1, 9])
def test_another_format_is_refused(version: int) -> None:
    packed = pack([]).data
    with pytest.raises(ValueError, match=f"version {version}"):
        unpack(bytes([version]) + packed[1:], "2026-11-20")
