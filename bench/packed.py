"""What a sample weighs once it is packed, by metric, and how fast packing and unpacking are.

A series of fewer than 200 samples, and a phone's records, which are a document each with an id of their own, are said
without a target.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from bench.noise import KINDS, Noise
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
    """Merged: each sample is dated by the delivery that brought it, as those of a sensor are."""
    for name, noise in KINDS.items():
        document = day_of(noise)
        samples = len(document.series[0].times)
        weight = len(section([document], whole=False).data) / samples
        told = f"{name}: packed bytes a sample, of {samples:,}"
        yield at_most(told, weight, MOST_BYTES, "B") if samples >= LONG else plain(told, weight, "B")


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
