"""One local system: the AWS emulator with this very app deployed into it, and the providers' sandbox beside it.

Everything it writes is under .local/<name>/, which goes when it stops. Ports are free ones: several can run at once.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

from ops.processes import ProcessError, Processes, free_port, is_alive, stop_groups

ROOT = Path(__file__).parents[1]
LOCAL = ROOT / ".local"
REGION = "us-east-1"
ACCOUNT = "000000000000"
API_ID = "tributary"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
HINT_DELAY_S = 1
LIMITS = [{"calls": 3_000, "seconds": 60}]
"""The sandbox's, as its owner grants them: the story asks for three people's quarter of a year within a minute."""
LIVES = ("ada", "ben")
WORKER_TIMEOUT_S = 30
"""As long as the doors have, so that an erasure waits no longer for it. A killed worker's messages come back after six
times that."""
WORKER_CONCURRENCY = 2
"""Each starts cold, and shares this machine's cores with all else."""
PORTS_TRIED = 3


class LocalError(Exception):
    """The local system cannot do what was asked; the text says what can be done."""


@dataclass
class Local:
    """A running local system, as its state file tells it. `owner` is the process that will stop it; 0: `down` does."""

    name: str
    owner: int
    pids: list[int]
    aws: str = ""
    sandbox: str = ""
    outputs: Mapping[str, str] | None = None

    @property
    def folder(self) -> Path:
        return LOCAL / self.name

    @property
    def api(self) -> str:
        return self.output("PublicUrl")

    @property
    def issuer(self) -> str:
        return f"{self.sandbox}/issuer"

    @property
    def is_up(self) -> bool:
        """Asked over HTTP: after a reboot the noted process ids are somebody else's."""
        return answers(f"{self.aws}/_ministack/ready") or answers(f"{self.sandbox}/control/apps")

    def output(self, name: str) -> str:
        if self.outputs is None:
            raise LocalError(f"{self.name} is still starting")
        return self.outputs[name]

    @cached_property
    def session(self) -> boto3.session.Session:
        return boto3.session.Session("test", "test", region_name=REGION)

    def client(self, service: str) -> Any:
        """A boto3 client for the emulator, whatever this machine's own AWS settings are."""
        return self.session.client(service, endpoint_url=self.aws, config=Config(proxies={}))  # type: ignore[call-overload]

    def complaints(self) -> str:
        """The last lines of the emulator's log that tell of an error, functions included."""
        lines = (self.folder / "ministack.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([line for line in lines if "ERROR" in line or "Error" in line][-10:])

    def save(self) -> None:
        path, text = self.folder / "state.json", json.dumps(asdict(self), indent=2)
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)


# ---------------------------------------------------------------- which are there


def systems() -> list[Local]:
    """Every local system that has started or is starting, the latest last."""
    files = sorted(LOCAL.glob("*/state.json"), key=lambda path: path.stat().st_mtime)
    return [Local(**json.loads(path.read_text(encoding="utf-8"))) for path in files]


def running() -> Local:
    """The latest that is ready, rather one of `up` than somebody's demo. Raises LocalError where there is none."""
    ready = [system for system in systems() if system.outputs and system.is_up]
    ready.sort(key=lambda system: system.owner == 0)
    if not ready:
        raise LocalError("no local system is running; start one with `tributary up` or `make up`")
    return ready[-1]


def down(name: str = "") -> list[str]:
    """Stops what `up` started, and clears up after a demo that was killed. Returns the names."""
    found = [s for s in systems() if name in ("", s.name) and not (s.owner and is_alive(s.owner))]
    for system in found:
        if system.is_up:
            stop_groups(system.pids)
        shutil.rmtree(system.folder)
    return [system.name for system in found]


# ---------------------------------------------------------------- starting


@contextmanager
def local_system(name: str, **context: object) -> Iterator[Local]:
    """A local system for as long as the block runs. `context` as cdk.json gives it."""
    with Start(f"{name}-{os.getpid()}", os.getpid(), context) as start:
        yield start.system


def up(name: str) -> Local:
    """A local system that stays until `down`."""
    start = Start(name, 0, {})
    with start:
        start.keep = True
    return start.system


