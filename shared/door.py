"""A vendor's webhook becomes jobs: proven, read, queued, answered. No read of the database, no call to the vendor."""

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
from shared.webhooks import Call, accept, hook_of

LARGEST = 1_000_000


def take(provider: Provider, apps: Apps, call: Call) -> dict[str, Any]:
    """Queues what the webhook says, counts it and names it; raises BadRequestError where it must be refused."""
    if len(call.body) > LARGEST:
        raise TooLargeError(f"a webhook of over {LARGEST} bytes", "body")
    app = apps.app(provider.id)
    connection, events = accept(provider, app, apps.hooks, call, issued_secrets(provider), published.key)
    read = [event for event in events if isinstance(event, Event)]
    found = [(event, job(provider, connection, event, call.now)) for event in read]
    hints = [j for event, j in found if j and not urgent(event)]
    jobs.send(settings().fresh_queue, [j for event, j in found if j and urgent(event)])
    jobs.send(settings().fresh_queue, hints, delay(provider, app))
    counts = {"events": len(read), "skipped": sum(isinstance(event, Skipped) for event in events)}
    return {**counts, "ids": [j.id for _, j in found if j]}


def issued_secrets(provider: Provider) -> list[str]:
    """The secret that the vendor gave us to know its webhooks by, where it gives one."""
    proof = hook_of(provider).proof
    if not isinstance(proof, HmacSignature) or proof.key != "issued":
        return []
    from shared import issued  # only such a vendor's door reads the database

    return issued.at_the_door(provider.id)


def urgent(event: Event) -> bool:
    """Hints wait, so that a vendor's burst is one fetch; what is itself the news does not."""
    return event.deleted or event.goodbye or event.payload is not None


def delay(provider: Provider, app: App) -> int:
    return hook_of(provider).hint_delay_s if app.hint_delay_s is None else app.hint_delay_s


def job(provider: Provider, connection: str | None, event: Event, now: int) -> Job | None:
    """None where the data is for a connection that is no more."""
    payload = ""
    if event.payload is not None:
        from shared import connections, payloads  # only a door that is handed data needs the vault

        held = connections.load(connection or "")
        if held is None:
            return None
        payload = payloads.enclose(held, json.dumps(event.payload).encode())
    window = event.window or (around(now) if is_vague(event) else None)
    return Job(
        id=new_id(),
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
        payload=payload,
    )


def is_vague(event: Event) -> bool:
    """Something changed, and nothing says when: then it was lately."""
    return not (event.document or event.goodbye or event.payload is not None)


def around(now: int) -> Window:
    day = datetime.fromtimestamp(now / 1000, UTC).date()
    return Window(day, day).padded(1)
