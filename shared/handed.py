"""The connection of who hands us data, a phone's or a file: made by the first of it, and not made again behind the back
of a person who has disconnected."""

from __future__ import annotations

from shared import connections, consents, zones
from shared.connections import Connection
from shared.errors import ConflictError
from shared.jobs import now_ms
from shared.local_time import Zones
from shared.providers import Provider
from shared.secret import apps


def connected(user: str, source: Provider, reconnect: bool, consent_text: str = "", zone: str = "") -> Connection:
    """Raises ConflictError for who goes on handing over data after the person has disconnected. A person of whom no
    zone is known lives in `zone`, where one is given."""
    held = found(user, source)
    if held and held.state == "active" and held.resources == tuple(sorted(connections.granted(source, ()))):
        return held
    said = consents.last(user, source.id)
    withdrawn = said is not None and said["action"] == "withdrawn"
    if (withdrawn or (held and held.state != "active")) and not reconnect:
        raise ConflictError("disconnected by the person; ask them, then send it with `reconnect`", "reconnect")
    if said is None or withdrawn:
        # The ledger knows of the consent before anything is kept on its strength.
        consents.record(apps().hooks.key, user, "granted", source.id, (), consent_text)
    if zone and zones.of(user) == Zones():
        zones.moved_to(user, zone)
    made = established(user, source)
    if made.state != "active":
        connections.change(made.id, state="active", cause="", since=now_ms())
    return made


def established(user: str, source: Provider) -> Connection:
    """By whichever comes first, where a phone sends its first batches side by side."""
    try:
        return connections.establish(user, source, "", (), zones.of(user).history[-1][1])
    except ConflictError:
        if other := found(user, source):
            return other
        raise


def found(user: str, source: Provider) -> Connection | None:
    return next(iter(connections.of_user(user, source.id)), None)
