"""Kept replies, mapped again: after a mapping is corrected, sections become what they would have been.

A replay is not news. What a reply says is as old as its fetch, so nothing younger is overwritten. A section points at
the last reply that changed it, and is that reply's *own*; also that of a later one which was asked about its day, and
had nothing to add then. A day that has no section yet is anybody's own. Of its own sections a reply says everything
anew. To other sections it brings only what no later answer can have taken away: single samples, which are dated one by
one, and documents that leave a section of its own.

Where a section was made of several replies, only the last is pointed at, and only that part is learned again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial

import orjson

from shared import connections, fetching, raw, sections, zones
from shared.commit import Change, Proposal, commit, proposal
from shared.connections import Connection
from shared.errors import ProviderChangedError
from shared.filing import Filed, samples_of
from shared.jobs import Job, now_ms
from shared.knowledge import News, age, dated
from shared.log import logger
from shared.model import DAY, Document
from shared.progress import finish, tell
from shared.providers import Provider, Window
from shared.providers.registry import provider
from shared.sections import TOMBSTONE_DAYS, Key, Section
from shared.signed import AwsError
from shared.values import dataclass, replace
from shared.vault import UnsealError
from shared.visits import Question, Visit
from shared.writing import announce, unburied

Counts = dict[str, int]


def replay(job: Job) -> None:
    """One connection over one window of days, a part of a tracked job; what came of it is told by part."""
    held = connections.load(job.connection)
    if held:
        counts = again(job, held, provider(held.provider))
        logger().info("replayed", extra={"job": job.id, **counts})
        tell(job.tracked, job.part, counts)
    finish(job.tracked, job.part)


def again(job: Job, held: Connection, source: Provider) -> Counts:
    """How many `sections` there are in these days; how many were `changed` (a neighbour of these days may be); how
    many are made `partly` of other replies than the one they point at. Of `expired` ones the reply is gone, of
    `unread` ones the mapping understands nothing."""
    asked = job.days()
    assert asked is not None
    found = sections.sections(held.user, asked.first.isoformat(), asked.last.isoformat(), consistent=True)
    stored = [section for section in found if concerns(job, source, section.key)]
    pointing: dict[tuple[str, str], list[Key]] = {}
    for section in stored:
        pointing.setdefault((section.key.resource, section.raw), []).append(section.key)
    counts = {"sections": len(stored), "changed": 0, "partly": 0, "expired": 0, "unread": 0}
    visit = Visit(job, held, source, zones.of(held.user), [])
    opened = dict(zip(pointing, fetching.pool().map(partial(reopened, held, source), pointing), strict=True))
    counts["expired"] = sum(len(keys) for pointer, keys in pointing.items() if opened[pointer] is None)
    oldest_first = sorted(filter(None, opened.values()), key=lambda question: question.as_of)
    dates = {question.raw: question.as_of for question in oldest_first}
    written: set[Key] = set()
    for question in oldest_first:
        keys = pointing[question.resource.name, question.raw]
        try:
            question.filed = fetching.mapped(visit, question)
        except ProviderChangedError:
            counts["unread"] += len(keys)
        else:
            reply = Reply(visit, question, question.filed, asked, tuple(keys), dates, written)
            counts["partly"] += reply.partly
            reply.learn()
    return counts | {"changed": len(written)}


def concerns(job: Job, source: Provider, key: Key) -> bool:
    wanted = job.resources or tuple(resource.name for resource in source.resources)
    return key.source == source.id and key.resource.partition("@")[0] in wanted


def reopened(held: Connection, source: Provider, pointer: tuple[str, str]) -> Question | None:
    """A kept reply as the answer it was. None where it has expired, or is older than deletions are remembered."""
    name, place = pointer
    try:
        kept = raw.fetch(held.owner, place) if place else None
    except UnsealError:
        return None
    except AwsError as error:
        if error.code != "NoSuchKey":
            raise
        return None
    if kept is None or kept.as_of < now_ms() - TOMBSTONE_DAYS * DAY:
        return None
    question = Question(source.resource(name), kept.window, pages=list(kept.pages), as_of=kept.as_of, raw=place)
    question.replies = [fetching.enveloped(question, orjson.loads(page or b"{}")) for page in kept.pages]
    return question


@dataclass(frozen=True)
class Reply:
    """A kept reply and what it becomes. `asked` are the days of the replay, `pointing` the reply's sections in them,
    `dates` how old each reply is that is replayed. A day more on either side belongs to it: it receives what moves
    there. `written` is what this replay has written and told of, all replies together."""

    visit: Visit
    question: Question
    filed: Filed
    asked: Window
    pointing: tuple[Key, ...]
    dates: Mapping[str, int]
    written: set[Key]

    @cached_property
    def said(self) -> list[Change]:
        """Also of sections that it pointed out once and now says nothing about."""
        spoken = {change.key for change in self.filed.changes}
        source, version = self.visit.provider, self.question.resource.version
        silent = [key for key in self.pointing if key not in spoken]
        nothing = News(self.question.as_of)
        left = (Change(key, nothing, source.kind_of(key.resource), version=version) for key in silent)
        return [*self.filed.changes, *left]

    @cached_property
    def stored(self) -> dict[Key, Section]:
        return sections.read(change.key for change in self.said)

    @cached_property
    def near(self) -> frozenset[str]:
        return frozenset(day.isoformat() for day in self.asked.padded(1).days())

    @cached_property
    def leaving(self) -> frozenset[str]:
        """Documents in its own sections: wherever it files them now, they may go."""
        return frozenset(i for key, section in self.stored.items() if self.owns(key) for i in section.ids)

    @cached_property
    def home(self) -> dict[str, str]:
        return {d.id: change.key.day for change in self.said for d in change.news.documents if d.id}

    def owns(self, key: Key) -> bool:
        section = self.stored[key]
        later = self.speaks_of(key) and self.dates.get(section.raw, self.question.as_of) < self.question.as_of
        return key.day in self.near and (not section.rev or section.raw == self.question.raw or later)

    def speaks_of(self, key: Key) -> bool:
        """It was asked about this day, so what bears its date there is its own word."""
        window = self.question.window
        return bool(window and window.first.isoformat() <= key.day <= window.last.isoformat())

    @property
    def partly(self) -> int:
        keys = set(self.pointing)
        own = [self.own(change) for change in self.said if change.key in keys]
        return sum(not change.news.whole and has_more(self.stored[change.key], change.news) for change in own)

    @cached_property
    def stays(self) -> dict[Key, dict[str, Key]]:
        """Documents of its own sections that belong elsewhere now, but would not be taken there: a later answer about
        that day, which is not replayed here, read them otherwise. By where they are, each with where it belongs."""
        found: dict[Key, dict[str, Key]] = {}
        here = {i: key for key, section in self.stored.items() if self.owns(key) for i in section.ids}
        for change in self.said:
            there = self.stored[change.key]
            closed = there.rev and there.raw not in self.dates and not self.owns(change.key)
            for d in change.news.documents if closed else ():
                if d.id in here and d.id not in there.ids and self.age(d) < there.as_of:
                    found.setdefault(here[d.id], {})[d.id] = change.key
        return found

    def age(self, document: Document) -> int:
        return self.question.as_of if document.as_of is None else document.as_of

    def learn(self) -> None:
        """What moves is in its new place, and told of, before it leaves the old one; so a replay that dies anywhere is
        finished by being done again."""
        own = [self.own(change) for change in self.said if self.owns(change.key)]
        foreign = [self.foreign(change) for change in self.said if not self.owns(change.key)]
        brought = [replace(c, news=replace(c.news, deleted=frozenset(), moved=frozenset())) for c in foreign]
        cleared = [c.only(lambda document: False) for c in foreign]
        self.question.filed = replace(self.filed, changes=brought + own + cleared)
        living = unburied(self.visit, self.question, self.stored)
        believed = ([c.only(living) for c in brought], [c.only(living) for c in own], cleared)
        for changes in believed:
            self.commit(changes)
        self.commit(list(self.taken()))

    def commit(self, changes: Sequence[Change]) -> None:
        """Looks again at what is stored: an earlier step may have written it."""
        by, said = self.visit.job.id, []
        stored = sections.read(change.key for change in changes)
        for change in changes:
            section = stored[change.key]
            made = proposal(section, change, by)
            if made and not (is_same(made) or (change.key in self.written and not made.differs)):
                said.append(commit(sections, change, by, made))
        announcements = [announcement for announcement in said if announcement]
        announce(announcements)
        self.written.update(announcement.key for announcement in announcements)

    def taken(self) -> Iterator[Change]:
        """What stayed goes after all, where a replay of its new day took it in at the same time."""
        there = sections.read(key for stayed in self.stays.values() for key in stayed.values())
        for here, stayed in self.stays.items():
            ids = frozenset(i for i, key in stayed.items() if i in there[key].ids)
            news = News(self.question.as_of, deleted=ids)
            kind = self.visit.provider.kind_of(here.resource)
            yield Change(here, news, kind, version=self.question.resource.version)

    def own(self, change: Change) -> Change:
        news, stayed = change.news, self.stays.get(change.key, {})
        documents = tuple(d for c in self.said for d in c.news.documents if stayed.get(d.id) == c.key)
        news = replace(news, documents=news.documents + documents)
        if not news.whole:
            section, day = self.stored[change.key], change.key.day
            moved = frozenset(i for i in section.ids if i not in stayed and self.home.get(i, day) != day)
            ids, samples = unsaid(section, news) if self.speaks_of(change.key) else NOTHING
            news = replace(news, deleted=news.deleted | moved | ids, moved=news.moved | samples)
        return replace(change, news=news, raw=self.question.raw)

    def foreign(self, change: Change) -> Change:
        """The section goes on pointing at its own last reply."""
        news, near = change.news, change.key.day in self.near
        landed = self.leaving | {i for i, day in self.home.items() if self.owns(change.key._replace(day=day))}
        _, samples = unsaid(self.stored[change.key], news) if near and self.speaks_of(change.key) else NOTHING
        documents = tuple(d for d in news.documents if d.id in self.leaving or (near and not d.id))
        stayed = frozenset(i for ids in self.stays.values() for i in ids)
        deleted = news.deleted & landed - stayed
        return replace(change, news=News(news.as_of, documents, deleted=deleted, moved=news.moved | samples))


Unsaid = tuple[frozenset[str], frozenset[tuple[str, int]]]
NOTHING: Unsaid = (frozenset(), frozenset())


def unsaid(section: Section, news: News) -> Unsaid:
    """What the reply said of this day by an earlier mapping and says no more: documents, and samples by themselves."""
    before, now = section.documents(), news.dated()
    ids = frozenset(d.id for d in before if d.id and age(d) == news.as_of)
    columns = [dated(series, age(d)) for d in before if not d.id for series in d.series]
    samples = {(s.metric, t) for s in columns for t, at in zip(s.times, s.as_of, strict=True) if at == news.as_of}
    return ids - now.keys(), frozenset(samples) - samples_of(now.values())


def has_more(section: Section, news: News) -> bool:
    """Than this reply speaks of."""
    now = news.dated()
    more = samples_of(section.documents()) - samples_of(now.values()) - news.moved
    return bool(more or set(section.ids) - now.keys() - news.deleted)


def is_same(made: Proposal) -> bool:
    """Nothing but the mapping's version differs."""
    if not made.differs or made.section.hash[1:] != made.seen.hash[1:]:
        return False
    return made.section.documents() == made.seen.documents()
