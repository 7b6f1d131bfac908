"""Who is connected to what.

pk C#<id>                    sk C            the connection
pk U#<user>                  sk C#<provider> its id: one connection per person and provider, kept when reconnecting
pk X#<provider>#<account>    sk <id>         the people a vendor's event is for
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal
from zlib import crc32

from shared import control
from shared.aws import dynamodb
from shared.control import Item
from shared.errors import ConflictError
from shared.jobs import new_id, now_ms
from shared.looks import Turn
from shared.providers import Provider, Resource, house
from shared.settings import settings
from shared.signed import AwsError
from shared.timetable import LOOK_MINUTES, WAKE_HOUR
from shared.values import dataclass, field, replace
from shared.vault import Owner

State = Literal["pending", "active", "reconnect", "disconnected"]


@dataclass(frozen=True)
class Connection:
    """One person at one provider. Instants in milliseconds. `sealed` are the tokens, `generation` counts them."""

    id: str
    user: str
    provider: str
    state: State
    salt: bytes = field(repr=False)
    account: str = ""
    cause: str = ""
    since: int = 0
    created: int = 0
    scopes: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    zone: str = "UTC"
    sealed: bytes = field(default=b"", repr=False)
    generation: int = 0
    token_expires: int = 0
    lease_until: int = 0
    suspect_since: int = 0
    refreshing_since: int = 0
    """When a refresh of this generation began that has not ended; left behind by a worker that died in it."""
    reply_lost: bool = False
    last_push_at: int = 0
    last_poll_at: int = 0
    last_data_at: int = 0
    silent_since: int = 0
    """When polls were found to bring what the vendor's webhooks had not told; 0 while those are trusted."""
    trouble_since: int = 0
    """When an aggregator said that its source refuses it; 0 once it brings news again."""
    wake: int = WAKE_HOUR
    backfill: str = ""
    cursors: Mapping[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> Owner:
        return Owner(self.user, self.provider, self.id, self.salt)

    @property
    def turn(self) -> Turn:
        return Turn(minute_of(self.id), self.zone, self.wake, self.silent_since > 0)


def load(connection_id: str) -> Connection | None:
    """A consistent read; None means erased or never there, and its jobs are dropped."""
    item = control.get(f"C#{connection_id}", "C")
    return connection(item) if item else None


def connection(item: Item) -> Connection:
    cursors = {name.removeprefix("cursor#"): value for name, value in item.items() if name.startswith("cursor#")}
    known = {name: item[name] for name in Connection.__annotations__ if name in item}
    lists = {name: tuple(sorted(item.get(name, ()))) for name in ("scopes", "resources")}
    return Connection(**{**known, **lists, "id": item["pk"].removeprefix("C#"), "cursors": cursors})


def of_user(user: str, provider: str = "") -> list[Connection]:
    """All of a person's connections, or the one at `provider`."""
    ids = [item["id"] for item in control.under(f"U#{user}", f"C#{provider}")]
    found = [load(id_) for id_ in ids]
    return [c for c in found if c and provider in ("", c.provider)]


def of_account(provider: str, account: str, loosely: bool = False) -> list[str]:
    """The connections a vendor's event about `account` is for; `loosely`, at half the price, somebody who connects this
    very moment may be missing beside others."""
    place = whose(provider, account)
    known = list(control.under(place, consistent=False)) if loosely else []
    return [item["sk"] for item in known or control.under(place)]


def whose(provider: str, account: str) -> str:
    """An aggregator's webhooks name its account, whatever source it leads to."""
    return f"X#{house(provider)}#{account}"


def granted(provider: Provider, scopes: Iterable[str]) -> tuple[str, ...]:
    """The resources these scopes open. A vendor that does not say which it granted granted what was asked."""
    have = frozenset(scopes)
    told = bool(have) or provider.permissions is not None

    def opened(resource: Resource) -> bool:
        return not resource.scopes or any(have.issuperset(needed.split()) for needed in resource.scopes)

    return tuple(r.name for r in provider.resources if not told or opened(r))


def establish(
    user: str, provider: Provider, account: str, scopes: Iterable[str], zone: str, switch: bool = False
) -> Connection:
    """The person's connection at this provider, made or found again, ready for its tokens.

    Raises ConflictError where the person is connected as somebody else at the vendor and did not confirm the `switch`.
    """
    have = tuple(sorted(scopes))
    pointer = control.get(f"U#{user}", f"C#{provider.id}")
    if pointer is None:
        return _create(user, provider, account, have, zone)
    found = load(pointer["id"])
    if found is None:
        raise ConflictError(f"the {provider.name} connection is being removed; try again in a minute")
    if found.account and account and found.account != account:
        if not switch:
            raise ConflictError(
                f"that is another {provider.name} account; confirm with switch_account", "switch_account"
            )
        control.take(whose(provider.id, found.account), found.id)
    return _granted_again(found, provider, account or found.account, have, zone)


def _granted_again(
    found: Connection, provider: Provider, account: str, scopes: tuple[str, ...], zone: str
) -> Connection:
    """The same connection and its data, with what the person granted this time."""
    if account and account != found.account:
        control.put({"pk": whose(provider.id, account), "sk": found.id, "user": found.user})
    resources = granted(provider, scopes)
    allow(found.id, provider, scopes, account=account, zone=zone)
    return replace(found, account=account, zone=zone, scopes=scopes, resources=resources)


def _create(user: str, provider: Provider, account: str, scopes: tuple[str, ...], zone: str) -> Connection:
    made = Connection(
        id=new_id(),
        user=user,
        provider=provider.id,
        state="pending" if provider.connects else "active",
        salt=os.urandom(32),
        account=account,
        created=now_ms(),
        since=now_ms(),
        scopes=scopes,
        resources=granted(provider, scopes),
        zone=zone,
    )
    items = [_item(made), {"pk": f"U#{user}", "sk": f"C#{provider.id}", "id": made.id}]
    if account:
        items.append({"pk": whose(provider.id, account), "sk": made.id, "user": user})
    writes: Any = [
        {
            "Put": {
                "TableName": settings().control_table,
                "Item": control.values(item),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        for item in items
    ]
    try:
        dynamodb().transact_write_items(TransactItems=writes)
    except AwsError as error:
        if error.code != "TransactionCanceledException":
            raise
        raise ConflictError(f"{provider.name} is being connected twice at once; try again") from error
    return made


def _item(made: Connection) -> Item:
    item: Item = {
        "pk": f"C#{made.id}",
        "sk": "C",
        **{name: getattr(made, name) for name in ("user", "provider", "state", "salt", "account", "zone")},
        **{name: getattr(made, name) for name in ("created", "since", "generation")},
    }
    for name in ("scopes", "resources"):
        if getattr(made, name):
            item[name] = set(getattr(made, name))
    return item


def segment(connection_id: str, shards: int) -> str:
    """The minute of each half hour at which catch-up polling looks, and its shard. Of more shards, the first ones have
    the same names: who was placed among fewer is still found, and moves when its tokens are next renewed."""
    return f"{minute_of(connection_id)}#{crc32(connection_id.encode()) // LOOK_MINUTES % shards}"


def minute_of(connection_id: str) -> int:
    return crc32(connection_id.encode()) % LOOK_MINUTES


def weekday_of(connection_id: str) -> int:
    """The day of the week on which the last fortnight is asked for again."""
    return crc32(connection_id.encode()) // LOOK_MINUTES % 7


def segments(shards: int, minutes: Iterable[int] = range(LOOK_MINUTES)) -> list[str]:
    """Every segment of these minutes of the half hour."""
    return [f"{minute}#{shard}" for minute in minutes for shard in range(shards)]


def change(connection_id: str, **values: Any) -> bool:
    """Sets attributes of a connection that still exists."""
    names = {f"#{n}": name for n, name in enumerate(values)}
    sets = ", ".join(f"#{n} = :v{n}" for n in range(len(values)))
    given = {f"v{n}": value for n, value in enumerate(values.values())}
    return control.update(f"C#{connection_id}", "C", f"SET {sets}", given, "attribute_exists(pk)", names)


def allow(connection_id: str, provider: Provider, scopes: Iterable[str], **more: str) -> bool:
    """The person lets us have this, and what it opens. DynamoDB knows no empty sets."""
    told = {**more, "scopes": set(scopes), "resources": set(granted(provider, scopes))}
    names = {f"#{name}": name for name in told}
    sets = ", ".join(f"#{name} = :{name}" for name, value in told.items() if value)
    gone = ", ".join(f"#{name}" for name, value in told.items() if not value)
    expression = " ".join(filter(None, (sets and f"SET {sets}", gone and f"REMOVE {gone}")))
    given = {name: value for name, value in told.items() if value}
    return control.update(f"C#{connection_id}", "C", expression, given, "attribute_exists(pk)", names)


def rename(held: Connection, account: str) -> None:
    """The vendor calls the same person by another id. The connection is changed last: who died before that finds the
    old id on it, and does all of it again."""
    control.put({"pk": whose(held.provider, account), "sk": held.id, "user": held.user})
    control.take(whose(held.provider, held.account), held.id)
    change(held.id, account=account)


def supersede(held: Connection) -> None:
    """Tells the other holders of the same vendor account that their grant has ended."""
    for other in of_account(held.provider, held.account):
        if other != held.id:
            suspend(other, "superseded")


def close(held: Connection) -> bool:
    """The person wants no more of it: from now on nothing is fetched. The tokens stay until the vendor is told."""
    given = {"state": "disconnected", "cause": "disconnected_by_user", "now": now_ms()}
    return control.update(
        f"C#{held.id}",
        "C",
        "SET #state = :state, cause = :cause, since = :now REMOVE ring",
        given,
        "attribute_exists(pk)",
        {"#state": "state"},
    )


def forget_tokens(held: Connection) -> None:
    """If it is still closed: a person who connects again meanwhile keeps the new ones."""
    expression, condition = "REMOVE sealed, token_expires", "#state = :closed"
    control.update(f"C#{held.id}", "C", expression, {"closed": "disconnected"}, condition, {"#state": "state"})


def delete(held: Connection) -> None:
    """The connection and its salt: what was sealed for it no longer opens, wherever a copy lies.

    With what leads to it, in one transaction: a pointer left behind by whoever died in between would lead nowhere, and
    keep the person from connecting again.
    """
    ways = [(f"C#{held.id}", "C"), (f"C#{held.id}", "B"), (f"U#{held.user}", f"C#{held.provider}")]
    if held.account:
        ways.append((whose(held.provider, held.account), held.id))
    control.take_together(ways)


def suspend(connection_id: str, cause: str, generation: int | None = None) -> bool:
    """The person must consent again: no more polls, no more tokens. With a `generation`, only if it is still that."""
    same = "attribute_exists(pk)" if generation is None else "generation = :seen"
    condition = f"{same} AND #state <> :closed"  # who left is not asked to come back
    given = {"state": "reconnect", "cause": cause, "now": now_ms(), "seen": generation, "closed": "disconnected"}
    return control.update(
        f"C#{connection_id}",
        "C",
        "SET #state = :state, cause = :cause, since = :now REMOVE ring",
        {name: value for name, value in given.items() if value is not None},
        condition,
        {"#state": "state"},
    )


def note(connection_id: str, stamps: Mapping[str, int], moves: Mapping[str, tuple[str, str]]) -> None:
    """When what was last seen, and cursors by resource: to the last day of the window polled, forward, and only from
    inside the window, so that none ever jumps over a day nobody asked about. All at once; or each cursor by itself,
    where somebody else has moved one meanwhile."""
    if not _noted(connection_id, stamps, moves) and moves:
        if stamps:
            _noted(connection_id, stamps, {})
        for resource, window in moves.items():
            _noted(connection_id, {}, {resource: window})


def _noted(connection_id: str, stamps: Mapping[str, int], moves: Mapping[str, tuple[str, str]]) -> bool:
    sets, tests, names, values = [], ["attribute_exists(pk)"], dict[str, str](), dict[str, Any]()
    for name, at in stamps.items():
        sets.append(f"{name} = :{name}")
        values[name] = at
    for n, (resource, (first, last)) in enumerate(moves.items()):
        sets.append(f"#c{n} = :last{n}")
        tests.append(f"(attribute_not_exists(#c{n}) OR (#c{n} >= :first{n} AND #c{n} < :last{n}))")
        names[f"#c{n}"] = f"cursor#{resource}"
        values |= {f"first{n}": first, f"last{n}": last}
    return control.update(f"C#{connection_id}", "C", f"SET {', '.join(sets)}", values, " AND ".join(tests), names)
