"""The whole backend in one process: the real handlers behind a small gateway, moto for AWS, the sandbox for vendors."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from threading import RLock, Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import httpx

from shared import aws, budget, discovery, fetching, issued, secret, settings, sync, vault, vendor, wire
from tests.functions.described import as_described

ROUTES = [
    ("POST", r"/v1/connect/(?P<provider>[^/]+)", "connect", True),
    ("GET", r"/v1/connect/(?P<provider>[^/]+)", "connect", False),
    ("GET", r"/v1/callback/(?P<provider>[^/]+)", "callback", False),
    ("ANY", r"/v1/webhooks/(?P<provider>[^/]+)(/(?P<key>[^/]+))?", "webhook", False),
    ("POST", r"/v1/(sync|refresh)", "sync", True),
    ("POST", r"/v1/uploads", "upload", True),
    ("POST", r"/v1/uploads/large(/(?P<upload>[^/]+))?", "upload", True),
    ("POST", r"/v1/exports", "export", True),
    ("POST", r"/v1/push/(?P<platform>[^/]+)", "push", True),
    ("DELETE", r"/v1/connections/(?P<connection>[^/]+)", "disconnect", True),
    ("DELETE", r"/v1/user", "erase", True),
    ("ANY", r"/v1/profile", "profile", True),
    ("GET", r"/v1/events", "events", True),
    ("GET", r"/v1/openapi.json", "api", False),
    ("GET", r"/v1/(days|metrics/(?P<metric>[^/]+)|sleep|workouts|medications|provenance)", "readings", True),
    ("GET", r"/v1/(glucose|recent)", "periods", True),
    ("POST", r"/v1/summary", "periods", True),
    ("GET", r"/v1/.*", "api", True),
]
CONTEXT = SimpleNamespace(
    aws_request_id="r", function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:::f",
    get_remaining_time_in_millis=lambda: 60_000,
)  # fmt: skip


def invoke(name: str, event: dict[str, Any]) -> Any:
    return import_module(f"functions.{name}.handler").handler(event, CONTEXT)


def answered(method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    """API Gateway's side: a request becomes a payload-2.0 event; `Bearer <sub>[ scope…]` becomes verified claims."""
    url = urlsplit(target)
    for verb, pattern, name, private in ROUTES:
        match = re.fullmatch(pattern, url.path)
        if match and verb in ("ANY", method):
            token = headers.get("authorization", "").removeprefix("Bearer ")
            if private and not token:
                return 401, {"content-type": "application/json"}, b'{"message":"Unauthorized"}'
            reply = invoke(name, event(method, url.path, url.query, match, token, headers, body))
            said = reply.get("body") or ""
            raw = base64.b64decode(said) if reply.get("isBase64Encoded") else said.encode()
            return reply["statusCode"], reply.get("headers", {}), raw
    return 404, {}, b""


def event(
    method: str, path: str, query: str, match: re.Match[str], token: str, headers: dict[str, str], body: bytes
) -> dict[str, Any]:
    text = headers.get("content-type", "").startswith(("application/json", "text/"))
    subject, _, scope = token.partition(" ")
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "queryStringParameters": dict(parse_qsl(query)) or None,
        "pathParameters": {k: v for k, v in match.groupdict().items() if v},
        "requestContext": {
            "requestId": "test-request",
            "stage": "$default",
            "http": {"method": method, "path": path},
            "authorizer": {"jwt": {"claims": {"sub": subject, "scope": scope}}} if token else {},
        },
        "body": body.decode(errors="replace") if text else base64.b64encode(body).decode(),
        "isBase64Encoded": not text,
    }


class Gateway(BaseHTTPRequestHandler):
    """The gateway on a socket."""

    lock = RLock()

    def do_GET(self) -> None:
        given = {name.lower(): value for name, value in self.headers.items()}
        sent = self.rfile.read(int(given.get("content-length", 0)))
        status, headers, body = answered(self.command, self.path, given, sent)
        self.send_response(status)
        for header, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: tests read replies, not logs."""


def serve() -> tuple[ThreadingHTTPServer, str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


TABLES: dict[str, dict[str, Any]] = {
    "Data": {},
    "Control": {
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "ring",
                "KeySchema": [
                    {"AttributeName": "ring", "KeyType": "HASH"},
                    {"AttributeName": "pk", "KeyType": "RANGE"},
                ],
                "Projection": {
                    "ProjectionType": "INCLUDE",
                    "NonKeyAttributes": ["user", "provider", "zone", "wake", "resources", "silent_since"],
                },
            }
        ]
    },
}


def make_resources(endpoint: str, apps: dict[str, Any]) -> dict[str, str]:
    """What the stack would make; returns the functions' environment."""

    def client(name: str) -> Any:
        return boto3.client(name, endpoint_url=endpoint)

    for name, more in TABLES.items():
        keys = ["pk", "sk", *(["ring"] if more else [])]
        client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            **more,
        )
    client("s3").create_bucket(Bucket="raw")
    client("logs").create_log_group(logGroupName="events")
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    secret = {"providers": apps, "hook_key": "test-hook-key"}
    arn = client("secretsmanager").create_secret(Name="app", SecretString=json.dumps(secret))["ARN"]
    queues = {
        f"{name.upper()}_QUEUE": client("sqs").create_queue(QueueName=name)["QueueUrl"]
        for name in ("fresh", "bulk", "segments", "exports", "imports", "changes", "dead")
    }
    return {
        "DATA_TABLE": "Data",
        "CONTROL_TABLE": "Control",
        "RAW_BUCKET": "raw",
        "VAULT_KEY": key,
        "APP_SECRET": arn,
        "EVENTS_LOG": "events",
        **queues,
    }


