"""The write protocol: what a job learned about a section becomes the section, its day's slot, and an announcement.

1. read the section; skip where its whole knowledge is newer, or as old and another job's (unless it is the very reply
   that the section was made of, mapped again: see shared/replay.py)
2. where the content differs, put it if the revision is still the one seen, else read again. Between the two the raw
   reply is kept, and others may write: that is what the revision is for
3. where it changed, or is unchanged but *by me* (I died here before): fill the day's slot, announce
The caller acknowledges its message after that, and moves its cursor before. tests/unit/test_commit.py tries every
interleaving of two workers with crashes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from shared.knowledge import Known, News, learn
from shared.model import Document, Kind
from shared.nights import joined
from shared.packing import pack
from shared.sections import Key, Section
from shared.summary import summarise
from shared.values import dataclass, replace


class Store(Protocol):
    """The three operations the protocol rests on: `shared.sections` on DynamoDB, a dictionary in the model check."""

    def read(self, keys: Any) -> dict[Key, Section]: ...
    def put(self, section: Section, seen: int) -> bool: ...
    def set_slot(self, key: Key, rev: int, at: int, kind: str, stats: Any) -> bool: ...


@dataclass(frozen=True)
class Change:
    """News about one section, and where it was read from. `version` is the mapping's."""

    key: Key
    news: News
    kind: Kind
    raw: str = ""
    version: int = 1
    unsigned: bool = False

    @property
    def leaves(self) -> bool:
        """It only says what is there no more."""
        return not (self.news.whole or self.news.documents)

    def only(self, wanted: Callable[[Document], bool]) -> Change:
        """The change without the documents that are not wanted."""
        kept = tuple(document for document in self.news.documents if wanted(document))
        return self if kept == self.news.documents else replace(self, news=replace(self.news, documents=kept))

    def without(self, ids: frozenset[str]) -> Change:
        """The change, and these documents gone with it."""
        return replace(self, news=replace(self.news, deleted=self.news.deleted | ids))


@dataclass(frozen=True)
class Announcement:
    """Revision `rev` of a section is visible in its day. Said again, it is the same announcement."""

    key: Key
    rev: int

    @property
    def id(self) -> str:
        return f"{self.key.user}/{self.key.day}/{self.key.slot}/{self.rev}"


@dataclass(frozen=True)
class Proposal:
    """What a section would become: made of it as it was `seen`, with its documents as they will be read again."""

    seen: Section
    section: Section
    documents: Sequence[Document]

    @property
    def differs(self) -> bool:
        """It is worth a new revision, and the raw reply worth keeping."""
        return self.section.hash != self.seen.hash

    def pointing(self, raw: str) -> Proposal:
        return replace(self, section=replace(self.section, raw=raw)) if raw else self


def proposal(section: Section, change: Change, by: str) -> Proposal | None:
    """None where there is nothing to say about the section."""
    news = change.news
    ours = section.by == by or (change.raw and change.raw == section.raw)
    if news.whole and (section.as_of > news.as_of or (section.as_of == news.as_of and not ours)):
        return None
    if not section.rev and not news.documents:
        return None  # an empty answer about a day never seen
    if not (news.whole or news.documents or news.moved or news.deleted & set(section.ids) or section.by == by):
        return None  # a departure of what was never here, and not of what I have taken out before I died
    known = learn(Known({d.id: d for d in section.documents()}, section.as_of), news)
    packed = pack(known.documents.values())
    ids = tuple(sorted(filter(None, known.documents)))
    received, corrected = (section.received, news.as_of) if section.rev else (news.as_of, 0)
    made = Section(
        section.key, section.rev + 1, known.as_of, by, bytes([change.version]) + packed.digest, packed.data,
        change.raw or section.raw, ids, holds(joined(packed.documents)), received, corrected,
        change.unsigned or (section.unsigned and not news.whole),
    )  # fmt: skip
    return Proposal(section, made, packed.documents)


def proposals(stored: Mapping[Key, Section], changes: Iterable[Change], by: str) -> dict[Key, Proposal]:
    """What there is to say about sections as they are `stored`."""
    found = ((change.key, proposal(stored[change.key], change, by)) for change in changes)
    return {key: made for key, made in found if made}


def holds(documents: Collection[Document]) -> tuple[str, ...]:
    """The metrics and kinds of episode in them. What an episode carries belongs to the episode."""
    kinds = {document.episode.kind for document in documents if document.episode}
    readings = {reading.metric for document in documents for reading in document.readings}
    return tuple(sorted(kinds | readings | {series.metric for document in documents for series in document.series}))


def commit(store: Store, change: Change, by: str, made: Proposal | None = None) -> Announcement | None:
    """Applies one change for the job `by`; `made` of it, where somebody looked before. Safe to repeat, to race, and to
    die in."""
    made = made or proposal(store.read([change.key])[change.key], change, by)
    while made:
        if not made.differs:
            return publish(store, made.seen, change.kind) if made.seen.by == by else None
        if store.put(made.section, made.seen.rev):
            return publish(store, made.section, change.kind, made.documents)
        made = proposal(store.read([change.key])[change.key], change, by)
    return None


def publish(store: Store, section: Section, kind: Kind, documents: Sequence[Document] = ()) -> Announcement:
    """Everything that follows a write, for a section as stored; its `documents`, where they are at hand."""
    told = documents or section.documents()
    store.set_slot(section.key, section.rev, section.known_at(told), kind, summarise(told))
    return Announcement(section.key, section.rev)