class Start:
    """Starts everything; stops everything again at the end of the block, unless told to keep it."""

    def __init__(self, name: str, owner: int, context: Mapping[str, object]) -> None:
        self.system, self.chosen = Local(name, owner, []), context
        self.processes = Processes(self.system.folder)
        self.keep = False

    def __enter__(self) -> Start:
        try:
            (self.system.folder / "tmp").mkdir(parents=True)
        except FileExistsError as error:
            raise LocalError(f"{self.system.name} is there already; `tributary down` stops it") from error
        try:
            self._servers()
            self._deploy()
            self._after_deploy()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if not self.keep:
            self._stop()

    def _stop(self) -> None:
        self.processes.stop()
        shutil.rmtree(self.system.folder)

    # --- the parts

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Nothing of this machine's own AWS settings: they would leak into the functions, or worse, be deployed to."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        return {
            "PATH": path,
            "HOME": os.environ.get("HOME", str(self.system.folder)),
            "TMPDIR": str(self.system.folder / "tmp"),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            **CREDENTIALS,
            **more,
        }

    def _run(self, name: str, *command: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> None:
        self.processes.start(name, command, self._environment(env or {}), cwd)
        self._save()

    def _save(self) -> None:
        """Also while starting: whoever is killed then leaves word of what to stop."""
        self.system.pids = self.processes.pids()
        self.system.save()

    def _servers(self) -> None:
        port_file = self.system.folder / "sandbox.port"
        self._run("sandbox", sys.executable, "-m", "sandbox", "--port", "0", "--port-file", str(port_file))
        self._emulator()
        self.processes.wait_until("sandbox", lambda: port_file.exists() and bool(port_file.read_text()), 20)
        self.system.sandbox = f"http://127.0.0.1:{port_file.read_text()}"
        self.processes.wait_until("sandbox", lambda: answers(f"{self.system.sandbox}/control/apps"), 20)

    def _emulator(self) -> None:
        """Somebody else may take the free port first: then another is tried."""
        for attempt in range(PORTS_TRIED):
            port = free_port()
            self.system.aws = f"http://127.0.0.1:{port}"
            env = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0"}
            self._run("ministack", sys.executable, "-m", "ministack", env=env)
            try:
                self.processes.wait_until("ministack", lambda: answers(f"{self.system.aws}/_ministack/ready"), 30)
            except ProcessError:
                if attempt + 1 == PORTS_TRIED:
                    raise
            else:
                return

    def _live(self) -> None:
        """The sandbox draws a life's days when they are first asked for: have it done while the app is synthesised."""
        for person in LIVES:
            params = {"person": person, "from": "2000-01-01", "to": "2100-01-01"}
            httpx.get(f"{self.system.sandbox}/control/truth", params=params, trust_env=False, timeout=120)

    def _context(self) -> dict[str, object]:
        return {
            "public_url": f"{self.system.aws}/_aws/execute-api/{API_ID}",
            "origins": [self.system.sandbox],
            "oidc_issuer": self.system.issuer,
            "oidc_audience": ["tributary"],
            "removal": "destroy",
            "worker_timeout_s": WORKER_TIMEOUT_S,
            "worker_concurrency": WORKER_CONCURRENCY,
            "wheels": "",
            "tags": {"ms-custom-id": API_ID},
            **self.chosen,
        }

    def _deploy(self) -> None:
        folder = self.system.folder
        assembly, outputs = folder / "cdk.out", folder / "outputs.json"
        # Away from cdk.json, or bootstrapping would run the app once more.
        self._cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}", cwd=folder)
        self._synth(assembly)
        self._live()
        for name in ("synth", "bootstrap"):
            self.processes.finish(name, 120)
        self._cdk("deploy", "--app", str(assembly), "--require-approval", "never", "--outputs-file", str(outputs))
        self.processes.finish("deploy", 120)
        (self.system.outputs,) = json.loads(outputs.read_text(encoding="utf-8")).values()

    def _synth(self, assembly: Path) -> None:
        """As `cdk synth` runs the app, without its seconds. CDK's own validation costs as many again, and is for what
        goes to AWS."""
        defaults = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
        env = {
            "CDK_OUTDIR": str(assembly),
            "CDK_CONTEXT_JSON": json.dumps(defaults | self._context()),
            "CDK_VALIDATION": "false",
        }
        self._run("synth", sys.executable, "app.py", env=env)

    def _cdk(self, command: str, *arguments: str, cwd: Path = ROOT) -> None:
        cdk = ROOT / "node_modules" / ".bin" / "cdk"
        if not cdk.exists():
            raise LocalError("the CDK command line is not installed; run `make setup`")
        env = {
            "AWS_ENDPOINT_URL": self.system.aws,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_HOME": str(self.system.folder / "cdk"),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        }
        self._run(command, str(cdk), command, *arguments, "--no-notices", cwd=cwd, env=env)

    def _after_deploy(self) -> None:
        """What an operator does after the first deploy, and what CloudFormation on the emulator leaves out."""
        apps = httpx.get(f"{self.system.sandbox}/control/apps", trust_env=False).json()
        secret = {
            "providers": {name: {**app, "hint_delay_s": HINT_DELAY_S, "limits": LIMITS} for name, app in apps.items()},
            "hook_key": secrets.token_urlsafe(32),
            "hook_generation": 1,
            "hook_rotated_at": 0,
        }
        keeper = self.system.client("secretsmanager")
        keeper.put_secret_value(SecretId=self.system.output("AppSecret"), SecretString=json.dumps(secret))
        dynamodb = self.system.client("dynamodb")
        for table in ("DataTable", "ControlTable"):
            dynamodb.update_time_to_live(
                TableName=self.system.output(table),
                TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
            )
        # Kept by CloudFormation there under names that are not looked up.
        self.system.client("apigatewayv2").update_api(ApiId=API_ID, CorsConfiguration=self._cors())
        self._save()

    def _cors(self) -> Mapping[str, object]:
        (template,) = (self.system.folder / "cdk.out").glob("*.template.json")
        resources = json.loads(template.read_text(encoding="utf-8"))["Resources"].values()
        (api,) = (found for found in resources if found["Type"] == "AWS::ApiGatewayV2::Api")
        cors: Mapping[str, object] = api["Properties"]["CorsConfiguration"]
        return cors


def answers(url: str) -> bool:
    with suppress(httpx.TransportError, httpx.UnsupportedProtocol):
        return httpx.get(url, trust_env=False, timeout=2).is_success
    time.sleep(0.05)
    return False
