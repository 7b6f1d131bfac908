"""`tributary dlq`: the dead letters for operators, without a word of what the messages hold."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ops.deployment import Deployment, operator_command
from ops.letters import Letter, Wanted, drop, letters, move, move_all, queues
from ops.table import age, aligned, shortened
from shared.errors import BadRequestError

UNITS = {"m": 60, "h": 3600, "d": 86_400}
PLAIN = (
    "id", "task", "reason", "provider", "source", "connection", "resources", "resource", "window", "day", "revision",
    "services", "segment", "deleted", "goodbye", "tracked", "part", "attempt", "as_of",
)  # fmt: skip
"""What identifies no person by itself. A change's `id` begins with the user, and is not among its plain ones."""
NAMES = ("user", "account", "document")


# ---------------------------------------------------------------- telling


def grouped(found: Iterable[Letter]) -> str:
    groups: dict[tuple[str, str, str, str], list[tuple[datetime, str]]] = {}
    for each in found:
        groups.setdefault(each.group, []).append((each.sent, each.id))
    if not groups:
        return "no dead letters"
    now = datetime.now(UTC)
    rows = [
        [str(len(held)), *group[:3], age(min(held)[0], now), min(held)[1], group[3]]
        for group, held in sorted(groups.items(), key=lambda row: -len(row[1]))
    ]
    return aligned([["letters", "queue", "provider", "reason", "oldest", "one of them", "cause"], *rows])


def described(found: Letter, ids: bool) -> dict[str, Any]:
    """The letter without a word of what it holds; names as they are only where `ids` asks for them."""
    shown: dict[str, Any] = {"message": found.id, "queue": found.queue, "sent": found.sent.isoformat()}
    shown |= {"failures": found.message["Attributes"].get("ApproximateReceiveCount"), "cause": found.cause}
    change = "revision" in found.told
    for name, value in found.told.items():
        if name in PLAIN and not (change and name == "id"):
            shown[name] = value
        elif name in NAMES:
            shown[name] = value if ids else shortened(str(value))
        elif name == "payload":
            shown[name] = f"{len(str(value))} bytes, sealed"
    return {**shown, "provider": found.provider} if found.told else {**shown, "body": "not a message of ours"}


# ---------------------------------------------------------------- the commands


def list_letters(at: Deployment, options: argparse.Namespace) -> int:
    print(grouped(letters(at, wanted(options))))
    return 0


def show_letter(at: Deployment, options: argparse.Namespace) -> int:
    found = [described(each, options.show_ids) for each in letters(at, Wanted(message=options.message))]
    if not found:
        raise BadRequestError("no dead letter has that id", "message")
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 0


def redrive(at: Deployment, options: argparse.Namespace) -> int:
    if not options.per_second > 0:
        raise BadRequestError("--per-second takes a number above 0", "per-second")
    which = wanted(options)
    if options.dry_run:
        print(f"{grouped(letters(at, which))}\nnothing was moved")
        return 0
    moved = 0
    for queue in queues(at, which.queue):
        by_sqs = None if which.picks else move_all(at, queue, options.per_second)
        moved += move(at, replace(which, queue=queue), options.per_second) if by_sqs is None else by_sqs
    print(f"{moved} moved back")
    return 0


def drop_letters(at: Deployment, options: argparse.Namespace) -> int:
    which = wanted(options)
    if options.yes and not options.dry_run:
        print(f"{drop(at, which)} dropped")
        return 0
    print(f"{grouped(letters(at, which))}\nnothing was dropped; --yes drops them for good")
    return 0


def wanted(options: argparse.Namespace) -> Wanted:
    return Wanted(
        options.queue, options.provider, options.cause, options.reason, options.message, seconds(options.older_than)
    )


def seconds(text: str) -> int:
    if not text:
        return 0
    if not (text[:-1].isascii() and text[:-1].isdigit() and text[-1] in UNITS):
        raise BadRequestError("--older-than takes a number and m, h or d, as 12h", "older-than")
    return int(text[:-1]) * UNITS[text[-1]]


def add(commands: Any) -> None:
    text = "Look through the dead letters, move them back, or drop them."
    group = commands.add_parser("dlq", help=text, description=text).add_subparsers(required=True, metavar="ACTION")
    listing = operator_command(group, "list", list_letters, "Count the dead letters by provider and cause.")
    each = operator_command(group, "show", show_letter, "Show dead letters without what they hold.")
    each.add_argument("message", help="a message's id, or its beginning")
    each.add_argument("--show-ids", action="store_true", help="users, vendors' accounts and documents as they are")
    moving = operator_command(group, "redrive", redrive, "Move dead letters back to the queues they came from.")
    moving.add_argument("--per-second", type=float, default=10, help="how many, at most (10)")
    dropping = operator_command(group, "drop", drop_letters, "Delete dead letters for good.")
    dropping.add_argument("--yes", action="store_true", help="without it, only what would be dropped is told")
    for action in (listing, moving, dropping):
        action.add_argument("--queue", default="", help="of this queue only: fresh, bulk, segments or changes")
        action.add_argument("--provider", default="", help="of this provider only")
        action.add_argument("--cause", default="", help="whose cause holds this text, in any case")
        action.add_argument(
            "--reason", default="", help="by what the job was made: webhook, poll, backfill, sync, upload, push"
        )
        action.add_argument("--message", default="", help="whose id begins so")
        action.add_argument("--older-than", default="", metavar="AGE", help="first sent so long ago, as 90m, 12h or 3d")
    for action in (moving, dropping):
        action.add_argument("--dry-run", action="store_true", help="tell, and change nothing")
