"""`tributary consents verify`: has anybody tampered with a consent ledger?"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from ops.deployment import Deployment, operator_command
from ops.table import shortened
from shared import connections, consents
from shared.jobs import now_ms
from shared.model import DAY
from shared.providers.registry import provider
from shared.secret import apps


def verify(at: Deployment, options: argparse.Namespace) -> int:
    """1 where a ledger was tampered with."""
    people = [options.user] if options.user else everybody(at)
    key, entries, found = apps().hooks.key, 0, 0
    for user in people:
        entries += len(consents.entries(user))
        for fault in [*consents.faults(key, user), *unsaid(user)]:
            found += 1
            print(f"{user if options.show_ids else shortened(user)}: {fault}")
    print(f"people: {len(people)}, entries: {entries}, faults: {found}")
    return 1 if found else 0


def everybody(at: Deployment) -> list[str]:
    """Whoever has an entry, a head or a connection: of a ledger that was tampered with, any may be missing."""
    condition = "begins_with(pk, :u) AND (begins_with(sk, :n) OR begins_with(sk, :c))"
    return sorted({item["pk"]["S"].removeprefix("U#") for item in at.scan(condition, "pk", u="U#", n="N#", c="C#")})


def unsaid(user: str) -> Iterator[str]:
    """A ledger cut short whose head was set back to match has every hash right. The person's connections tell."""
    held = connections.of_user(user)
    last = {entry.get("provider"): entry.get("action") for entry in consents.entries(user)}
    for each in held:
        said = last.get(each.provider)
        settled = each.since < now_ms() - DAY  # a goodbye may wait so long for its vendor
        if each.state == "active" and provider(each.provider).connects and said != "granted":
            yield f"{each.provider} is connected, and the last word about it is no consent"
        if each.state == "disconnected" and settled and said == "granted":
            yield f"{each.provider} was disconnected, and no withdrawal says so"


def add(commands: Any) -> None:
    text = "Look whether consent ledgers are as they were written."
    group = commands.add_parser("consents", help=text, description=text).add_subparsers(required=True, metavar="ACTION")
    each = operator_command(group, "verify", verify, "Check every entry's keyed hash, and that none is missing.")
    whose = each.add_mutually_exclusive_group()
    whose.add_argument(
        "everybody", nargs="?", choices=["all"], default="all", help="every ledger there is; the default"
    )
    whose.add_argument("--user", default="", help="one person's")
    each.add_argument("--show-ids", action="store_true", help="user ids as they are")
