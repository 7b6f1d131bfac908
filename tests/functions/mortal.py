"""A backend whose process can be killed at any call it makes, in a world that can be put back to where it was.

Our code is the deployed one, from the handlers down to `shared.wire`, httpx and botocore. Each call is caught where it
leaves the process: counted, answered on the spot (by moto's backends, the sandbox, or a list that plays SQS), and
killed before it or behind it. Pools have one thread, so that the calls of a run come in one order, and the clock is the
world's own, so that an hour of waiting takes no time.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import pickle
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from io import BytesIO
from itertools import count, islice
from threading import Lock, local
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from moto.core.exceptions import ServiceException
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.utilities import dynamo_to_dict
from moto.dynamodb.responses import DynamoHandler
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from starlette.applications import Starlette
from starlette.routing import Mount
from werkzeug.exceptions import HTTPException, NotFound

from sandbox import webhooks
from sandbox.cloud import Change, Cloud
from sandbox.clouds import open_clouds
from sandbox.control import Control
from sandbox.life import PEOPLE, Life
from sandbox.webhooks import Webhook
from sandbox.world import World as Lives
from shared import aws, control, fetching, jobs, wire
from shared.values import replace
from shared.wire import Answer
from tests.functions.standing import backend
from tests.functions.system import System, answered, invoke, lose_memory
from tests.functions.wired import Asked, asked

NOW = datetime(2026, 11, 19, 12, tzinfo=UTC)
ACCOUNT, REGION = "123456789012", "us-east-1"
VENDORS = "http://vendors.test"
BUCKET, FILES, PUT = "raw", "exports/", "uploads/"
VISIBILITY_MS = 360_000
MOST_RECEIVES = 5
MOST_INVOCATIONS = 300
QUEUES = ("fresh", "bulk", "segments", "exports", "imports")
SERVED_BY = {"segments": "poll", "exports": "exporter", "imports": "importer"}
ALONE = ("exports", "imports")
"""Of these, a function takes one message at a time."""
MOST_IN_BATCH = 4
Item = dict[str, Any]
LIMITS: dict[str, list[Item]] = {"oura": [{"calls": 100, "seconds": 60, "whose": "app"}]}
"""So that the shared clock of a vendor's calls is among what can be interrupted."""
Side = Literal["before", "after"]


class Killed(BaseException):
    """The process ends here. No Exception: nothing in our code may live on after it."""


class Death(NamedTuple):
    """At which call of the run, and on which side of it. After: it took effect, and the answer reached nobody."""

    call: int
    side: Side


@dataclass(frozen=True)
class Crossing:
    """One call out of the process. `changed`: the world behind it is another one (told of clean runs only)."""

    label: str
    invocation: int
    changed: bool = False


# ---------------------------------------------------------------- the edge


@dataclass
class Edge:
    """Where calls leave the process. From a dead one nothing leaves any more, whatever thread it comes from."""

    dooms: frozenset[Death] = frozenset()
    crossings: list[Crossing] = field(default_factory=list)
    invocation: int = 0
    running: bool = False
    dead: bool = False
    died: list[Death] = field(default_factory=list)
    elsewhere: local = field(default_factory=local)

    def before(self, label: str) -> None:
        if not self.foreign:
            self.crossings.append(Crossing(label, self.invocation))
            self.at("before")

    def after(self, changed: bool) -> None:
        if not self.foreign:
            self.crossings[-1] = replace(self.crossings[-1], changed=changed)
            self.at("after")

    def at(self, side: Side) -> None:
        here = Death(len(self.crossings) - 1, side)
        if here in self.dooms and not self.dead:
            self.dead = True
            self.died.append(here)
        if self.dead:
            raise Killed

    @property
    def foreign(self) -> bool:
        """Nobody's call that could die: a test that looks, or a door at which a vendor knocks before it answers us."""
        return not self.running or getattr(self.elsewhere, "now", False)


