"""The keys that a vendor publishes: asked for when needed, kept, and never a reason to believe anybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from shared import published
from shared.apps import App
from shared.errors import ProviderUnavailableError
from shared.providers import Point, PublishedKey

PROOF = PublishedKey(
    headers=("x-signature",),
    keyset="https://vendor.example/keys",
    read_keyset=lambda keyset: {name: Point(*xy) for name, xy in keyset.items()},
    read_signature=lambda header: ("1", header.encode()),
)


@dataclass
class Vendor:
    """What it publishes, and how often it was asked."""

    app: App = field(default_factory=lambda: App("id", "secret"))
    body: bytes = b""
    status: int = 200
    asked: list[str] = field(default_factory=list)

    def publish(self, **keys: tuple[int, int]) -> None:
        self.body = json.dumps(keys).encode()


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    monkeypatch.setattr(published, "_kept", {})
    found = Vendor()

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.send_response(found.status)
            self.send_header("location", "/elsewhere")
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Door)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    here = {"https://vendor.example": f"http://127.0.0.1:{server.server_port}"}
    found.app = App("id", "secret", here)
    yield found
    server.shutdown()
    server.server_close()


def test_keys_are_fetched_once_and_unknown_ones_looked_for_at_most_once_a_minute(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.publish(old=(1, 2))
    assert [published.key(PROOF, vendor.app, "old") for _ in range(3)] == [Point(1, 2)] * 3
    vendor.publish(new=(3, 4))
    assert published.key(PROOF, vendor.app, "new") is None
    assert vendor.asked == ["/keys"]
    monkeypatch.setattr(published, "AGAIN_S", -1)
    assert published.key(PROOF, vendor.app, "new") == Point(3, 4)
    assert published.key(PROOF, vendor.app, "old") is None, "a key that was withdrawn signs nothing"
    assert len(vendor.asked) == 3


@pytest.mark.parametrize("status", [302, 404, 500])
def test_what_cannot_be_had_is_not_believed(vendor: Vendor, status: int) -> None:
    vendor.publish(old=(1, 2))
    vendor.status = status
    with pytest.raises(ProviderUnavailableError):
        published.key(PROOF, vendor.app, "old")
    assert vendor.asked == ["/keys"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"old": 1}', b'{"old": [1]}'])
def test_what_cannot_be_read_is_not_believed(vendor: Vendor, body: bytes) -> None:
    vendor.body = body
    with pytest.raises(ProviderUnavailableError):
        published.key(PROOF, vendor.app, "old")


def test_nobody_at_home(vendor: Vendor) -> None:
    with pytest.raises(ProviderUnavailableError):
        published.key(PROOF, App("id", "secret", {"https://vendor.example": "http://127.0.0.1:9"}), "old")
