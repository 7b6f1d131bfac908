"""A vendor's webhook becomes jobs: proven, read, queued, answered."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from shared import jobs, published
from shared.apps import App, Apps
from shared.errors import TooLargeError
from shared.jobs import Job, new_id
from shared.model import Skipped
from shared.providers import Event, HmacSignature, Provider, Window
from shared.settings import settings
from shared.values import replace
from shared.webhooks import Call, accept, hook_of


def take(provider: Provider, apps: Apps, call: Call) -> dict[str, Any]:
    """Queues what the webhook says, counts it and names it; raises BadRequestError where it must be refused."""
    largest = hook_of(provider).largest
    if len(call.body) > largest:
        raise TooLargeError(f"a webhook of over {largest} bytes", "body")
    app = apps.app(provider.id)
    connection, events = accept(provider, app, apps.hooks, call, issued_secrets(provider), published.key)
    read = [event for event in events if isinstance(event, Event)]
    found = [(event, job) for event in read for job in queued(provider, connection, event, call.now)]
    hints = [job for event, job in found if not urgent(event)]
    jobs.send(settings().fresh_queue, [job for event, job in found if urgent(event)])
    jobs.send(settings().fresh_queue, hints, delay(provider, app))
    counts = {"events": len(read), "skipped": sum(isinstance(event, Skipped) for event in events)}
    return {**counts, "ids": [job.id for _, job in found]}


def issued_secrets(provider: Provider) -> list[str]:
    """The secret that the vendor gave us to know its webhooks by, where it gives one."""
    proof = hook_of(provider).proof
    if not isinstance(proof, HmacSignature) or proof.key != "issued":
        return []
    from shared import issued  # only such a vendor's door reads the database

    return issued.at_the_door(provider.id)


def urgent(event: Event) -> bool:
    """Hints wait, so that a vendor's burst is one fetch; what is itself the news does not."""
    return event.deleted or event.is_word or event.is_secret


def delay(provider: Provider, app: App) -> int:
    return hook_of(provider).hint_delay_s if app.hint_delay_s is None else app.hint_delay_s


def queued(provider: Provider, connection: str | None, event: Event, now: int) -> list[Job]:
    """One job, and of what is secret one for each of the people whose it is: sealed with their own connection's key,
    and for none who is no longer connected."""
    if not event.is_secret:
        return [job(provider, connection, event, now)]
    from shared import connections, payloads  # only a door that is handed secrets needs the vault

    ids = [connection] if connection else connections.of_account(provider.id, event.account or "")
    found = [held for held in map(connections.load, ids) if held and held.state != "disconnected"]
    data = json.dumps(event.payload).encode() if event.payload is not None else b""
    return [
        replace(
            job(provider, held.id, event, now),
            payload=payloads.enclose(held, data) if data else "",
            callback=payloads.enclose(held, event.callback.encode()) if event.callback else "",
        )
        for held in found
    ]


def job(provider: Provider, connection: str | None, event: Event, now: int) -> Job:
    """Without what is secret in it."""
    window = event.window or (around(now) if is_vague(event) else None)
    return Job(
        id=new_id(),
        task="permissions" if event.permissions else "sync",
        reason="webhook",
        as_of=now if event.as_of is None else event.as_of,
        received=0 if event.as_of is None else now,
        provider=provider.id,
        connection=connection or "",
        account="" if connection else event.account or "",
        resources=event.resources,
        window=(window.first.isoformat(), window.last.isoformat()) if window else None,
        document=event.document or "",
        deleted=event.deleted,
        goodbye=event.goodbye,
        successor=event.successor,
        trouble=event.trouble,
    )


def is_vague(event: Event) -> bool:
    """Something changed, and nothing says when: then it was lately."""
    return not (event.document or event.is_word or event.permissions or event.is_secret)


def around(now: int) -> Window:
    day = datetime.fromtimestamp(now / 1000, UTC).date()
    return Window(day, day).padded(1)
