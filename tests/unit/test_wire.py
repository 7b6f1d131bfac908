"""HTTP/1.1 as servers really speak it: what is one answer, and which connections are used again."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest

from bench.cold import certificate
from shared import wire
from shared.wire import Answer, exchange

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@dataclass
class Server:
    """Each connection is answered by a script: one part for each request. Then it is closed."""

    scripts: list[list[bytes]]
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    trusted: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"{'https' if self.trusted else 'http'}://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        with self.listener:
            self.play()

    def play(self) -> None:
        for script in self.scripts:
            plain, _ = self.listener.accept()
            self.connections += 1
            with self.trusted.wrap_socket(plain, server_side=True) if self.trusted else plain as taken:
                for part in script:
                    self.requests.append(self.request(taken))
                    taken.sendall(part)

    def request(self, taken: socket.socket) -> bytes:
        found = b""
        while b"\r\n\r\n" not in found:
            found += taken.recv(65_536)
        head, _, body = found.partition(b"\r\n\r\n")
        length = int(head.lower().rpartition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += taken.recv(65_536)
        return head + b"\r\n\r\n" + body


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    wire.close()
    wire._trusted.cache_clear()


def started(*scripts: list[bytes], trusted: ssl.SSLContext | None = None) -> Server:
    server = Server([*scripts], trusted=trusted)
    Thread(target=server.serve, daemon=True).start()
    return server


def asked(server: Server, body: bytes = b"{}") -> Answer:
    return exchange(server.origin, "POST", "/", {"host": "aws"}, body)


@pytest.mark.parametrize(
    ("said", "answer", "kept"),
    [
        (OK, Answer(200, b"{}"), True),
        (b"HTTP/1.1 200 OK\r\nContent-Length:2\r\nX-Long: " + b"x" * 5000 + b"\r\n\r\n{}", Answer(200, b"{}"), True),
        (b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", Answer(400, b""), True),
        (b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", Answer(200, b""), True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, b""), True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\ncontent-length: 2\r\n\r\n{}", Answer(200, b"{}"), False),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", Answer(200, b"until the end"), False),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", Answer(200, b"until the end"), False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nabcd\r\nA\r\n0123456789\r\n0\r\nx: y\r\n\r\n",
         Answer(200, b"abcd0123456789"), True),
    ],
)  # fmt: skip
def test_an_answer_is_read_whole_and_the_connection_kept_if_it_may_be(said: bytes, answer: Answer, kept: bool) -> None:
    server = started(*([[said, OK]] if kept else [[said], [OK]]))
    assert asked(server) == answer
    assert asked(server) == Answer(200, b"{}")
    assert server.connections == (1 if kept else 2)


def test_a_request_is_what_was_said_and_no_more() -> None:
    server = started([OK])
    exchange(server.origin, "PUT", "/a%20b", {"host": "aws", "x-amz-date": "now"}, bytes(range(256)) * 4096)
    head = b"PUT /a%20b HTTP/1.1\r\nhost: aws\r\nx-amz-date: now\r\ncontent-length: 1048576\r\n\r\n"
    assert server.requests == [head + bytes(range(256)) * 4096]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfour\r\nabcd",
        b"garbage\r\n\r\n",
    ],
)
def test_half_an_answer_is_none(said: bytes) -> None:
    server = started([said])
    with pytest.raises(ConnectionError):
        asked(server)
    assert wire._idle[server.origin] == []


def test_one_that_was_closed_while_it_waited_is_replaced_at_once() -> None:
    server = started([OK], [OK, b""], [OK])
    assert [asked(server).status for _ in range(3)] == [200] * 3
    assert (server.connections, len(server.requests)) == (3, 3 + 1)


def test_who_is_too_slow_is_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be at work."""
    monkeypatch.setattr(wire, "READ_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        origin = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TimeoutError):
            exchange(origin, "POST", "/", {}, b"")
    assert wire._idle[origin] == []


def test_whom_we_trust_is_told_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, made = certificate(tmp_path)
    (tmp_path / "authorities.pem").write_bytes(made)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(held)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "authorities.pem"))
    server = started([OK, OK], trusted=context)
    assert [asked(server).status for _ in range(2)] == [200] * 2
    assert server.connections == 1
    monkeypatch.delenv("AWS_CA_BUNDLE")
    wire._trusted.cache_clear()
    wire.close()
    stranger = Server([[OK]], trusted=context)
    Thread(target=refused, args=(stranger,), daemon=True).start()
    with pytest.raises(ssl.SSLCertVerificationError):
        asked(stranger)


def refused(server: Server) -> None:
    with pytest.raises(ssl.SSLError):
        server.serve()
