"""`tributary events`: what came in, from its receipt to the sections it changed, or to why it did not."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any

import orjson

from ops.deployment import Deployment, operator_command
from ops.table import aligned
from shared import events
from shared.events import Line
from shared.jobs import now_ms
from shared.model import HOUR

HEADER = ("received", "id", "reason", "provider", "connection", "outcome", "after", "what came of it")
PAGE = 1000
FEW = 2


@dataclass(frozen=True)
class Receipt:
    """A webhook that the door queued, as the door's log tells it. Milliseconds."""

    id: str
    provider: str
    at: int


def show(at: Deployment, options: argparse.Namespace) -> int:
    now = now_ms()
    first = int(now - options.hours * HOUR)
    lines = list(of_person(options.user, first, now) if options.user else events.everybody(first))
    unheard = [] if options.user else silent(receipts(at, first), lines)
    told = [(line["received"], row(line, bool(options.id))) for line in lines if wanted(line, options)]
    told += [(each.at, waiting(each)) for each in unheard if asked(each, options)]
    if told:
        print(aligned([HEADER, *(cells for _, cells in sorted(told))]))
    print(summary([line for line in lines if wanted(line, options)], sum(asked(each, options) for each in unheard)))
    return 0


# ---------------------------------------------------------------- finding


def of_person(user: str, first: int, last: int) -> Iterator[Line]:
    page = ""
    while True:
        found, page = events.of(user, first, last + 1, "", page, PAGE)
        yield from found
        if not page:
            return


def receipts(at: Deployment, first: int) -> Iterator[Receipt]:
    """Lines of the door that name what it queued. Others in that log are Lambda's own."""
    pages = at.client("logs").get_paginator("filter_log_events").paginate(
        logGroupName=at.output("WebhookLog"), startTime=first, filterPattern='"ids"'
    )  # fmt: skip
    for event in (event for page in pages for event in page["events"]):
        try:
            said = orjson.loads(event["message"])
        except orjson.JSONDecodeError:
            continue
        yield from (Receipt(id_, said["provider"], event["timestamp"]) for id_ in said["ids"])


def silent(received: Iterable[Receipt], lines: Iterable[Line]) -> list[Receipt]:
    """Of which no worker has said anything: they wait in a queue, or died with their worker."""
    heard = {id_.partition(".")[0] for line in lines for id_ in (line["id"], *line.get("same", ()))}
    return [each for each in received if each.id not in heard]


def wanted(line: Line, options: argparse.Namespace) -> bool:
    ids = (line["id"], *line.get("same", ()))
    return (
        options.provider in ("", line.get("provider"))
        and (not options.id or any(f"{id_}.".startswith(f"{options.id}.") for id_ in ids))
        and (not options.failed or line["outcome"] in ("failed", "dropped"))
    )


def asked(each: Receipt, options: argparse.Namespace) -> bool:
    return options.provider in ("", each.provider) and options.id in ("", each.id) and not options.failed


# ---------------------------------------------------------------- telling


def row(line: Line, whole: bool) -> list[str]:
    after = f"{(line['finished'] - line['received']) / 1000:.1f} s"
    who = (line["id"], line["reason"], line.get("provider", "–"), line.get("connection", "–"))
    return [clock(line["received"]), *who, line["outcome"], after, came(line, whole)]


def waiting(each: Receipt) -> list[str]:
    return [clock(each.at), each.id, "webhook", each.provider, "–", "accepted", "–", "no worker has said anything yet"]


def clock(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def came(line: Line, whole: bool) -> str:
    """The sections it changed, or why there are none; many of them as counts, unless the `whole` is wanted."""
    found = line.get("resources", {})
    told = [text for name, brought in found.items() if (text := resource(name, brought))]
    if len(told) > FEW and not whole:
        told = [f"{len(told)} resources, {sum(events.told(brought)[0] for brought in found.values())} sections"]
    again = "" if line.get("final") else ", to be tried again"
    if line["outcome"] == "failed":
        return f"{line['cause']}{again}" + (f" ({'; '.join(told)})" if told else "")
    return "; ".join(told) or line.get("cause", "") or "–"


def resource(name: str, brought: list[Any]) -> str:
    days, first, last, cause = events.told(brought)
    span = first if first == last else f"{first} to {last}"
    return f"{name} {span}" if days else f"{name} {cause}" if cause else ""


def summary(lines: list[Line], unheard: int) -> str:
    outcomes: Mapping[str, int] = Counter(line["outcome"] for line in lines)
    told = [f"{n} {outcome}" for outcome, n in outcomes.items()] + ([f"{unheard} not heard of"] if unheard else [])
    text = f"{len(lines) + unheard} events: {', '.join(told)}" if told else "no events"
    lags = sorted(line["finished"] - line["received"] for line in lines if line["outcome"] == "written")
    if len(lags) < 2:
        return text
    half, most = (quantiles(lags, n=100, method="inclusive")[q - 1] / 1000 for q in (50, 95))
    return f"{text}; of those written half within {half:.1f} s, 95 % within {most:.1f} s"


def add(commands: Any) -> None:
    each = operator_command(commands, "events", show, "Show what came in, and what became of it.")
    each.add_argument("--hours", type=float, default=1, help="of the last so many hours (1); kept for 30 days")
    each.add_argument("--id", default="", help="of this webhook, upload or job, with all its parts")
    each.add_argument("--provider", default="", help="of this provider only")
    each.add_argument("--user", default="", help="of this person only: one log stream instead of all")
    each.add_argument("--failed", action="store_true", help="only what failed, or was for nobody")
