"""Cold starts: from the start of a process to a function's first answer, beside bare Python's.

A process is an interpreter without `site`, and nothing but the function's bundle as it is deployed, though with
wheels for this machine (`build/wheels/here`). It imports the handler and serves one event, over TLS, from AWS in memory
nearby: the webhook a signed event, the worker a hint that makes it open a connection, ask the vendor for a night and
store it, the reader a day of heart rate. Bare Python starts and answers nothing. Runs are interleaved, and the ratio is
of the medians.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any
from zipfile import ZipFile

import certifi
import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench import door, memory, parallel, reads, replies, story
from bench.memory import ENVIRONMENT, Memory
from bench.row import Row, at_most, plain
from infra import bundle
from infra.bundle import AUTHORITIES
from shared import jobs
from shared.jobs import Job, now_ms

ROOT = Path(__file__).parents[1]
WHEELS = ROOT / "build" / "wheels" / "here"
TIMES = 11
TARGETS = {"webhook": 12.0, "worker": 38.0}
BARE = """
print("answer", flush=True)
print(*(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
FIRST = """
import importlib, json, sys
handler = importlib.import_module(f"functions.{sys.argv[1]}.handler").handler
class Context:
    aws_request_id, function_name, memory_limit_in_mb, invoked_function_arn = "r", "f", 512, "arn:aws:lambda:::f"
    get_remaining_time_in_millis = staticmethod(lambda: 60_000)
print("answer", json.dumps(handler(json.loads(sys.argv[2]), Context)), flush=True)
print(*(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@dataclass(frozen=True)
class Place:
    """Where processes find AWS, its certificate, and whose connection the worker opens."""

    url: str
    certificate: bytes
    aws: Memory
    connection: str


def certificate(folder: Path) -> tuple[Path, bytes]:
    """For this machine alone; and its file, with the key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now, here = datetime.now(UTC), x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
        .add_extension(here, critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    held = folder / "server.pem"
    held.write_bytes(private + made)
    return held, made


@contextmanager
def tls(answer: Callable[[str, str, bytes], bytes]) -> Iterator[tuple[str, bytes]]:
    """A server that answers (path, AWS target, body): its address, and its certificate."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            said = answer(self.path, self.headers.get("x-amz-target", ""), body)
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(said) + said)

        do_GET = do_PUT = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: what was asked is not the measure."""

    with tempfile.TemporaryDirectory() as folder, ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        held, made = certificate(Path(folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(held)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}", made
        finally:
            server.shutdown()


@contextmanager
def place() -> Iterator[Place]:
    """With a person who has tokens at Oura, and a day of heart rate."""
    with memory.standing() as aws:

        def answer(path: str, target: str, body: bytes) -> bytes:
            asked = path.startswith("/vendor/")
            return orjson.dumps(replies.night()) if asked else aws.wire(target, body)

        reads.live()
        with tls(answer) as (url, made):
            aws.secret["providers"]["oura"]["urls"] = {"https://api.ouraring.com": f"{url}/vendor"}
            yield Place(url, made, aws, parallel.connected(reads.USER, "account", "token"))


# ---------------------------------------------------------------- the processes


def webhook(_: Place) -> Any:
    return door.request("oura", door.single())


def worker(place: Place) -> Any:
    made = Job(
        id=jobs.new_id(), reason="webhook", as_of=now_ms(), provider="oura", connection=place.connection,
        resources=("sleep",), document=replies.night()["id"],
    )  # fmt: skip
    return {"Records": [story.record(0, jobs.write(made))]}


def readings(_: Place) -> Any:
    return reads.request("/v1/metrics/heart_rate", **{"from": str(reads.TODAY), "to": str(reads.TODAY)})


EVENTS: dict[str, Callable[[Place], Any]] = {"webhook": webhook, "worker": worker, "readings": readings}


def first(place: Place, path: list[Path], name: str) -> tuple[float, float]:
    """Milliseconds until the function has answered, and the most memory it took, in MB; "" is bare Python."""
    event = json.dumps(EVENTS[name](place)) if name else ""
    program = [FIRST, name, event] if name else [BARE]
    env = {
        **ENVIRONMENT, "AWS_ENDPOINT_URL": place.url, "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTHONDONTWRITEBYTECODE": "1", "LOG_LEVEL": "INFO",
    }  # fmt: skip
    if path:
        env |= {"AWS_CA_BUNDLE": str(path[0] / AUTHORITIES), "SSL_CERT_FILE": str(path[0] / "all.pem")}
    forgotten = [key for key in place.aws.items["Data"] if key[1].endswith("#oura#sleep")]
    for key in forgotten:
        del place.aws.items["Data"][key]
    begun = time.perf_counter()
    command = [sys.executable, "-S", "-s", "-c", *program]
    with subprocess.Popen(command, env=env, cwd="/", stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answer = next((line for line in process.stdout if line.startswith("answer")), "")
        took = (time.perf_counter() - begun) * 1000
        kilobytes = process.stdout.read().split()[-2]
    assert process.returncode == 0
    check(place, name, answer)
    return took, int(kilobytes) / 1024


def check(place: Place, name: str, answer: str) -> None:
    """That it did its work."""
    said = json.loads(answer.removeprefix("answer").strip() or "{}")
    assert said.get("statusCode", 200) == 200, f"{name} answered {answer}"
    if name == "worker":
        assert said == {"batchItemFailures": []}, answer
        assert any(key[1].endswith("#oura#sleep") for key in place.aws.items["Data"]), "the worker stored nothing"


@contextmanager
def bundled(wheels: Path | None, trusted: bytes) -> Iterator[dict[str, list[Path]]]:
    """Where each function's own is, unpacked. It trusts this machine's AWS and vendor besides whomever else."""
    more = [] if wheels else [Path(sysconfig.get_paths()["purelib"])]
    with tempfile.TemporaryDirectory() as folder:
        found = {"": list[Path]()}
        for name, made in bundle.bundles(wheels).items():
            home = Path(folder) / name
            if name in EVENTS:
                ZipFile(made.zip).extractall(home)
                with (home / AUTHORITIES).open("ab") as amazon:
                    amazon.write(trusted)
                (home / "all.pem").write_bytes(Path(certifi.where()).read_bytes() + trusted)
                found[name] = [home, *more]
        yield found


def rows(tiny: bool = False) -> Iterator[Row]:
    """Round by round, so that whatever else the machine does falls on all alike. The first round is not counted."""
    if not (tiny or WHEELS.is_dir()):
        raise SystemExit("the libraries are not here: run `make bench`")
    times = 0 if tiny else TIMES
    with place() as here, bundled(None if tiny else WHEELS, here.certificate) as paths:
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in paths}
        for _ in range(times + 1):
            for name, path in paths.items():
                found[name].append(first(here, path, name))
    took = {name: [median(each) for each in zip(*(all[1:] or all), strict=True)] for name, all in found.items()}
    bare, _ = took.pop("")
    yield plain("bare Python", bare, "ms")
    for name, (ms, megabytes) in took.items():
        ratio, target = ms / bare, TARGETS.get(name, 0)
        said = f"cold start of {name}: times bare Python's"
        yield at_most(said, ratio, target, "×") if target else plain(said, ratio, "×")
        yield plain(f"cold start of {name}", ms, "ms")
        yield plain(f"memory of {name}, after its first answer", megabytes, "MB")
