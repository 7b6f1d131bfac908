"""The write protocol: what a job learned about a section becomes the section, its day's slot, and an announcement.

1. read the section; skip where its whole knowledge is newer, or as old and another job's (unless it is the very reply
   that the section was made of, mapped again: see shared/replay.py)
2. where the content differs, put it if the revision is still the one seen, else read again
3. where it changed, or is unchanged but *by me* (I died here before): fill the day's slot, announce
The caller acknowledges its message after that, and moves its cursor before. tests/unit/test_commit.py tries every
interleaving of two workers with crashes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Protocol

from shared.catalogue import Kind
from shared.knowledge import Known, News, learn
from shared.model import Document
from shared.nights import joined
from shared.packing import pack
from shared.sections import Key, Section
from shared.summary import summarise


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

    def only(self, wanted: Callable[[Document], bool]) -> Change:
        """The change without the documents that are not wanted."""
        kept = tuple(document for document in self.news.documents if wanted(document))
        return replace(self, news=replace(self.news, documents=kept))

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


def proposal(section: Section, change: Change, by: str) -> Section | None:
    """The section as it would be after the change; None where there is nothing to say about it."""
    news = change.news
    ours = section.by == by or (change.raw and change.raw == section.raw)
    if news.whole and (section.as_of > news.as_of or (section.as_of == news.as_of and not ours)):
        return None
    if not section.rev and not news.documents:
        return None  # an empty answer about a day never seen
    if not (news.whole or news.documents or news.moved or news.deleted & set(section.ids) or section.by == by):
        return None  # a departure of what was never here, and not of what I have taken out before I died
    known = learn(Known({d.id: d for d in section.documents()}, section.as_of), news)
    data, digest = pack(known.documents.values())
    ids = tuple(sorted(filter(None, known.documents)))
    digest = bytes([change.version]) + digest
    received, corrected = (section.received, news.as_of) if section.rev else (news.as_of, 0)
    return replace(
        section, as_of=known.as_of, by=by, hash=digest, data=data, raw=change.raw or section.raw, ids=ids,
        holds=holds(joined(known.documents.values())), received=received, corrected=corrected,
        unsigned=change.unsigned or (section.unsigned and not news.whole),
    )  # fmt: skip


def holds(documents: Collection[Document]) -> tuple[str, ...]:
    """The metrics and kinds of episode in them. What an episode carries belongs to the episode."""
    kinds = {document.episode.kind for document in documents if document.episode}
    readings = {reading.metric for document in documents for reading in document.readings}
    return tuple(sorted(kinds | readings | {series.metric for document in documents for series in document.series}))


def differs(section: Section, change: Change, by: str) -> bool:
    """Would `commit` store a new revision? Decides whether the raw reply is worth keeping."""
    proposed = proposal(section, change, by)
    return proposed is not None and proposed.hash != section.hash


def commit(store: Store, change: Change, by: str, seen: Section | None = None) -> Announcement | None:
    """Applies one change for the job `by`. Safe to repeat, to race, and to die in."""
    section = seen or store.read([change.key])[change.key]
    while True:
        proposed = proposal(section, change, by)
        if proposed is None:
            return None
        if proposed.hash == section.hash:
            if section.by != by:
                return None
            return publish(store, section, change.kind)
        if store.put(proposed, section.rev):
            return publish(store, replace(proposed, rev=section.rev + 1), change.kind)
        section = store.read([change.key])[change.key]


def publish(store: Store, section: Section, kind: Kind) -> Announcement:
    """Everything that follows a write, for a section as stored."""
    store.set_slot(section.key, section.rev, section.known_at(), kind, summarise(section.documents()))
    return Announcement(section.key, section.rev)
