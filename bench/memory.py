"""AWS in memory, as far as the corridor asks of it: what the benches run against.

It stands at one of two heights. `above` the wire, which is shared/signed.py and shared/wire.py, a call is answered as
it is asked; `below`, every call is written, signed and read, and only the socket is left out. bench/cold.py puts the
same memory behind TLS. A bench has one writer: conditions are taken to hold, and nothing expires.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import ceil
from threading import Lock, current_thread, main_thread
from typing import Any, Literal
from unittest.mock import patch

import orjson

from bench import prices

Item = dict[str, Any]
Height = Literal["above", "below"]
HEIGHTS: tuple[Height, ...] = ("above", "below")
READ_BYTES, WRITE_BYTES, SQS_BYTES = 4_096, 1_024, 65_536
QUEUES = ("fresh", "bulk", "segments", "exports", "imports", "changes")
ENVIRONMENT = {
    **{f"{name.upper()}_QUEUE": f"https://sqs.example/1/{name}" for name in QUEUES},
    **dict.fromkeys(("RAW_BUCKET", "VAULT_KEY", "APP_SECRET", "EVENTS_LOG"), "none"),
    "DATA_TABLE": "Data", "CONTROL_TABLE": "Control", "PUBLIC_URL": "https://api.example", "LONGEST_JOB_S": "1",
    "BACKUP_DAYS": "7", "RAW_DAYS": "30", "POWERTOOLS_SERVICE_NAME": "bench", "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none",
}  # fmt: skip
RING = ("ring", "pk", "user", "provider", "zone", "wake", "resources", "silent_since")
"""What the index holds of a connection."""
ADD = re.compile(r"(#?\w+) (:\w+)")
SET = re.compile(r"(#?\w+) = (?:if_not_exists\(#?\w+, (:\w+)\) \+ )?(:\w+)")


@dataclass
class Memory:
    """Items as our code has them, binaries as bytes; messages by queue. `spent` is what AWS would bill: `calls` and
    `queries` of DynamoDB and its `read units`, `write units` and `index writes`, only if it `counts`, which takes time;
    and what the others bill by."""

    items: dict[str, dict[tuple[str, str], Item]] = field(default_factory=lambda: {"Data": {}, "Control": {}})
    secret: Item = field(default_factory=dict)
    queues: dict[str, list[str]] = field(default_factory=dict)
    spent: Counter[str] = field(default_factory=Counter)
    counts: bool = False
    busy: float = 0
    """Seconds of a processor that it took to answer on the wire, which AWS would have taken."""
    _one: Lock = field(default_factory=Lock)
    _under: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """Sort keys that were ever written, by table and partition."""

    # ------------------------------------------------------------ DynamoDB

    def GetItem(self, told: Item) -> Item:
        found = self.items[told["TableName"]].get(place(told["Key"]))
        self.read([found] if found else [], told.get("ConsistentRead", False))
        return {"Item": found} if found else {}

    def BatchGetItem(self, told: Item) -> Item:
        """Each item is billed by itself, found or not."""
        [(table, asked)] = told["RequestItems"].items()
        found = [self.items[table].get(place(key)) for key in asked["Keys"]]
        for item in found:
            self.read([item] if item else [], asked.get("ConsistentRead", False), calls=0)
        self.spent["calls"] += 1
        return {"Responses": {table: [item for item in found if item]}, "UnprocessedKeys": {}}

    def Query(self, told: Item) -> Item:
        given = {name: value["S"] for name, value in told["ExpressionAttributeValues"].items()}
        low, high = given.get(":low", given.get(":prefix", "")), given.get(":high", given.get(":prefix", "") + "~")
        kept, pk = self.items[told["TableName"]], given[":pk"]
        here = (sk for sk in self._under[told["TableName"], pk] if low <= sk <= high)
        found = {sk: kept[pk, sk] for sk in here if (pk, sk) in kept}
        page = [found[sk] for sk in sorted(found, reverse=not told.get("ScanIndexForward", True))]
        self.read(page, told.get("ConsistentRead", False))
        self.spent["queries"] += 1
        wanted = [given[name] for name in given if name.startswith(":w")]
        return {"Items": [i for i in page if not wanted or set(wanted) & set(i.get("holds", {}).get("SS", wanted))]}

    def PutItem(self, told: Item) -> Item:
        self.write(told["TableName"], told["Item"])
        return {}

    def TransactWriteItems(self, told: Item) -> Item:
        for write in told["TransactItems"]:
            self.write(write["Put"]["TableName"], write["Put"]["Item"], times=2)
        return {}

    def UpdateItem(self, told: Item) -> Item:
        """SET of values and sums, ADD, and REMOVE: other clauses leave the item as it is."""
        item: Item = dict(self.items[told["TableName"]].get(place(told["Key"])) or told["Key"])
        names, given = told.get("ExpressionAttributeNames", {}), told.get("ExpressionAttributeValues", {})
        sets, _, gone = told["UpdateExpression"].partition(" REMOVE ")
        for name, start, value in SET.findall(sets):
            named, old = names.get(name, name), given.get(start)
            item[named] = total(item.get(named, old), given[value]) if old else given[value]
        for name, value in ADD.findall(sets.partition(" ADD ")[2]):
            named = names.get(name, name)
            item[named] = total(item.get(named, {"N": "0"}), given[value])
        for name in gone.split(", "):
            item.pop(names.get(name, name), None)
        self.write(told["TableName"], item)
        return {"Attributes": dict(item)} if told.get("ReturnValues") == "ALL_NEW" else {}

    def read(self, page: list[Item], consistent: bool, calls: int = 1) -> None:
        if not self.counts:
            return
        whole = max(1, ceil(sum(map(size, page)) / READ_BYTES))
        self.spent.update({"calls": calls, "read units": whole if consistent else whole / 2})

    def write(self, table: str, item: Item, times: int = 1) -> None:
        """Billed by the larger of what was and what is; on the index, by what changes there."""
        pk, sk = place(item)
        old, self.items[table][pk, sk] = self.items[table].get((pk, sk), {}), item
        self._under[table, pk].add(sk)
        if not self.counts:
            return
        units = times * max(ceil(size(each) / WRITE_BYTES) for each in (old, item))
        before, after = ({name: each.get(name) for name in RING} if "ring" in each else {} for each in (old, item))
        self.spent.update({"calls": 1, "write units": units, "index writes": int(before != after)})

    # ------------------------------------------------------------ the others

    def GenerateDataKey(self, told: Item) -> Item:
        self.spent["KMS"] += 1
        return {"Plaintext": bytes(32), "CiphertextBlob": b"wrapped", "KeyId": told["KeyId"]}

    def Decrypt(self, told: Item) -> Item:
        self.spent["KMS"] += 1
        return {"Plaintext": bytes(32), "KeyId": told["KeyId"]}

    def GetSecretValue(self, told: Item) -> Item:
        self.spent["secrets"] += 1
        return {"SecretString": json.dumps(self.secret)}

    def SendMessageBatch(self, told: Item) -> Item:
        bodies = [entry["MessageBody"] for entry in told["Entries"]]
        self.queues.setdefault(told["QueueUrl"].rsplit("/", 1)[-1], []).extend(bodies)
        self.spent["SQS"] += ceil(sum(map(len, bodies)) / SQS_BYTES)
        return {}

    def PutObject(self, told: Item) -> Item:
        self.spent["S3 puts"] += 1
        return {}

    def PutLogEvents(self, told: Item) -> Item:
        self.spent["log bytes"] += sum(len(event["message"]) + prices.LOGS_OVERHEAD for event in told["logEvents"])
        return {}

    # ------------------------------------------------------------ on the wire

    def wire(self, target: str, body: bytes) -> bytes:
        """The answer to one request of an AWS JSON service, or of S3, which has no target."""
        with self._one:
            begun = time.thread_time()
            self.spent["trips in turn" if current_thread() is main_thread() else "trips at once"] += 1
            told = json.loads(body, object_hook=binary) if target else {}
            answer = self.call("", target or "S3.PutObject", told)
            said = orjson.dumps(answer, default=text) if target else b""
            self.busy += time.thread_time() - begun
            return said

    def exchange(
        self, origin: str, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """In the place of a socket."""
        return 200, self.wire(headers.get("x-amz-target", ""), body)

    # ------------------------------------------------------------ above it

    def call(self, service: str, target: str, told: Item, *_: Any) -> Item:
        answer: Item = getattr(self, target.partition(".")[2])(told)
        return answer

    def ask(self, request: Any) -> bytes:
        self.PutObject({})
        return b""


def place(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def total(old: Item | None, added: Item) -> Item:
    assert old is not None
    return {"N": str(int(old["N"]) + int(added["N"]))}


def binary(value: Item) -> Item:
    return {"B": base64.b64decode(value["B"])} if value.keys() == {"B"} else value


def text(value: bytes | set[str]) -> str | list[str]:
    """Binaries as base64; the sets that boto3 made of lists as lists."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else sorted(value)


