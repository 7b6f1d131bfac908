"""The Data table: one section per (user, local day, source, resource), one day item per (user, day).

pk user   sk P#<day>#<source>#<resource>   data, hash, rev, as_of, by, raw, ids, holds, received, corrected, unsigned
pk user   sk D#<day>                       <source>#<resource>: {rev, at, kind, stats}
pk user   sk Z                             the person: zone history, and what they told us
pk user   sk T#<source>#<resource>#<hash>  gone, as_of: deletions, of documents that may still come (30 days)
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from shared.aws import dynamodb
from shared.model import DAY, Document
from shared.packing import unpack
from shared.settings import settings
from shared.signed import AwsError
from shared.summary import Stats, rows
from shared.values import dataclass

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

TOMBSTONE_DAYS = 30
NEVER = {"N": "0"}
BATCH = 100
CROWD = 3
"""So many sections of one source's day are asked for with all that it has of that day."""


class Key(NamedTuple):
    """Where a section lives."""

    user: str
    day: str
    source: str
    resource: str

    @property
    def sk(self) -> str:
        return f"P#{self.day}#{self.source}#{self.resource}"

    @property
    def slot(self) -> str:
        return f"{self.source}#{self.resource}"


@dataclass(frozen=True)
class Section:
    """A section as stored. `rev` 0: not there yet. `raw` is object key, offset and length, comma-separated.

    `holds` names the metrics and kinds of episode in it, so that a read passes over the rest. `received` dates the news
    that made it, `corrected` the last that changed it (0: none did), in milliseconds. `unsigned`: some of it came
    from whoever knew the address of our door.
    """

    key: Key
    rev: int = 0
    as_of: int = 0
    by: str = ""
    hash: bytes = b""
    data: bytes = b""
    raw: str = ""
    ids: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    received: int = 0
    corrected: int = 0
    unsigned: bool = False

    @property
    def mapping_version(self) -> int:
        return self.hash[0] if self.hash else 0

    def documents(self) -> list[Document]:
        return unpack(self.data, self.key.day) if self.data else []

    def known_at(self, documents: Iterable[Document]) -> int:
        """How old the newest knowledge in it is, given its documents: of a whole answer, or of the youngest part."""
        return max([self.as_of, *(document.as_of or 0 for document in documents)])


def read(keys: Iterable[Key], loosely: Iterable[Key] = ()) -> dict[Key, Section]:
    """Consistent; what is asked for `loosely` may be a moment old, at half the price. A section that is not there comes
    back as revision 0."""
    wanted = dict.fromkeys(keys)
    rest = dict.fromkeys(key for key in loosely if key not in wanted)
    empty = {key: Section(key) for key in (*wanted, *rest)}
    return empty | _found(wanted, consistent=True) | _found(rest, consistent=False)


def _found(wanted: Collection[Key], consistent: bool) -> dict[Key, Section]:
    """A Query is billed by the sum of what it reads, and a get of many by each of them, there or not: of one source's
    day, three cost less by the first."""
    days = defaultdict(list)
    for key in wanted:
        days[key.user, key.day, key.source].append(key)
    crowded = [day for day, held in days.items() if len(held) >= CROWD]
    single = [key for key in wanted if key[:3] not in crowded]
    found = _sections(_batch_get(map(_place, single), consistent), wanted)
    for user, day, source in crowded:
        place = f"P#{day}#{source}"
        found |= _sections(query(user, f"{place}#", f"{place}$", consistent=consistent), wanted)
    return found


def _sections(items: Iterable[dict[str, Any]], wanted: Container[Key]) -> dict[Key, Section]:
    keys = ((Key(item["pk"]["S"], *item["sk"]["S"].split("#", 3)[1:]), item) for item in items)
    return {key: _section(key, item) for key, item in keys if key in wanted}


def _place(key: Key) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": key.user}, "sk": {"S": key.sk}}


def put(section: Section, seen: int) -> bool:
    """Stores the section as revision `seen` + 1, unless somebody else was there first."""
    item: dict[str, AttributeValueTypeDef] = {
        "pk": {"S": section.key.user},
        "sk": {"S": section.key.sk},
        "rev": {"N": str(seen + 1)},
        "as_of": {"N": str(section.as_of)},
        "by": {"S": section.by},
        "hash": {"B": section.hash},
        "data": {"B": section.data},
        "raw": {"S": section.raw},
        "received": {"N": str(section.received)},
        "corrected": {"N": str(section.corrected)},
    }
    for name, words in (("ids", section.ids), ("holds", section.holds)):
        if words:
            item[name] = {"SS": list(words)}
    if section.unsigned:
        item["unsigned"] = {"BOOL": True}
    condition = {"ConditionExpression": "rev = :seen", "ExpressionAttributeValues": {":seen": {"N": str(seen)}}}
    first = {"ConditionExpression": "attribute_not_exists(pk)"}
    return _conditional(dynamodb().put_item, Item=item, **(condition if seen else first))