@dataclass
class System:
    """Hands on the running backend."""

    url: str
    sandbox: httpx.Client
    env: dict[str, str]
    endpoint: str
    failures: list[str] = field(default_factory=list)

    def api(self, user: str = "ada") -> httpx.Client:
        headers, hooks = {"authorization": f"Bearer {user}"}, {"response": [as_described]}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, event_hooks=hooks)

    def aws(self, name: str) -> Any:
        return boto3.client(name, endpoint_url=self.endpoint)

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """Takes what is visible in a queue."""
        sqs, url, found = self.aws("sqs"), self.env[f"{queue.upper()}_QUEUE"], []
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            found += batch
            gone = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(batch)]
            sqs.delete_message_batch(QueueUrl=url, Entries=gone)
        return found

    def deliver(self, queue: str, messages: list[dict[str, Any]], served_by: str = "worker") -> list[str]:
        """One worker invocation; returns the ids given back. `receives` in a message is how often it was delivered."""
        records = [
            {
                "messageId": m["MessageId"],
                "body": m["Body"],
                "eventSourceARN": f"arn:aws:sqs:us-east-1:1:{queue}",
                "attributes": {"ApproximateReceiveCount": str(m.get("receives", 1))},
            }
            for m in messages
        ]
        reply = invoke(served_by, {"Records": records})
        return [failure["itemIdentifier"] for failure in reply["batchItemFailures"]]

    def look(self) -> int:
        """Runs the poll function on the ring segments that are queued, and on what it queues of them."""
        done = 0
        while found := self.messages("segments"):
            for message in found:
                invoke("poll", {"Records": [{"messageId": message["MessageId"], "body": message["Body"]}]})
            done += len(found)
        return done

    def write_exports(self) -> None:
        """Runs the exporter on what is queued for it."""
        for message in self.messages("exports"):
            self.failures += self.deliver("exports", [message], "exporter")

    def work(self, queues: tuple[str, ...] = ("fresh", "bulk")) -> int:
        """Runs the workers until the queues are empty."""
        done = 0
        while batches := [(q, found) for q in queues if (found := self.messages(q))]:
            for queue, messages in batches:
                for start in range(0, len(messages), 10):
                    self.failures += self.deliver(queue, messages[start : start + 10])
                done += len(messages)
        return done

    def connect(
        self, provider: str, user: str = "ada", person: str = "ada", timezone: str = "Europe/Berlin"
    ) -> dict[str, Any]:
        """Through the consent page; returns what the callback says."""
        with self.api(user) as api:
            started = api.post(f"/v1/connect/{provider}", json={"timezone": timezone})
            assert started.status_code == 200, started.text
            consent = self.sandbox.post(started.json()["authorize_url"], data={"person": person, "decision": "allow"})
            back = api.get(consent.headers["location"], headers={"accept": "application/json"})
            assert back.status_code == 200, back.text
            told: dict[str, Any] = back.json()
            return told

    def items(self, table: str = "Data") -> dict[tuple[str, str], dict[str, Any]]:
        pages = self.aws("dynamodb").get_paginator("scan").paginate(TableName=table)
        return {(i["pk"]["S"], i["sk"]["S"]): i for page in pages for i in page["Items"]}

    def days(self, first: str, last: str, user: str = "ada") -> dict[str, Any]:
        with self.api(user) as api:
            reply = api.get("/v1/days", params={"from": first, "to": last, "fresh": "true", "others": "true"})
            assert reply.status_code == 200, reply.text
            return {day["day"]: day for day in reply.json()["days"]}


def forget() -> None:
    """Ends what our code keeps for the life of a process: a new one would start without it."""
    for client in (aws.s3, vendor.client):
        if client.cache_info().currsize:
            client().close()
        client.cache_clear()
    wire.close()
    lose_memory()
    settings.settings.cache_clear()


def lose_memory() -> None:
    """What a process knew and had begun. Its connections to others hold no knowledge, and cost time to make."""
    for pool in (fetching.pool, sync.openers):
        if pool.cache_info().currsize:
            pool().shutdown()
        pool.cache_clear()
    budget.turns.cache_clear()
    secret._read = None
    issued._kept.clear()
    vault._kept.clear()
    discovery._kept.clear()
