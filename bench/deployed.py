"""What the default settings deploy, as far as it costs money: read from the synthesised template."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aws_cdk as cdk

from bench import prices
from infra.settings import Settings
from infra.stack import Tributary

ROOT = Path(__file__).parents[1]
ID = "8f507cfc-1a2b-4697-b07a-ac58fc914c95"
SAID = (
    f"START RequestId: {ID} Version: $LATEST\n",
    f"END RequestId: {ID}\n",
    f"REPORT RequestId: {ID}\tDuration: 15.74 ms\tBilled Duration: 16 ms\tMemory Size: 256 MB\t"
    "Max Memory Used: 98 MB\t\n",
)
"""What Lambda writes to a function's log for each invocation, unless it is told to keep to warnings.
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html"""


@dataclass(frozen=True)
class Deployed:
    """A function: its memory, and the bytes that CloudWatch Logs bills for each invocation before it says a word."""

    memory_mb: int
    log_bytes: int

    def slowed(self, seconds: float) -> float:
        """What takes a whole processor so long takes the function."""
        return seconds * max(1, prices.LAMBDA_VCPU_MB / self.memory_mb)


@cache
def template() -> dict[str, Any]:
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    context["wheels"] = ""  # they weigh much and cost nothing
    with TemporaryDirectory() as out:
        app = cdk.App(context=context, outdir=out)
        stack = Tributary(app, Settings.from_context(app.node))
        made: dict[str, Any] = app.synth().get_stack_artifact(stack.artifact_id).template
    return made


def resources(kind: str) -> Iterator[dict[str, Any]]:
    """The properties of each resource of this kind."""
    return (each.get("Properties", {}) for each in template()["Resources"].values() if each["Type"] == f"AWS::{kind}")


def functions() -> dict[str, Deployed]:
    """By folder."""
    found = {}
    for properties in resources("Lambda::Function"):
        folder = str(properties["Handler"]).removeprefix("functions.").partition(".")[0]
        quiet = properties.get("LoggingConfig", {}).get("SystemLogLevel") in ("WARN", "ERROR")
        said = 0 if quiet else sum(len(line) + prices.LOGS_OVERHEAD for line in SAID)
        found[folder] = Deployed(properties["MemorySize"], said)
    return found
