"""Signature Version 4 as botocore computes it, and what is tried again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import signed
from shared.signed import AwsError, call, sign

ENV = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG", "AWS_REGION": "eu-west-1"}


class Aws(ThreadingHTTPServer):
    """Answers what it is told to, and keeps what it was sent. A status of 0 hangs up without an answer."""

    replies: list[tuple[int, bytes]]
    bodies: list[bytes]
    headers: list[dict[str, str]]


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Aws

    def do_POST(self) -> None:
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        status, body = self.server.replies.pop(0) if self.server.replies else (200, b"{}")
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def listen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    server = Aws(("127.0.0.1", 0), Answer)
    server.replies, server.bodies, server.headers = [], [], []
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    for name, value in {**ENV, "AWS_ENDPOINT_URL": url}.items():
        monkeypatch.setenv(name, value)
    signed._connection.cache_clear()
    yield server
    signed._connection("sqs").close()
    signed._connection.cache_clear()
    server.shutdown()
    server.server_close()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    yield from listen(monkeypatch)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    body=st.binary(max_size=200),
    token=st.none() | st.from_regex(r"[A-Za-z0-9/+=]{1,200}", fullmatch=True),
    service=st.sampled_from(["sqs", "secretsmanager"]),
    version=st.sampled_from(["1.0", "1.1"]),
)
def test_the_signature_is_botocores(
    monkeypatch: pytest.MonkeyPatch, body: bytes, token: str | None, service: str, version: str
) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    host = f"{service}.eu-west-1.amazonaws.com:443"
    told = {"Content-Type": f"application/x-amz-json-{version}", "Host": host, "X-Amz-Target": "Service.Operation"}
    request = AWSRequest("POST", f"https://{host}/", headers=told, data=body)
    credentials = Credentials(ENV["AWS_ACCESS_KEY_ID"], ENV["AWS_SECRET_ACCESS_KEY"], token)
    SigV4Auth(credentials, service, "eu-west-1").add_auth(request)
    when = time.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert sign(service, host, "Service.Operation", body, version, when) == theirs


def test_a_call_carries_its_target_and_reads_the_answer(aws: Aws) -> None:
    aws.replies = [(200, b'{"a": 1}'), (200, b"")]
    assert call("sqs", "AmazonSQS.SendMessage", {"QueueUrl": "q"}) == {"a": 1}
    assert call("sqs", "AmazonSQS.SendMessage", {}) == {}
    assert aws.bodies == [b'{"QueueUrl": "q"}', b"{}"]
    assert aws.headers[0]["x-amz-target"] == "AmazonSQS.SendMessage"
    assert re.match(r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/eu-west-1/sqs/", aws.headers[0]["authorization"])


@pytest.mark.parametrize(
    ("replies", "asked"),
    [
        ([(500, b"")], 2),
        ([(503, b""), (500, b"")], 3),
        ([(400, b'{"__type": "ThrottlingException"}')], 2),
        ([(0, b"")], 2),  # a kept-alive connection that the other side had closed
    ],
)
def test_what_may_pass_is_tried_again(aws: Aws, replies: list[tuple[int, bytes]], asked: int) -> None:
    aws.replies = [*replies]
    assert call("sqs", "AmazonSQS.SendMessage", {}) == {}
    assert len(aws.bodies) == asked


@pytest.mark.parametrize(("replies", "asked"), [([(400, b"no such queue")], 1), ([(500, b"")] * 3, 3)])
def test_what_will_not_pass_is_an_error_that_quotes_nothing(
    aws: Aws, replies: list[tuple[int, bytes]], asked: int
) -> None:
    aws.replies = [*replies]
    with pytest.raises(AwsError) as refused:
        call("sqs", "AmazonSQS.SendMessage", {"MessageBody": "private"})
    assert len(aws.bodies) == asked
    assert "private" not in str(refused.value)
    assert "queue" not in str(refused.value)


def test_nobody_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**ENV, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    signed._connection.cache_clear()
    with pytest.raises(AwsError):
        call("sqs", "AmazonSQS.SendMessage", {})
    signed._connection.cache_clear()
