"""What a run left behind, without what may differ between two runs that did the same: instants, random ids, salts."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from shared import consents, exports, progress, raw, tokens
from shared.connections import Connection, connection
from shared.filing import Answer, file
from shared.model import Document
from shared.packing import pack
from shared.providers.registry import provider
from shared.sections import Key, Section
from shared.signed import AwsError
from shared.summary import rows as figures
from shared.summary import summarise
from shared.zones import of as zones_of
from tests.functions.mortal import FILES, PUT, Item, World, content, objects, rows

HOOK_KEY = b"test-hook-key"
STAMPS = ("last_push_at", "last_poll_at", "last_data_at")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:+]+")
DOUBTS = ("suspect_since", "refreshing_since", "reply_lost")
Outcome = dict[tuple[str, ...], Any]
_mapped: dict[str, dict[str, dict[str, Document]]] = {}
_told: dict[tuple[Section, bytes], dict[str, Any]] = {}
"""Most sections are the same after every run."""


def outcome(world: World, jobs: Iterable[str] = ()) -> Outcome:
    """By what it is about; two outcomes are compared key by key. `jobs` are those that a client was told of."""
    found: Outcome = {}
    control, data = rows("Control"), rows("Data")
    there = living(control)
    for item in control:
        found |= dict(controlled(world, item, there))
    if proofs := [item["count"] for item in control if item["sk"] == "PROOF"]:
        found["proofs",] = proofs
    held = {(c.user, c.provider): c for c in there}
    for section in stored(data):
        owner = held.get((section.key.user, section.key.source))
        known = section, owner.salt if owner else b""
        if known not in _told:
            _told[known] = told(section, owner)
        found["section", *section.key] = _told[known]
    for item in data:
        found |= dict(daily(item))
    for key, rev in announced(world).items():
        found["announced", *key] = rev
    for number, job in enumerate(jobs):
        found["job", str(number)] = report(job)
        for name in (name for name in objects(FILES) if job in name):
            found["export", str(number)] = measured(content(name))
    if left := objects(PUT):
        found["put", *left] = "not read yet"
    if living(control) == [] and objects(exports.folder("ada")):
        found["file",] = "of nobody any more"
    return found


def in_any_order(left: Outcome) -> Outcome:
    """Without what depends on the order in which things arrive, and may: how many revisions a section took (that it is
    announced and shown at its own is among the `faults`), and which of several replies that said it was the last."""
    found: Outcome = {}
    for key, value in left.items():
        if key[0] == "section":
            value = {name: said for name, said in value.items() if name not in ("rev", "in the raw reply")}
        elif key[0] == "slot":
            value = value[1:]
        elif key[0] == "announced":
            value = "announced"
        found[key] = value
    return found


def living(items: Iterable[Item] | None = None) -> list[Connection]:
    return [connection(item) for item in (rows("Control") if items is None else items) if item["sk"] == "C"]


def stored(items: Iterable[Item]) -> Iterator[Section]:
    for item in items:
        if item["sk"].startswith("P#"):
            key = Key(item["pk"], *item["sk"].split("#")[1:])
            parts = (item["rev"], item["as_of"], item["by"], item["hash"], item["data"], item["raw"])
            yield Section(key, *parts, tuple(sorted(item.get("ids", ()))))


# ---------------------------------------------------------------- data


def told(section: Section, held: Connection | None) -> dict[str, Any]:
    """The content, and how much of it the raw reply it points at says too."""
    documents = section.documents()
    explained: Any
    assert section.hash[1:] == pack(documents)[1]
    assert section.ids == tuple(sorted(d.id for d in documents if d.id))
    try:
        explained = reread(section, held, documents) if held else "shredded"
    except AwsError as error:
        explained = error.code
    assert explained or not documents, f"{section.key} points at a reply that says nothing of it"
    return {"rev": section.rev, "ids": section.ids, "content": section.hash.hex(), "in the raw reply": explained}


def reread(section: Section, held: Connection, documents: list[Document]) -> list[Any]:
    """Opens the reply and maps it again: the documents that come out as they are stored, and single samples."""
    if section.raw not in _mapped:
        source = provider(section.key.source)
        resource = source.resource(section.key.resource)
        pages = [resource.envelope(orjson.loads(page)) for page in raw.fetch(held.owner, section.raw).pages]
        filed = file(Answer(section.key.user, source, resource, pages, 0, zones_of(section.key.user)))
        _mapped[section.raw] = {change.key.day: change.news.dated() for change in filed.changes}
    mapped = _mapped[section.raw].get(section.key.day, {})
    same = [d.id for d in documents if d.id and d.id in mapped and pack([d])[1] == pack([mapped[d.id]])[1]]
    said = set(samples(mapped.get("")))
    common = [sample for d in documents if not d.id for sample in samples(d) if sample in said]
    return [*sorted(same), *([len(common)] if common else [])]


def samples(document: Document | None) -> Iterator[tuple[str, int, float]]:
    for series in document.series if document else ():
        yield from ((series.metric, at, round(v, 3)) for at, v in zip(series.times, series.values, strict=True))


def daily(item: Item) -> Iterator[tuple[tuple[str, ...], Any]]:
    kind, _, rest = item["sk"].partition("#")
    if kind == "D":
        for name, slot in item.items():
            if "#" in name:
                yield ("slot", item["pk"], rest, *name.split("#")), (slot["rev"], slot["kind"], slot["stats"])
        yield ("day", item["pk"], rest), "there"
    if kind == "T":
        yield ("tombstone", item["pk"], rest), "there"
    if kind == "Z":
        zones = [row["zone"] for row in item.get("history", [])]
        yield ("person", item["pk"]), (zones, item.get("told"))


def announced(world: World) -> dict[Key, int]:
    """The last revision of each section that the app was told of."""
    found: dict[Key, int] = {}
    for message in world.queues.of("changes"):
        said = json.loads(message.body)
        key = Key(said["user"], said["day"], said["source"], said["resource"])
        found[key] = max(found.get(key, 0), said["revision"])
    return found


def measured(file: bytes) -> list[str]:
    """The lines of an export that say what was measured: others hold ids and instants."""
    lines = gzip.decompress(file).decode().splitlines()
    return [line for line in lines if orjson.loads(line)["kind"] not in ("connection", "consent")]


# ---------------------------------------------------------------- control


def controlled(world: World, item: Item, there: list[Connection]) -> Iterator[tuple[tuple[str, ...], Any]]:
    kind, _, name = item["pk"].partition("#")
    if kind == "C":
        held = connection(item)
        yield ("connection", held.user, held.provider), {**how(world, held), "polled": "ring" in item}
        yield ("tokens", held.user, held.provider), held.generation
    elif kind == "U" and item["sk"].startswith("C#"):
        leads = any(c.id == item["id"] for c in there)
        yield ("pointer", name, item["sk"][2:]), "leads there" if leads else "leads nowhere"
    elif kind == "U" and item["sk"] == consents.HEAD:
        said = [[e["action"], e["provider"], e["scopes"], e["cause"]] for e in consents.entries(name)]
        yield ("ledger", name), {"entries": said, "faults": consents.faults(HOOK_KEY, name)}
    elif kind == "X":
        yield ("account", name, item["user"]), "there"
    elif item["pk"] == "K#ring":
        yield ("watermark",), item["walked"]


def how(world: World, held: Connection) -> dict[str, Any]:
    """A connection, its tokens by whether the vendor still knows them."""
    named = ("state", "cause", "account", "scopes", "resources", "zone")
    grants = world.vendors.clouds[held.provider].grants if held.provider in world.vendors.clouds else None
    kept = tokens.opened(held) if held.sealed else {}
    return {
        **{name: getattr(held, name) for name in named},
        "cursors": dict(held.cursors),
        "tokens": bool(kept),
        "refresh token lives": bool(grants and kept.get("refresh_token") in grants._refresh),
        # Of dead tokens they say nothing any more.
        "doubts": [name for name in DOUBTS if getattr(held, name)] if held.state == "active" else [],
        "leased": held.state == "active" and held.lease_until > world.clock.now,
        "stamped": [name for name in STAMPS if getattr(held, name)],
        "first fill": bool(held.backfill),
    }


def report(job: str) -> Any:
    [item] = [i for i in rows("Control") if i["pk"] == f"J#{job}"]
    found = progress.report(job, item["user"] if not item["user"].startswith(progress.PSEUDONYM) else "ada")
    told = {what: INSTANT.sub("then", str(said)) for what, said in found["told"].items()}
    parts = {name: sorted(item.get(name, ())) for name in ("windows", "done", "failed")}
    return {"action": found["action"], "status": found["status"], **parts, "told": told}


# ---------------------------------------------------------------- what holds of every outcome


def faults(found: Outcome) -> list[str]:
    """Each section stands in its day as it is, and the app has heard of its last revision."""
    wrong = []
    for section in stored(rows("Data")):
        slot = found.get(("slot", *section.key))
        shown = orjson.dumps(figures(summarise(section.documents()))).decode()
        if slot is None or (slot[0], slot[2]) != (section.rev, shown):
            wrong.append(f"{section.key}: the day shows {slot and slot[0]}, the section is at {section.rev}")
        if found.get(("announced", *section.key)) != section.rev:
            wrong.append(f"{section.key}: revision {section.rev} was never announced")
    return wrong


def difference(clean: Outcome, found: Outcome) -> list[str]:
    keys = sorted(k for k in clean.keys() | found.keys() if clean.get(k) != found.get(k))
    return [
        f"{'/'.join(k)}: clean {here!r}, here {there!r}"
        for k in keys
        for here, there in [apart(clean.get(k), found.get(k))]
    ]


def apart(clean: Any, found: Any) -> tuple[Any, Any]:
    """Of two records, only where they differ."""
    if not (isinstance(clean, dict) and isinstance(found, dict)):
        return clean, found
    names = [name for name in clean | found if clean.get(name) != found.get(name)]
    return {n: clean.get(n) for n in names}, {n: found.get(n) for n in names}