def size(value: Any) -> int:
    """As DynamoDB counts: names and text by the byte, numbers by two digits, three more for a map or a list.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    if "S" in value or "B" in value or "N" in value:
        [(kind, held)] = value.items()
        return len(held) // 2 + 2 if kind == "N" else len(held.encode() if kind == "S" else held)
    if "SS" in value:
        return 3 + sum(len(word) + 1 for word in value["SS"])
    if "L" in value:
        return 3 + sum(1 + size(inner) for inner in value["L"])
    if "M" in value:
        return 3 + sum(len(name) + 1 + size(inner) for name, inner in value["M"].items())
    return sum(len(name) + size(inner) for name, inner in value.items())


# ---------------------------------------------------------------- where it stands


@contextmanager
def standing(height: Height = "above", counts: bool = False) -> Iterator[Memory]:
    """Everything that asks AWS is answered from a new memory, and nothing is left of it afterwards."""
    from shared.providers.registry import providers

    apps = {p.id: {"client_id": "id", "client_secret": "secret"} for p in providers()}
    memory = Memory(secret={"providers": apps, "hook_key": "key"}, counts=counts)
    stands: dict[str, Any] = {"shared.wire.exchange": memory.exchange}
    if height == "above":
        stands |= {"shared.aws.call": memory.call, "shared.objects.ask": memory.ask}
    with patch.dict(os.environ, ENVIRONMENT), ExitStack() as stack:
        for name, stand_in in stands.items():
            stack.enter_context(patch(name, stand_in))
        stack.callback(forget)
        forget()
        yield memory


def forget() -> None:
    from shared import budget, secret, vault
    from shared.settings import settings

    settings.cache_clear()
    budget.turns.cache_clear()
    secret._read = None
    vault._kept.clear()
