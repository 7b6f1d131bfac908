"""The consent ledger: append-only, and chained with a keyed hash, so that nobody can change, drop or reorder an entry
unseen without the key.

    pk U#<user>   sk N#<number>   what was consented to, the entry before's hash, and this one's
    pk U#<user>   sk N#head       how many entries there are, and the last one's hash
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any, Literal

from shared import control
from shared.aws import dynamodb
from shared.jobs import now_ms
from shared.settings import settings
from shared.signed import AwsError

Action = Literal["granted", "withdrawn"]
SAID = ("number", "at", "action", "provider", "scopes", "text", "cause", "before")
STORED = {"pk", "sk", "hash", *SAID}
HEAD = "N#head"
EMPTY: dict[str, Any] = {"count": 0, "hash": b""}


def record(
    key: bytes, user: str, action: Action, provider: str, scopes: Iterable[str] = (), text: str = "", cause: str = ""
) -> None:
    """Appends one entry. `text` is the version of the words the person agreed to, `cause` why consent ended.

    Nothing where it ended for that cause already: whoever says so again died after the first time, or was not alone.
    """
    while True:
        last = head(user) or EMPTY
        if action == "withdrawn" and ended(user, provider) == cause:
            return
        entry: dict[str, Any] = {
            "number": last["count"] + 1,
            "at": now_ms(),
            "action": action,
            "provider": provider,
            "scopes": sorted(scopes),
            "text": text,
            "cause": cause,
            "before": last["hash"].hex(),
        }
        if _append(user, last["count"], {**entry, "hash": chained(key, user, entry)}):
            return


def chained(key: bytes, user: str, entry: dict[str, Any]) -> bytes:
    said = json.dumps(
        [user, *(entry.get(name) for name in SAID)], separators=(",", ":"), ensure_ascii=True, default=str
    )
    return hmac.digest(key, said.encode(), hashlib.sha256)


def entries(user: str) -> list[dict[str, Any]]:
    """In the order of their keys, whatever they say their number is."""
    return [item for item in control.under(f"U#{user}", "N#") if item["sk"] != HEAD]


def ended(user: str, provider: str) -> str | None:
    """Why the consent to this provider ended, if it did."""
    said = last(user, provider)
    return str(said["cause"]) if said and said["action"] == "withdrawn" else None


def last(user: str, provider: str) -> dict[str, Any] | None:
    """What was last said about this provider."""
    said = [entry for entry in entries(user) if entry["provider"] == provider]
    return said[-1] if said else None


def head(user: str) -> dict[str, Any] | None:
    """How many entries a person's ledger has, and the hash of the last."""
    found = control.get(f"U#{user}", HEAD)
    return {"count": found.get("count"), "hash": hashed(found)} if found else None


def faults(key: bytes, user: str) -> list[str]:
    """What is wrong with a person's ledger; nothing, if nobody tampered with it."""
    found, last, before = [], 0, b""
    for entry in entries(user):
        number = numbered(entry)
        if number is None:
            found.append("something lies among the entries that is none")
            continue
        if number != last + 1:
            found.append(
                f"entry {last + 1} is missing" + (f", and all up to {number - 1}" if number > last + 2 else "")
            )
        if entry.get("before") != before.hex():
            found.append(f"entry {number} does not follow the one before it")
        if entry.keys() != STORED or entry.get("number") != number or entry.get("hash") != chained(key, user, entry):
            found.append(f"entry {number} was changed")
        last, before = number, hashed(entry)
    if (head(user) or EMPTY) != {"count": last, "hash": before}:
        found.append("the ledger's end does not match its head")
    return found


def numbered(entry: dict[str, Any]) -> int | None:
    """By its key, which is its place in the ledger."""
    digits = str(entry["sk"]).removeprefix("N#")
    return int(digits) if digits.isascii() and digits.isdigit() else None


def hashed(entry: dict[str, Any]) -> bytes:
    found = entry.get("hash")
    return found if isinstance(found, bytes) else b""


def _append(user: str, seen: int, entry: dict[str, Any]) -> bool:
    """The entry and the head together; False where somebody else appended first."""
    table = settings().control_table
    newest = {"pk": f"U#{user}", "sk": HEAD, "count": entry["number"], "hash": entry["hash"]}
    item = {"pk": f"U#{user}", "sk": f"N#{entry['number']:08d}", **entry}
    unchanged = {"ConditionExpression": "#count = :seen", "ExpressionAttributeNames": {"#count": "count"}}
    given = {"ExpressionAttributeValues": control.values({":seen": seen})}
    first = {"ConditionExpression": "attribute_not_exists(pk)"}
    writes: Any = [
        {"Put": {"TableName": table, "Item": control.values(item), "ConditionExpression": "attribute_not_exists(pk)"}},
        {"Put": {"TableName": table, "Item": control.values(newest), **({**unchanged, **given} if seen else first)}},
    ]
    try:
        dynamodb().transact_write_items(TransactItems=writes)
    except AwsError as error:
        if error.code != "TransactionCanceledException":
            raise
        return False
    return True