def set_slot(key: Key, rev: int, at: int, kind: str, stats: dict[str, Stats]) -> bool:
    """Fills the section's slot in its day, unless a later revision is there. Reads and touches nothing else."""
    slot = {
        "rev": {"N": str(rev)},
        "at": {"N": str(at)},
        "kind": {"S": kind},
        "stats": {"S": orjson.dumps(rows(stats)).decode()},
    }
    return _conditional(
        dynamodb().update_item,
        Key={"pk": {"S": key.user}, "sk": {"S": f"D#{key.day}"}},
        UpdateExpression="SET #slot = :slot",
        ConditionExpression="attribute_not_exists(#slot) OR #slot.rev <= :rev",
        ExpressionAttributeNames={"#slot": key.slot},
        ExpressionAttributeValues={":slot": {"M": slot}, ":rev": {"N": str(rev)}},
    )


def bury(user: str, source: str, resource: str, ids: Collection[str], as_of: int) -> None:
    """Remembers deletions, one item for all of them: what was deleted may still be on its way here."""
    named = sorted(ids)
    digest = hashlib.sha256(orjson.dumps(named)).hexdigest()[:32]
    item: dict[str, AttributeValueTypeDef] = {
        "pk": {"S": user},
        "sk": {"S": f"T#{source}#{resource}#{digest}"},
        "gone": {"SS": named},
        "as_of": {"N": str(as_of)},
        "expires": {"N": str((as_of + TOMBSTONE_DAYS * DAY) // 1000)},
    }
    dynamodb().put_item(TableName=settings().data_table, Item=item)


def buried(
    user: str, source: str, resource: str, ids: Iterable[str], now: int, loosely: bool = False
) -> dict[str, int]:
    """Which of these documents were deleted before they came, and when. One Query, however many they are; `loosely`, at
    half the price, without what was deleted this very moment."""
    found: dict[str, int] = {}
    wanted = frozenset(ids)
    place = f"T#{source}#{resource}"
    for item in query(user, f"{place}#", f"{place}$", consistent=not loosely) if wanted else ():
        if int(item["expires"]["N"]) * 1000 > now:
            for id_ in wanted.intersection(item["gone"]["SS"]):
                found[id_] = max(found.get(id_, 0), int(item["as_of"]["N"]))
    return found


def day_items(user: str, days: Sequence[str]) -> list[dict[str, Any]]:
    """The items of these days, in their order; an empty one where there is none. Eventually consistent: half the
    price."""
    keys: Any = [{"pk": {"S": user}, "sk": {"S": f"D#{day}"}} for day in days]
    found = {item["sk"]["S"]: item for item in _batch_get(keys, consistent=False)}
    return [found.get(f"D#{day}", {}) for day in days]


def holding(user: str, source: str, resources: Collection[str], ids: Iterable[str], by: str) -> Iterator[Key]:
    """The sections of these resources that hold one of the documents, and those the job `by` wrote last: it may have
    taken a document out of one and died. Newest day first, until all are found; rare, and so a walk rather than an
    index."""
    sought = set(ids)
    for item in query(user, "P#", "P$", newest_first=True, projection="sk, ids, #by", names={"#by": "by"}):
        key = Key(user, *item["sk"]["S"].split("#", 3)[1:])
        if key.source == source and key.resource.partition("@")[0] in resources:
            here = sought.intersection(item.get("ids", {}).get("SS", ()))
            if here or item["by"]["S"] == by:
                yield key
            sought -= here
            if not sought:
                return


def sections(
    user: str, first: str, last: str, consistent: bool = False, holding: Iterable[str] = ()
) -> Iterator[Section]:
    """Every section of these days or, where told, those that hold one of these metrics or kinds of episode. `first` may
    also name the section to begin at, as `<day>#<source>#<resource>`."""
    for item in query(user, f"P#{first}", f"P#{last}$", consistent=consistent, holding=holding):
        _, day, source, resource = item["sk"]["S"].split("#", 3)
        yield _section(Key(user, day, source, resource), item)


def purge(user: str, source: str) -> int:
    """Deletes all that one source brought, and its slots in the days; returns how many sections."""
    count = 0
    for item in query(user, "D#", "U", projection="pk, sk"):
        kind, *rest = item["sk"]["S"].split("#")
        if kind in ("P", "T") and source == (rest[1] if kind == "P" else rest[0]):
            _delete(item)
            count += kind == "P"
    for item in query(user, "D#", "D$"):
        slots = [name for name in item if name.startswith(f"{source}#")]
        if slots:
            names = {f"#s{n}": slot for n, slot in enumerate(slots)}
            dynamodb().update_item(
                TableName=settings().data_table,
                Key={"pk": item["pk"], "sk": item["sk"]},
                UpdateExpression="REMOVE " + ", ".join(names),
                ExpressionAttributeNames=names,
            )
    return count


def everything(user: str) -> list[dict[str, AttributeValueTypeDef]]:
    """The keys of every item of the person."""
    return list(query(user, "!", "~", projection="pk, sk"))


def erase(items: Iterable[dict[str, AttributeValueTypeDef]]) -> None:
    for item in items:
        _delete(item)


def _delete(item: dict[str, AttributeValueTypeDef]) -> None:
    dynamodb().delete_item(TableName=settings().data_table, Key={"pk": item["pk"], "sk": item["sk"]})


def person(user: str) -> dict[str, Any]:
    """The item that holds what is known about the person, or nothing."""
    return dynamodb().get_item(TableName=settings().data_table, Key=_person(user)).get("Item", {})


def tell_person(user: str, told: str) -> None:
    dynamodb().update_item(
        TableName=settings().data_table,
        Key=_person(user),
        UpdateExpression="SET told = :told",
        ExpressionAttributeValues={":told": {"S": told}},
    )


def _person(user: str) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": user}, "sk": {"S": "Z"}}


def query(
    user: str,
    low: str,
    high: str,
    *,
    newest_first: bool = False,
    projection: str = "",
    names: Mapping[str, str] | None = None,
    consistent: bool = False,
    holding: Iterable[str] = (),
) -> Iterator[dict[str, AttributeValueTypeDef]]:
    """The user's items from sort key `low` to `high`, as many pages as there are."""
    more: dict[str, Any] = {"ProjectionExpression": projection} if projection else {}
    if names:
        more["ExpressionAttributeNames"] = dict(names)
    wanted = {f":w{n}": {"S": word} for n, word in enumerate(holding)}
    if wanted:  # a section that does not say what it holds is looked into
        tests = ["attribute_not_exists(holds)", *(f"contains(holds, {name})" for name in wanted)]
        more["FilterExpression"] = " OR ".join(tests)
    while True:
        page = dynamodb().query(
            TableName=settings().data_table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
            ExpressionAttributeValues={":pk": {"S": user}, ":low": {"S": low}, ":high": {"S": high}, **wanted},
            ScanIndexForward=not newest_first,
            ConsistentRead=consistent,
            **more,
        )
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        more["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _section(key: Key, item: dict[str, Any]) -> Section:
    return Section(
        key,
        int(item["rev"]["N"]),
        int(item["as_of"]["N"]),
        item["by"]["S"],
        bytes(item["hash"]["B"]),
        bytes(item["data"]["B"]),
        item["raw"]["S"],
        tuple(sorted(item.get("ids", {}).get("SS", ()))),
        tuple(sorted(item.get("holds", {}).get("SS", ()))),
        int(item.get("received", NEVER)["N"]),
        int(item.get("corrected", NEVER)["N"]),
        "unsigned" in item,
    )


def _batch_get(keys: Iterable[dict[str, AttributeValueTypeDef]], consistent: bool = True) -> Iterator[dict[str, Any]]:
    table, wanted = settings().data_table, list(keys)
    for start in range(0, len(wanted), BATCH):
        asked: Any = {table: {"Keys": wanted[start : start + BATCH], "ConsistentRead": consistent}}
        while asked:
            reply = dynamodb().batch_get_item(RequestItems=asked)
            yield from reply["Responses"].get(table, [])
            asked = reply["UnprocessedKeys"]


def _conditional(write: Any, **request: Any) -> bool:
    try:
        write(TableName=settings().data_table, **request)
    except AwsError as error:
        if error.code == "ConditionalCheckFailedException":
            return False
        raise
    return True
