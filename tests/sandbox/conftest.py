"""The sandbox on a loopback port, its clock frozen, and a real HTTP receiver for the webhooks it sends."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn

from sandbox.__main__ import listen
from sandbox.app import Options, build
from sandbox.life import Life
from sandbox.world import World

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
CALLBACK = "http://127.0.0.1:9/callback"
ROUTES = {
    "oura": ("/oauth/authorize", "/oauth/token"),
    "withings": ("/oauth2_user/authorize2", "/v2/oauth2"),
    "dexcom": ("/v3/oauth2/login", "/v3/oauth2/token"),
    "whoop": ("/oauth/oauth2/auth", "/oauth/oauth2/token"),
    "polar": ("/oauth2/authorization", "/v2/oauth2/token"),
    "garmin": ("/oauth2Confirm", "/di-oauth2-service/oauth/token"),
    "google_health": ("/o/oauth2/v2/auth", "/token"),
    "google_fit": ("/o/oauth2/v2/auth", "/token"),
    "fitbit": ("/oauth2/authorize", "/oauth2/token"),
}
# RFC 7636, appendix B.
CHALLENGE = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}
VERIFIER = {"code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}
BASIC = ("polar", "fitbit")
TOKEN_FORM = {"withings": {"action": "requesttoken"}, "whoop": {"scope": "offline"}}


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def life() -> Life:
    return Life(7, NOW)


@pytest.fixture
def world(life: Life) -> World:
    return World(life, frozen=True)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    listener = listen(0)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(build(Options(base_url, 7, NOW)), log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    with httpx.Client(base_url=base_url, timeout=30) as client:
        yield client
    server.should_exit = True
    thread.join(timeout=5)
    listener.close()


@dataclass
class Connected:
    """One person's grant at one cloud."""

    client: httpx.Client
    provider: str
    tokens: dict[str, object]

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens['access_token']}"}

    def get(self, path: str, **query: object):
        return self.client.get(f"/{self.provider}{path}", params=query, headers=self.headers)

    def post(self, path: str, **form: object):
        return self.client.post(f"/{self.provider}{path}", data=form, headers=self.headers)

    def everything(self, path: str, **query: object) -> list[list[dict]]:
        """Every page of an Oura collection."""
        pages, token = [], {}
        while True:
            reply = self.get(path, **query, **token).json()
            pages.append(reply["data"])
            if reply["next_token"] is None:
                return pages
            token = {"next_token": reply["next_token"]}


@pytest.fixture
def app(client: httpx.Client) -> Callable[[str], dict[str, str]]:
    def named(provider: str) -> dict[str, str]:
        known = client.get("/control/apps").json()[provider]
        return {name: known[name] for name in ("client_id", "client_secret")}

    return named


@pytest.fixture
def exchange(client: httpx.Client, app):
    """The token endpoint, whatever it answers."""

    def post(provider: str, **form: str):
        url, pair = f"/{provider}{ROUTES[provider][1]}", app(provider)
        proof = VERIFIER if form.get("grant_type") == "authorization_code" else {}
        if provider in BASIC:
            return client.post(url, data={**proof, **form}, auth=(pair["client_id"], pair["client_secret"]))
        return client.post(url, data={**pair, **proof, **TOKEN_FORM.get(provider, {}), **form})

    return post


@pytest.fixture
def authorize(client: httpx.Client, app):
    """Consent by form; gives the query that the redirect carries."""

    def decide(provider: str, person: str = "ada", decision: str = "allow", scope: str = "", **form: object):
        query = {"response_type": "code", "client_id": app(provider)["client_id"], "redirect_uri": CALLBACK}
        query |= {"state": "st4te-of-ada", "scope": scope, **CHALLENGE}
        chosen = {"person": person, "decision": decision, **form}
        reply = client.post(f"/{provider}{ROUTES[provider][0]}", params=query, data=chosen)
        assert reply.status_code == 302, reply.text
        assert reply.headers["location"].startswith(CALLBACK)
        return {k: v[0] for k, v in parse_qs(urlsplit(reply.headers["location"]).query).items()}

    return decide


@pytest.fixture
def connect(client: httpx.Client, authorize, exchange) -> Callable[..., Connected]:
    def connected(provider: str, person: str = "ada", scope: str = "") -> Connected:
        code = authorize(provider, person, scope=scope)["code"]
        reply = exchange(provider, grant_type="authorization_code", code=code, redirect_uri=CALLBACK).json()
        return Connected(client, provider, reply.get("body", reply))

    return connected


@dataclass
class Receiver:
    """What a backend's webhook door sees; `status` is what it answers, `echo` whether it passes a handshake."""

    url: str = ""
    status: int = 204
    echo: bool = True
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[bytes]:
        return [body for method, _, body in self.seen if method == "POST"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.seen.append(("POST", headers, self.rfile.read(length)))
            self._answer(receiver.status)

        def do_HEAD(self) -> None:
            self._answer(receiver.status)

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            challenge = query["challenge"][0] if receiver.echo else "no"
            passed = query["verification_token"] == ["tok"]
            self._answer(200 if passed else 401, json.dumps({"challenge": challenge}).encode())

        def _answer(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks"
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield receiver
    server.shutdown()
    server.server_close()
