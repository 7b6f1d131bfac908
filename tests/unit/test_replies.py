"""What every answer passes on its way out."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.replies import LARGEST, outgoing

BODIES = st.dictionaries(st.text(max_size=5), st.lists(st.integers(), max_size=400), max_size=4).map(json.dumps)


def event(method: str = "GET", **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"headers": named, "requestContext": {"requestId": "r", "http": {"method": method}}}


def ask(body: str, method: str = "GET", status: int = 200, **headers: str) -> dict[str, Any]:
    reply = {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": body}
    return outgoing(lambda event, context: dict(reply))(event(method, **headers), None)


def plain(reply: dict[str, Any]) -> str:
    if not reply.get("isBase64Encoded"):
        return str(reply["body"])
    assert reply["headers"]["content-encoding"] == "gzip"
    return gzip.decompress(base64.b64decode(reply["body"])).decode()


@given(BODIES, st.sampled_from(["", "gzip", "br, gzip;q=0.8", "*"]))
def test_however_it_travels_it_says_the_same(body: str, accepted: str) -> None:
    reply = ask(body, accept_encoding=accepted)
    assert plain(reply) == body
    assert reply["headers"]["etag"] == ask(body)["headers"]["etag"]


@given(BODIES, BODIES)
def test_what_was_seen_is_not_sent_again(body: str, other: str) -> None:
    tag = ask(body)["headers"]["etag"]
    for seen in (tag, f'"older", {tag}', tag.removeprefix("W/"), "*"):
        again = ask(body, if_none_match=seen)
        assert (again["statusCode"], again["body"], again["headers"]["etag"]) == (304, "", tag)
    assert ask(other, if_none_match=tag)["statusCode"] == (304 if other == body else 200)


@pytest.mark.parametrize(
    ("accepted", "packed"), [("gzip", True), ("GZIP", True), ("gzip;q=0", False), ("identity, gzip; q=0.0", False),
                             ("br", False), ("", False), ("deflate, gzip;q=1.0", True)],
)  # fmt: skip
def test_gzip_only_for_who_takes_it(accepted: str, packed: bool) -> None:
    assert bool(ask("x" * 2000, accept_encoding=accepted).get("isBase64Encoded")) is packed


def test_a_short_answer_is_not_worth_packing() -> None:
    assert "isBase64Encoded" not in ask("{}", accept_encoding="gzip")


@pytest.mark.parametrize(("method", "status"), [("POST", 200), ("GET", 404), ("GET", 303)])
def test_only_good_reads_have_a_tag(method: str, status: int) -> None:
    assert "etag" not in ask("{}", method, status, if_none_match="*")["headers"]


def test_health_data_is_asked_about_again_each_time() -> None:
    headers = ask("{}")["headers"]
    assert headers["cache-control"] == "private, no-cache"
    assert "authorization" in headers["vary"]


def test_what_lambda_cannot_answer_is_refused_in_our_shape() -> None:
    quoted = '"' * (LARGEST // 2 + 1)
    for body in ("x" * (LARGEST + 1), quoted):
        reply = ask(body)
        assert (reply["statusCode"], json.loads(reply["body"])["error"]["code"]) == (413, "too_large")
        assert plain(ask(body, accept_encoding="gzip")) == body
