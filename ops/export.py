"""`tributary export`: one person's data into a file on this machine, as `POST /v1/exports` would write it.

Nothing is queued and nothing put into the bucket: for who asks by letter, or for an export that is too large for a
function.
"""

from __future__ import annotations

import argparse
import os
from datetime import date
from pathlib import Path
from typing import Any

from ops.deployment import Deployment, operator_command
from shared.api import EARLIEST, LATEST, window
from shared.errors import BadRequestError
from shared.exporting.formats import WRITERS
from shared.exporting.person import person
from shared.exports import ENDINGS
from shared.providers import Window

OURS_ALONE = 0o600


def export(at: Deployment, options: argparse.Namespace) -> int:
    days = Window(*window(options.first, options.last, None))
    path = Path(options.out)
    try:
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, OURS_ALONE)
    except FileExistsError as error:
        raise BadRequestError(f"{path} is there already", "out") from error
    try:
        with os.fdopen(opened, "w+b") as file:
            written = WRITERS[options.format](person(options.user, days), file)
    except BaseException:
        path.unlink()  # half of a person's data is nobody's
        raise
    print(f"{path}: {written.records} records, {path.stat().st_size} bytes", end="")
    print(f"; {written.left_out} have no place in this format" if written.left_out else "")
    return 0


def add(commands: Any) -> None:
    text = "Write all that is kept of one person's into a file here, readable by you alone."
    each = operator_command(commands, "export", export, text)
    each.add_argument("--user", required=True, help="whose")
    each.add_argument("--format", required=True, choices=list(ENDINGS))
    each.add_argument("--out", required=True, metavar="FILE", help="a new file; gzip, or a ZIP of Parquet")
    each.add_argument("--from", dest="first", type=date.fromisoformat, default=EARLIEST, metavar="DAY")
    each.add_argument("--to", dest="last", type=date.fromisoformat, default=LATEST, metavar="DAY")
