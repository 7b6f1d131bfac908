"""What a sample weighs once it is packed, by metric, and how fast packing and unpacking are.

A series of fewer than 200 samples, and a phone's records, which are a document each with an id of their own, are said
without a target; and what is random at its precision, beside what no code can do better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from bench.noise import KINDS, RANDOM, Noise
from bench.replies import DAY, KNOWN, ZONES, asked, replies
from bench.row import Row, at_most, plain, rate
from shared.commit import Change, proposal
from shared.filing import Answer, file
from shared.knowledge import News
from shared.model import Document, Series
from shared.packing import pack, unpack
from shared.providers.registry import provider
from shared.sections import Key, Section

LONG, MOST_BYTES = 200, 1.5


def section(documents: Sequence[Document], whole: bool = True) -> Section:
    """As the write protocol would store it."""
    key = Key("u", str(DAY), "source", "resource")
    made = proposal(Section(key), Change(key, News(KNOWN, tuple(documents), whole=whole), "watch"), "j")
    assert made is not None
    return made.section


def day_of(noise: Noise) -> Document:
    times, values = noise.draw()
    return Document(day=str(DAY), series=(Series(noise.metric, times, values),))


def weights() -> Iterator[Row]:
    for name, noise in KINDS.items():
        told, weight = weighed(name, noise)
        yield at_most(told, weight, MOST_BYTES, "B") if len(noise.draw()[0]) >= LONG else plain(told, weight, "B")
    for name, noise in RANDOM.items():
        yield plain(*weighed(name, noise), "B")
        yield plain(f"{name}: bytes a sample that no code goes below", noise.least, "B")


def weighed(name: str, noise: Noise) -> tuple[str, float]:
    """Merged: each sample is dated by the delivery that brought it, as those of a sensor are."""
    document = day_of(noise)
    samples = len(document.series[0].times)
    return f"{name}: packed bytes a sample, of {samples:,}", len(section([document], whole=False).data) / samples


def phone_weight() -> Row:
    """The heart rates of the batch of bench/replies.py, as filed."""
    batch = replies()[-1]
    question = asked(batch)[0]
    answer = Answer("u", provider(batch.provider), question.resource, question.replies, KNOWN, ZONES)
    [change] = [change for change in file(answer).changes if change.news.documents]
    count = len(change.news.documents)
    weight = len(section(change.news.documents, whole=False).data) / count
    return plain(f"heart rate, {count:,} records of a phone with their ids: packed bytes a sample", weight, "B")


def rows(tiny: bool = False) -> Iterator[Row]:
    yield from weights()
    yield phone_weight()
    document = day_of(KINDS["heart rate, every 15 s"])
    packed = pack([document]).data
    samples = len(document.series[0].times)
    for name, do in (("packed", partial(pack, [document])), ("unpacked", partial(unpack, packed, str(DAY)))):
        yield plain(f"a day of heart rate every 15 s, {name}", samples * rate(do, tiny), "samples/s")
