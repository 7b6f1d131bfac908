"""Signature Version 4 as botocore computes it, and what is tried again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import signed, wire
from shared.signed import AwsError, Request, ask, call, sign

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

    do_PUT = do_GET = do_POST

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
    monkeypatch.setattr(signed, "PAUSE_S", 0)
    yield server
    wire.close()
    server.shutdown()
    server.server_close()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    yield from listen(monkeypatch)


JSON = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "Service.Operation"}
NOW = time.strptime("20261122T120000Z", "%Y%m%dT%H%M%SZ")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    body=st.binary(max_size=200),
    token=st.none() | st.from_regex(r"[A-Za-z0-9/+=]{1,200}", fullmatch=True),
    service=st.sampled_from(["sqs", "secretsmanager", "dynamodb", "s3"]),
    key=st.text("az09/-_.~ $+&=%ü", min_size=1, max_size=9),
)
def test_the_signature_is_botocores(
    monkeypatch: pytest.MonkeyPatch, body: bytes, token: str | None, service: str, key: str
) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    host = f"{service}.eu-west-1.amazonaws.com"
    method, path, told = ("PUT", f"/{quote(key)}", {"range": "bytes=0-9"}) if service == "s3" else ("POST", "/", JSON)
    request = AWSRequest(method, f"https://{host}{path}", headers=told | {"host": host}, data=body)
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    kind(Credentials(ENV["AWS_ACCESS_KEY_ID"], ENV["AWS_SECRET_ACCESS_KEY"], token), service, "eu-west-1").add_auth(
        request
    )
    when = time.strptime(request.context["timestamp"], "%Y%m%dT%H%M%SZ")
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert sign(Request(service, f"https://{host}", method, path, told, body), when) == theirs


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "signature"),
    [
        ("GET", "/test.txt", {"range": "bytes=0-9"}, b"",
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        ("PUT", "/test%24file.text",
         {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
         b"Welcome to Amazon S3.", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    ],
)  # fmt: skip
def test_objects_are_signed_as_aws_shows_it(
    monkeypatch: pytest.MonkeyPatch, method: str, path: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html"""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    request = Request("s3", "https://examplebucket.s3.amazonaws.com", method, path, headers, body)
    told = sign(request, time.strptime("20130524T000000Z", "%Y%m%dT%H%M%SZ"))
    assert told["authorization"].endswith(f"Signature={signature}")


def test_a_call_carries_its_target_and_reads_the_answer(aws: Aws) -> None:
    aws.replies = [(200, b'{"a": 1}'), (200, b"")]
    assert call("sqs", "AmazonSQS.SendMessage", {"QueueUrl": "q"}) == {"a": 1}
    assert call("sqs", "AmazonSQS.SendMessage", {}) == {}
    assert aws.bodies == [b'{"QueueUrl": "q"}', b"{}"]
    assert aws.headers[0]["x-amz-target"] == "AmazonSQS.SendMessage"
    assert re.match(r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/eu-west-1/sqs/", aws.headers[0]["authorization"])


def refusal(code: str, **more: str) -> tuple[int, bytes]:
    return 400, json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **more}).encode()


@pytest.mark.parametrize(
    ("replies", "asked"),
    [
        ([(500, b"")], 2),
        ([(503, b""), (500, b""), (502, b"<html>")], 4),
        ([(400, b'{"__type": "ThrottlingException"}')], 2),
        ([refusal("ProvisionedThroughputExceededException"), refusal("TransactionInProgressException")], 3),
        ([(503, b"<Error><Code>SlowDown</Code></Error>")], 2),
        ([(400, b"<Error><Code>RequestTimeout</Code></Error>")], 2),
        ([(0, b"")], 2),
    ],
)
def test_what_may_pass_is_tried_again(aws: Aws, replies: list[tuple[int, bytes]], asked: int) -> None:
    aws.replies = [*replies]
    assert call("sqs", "AmazonSQS.SendMessage", {}) == {}
    assert len(aws.bodies) == asked


@pytest.mark.parametrize(
    ("reply", "asked", "code"),
    [
        ((400, b"no such queue"), 1, ""),
        (refusal("ConditionalCheckFailedException", Message="no such queue"), 1, "ConditionalCheckFailedException"),
        (refusal("TransactionCanceledException"), 1, "TransactionCanceledException"),
        ((404, b"<Error><Code>NoSuchKey</Code><Key>queue</Key></Error>"), 1, "NoSuchKey"),
        ((301, b""), 1, ""),
        ((500, b""), 4, ""),
    ],
)
def test_what_will_not_pass_is_an_error_that_quotes_nothing(
    aws: Aws, reply: tuple[int, bytes], asked: int, code: str
) -> None:
    aws.replies = [reply] * asked
    with pytest.raises(AwsError) as refused:
        call("sqs", "AmazonSQS.SendMessage", {"MessageBody": "private"})
    assert len(aws.bodies) == asked
    assert (refused.value.status, refused.value.code) == (reply[0], code)
    assert "private" not in str(refused.value)
    assert "queue" not in repr(refused.value)


def test_some_are_asked_with_less_patience(aws: Aws) -> None:
    aws.replies = [(500, b"")] * 2
    with pytest.raises(AwsError):
        call("logs", "Logs_20140328.PutLogEvents", {}, attempts=2)
    assert len(aws.bodies) == 2


def test_before_it_asks_again_it_waits_longer_each_time(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(signed, "PAUSE_S", 0.1)
    monkeypatch.setattr(time, "sleep", slept.append)
    for _ in range(30):
        aws.replies = [(500, b"")] * 3
        ask(Request("sqs", signed.origin("sqs"), "POST", "/", JSON))
    pauses = [slept[n::3] for n in range(3)]
    assert all(max(found) <= most for found, most in zip(pauses, (0.1, 0.4, 1.6), strict=True))
    assert sorted(map(max, pauses)) == [*map(max, pauses)]
    assert len(set(slept)) > 50, "not all at once"


def test_many_threads_each_have_their_own(aws: Aws) -> None:
    aws.replies = []
    with ThreadPoolExecutor(25) as pool:
        found = list(pool.map(lambda n: call("sqs", "AmazonSQS.SendMessage", {"n": n}), range(300)))
    assert found == [{}] * 300
    assert sorted(json.loads(body)["n"] for body in aws.bodies) == [*range(300)]
    assert 1 <= len(wire._idle[signed.origin("sqs")]) <= 25


def test_nobody_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**ENV, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(signed, "PAUSE_S", 0)
    with pytest.raises(AwsError, match="ConnectionRefusedError") as lost:
        call("sqs", "AmazonSQS.SendMessage", {})
    assert lost.value.status == 0


def test_aws_has_a_host_for_each_service_and_an_emulator_one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert [signed.origin("kms"), signed.origin("raw.s3")] == [
        "https://kms.eu-west-1.amazonaws.com", "https://raw.s3.eu-west-1.amazonaws.com",
    ]  # fmt: skip
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/")
    assert signed.origin("kms") == "http://127.0.0.1:4566"
