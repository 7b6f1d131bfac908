"""HTTP/1.1 as far as AWS speaks it: one request and its answer, over connections that are kept alive.

`http.client` reads headers with `email`, and costs the doors as much of a cold start as an interpreter does.
https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import os
import socket
import ssl
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

CONNECT_S, READ_S = 3, 10
LONGEST_LINE = 65_536
PORTS = {"https": 443, "http": 80}


class Answer(NamedTuple):
    status: int
    body: bytes


class Connection:
    """To one server, for one request at a time. `kept`: the other side will take another one."""

    def __init__(self, origin: str) -> None:
        scheme, _, place = origin.partition("://")
        host, _, port = place.partition(":")
        self._socket = socket.create_connection((host, int(port or PORTS[scheme])), CONNECT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if scheme == "https":
            self._socket = _trusted().wrap_socket(self._socket, server_hostname=host)
        self._socket.settimeout(READ_S)
        self._reader = self._socket.makefile("rb")
        self.kept = True

    def ask(self, request: bytes) -> Answer:
        """Raises OSError for anything but a whole answer."""
        self._socket.sendall(request)
        try:
            return self._answer()
        except ValueError as error:
            raise ConnectionError("not an answer") from error

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def _answer(self) -> Answer:
        version, status, *_ = self._line().split(None, 2)
        pairs = (line.partition(b":") for line in iter(self._line, b""))
        headers = {name.lower(): value.strip().lower() for name, _, value in pairs}
        self.kept = version == b"HTTP/1.1" and headers.get(b"connection") != b"close"
        return Answer(int(status), self._body(int(status), headers))

    def _body(self, status: int, headers: Mapping[bytes, bytes]) -> bytes:
        if headers.get(b"transfer-encoding", b"identity") != b"identity":
            return b"".join(self._chunks())
        if b"content-length" in headers or status == 204:
            return self._exactly(int(headers.get(b"content-length", 0)))
        self.kept = False
        return self._reader.read()

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line().partition(b";")[0], 16):
            yield self._exactly(size)
            self._line()
        while self._line():
            pass  # what trails says nothing we need

    def _line(self) -> bytes:
        line = self._reader.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ConnectionError("hung up")
        return line.rstrip(b"\r\n")

    def _exactly(self, size: int) -> bytes:
        found = self._reader.read(size)
        if len(found) < size:
            raise ConnectionError("hung up")
        return found


_idle: dict[str, list[Connection]] = defaultdict(list)
"""By origin, the one used last at the end. A list's `append` and `pop` are atomic: threads need no lock."""


def exchange(origin: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Raises OSError where no whole answer comes. `origin` is scheme, host and port."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"{method} {path} HTTP/1.1\r\n{fields}content-length: {len(body)}\r\n\r\n".encode() + body
    if kept := _waiting(origin):
        try:
            return _over(kept, origin, request)
        except TimeoutError:
            raise
        except OSError:
            close(origin)  # the other side has closed it while it waited: most likely it is not the only one
    return _over(Connection(origin), origin, request)


def _waiting(origin: str) -> Connection | None:
    try:
        return _idle[origin].pop()
    except IndexError:
        return None


def _over(connection: Connection, origin: str, request: bytes) -> Answer:
    try:
        answer = connection.ask(request)
    except BaseException:
        connection.close()
        raise
    if connection.kept:
        _idle[origin].append(connection)
    else:
        connection.close()
    return answer


def close(*origins: str) -> None:
    """All that wait for a next request there; without a name, anywhere."""
    for origin in origins or [*_idle]:
        while waiting := _waiting(origin):
            waiting.close()


@cache
def _trusted() -> ssl.SSLContext:
    """Reading the authorities takes longer than a call: once for all services, and AWS's own where they are told."""
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