@dataclass
class Clock:
    """Milliseconds. Each look at it is a later one."""

    now: int = round(NOW.timestamp() * 1000)

    def look(self) -> int:
        self.now += 1
        return self.now * 1_000_000

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


@dataclass
class Message:
    id: str
    body: str
    visible: int
    receives: int = 0


@dataclass
class Queues:
    """SQS as our code speaks it: bodies, delays, visibility. Also what our code asks of Secrets Manager."""

    clock: Clock
    secret: str
    held: dict[str, list[Message]] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=count)

    def of(self, name: str) -> list[Message]:
        return self.held.setdefault(name, [])

    def answer(self, action: str, told: Item) -> tuple[Item, bool]:
        """The reply, and whether anything is different now."""
        if action == "GetSecretValue":
            return {"SecretString": self.secret}, False
        queue = self.of(told["QueueUrl"].rsplit("/", 1)[1])
        if action == "SendMessageBatch":
            assert 1 <= len(told["Entries"]) <= 10
            for entry in told["Entries"]:
                self.put(queue, entry["MessageBody"], entry.get("DelaySeconds", 0))
            return {"Successful": told["Entries"]}, True
        if action == "ReceiveMessage":
            ready = [m for m in queue if m.visible <= self.clock.now][: told["MaxNumberOfMessages"]]
            for message in ready:
                message.visible = self.clock.now + told["VisibilityTimeout"] * 1000
            return {"Messages": [{"ReceiptHandle": m.id, "Body": m.body} for m in ready]}, bool(ready)
        assert action == "DeleteMessage", action
        queue[:] = [m for m in queue if m.id != told["ReceiptHandle"]]
        return {}, True

    def put(self, queue: list[Message], body: str, delay_s: float = 0) -> None:
        queue.append(Message(f"m{next(self.ids)}", body, self.clock.now + round(delay_s * 1000)))


# ---------------------------------------------------------------- AWS


WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "PutObject", "DeleteObject"}


