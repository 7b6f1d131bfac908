"""A person's zone history: append-only, in the Data table under sk `Z`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared import sections
from shared.aws import dynamodb
from shared.errors import BadRequestError
from shared.jobs import now_ms
from shared.local_time import Zones
from shared.log import logger
from shared.settings import settings
from shared.signed import AwsError


def of(user: str) -> Zones:
    return read(sections.person(user))


def read(item: Mapping[str, Any]) -> Zones:
    rows = item["history"]["L"] if "history" in item else []
    history = tuple((int(row["M"]["since"]["N"]), row["M"]["zone"]["S"]) for row in rows)
    return Zones(history) if history else Zones()


def known(name: str, param: str = "timezone") -> str:
    """Raises BadRequestError, naming `param`, for anything but an IANA zone name."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones, or an endless name
        raise BadRequestError("not an IANA time zone such as Europe/Berlin", param) from error


def moved_to(user: str, name: str) -> None:
    """From now on the person lives in this zone; the first one told also covers everything before."""
    history = of(user).history
    if history[-1][1] == name and history != Zones().history:
        return
    entry = {"M": {"since": {"N": str(now_ms())}, "zone": {"S": name}}}
    try:
        dynamodb().update_item(
            TableName=settings().data_table,
            Key={"pk": {"S": user}, "sk": {"S": "Z"}},
            UpdateExpression="SET history = list_append(if_not_exists(history, :none), :entry)",
            ConditionExpression="attribute_not_exists(history) OR size(history) = :seen",
            ExpressionAttributeValues={
                ":none": {"L": []},
                ":entry": {"L": [entry]},
                ":seen": {"N": str(len(history))},
            },
        )
    except AwsError as error:
        # Two doors at once: the other one's word about where the person is, is as good as ours.
        if error.code != "ConditionalCheckFailedException":
            raise


def learned(user: str, name: str) -> None:
    """From a provider; a name nobody knows teaches nothing."""
    try:
        moved_to(user, known(name))
    except BadRequestError:
        logger().info("a provider named a zone that is none")
