"""The operator's command line: `tributary --help`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any, NoReturn

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from ops import (
    chaos,
    connections,
    dlq,
    doctor,
    events,
    export,
    ledger,
    local,
    offline,
    parade,
    replay,
    runs,
    storm,
    story,
)
from ops.client import Api, ApiError, token
from ops.deployment import Deployment, DeploymentError, operator_command
from ops.explain import explain
from ops.local import Local, LocalError, local_system
from ops.processes import ProcessError
from ops.stage import ZONE, Stage, StepFailed, eventually, expect, poll
from ops.story import Step
from ops.table import days_table
from shared.errors import BadRequestError, TributaryError
from shared.providers import FileUpload, Provider, Resource
from shared.providers.registry import provider, providers
from shared.signed import AwsError

WRONG_USE, FAILED = 2, 1
READER = "you"
SHOWN_FAULTS = 10
SPAN_DAYS = 366


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except BadRequestError as error:
        return complain(str(error), WRONG_USE)
    except (TributaryError, AwsError, BotoCoreError, ClientError, httpx.TransportError) as error:
        return complain(str(error), FAILED)
    except (DeploymentError, LocalError, ProcessError, ApiError, StepFailed) as error:
        return complain(str(error), FAILED)
    except BrokenPipeError:  # `| head` has seen enough; flushing at exit would complain once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return status


def complain(text: str, status: int) -> int:
    print(f"tributary: {text}", file=sys.stderr)
    return status


def parser() -> argparse.ArgumentParser:
    tool = argparse.ArgumentParser(prog="tributary", description="Operate Tributary, here and now.")
    commands = tool.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        found = commands.add_parser(name, help=text, description=text)
        found.set_defaults(run=run)
        return found

    each = command("demo", demo, "Start a local AWS, deploy the app, play the story and check every step.")
    each.add_argument("--once", action="store_true", help="end after the story instead of staying up")
    each.add_argument("--providers", choices=["all"], help="connect every provider there is, instead of the story")
    each = command("chaos", run_chaos, "Push a week of many people through a local AWS in bad weather, and count.")
    each.add_argument("--people", type=int, default=200)
    each.add_argument("--days", type=int, default=7)
    each.add_argument("--seed", type=int, default=1)
    each = command("up", up, "Start a local system that stays up.")
    each.add_argument("name", nargs="?", default="local", help="several can run at once, by name")
    each = command("down", down, "Stop what `up` started, and remove all of it.")
    each.add_argument("name", nargs="?", default="", help="only this one")
    each = operator_command(commands, "poll", poll_now, "Look at every connection now, whatever the timetable says.")
    each.add_argument("--review", action="store_true", help="at the last fortnight, as each week does")
    for part in (doctor, connections, events, runs, dlq, replay, ledger, export):
        part.add(commands)
    each = command("try", try_file, "Upload a file of your own to the running local system, and show its days.")
    each.add_argument("file")
    each.add_argument("--zone", default="", help="IANA zone of times that name no offset")
    each = command("map", map_reply, "Print what a vendor's reply becomes.")
    each.add_argument("provider")
    each.add_argument("resource")
    each.add_argument("file", help="the reply, or one record of it, as JSON; - for standard input")
    each.add_argument("--expand", action="store_true", help="every sample of a series")
    each.add_argument("--zone", default="", help="IANA zone for what names neither a day nor an offset")
    each = command("verify", verify_webhook, "Say whether a webhook is accepted, and what it tells.")
    each.add_argument("provider")
    each.add_argument("--headers", required=True, metavar="H.json", help="a JSON object of names and values")
    each.add_argument("--body", required=True, metavar="FILE", help="the raw bytes; - for standard input")
    each.add_argument("--secret", default="", help="what signs it: the app's client secret, or the connection's own")
    each.add_argument("--now", default="", help="when it came: ISO 8601 or a Unix time")
    each.add_argument("--path", default="", help="the address it came to, or its last part")
    each.add_argument("--hook-key", default="", help="`hook_key` of the app secret")
    each.add_argument("--hook-generation", type=int, default=1, help="`hook_generation` of the app secret")
    return tool


# ---------------------------------------------------------------- without AWS


def map_reply(options: argparse.Namespace) -> int:
    source = provider(options.provider)
    rows = offline.mapped(source, resource_of(source, options.resource), options.file, options.zone, options.expand)
    return say(rows)


def resource_of(source: Provider, name: str) -> Resource:
    for resource in source.resources:
        if resource.name == name:
            return resource
    known = ", ".join(resource.name for resource in source.resources)
    raise BadRequestError(f"{source.id} has no resource {name}; known are {known}", "resource")


def verify_webhook(options: argparse.Namespace) -> int:
    proof = offline.Proof(options.secret, options.path, options.hook_key, options.hook_generation)
    headers, body = offline.parse(options.headers), offline.read(options.body)
    verdict = offline.verified(provider(options.provider), headers, body, proof, offline.instant(options.now))
    say(verdict)
    return 0 if verdict["accepted"] else FAILED


def say(answer: object) -> int:
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 0


# ---------------------------------------------------------------- the local system


def demo(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    steps = parade.STEPS if options.providers else story.STEPS
    begun, played = time.monotonic(), False
    print("Starting AWS, the sandbox and Tributary …", flush=True)
    try:
        with local_system("demo", **(parade.CONTEXT if options.providers else {})) as system:
            print(f"  ✓ deployed {since(begun)}", flush=True)
            tell(system, steps)
            played = True
            print_addresses(system)
            if options.once:
                print(f"{len(steps)} steps checked {since(begun)}", flush=True)
            else:
                print("Ctrl-C ends it.", flush=True)
                threading.Event().wait()
    except KeyboardInterrupt:
        print("\nStopped; nothing is left behind.")
        return 0 if played else 128 + signal.SIGINT
    return 0


def run_chaos(options: argparse.Namespace) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    plan = chaos.Plan(options.people, options.days, options.seed)
    outcome = storm.play(plan)
    print(chaos.report(outcome, plan))
    return FAILED if outcome.failures else 0


def tell(system: Local, steps: Sequence[Step]) -> None:
    """The story, and the days it made."""
    with closing(Stage(system)) as stage:
        try:
            play(stage, steps)
        except (StepFailed, ApiError):
            print(system.complaints(), file=sys.stderr)
            raise
        week = stage.api.days(stage.ago(story.WEEK - 1).isoformat(), stage.today.isoformat())
        print(f"\n{days_table(week.values(), datetime.now(UTC))}\n")


def leave(*_: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


def play(stage: Stage, steps: Sequence[Step]) -> None:
    width = max(len(step.title) for step in steps)
    for step in steps:
        begun = time.monotonic()
        stage.show = progress(step.title)
        stage.show("…")
        try:
            seen = step.play(stage)
        except Exception:
            print(f"{clear()}  ✗ {step.title} {since(begun)}", flush=True)
            raise
        print(f"{clear()}  ✓ {step.title:<{width}} {since(begun)}  {seen}", flush=True)


def progress(title: str) -> Any:
    def show(text: str) -> None:
        if sys.stdout.isatty():
            print(f"{clear()}    {title}  {text}", end="", flush=True)

    return show


def clear() -> str:
    """Back to the start of an empty line, where somebody watches."""
    return "\r\x1b[K" if sys.stdout.isatty() else ""


def since(begun: float) -> str:
    return f"({time.monotonic() - begun:.1f} s)"


def print_addresses(system: Local) -> None:
    bearer = token(system.issuer, grant_type="password", username="ada")
    with closing(Api(system.api, token(system.issuer, grant_type="password", username=READER))) as reader:
        link = reader.post("connect/oura", json={"timezone": ZONE})["link"]
    today = datetime.now(UTC).date()
    print(f"API      {system.api}/v1/openapi.json")
    print(f"Sandbox  {system.sandbox}/  (what can be switched: faults, nights, corrections)")
    print(f"Connect  {link}  (a consent page for your browser; once, within ten minutes)")
    days = f"{system.api}/v1/days?from={today - timedelta(days=story.WEEK - 1)}&to={today}"
    print(f"Days     curl -s '{days}' -H 'authorization: Bearer {bearer}'\n")


def up(options: argparse.Namespace) -> int:
    system = local.up(options.name)
    print_addresses(system)
    print(f"Logs     {os.path.relpath(system.folder)}/   `tributary down {system.name}` stops it.")
    return 0


def down(options: argparse.Namespace) -> int:
    stopped = local.down(options.name)
    if options.name and not stopped:
        raise LocalError(f"no local system named {options.name}")
    print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    return 0


def poll_now(at: Deployment, options: argparse.Namespace) -> int:
    queued = poll(at, options.review)
    print(f"{queued} connections are being {'reviewed' if options.review else 'polled'}")
    return 0


def try_file(options: argparse.Namespace) -> int:
    system, body = local.running(), offline.read(options.file)
    media_type = offline.media_type(body)
    listed = days_in(body, media_type, options.zone)
    with closing(Api(system.api, token(system.issuer, grant_type="password", username=READER))) as api:
        reply = api.upload(body, media_type, options.zone)
        print(f"{reply['rows']} good rows, {len(reply['errors'])} at fault")
        for error in reply["errors"][:SHOWN_FAULTS]:
            print(f"  line {error['line']}, {error['column'] or 'the row'}: {error['message']}")
        if not reply["job"]:
            return FAILED
        eventually(lambda: expect("upload", "completed", api.job(reply["job"])["status"]))
        found = [day for first, last in spans(listed) for day in api.days(first, last).values()]
    print(f"\n{days_table([day for day in found if day['day'] in listed], datetime.now(UTC))}")
    return 0


def days_in(body: bytes, media_type: str, zone: str) -> list[str]:
    """The local days a file tells of."""
    for source in providers():
        if isinstance(source.auth, FileUpload) and media_type in source.auth.formats:
            upload = source.auth.read(body, media_type, zone or None, "")
            rows = explain(source, source.resources[0], upload.payload, offline.zones(zone), expand=True)
            return sorted({row["day"] for row in rows})
    raise BadRequestError(f"no provider reads {media_type}", "file")


def spans(days: Sequence[str]) -> list[tuple[str, str]]:
    """As few questions as the API's longest range allows."""
    asked: list[tuple[str, str]] = []
    for day in days:
        if asked and (date.fromisoformat(day) - date.fromisoformat(asked[-1][0])).days < SPAN_DAYS:
            asked[-1] = (asked[-1][0], day)
        else:
            asked.append((day, day))
    return asked


if __name__ == "__main__":
    sys.exit(main())
