"""The Control table's few ways: get, write if, take away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.aws import dynamodb, stood
from shared.settings import settings
from shared.signed import AwsError

RING_PAGE = 1_000
"""Connections that one message of a ring segment stands for: a second of sending, so far from any time-out."""
Item = dict[str, Any]


def plain(item: Mapping[str, Any]) -> Item:
    """A DynamoDB item as Python values; every number here is whole."""
    return {name: _read(value) for name, value in item.items()}


def _read(value: Mapping[str, Any]) -> Any:
    [(kind, held)] = value.items()
    if kind == "N":
        return int(held)
    if kind == "M":
        return plain(held)
    if kind == "L":
        return list(map(_read, held))
    return set(held) if kind == "SS" else held


def values(plain_values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _write(value) for name, value in plain_values.items()}


def _write(value: Any) -> dict[str, Any]:
    """boto3 has this too, for every number there is, and takes a tenth of a second of a cold start to load."""
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case bytes():
            return {"B": value}
        case set() | frozenset():
            return {"SS": sorted(value)}
        case Mapping():
            return {"M": values(value)}
        case list() | tuple():
            return {"L": [_write(each) for each in value]}
    raise TypeError(f"not kept in the Control table: {type(value).__name__}")


def key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def get(pk: str, sk: str, consistent: bool = True) -> Item | None:
    reply = dynamodb().get_item(TableName=settings().control_table, Key=key(pk, sk), ConsistentRead=consistent)
    return plain(reply["Item"]) if "Item" in reply else None


def put(item: Item, condition: str | None = None) -> bool:
    """False where the condition did not hold."""
    more = {"ConditionExpression": condition} if condition else {}
    return _held(dynamodb().put_item, Item=values(item), **more)


def take(pk: str, sk: str) -> Item | None:
    """Deletes the item and returns it: of several who try, one gets it."""
    reply = dynamodb().delete_item(TableName=settings().control_table, Key=key(pk, sk), ReturnValues="ALL_OLD")
    return plain(reply["Attributes"]) if "Attributes" in reply else None


def take_together(keys: Iterable[tuple[str, str]]) -> None:
    """Deletes all of these items, or none."""
    table = settings().control_table
    writes: Any = [{"Delete": {"TableName": table, "Key": key(pk, sk)}} for pk, sk in keys]
    dynamodb().transact_write_items(TransactItems=writes)


def update(
    pk: str,
    sk: str,
    expression: str,
    given: Mapping[str, Any],
    condition: str | None = None,
    names: Mapping[str, str] | None = None,
) -> bool:
    """False where the condition did not hold. `given` are the plain values of the `:names` in the expressions."""
    more: Item = {"ExpressionAttributeNames": dict(names)} if names else {}
    if condition:
        more["ConditionExpression"] = condition
    if given:
        more["ExpressionAttributeValues"] = values({f":{name}": value for name, value in given.items()})
    return _held(dynamodb().update_item, Key=key(pk, sk), UpdateExpression=expression, **more)


def tried(
    pk: str, sk: str, expression: str, given: Mapping[str, Any], condition: str, names: Mapping[str, str]
) -> tuple[bool, Item]:
    """As `update`, and the item: as the write left it, or as it stood in its way."""
    try:
        reply = dynamodb().update_item(
            TableName=settings().control_table,
            Key=key(pk, sk),
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeValues=values({f":{name}": value for name, value in given.items()}),
            ExpressionAttributeNames=names,
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except AwsError as error:
        if error.code == "ConditionalCheckFailedException":
            return False, plain(stood(error))
        raise
    return True, plain(reply["Attributes"])


def under(pk: str, prefix: str = "", consistent: bool = True) -> Iterator[Item]:
    """Every item of one partition whose sort key starts with `prefix`."""
    condition, given = "pk = :pk", {":pk": {"S": pk}}
    if prefix:
        condition, given = f"{condition} AND begins_with(sk, :prefix)", {**given, ":prefix": {"S": prefix}}
    yield from _query(KeyConditionExpression=condition, ExpressionAttributeValues=given, ConsistentRead=consistent)


def on_ring(segment: str, after: str = "") -> tuple[list[Item], str]:
    """Connections of one ring segment, with what the index projects of them; and after whom to go on, "" at the end."""
    request: dict[str, Any] = {
        "IndexName": "ring",
        "KeyConditionExpression": "ring = :ring",
        "ExpressionAttributeValues": {":ring": {"S": segment}},
        "Limit": RING_PAGE,
    }
    if after:
        request["ExclusiveStartKey"] = {**key(after, "C"), "ring": {"S": segment}}
    page = dynamodb().query(TableName=settings().control_table, **request)
    return [plain(item) for item in page["Items"]], page.get("LastEvaluatedKey", {}).get("pk", {}).get("S", "")


def _query(**request: Any) -> Iterator[Item]:
    while True:
        page = dynamodb().query(TableName=settings().control_table, **request)
        yield from map(plain, page["Items"])
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _held(write: Any, **request: Any) -> bool:
    try:
        write(TableName=settings().control_table, **request)
    except AwsError as error:
        if error.code == "ConditionalCheckFailedException":
            return False
        raise
    return True
