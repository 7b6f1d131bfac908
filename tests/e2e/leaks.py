"""Looks for secrets in plain text in all that a local system made."""

from __future__ import annotations

import base64
import json

from ops.local import Local
from ops.stage import Stage
from ops.traces import traces


def secrets(stage: Stage, system: Local) -> dict[str, list[bytes]]:
    """Each secret, and the ways it may be written: as it is, and in base64 at each of its three phases."""
    issued: list[str] = stage.sandbox.read("secrets")
    arn = system.output("AppSecret")
    app = json.loads(system.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    return {secret: [secret.encode(), *encoded(secret)] for secret in [*issued, app["hook_key"]]}


def encoded(secret: str) -> list[bytes]:
    return [base64.b64encode(b"\0" * phase + secret.encode())[4:-4] for phase in range(3)]


def leaks(system: Local, stage: Stage) -> list[str]:
    wanted = secrets(stage, system)
    assert len(wanted) > 10
    places, found = traces(system, (spelling for spellings in wanted.values() for spelling in spellings))
    assert places > 500, "the search looked nowhere"
    return found