def outside(edge: Edge, queues: Queues) -> Callable[..., Answer]:
    """What stands in for `shared.wire.exchange`. Each call crosses the edge and is answered there, by a list or by
    moto's own code without its HTTP server: a tenth of the time. Refusals go the long way, which gives them their
    shape, as does what is asked of nobody here."""
    exchange = wire.exchange

    def crossed(origin: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        call = asked(method, path, headers, body)
        if call.service not in (*SERVICES, *QUEUED):
            return exchange(origin, method, path, headers, body)
        edge.before(" ".join(filter(None, (call.operation, target(call.told) or path.strip("/")))))
        if call.service in QUEUED:
            reply, changed = queues.answer(call.operation, call.told)
            answer = Answer(200, json.dumps(reply).encode())
        else:
            try:
                answer = Answer(200, SERVICES[call.service](call))
            except (HTTPException, ServiceException):
                answer = exchange(origin, method, path, headers, body)
            changed = call.operation in WRITES and answer.status < 300
        edge.after(changed)
        return answer

    return crossed


def watch(client: Any, edge: Edge) -> None:
    """The same for what botocore asks of S3."""

    def before(model: Any, params: Item, **_: Any) -> Any:
        edge.before(f"{model.name} {params['url_path']}")
        query = params["query_string"] or {}
        try:
            path, headers = unquote(params["auth_path"]), params["headers"]
            return Answered(), s3(model.name, path, headers, params["body"], query.get("prefix", ""))
        except (HTTPException, ServiceException):
            return None

    def after(model: Any, http_response: Any, **_: Any) -> None:
        edge.after(model.name in WRITES and http_response.status_code < 300)

    client.meta.events.register("before-call", before)
    client.meta.events.register("after-call", after)


class Answered:
    status_code = 200


def dynamodb(call: Asked) -> bytes:
    handler = DynamoHandler()
    handler.region, handler.current_account = REGION, ACCOUNT
    handler.body = call.told
    return said(getattr(handler, re.sub(r"(?<!^)([A-Z])", r"_\1", call.operation).lower())().result)


def said(reply: Item) -> bytes:
    return json.dumps(reply, default=lambda value: base64.b64encode(value).decode()).encode()


def stored(call: Asked) -> bytes:
    found = s3(call.operation, unquote(call.path), call.headers, call.body)
    return bytes(found["Body"].read()) if found else b""


def s3(operation: str, path: str, headers: Mapping[str, str], body: Any, prefix: str = "") -> Item:
    """As botocore has it."""
    bucket, _, name = path.removeprefix("/").partition("/")
    kept = s3_backends[ACCOUNT]["aws"]
    if operation == "ListObjectsV2":
        names = objects(prefix, bucket)
        return {"Contents": [{"Key": name} for name in names], "IsTruncated": False}
    if operation == "PutObject":
        kept.put_object(bucket, name, body if isinstance(body, bytes) else body.read())
        return {}
    if operation == "DeleteObject":
        kept.delete_object(bucket, name)
        return {}
    if operation == "HeadObject":
        if (known := kept.get_object(bucket, name)) is None:
            raise NotFound
        # Who puts a file says its type; one kind of them is read.
        return {"ContentLength": len(known.value), "ETag": known.etag, "ContentType": "application/zip"}
    assert operation == "GetObject", operation
    span = headers.get("Range") or headers.get("range") or f"bytes=0-{2**40}"
    first, last = re.fullmatch(r"bytes=(\d+)-(\d+)", span).groups()
    if (found := kept.get_object(bucket, name)) is None:
        raise NotFound
    return {"Body": BytesIO(found.value[int(first) : int(last) + 1])}


def objects(prefix: str, bucket: str = BUCKET) -> list[str]:
    """The names of what S3 holds under it."""
    return sorted(name for name in s3_backends[ACCOUNT]["aws"].buckets[bucket].keys if name.startswith(prefix))


def content(name: str) -> bytes:
    return bytes(s3_backends[ACCOUNT]["aws"].get_object(BUCKET, name).value)


def put(name: str, file: bytes) -> None:
    """By a link, past all doors."""
    s3_backends[ACCOUNT]["aws"].put_object(BUCKET, name, file)


def kms(call: Asked) -> bytes:
    told, keys = call.told, kms_backends[ACCOUNT][REGION]
    if call.operation == "Decrypt":
        wrapped = base64.b64decode(told["CiphertextBlob"])
        return said({"Plaintext": keys.decrypt(wrapped, told["EncryptionContext"], told["KeyId"])[0]})
    assert call.operation == "GenerateDataKey", call.operation
    plain, wrapped, _ = keys.generate_data_key(told["KeyId"], told["EncryptionContext"], 32, told["KeySpec"])
    return said({"Plaintext": plain, "CiphertextBlob": wrapped})


SERVICES: dict[str, Callable[[Asked], bytes]] = {"dynamodb": dynamodb, "s3": stored, "kms": kms}
QUEUED = ("sqs", "secretsmanager")


def target(told: Item) -> str:
    """What a call is about: the queue, or the first item it names."""
    [*several] = told.get("TransactItems", [{}])[0].values()
    name, batch = next(iter(told.get("RequestItems", {}).items()), (told.get("TableName"), {}))
    key = told.get("Key") or told.get("Item") or (batch.get("Keys") or several or [{}])[0]
    key = key.get("Item") or key.get("Key") or key
    queue = told.get("QueueUrl", "").rpartition("/")[2]
    return " ".join(filter(None, (queue, name, *(key.get(k, {}).get("S") for k in ("pk", "sk")))))


def table(name: str) -> Any:
    return dynamodb_backends[ACCOUNT][REGION].tables[name]


def rows(name: str) -> list[Item]:
    """A table's items as plain values."""
    held = (item for column in table(name).items.values() for item in column.values())
    return [control.plain(dynamo_to_dict(item.attrs)) for item in held]


# ---------------------------------------------------------------- vendors


class Vendors:
    """The sandbox's clouds, answering in the caller's own thread, and what of them can change."""

    def __init__(self) -> None:
        self.lives = Lives(Life(7, NOW), frozen=True)
        self.clouds: dict[str, Cloud] = open_clouds(self.lives)
        doors = [Mount("/control", routes=Control(self.lives, self.clouds, VENDORS).doors())]
        self.app = Starlette(routes=doors + [Mount(f"/{n}", routes=c.doors()) for n, c in self.clouds.items()])
        self.loop, self.lock = asyncio.new_event_loop(), Lock()

    def handle(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            asked = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
            reply = await httpx.ASGITransport(self.app).handle_async_request(asked)
            return httpx.Response(reply.status_code, headers=reply.headers, content=await reply.aread())

        with self.lock:
            return self.loop.run_until_complete(ask())

    def parts(self) -> Iterator[Any]:
        yield self.lives
        for cloud in self.clouds.values():
            yield from filter(None, (cloud, cloud.grants, getattr(cloud, "subscriptions", None)))

    def save(self) -> list[Item]:
        """Grants, subscriptions and what happened to people; not the log of requests."""
        kept = (dict, list, set)
        return [
            {k: copy.deepcopy(v) for k, v in vars(part).items() if type(v) in kept and k != "requests"}
            for part in self.parts()
        ]

    def load(self, saved: list[Item]) -> None:
        for part, values in zip(self.parts(), copy.deepcopy(saved), strict=True):
            vars(part).update(values)


def knocker(edge: Edge) -> type:
    """What stands in for the sandbox's own HTTP client: a vendor that knocks at our door before it answers."""

    class Knock:
        def __init__(self, host: str, port: int, timeout: float) -> None:
            """Our door is in this process; to whom it belongs is not."""

        def request(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> None:
            edge.elsewhere.now = True
            self.status, _, self.body = answered(method, target, dict(headers), body or b"")
            edge.elsewhere.now = False

        def getresponse(self) -> Any:
            return self

        def read(self) -> bytes:
            return self.body

        def close(self) -> None:
            """There is nothing to close."""

    return Knock


# ---------------------------------------------------------------- the world


@dataclass(frozen=True)
class Moment:
    """All there is outside the process, but for raw replies in S3: those are only ever added."""

    tables: dict[str, bytes]
    files: dict[str, bytes]
    queues: dict[str, list[Message]]
    clock: int
    vendors: list[Item]


@dataclass
class World:
    """Clients, vendors and queues around one process, and what they do when it dies on them."""

    system: System
    vendors: Vendors
    queues: Queues
    clock: Clock
    edge: Edge
    given_back: list[str] = field(default_factory=list)
    delivered: dict[str, str] = field(default_factory=dict)
    """The messages, id and body, in the order of their first delivery."""
    again: Mapping[int, int] = field(default_factory=dict)
    """Which of them come a second time, and after how many milliseconds."""

    # --- time and again

    def save(self) -> Moment:
        tables = {name: pickle.dumps(table(name).items) for name in ("Data", "Control")}
        files = {name: content(name) for name in (*objects(FILES), *objects(PUT))}
        return Moment(tables, files, copy.deepcopy(self.queues.held), self.clock.now, self.vendors.save())

    def load(
        self, moment: Moment, dooms: frozenset[Death] = frozenset(), again: Mapping[int, int] | None = None
    ) -> None:
        """Back there, in a new process, with what is to happen to it."""
        lose_memory()
        for name, held in moment.tables.items():
            table(name).items = pickle.loads(held)
        for name in (*objects(FILES), *objects(PUT)):
            s3_backends[ACCOUNT]["aws"].delete_object(BUCKET, name)
        for name, kept in moment.files.items():
            s3_backends[ACCOUNT]["aws"].put_object(BUCKET, name, kept)
        self.queues.held, self.clock.now = copy.deepcopy(moment.queues), moment.clock
        self.vendors.load(moment.vendors)
        self.edge.dooms, self.edge.crossings, self.edge.invocation, self.edge.died = dooms, [], 0, []
        self.delivered, self.given_back, self.again = {}, [], again or {}

    def alive(self, act: Callable[[], Any]) -> Any:
        """What the process answers; raises Killed where it died, with nothing of it left."""
        self.edge.invocation += 1
        self.edge.running = True
        try:
            reply = act()
            if not self.edge.dead:
                return reply
            raise Killed
        finally:
            if self.edge.dead or isinstance(sys.exception(), Killed):
                lose_memory()
            self.edge.running = self.edge.dead = False

    # --- doors

    def ask(self, method: str, target: str, user: str = "", content: bytes = b"", **headers: str) -> Item:
        """As clients and vendors do: who gets no answer asks again, with the same bytes."""
        while True:
            try:
                return self.ask_once(method, target, user, content, **headers)
            except Killed:
                continue

    def ask_once(self, method: str, target: str, user: str = "", content: bytes = b"", **headers: str) -> Item:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if user:
            given["authorization"] = f"Bearer {user}"
        status, back, body = self.alive(lambda: answered(method, target, given, content))
        assert status < 400, f"{method} {target}: {status} {body.decode()}"
        return {"status": status, **back, **(json.loads(body) if body[:1] == b"{" else {})}

    def browse(self, method: str, url: str, **form: Any) -> httpx.Response:
        """A person's browser, at a vendor."""
        with httpx.Client(transport=httpx.MockTransport(self.vendors.handle)) as browser:
            return browser.request(method, url, data=form)

    def connect(self, provider: str, *scopes: str, user: str = "ada") -> str:
        """Through the consent page, where only these scopes are ticked; returns the connection. Whose browser gets no
        answer starts again at the app's button: a code and a state are good once."""
        while True:
            try:
                wish = json.dumps({"timezone": "Europe/Berlin"}).encode()
                json_ = {"content_type": "application/json"}
                url = self.ask_once("POST", f"/v1/connect/{provider}", user, wish, **json_)["authorize_url"]
                form: Item = {"person": "ada", "decision": "allow"}
                back = self.browse("POST", url, **form, **({"ticked": "1", "scope": scopes} if scopes else {}))
                where = urlsplit(back.headers["location"])
                told = self.ask_once("GET", f"{where.path}?{where.query}", accept="application/json")
                return str(told["connection"])
            except Killed:
                continue

    def happens(self, provider: str, kind: str, day: date | None = None, record: str = "") -> None:
        """Something has changed in Ada's life, and this vendor tells us."""
        change = Change(kind, PEOPLE["ada"], day or self.today, self.vendors.lives.now(), record)
        for hook in self.vendors.clouds[provider].announce(change):
            self.post(hook)

    @property
    def today(self) -> date:
        return self.vendors.lives.today(PEOPLE["ada"])

    def post(self, hook: Webhook) -> None:
        headers = {name.replace("-", "_"): value for name, value in hook.headers.items()}
        self.ask("POST", urlsplit(hook.url).path, "", hook.body, **headers)

    def tick(self, **event: Any) -> None:
        """EventBridge: an invocation that fails is tried again."""
        while True:
            try:
                self.alive(lambda: invoke("poll", event))
                return
            except Killed:
                continue

    # --- queues

    def work(self, queues: tuple[str, ...] = QUEUES, most: int = 10) -> None:
        """Delivers until nothing is left, `most` at a time, waiting where all that is left must wait."""
        for _ in range(MOST_INVOCATIONS):
            waiting = [(m.visible, name) for name in queues for m in self.queues.of(name)]
            if not waiting:
                return
            self.clock.now = max(self.clock.now, min(waiting)[0])
            name = next(name for name in queues if self.ready(name))
            self.deliver(name, self.ready(name)[: 1 if name in ALONE else most])
        raise AssertionError("the queues never come to rest")

    def scatter(self, order: Iterator[int], queues: tuple[str, ...] = QUEUES) -> None:
        """Delivers until nothing is left, whatever comes next: each number says with which message a batch begins and
        how many it has. Who is not chosen is late."""
        for number in islice(order, MOST_INVOCATIONS):
            waiting = [(name, m) for name in queues for m in self.queues.of(name)]
            if not waiting:
                return
            first = number % len(waiting)
            name = waiting[first][0]
            size = 1 if name in ALONE else 1 + number // len(waiting) % MOST_IN_BATCH
            batch = [m for n, m in waiting[first:] if n == name][:size]
            self.clock.now = max(self.clock.now, *(m.visible for m in batch))
            self.deliver(name, batch)
        raise AssertionError("the queues never come to rest")

    def ready(self, name: str) -> list[Message]:
        return [m for m in self.queues.of(name) if m.visible <= self.clock.now]

    def deliver(self, name: str, messages: list[Message]) -> None:
        """One invocation. Whatever it does not finish comes back when its visibility ends."""
        for message in messages:
            message.receives += 1
            message.visible = self.clock.now + VISIBILITY_MS
            assert message.receives <= MOST_RECEIVES, f"a dead letter: {message.body}"
            self.delivered.setdefault(message.id, message.body)
        arn = f"arn:aws:sqs:{REGION}:1:{name}"
        records = [{"messageId": m.id, "body": m.body, "eventSourceARN": arn, "attributes": {}} for m in messages]
        try:
            failed = self.alive(lambda: invoke(SERVED_BY.get(name, "worker"), {"Records": records}))
        except Killed:
            return
        kept = {failure["itemIdentifier"] for failure in failed.get("batchItemFailures", [])}
        self.given_back += [message.body for message in messages if message.id in kept]
        for message in (m for m in messages if m.id not in kept):
            self.finish(name, message)

    def finish(self, name: str, message: Message) -> None:
        late = self.again.get([*self.delivered].index(message.id))
        if late is None or message.receives > 1:
            self.queues.of(name).remove(message)
        else:
            message.visible = self.clock.now + late


@contextmanager
def world(endpoint: str) -> Iterator[World]:
    """Stands on moto's server, whose backends are in this process, and is quicker where it can be."""
    vendors, clock, edge = Vendors(), Clock(), Edge()
    transport = httpx.MockTransport(vendors.handle)
    with httpx.Client(transport=transport, base_url=VENDORS) as sandbox, backend(endpoint, sandbox, LIMITS) as system:
        with pytest.MonkeyPatch.context() as patch:
            queues = Queues(clock, secret_of(system))
            elsewhere = httpx.HTTPTransport.handle_request

            def called(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
                if request.url.host != urlsplit(VENDORS).hostname:
                    return elsewhere(transport, request)
                action = parse_qs(request.read().decode()).get("action", [""])[0]
                edge.before(f"{request.method} {request.url.path} {action}".strip())
                past = None if edge.dooms else vendors.save()
                reply = vendors.handle(request)
                edge.after(past is not None and vendors.save() != past)
                return reply

            patch.setattr(httpx.HTTPTransport, "handle_request", called)
            patch.setattr(wire, "exchange", outside(edge, queues))
            patch.setattr(webhooks, "HTTPConnection", knocker(edge))
            patch.setattr(time, "time_ns", clock.look)
            patch.setattr(time, "time", lambda: clock.now / 1000)
            patch.setattr(time, "sleep", clock.sleep)
            patch.setenv("KEEP_CONSENT_PROOF", "true")
            patch.setattr(fetching, "PARALLEL", 1)
            patch.setattr(jobs, "TOGETHER", 1)
            watch(aws.s3(), edge)
            yield World(system, vendors, queues, clock, edge)
            lose_memory()
        vendors.loop.close()


def secret_of(system: System) -> str:
    return str(system.aws("secretsmanager").get_secret_value(SecretId=system.env["APP_SECRET"])["SecretString"])
