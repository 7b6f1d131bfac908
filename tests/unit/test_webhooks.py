"""Proofs at their edges, with a provider of our own making; every real provider's are in tests/contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apps import App, Hooks
from shared.errors import BadRequestError, InvalidSignatureError, NotFoundError
from shared.model import DAY, MINUTE
from shared.providers import Event, FileUpload, HmacSignature, Provider, SecretPath, Upload, Webhook
from shared.values import replace
from shared.webhooks import Call, accept, answer, sign

NOW = 1_795_000_000_000
APP = App("id", "app-secret")
HOOKS = Hooks(b"key", 3, NOW - DAY)
STAMPED = HmacSignature(header="x-signature", prefix="v1=", timestamp_header="x-time")


def read(body: bytes, now: datetime) -> Iterator[Event]:
    yield Event(account=json.loads(body)["who"])


def provider(**webhook: Any) -> Provider:
    return Provider(
        id="ring", name="Ring", docs="", kind="ring", base_url="", resources=(), webhook=Webhook(read=read, **webhook),
        auth=FileUpload((), lambda body, media, zone: Upload({}, 0, ())),
    )  # fmt: skip


def test_a_body_hashed_in_part_is_proven_by_any_of_its_parts_and_is_no_data() -> None:
    proof = HmacSignature(header="x-hash", covers=lambda body: json.loads(body)["parts"])

    def taken(body: bytes, part: str, carries: bool = False, trusting: bool = False) -> list[Any]:
        def data(body: bytes, now: datetime) -> Iterator[Event]:
            yield Event(account="ada", payload={"steps": 1} if carries else None)

        call = Call({"x-hash": sign(proof, "app-secret", part.encode())}, body, None, NOW)
        source = replace(provider(proof=proof), webhook=Webhook(proof=proof, read=data))
        return accept(source, replace(APP, accept_unsigned_data=trusting), HOOKS, call)[1]

    body = b'{"parts":["a","b"],"steps":1}'
    assert taken(body, "b") == taken(body.replace(b"1", b"2"), "a") == [Event(account="ada")]
    assert taken(body, "a", carries=True, trusting=True)
    for wrong, part in ((body, "c"), (b'{"parts":[]}', ""), (b"{}", "a"), (b"[" * 9000, "a"), (b"\xff", "a")):
        with pytest.raises(InvalidSignatureError):
            taken(wrong, part)
    with pytest.raises(InvalidSignatureError, match="nobody signed"):
        taken(body, "a", carries=True)


def stamped(stamp: str, body: bytes = b'{"who":"ada"}', **changed: str) -> Call:
    headers = {"x-time": stamp, "x-signature": sign(STAMPED, APP.client_secret, body, stamp), **changed}
    return Call(headers, body, None, NOW)


def take(call: Call, proof: HmacSignature = STAMPED) -> list[Any]:
    return accept(provider(proof=proof), APP, HOOKS, call)[1]


@pytest.mark.parametrize("off", [0, -300, 300])
@pytest.mark.parametrize("unit", [1, 1000])
def test_a_fresh_stamp_in_seconds_or_milliseconds_is_taken(off: int, unit: int) -> None:
    assert take(stamped(str((NOW // 1000 + off) * unit))) == [Event(account="ada")]


@pytest.mark.parametrize(
    "stamp",
    ["", "-1", "1.5", "now", "१२३", str(NOW // 1000 - 301), str(NOW // 1000 + 301), "0" * 10, "9" * 5000],
)
def test_any_other_stamp_is_refused(stamp: str) -> None:
    with pytest.raises(InvalidSignatureError):
        take(stamped(stamp))


@given(st.binary(min_size=1), st.integers(0, 255))
def test_only_the_very_bytes_that_were_signed_are_taken(body: bytes, place: int) -> None:
    call = stamped(str(NOW), body)
    flipped = bytearray(body)
    flipped[place % len(body)] ^= 1
    with pytest.raises(InvalidSignatureError):
        take(replace(call, body=bytes(flipped)))


@pytest.mark.parametrize(
    "headers",
    [
        {"x-signature": ""},
        {"x-signature": "v1="},
        {"x-signature": "é"},
        {"x-signature": "0" * 64},
        {"x-time": str(NOW - 1)},
    ],
)
def test_a_forged_header_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidSignatureError):
        take(stamped(str(NOW), b"{}", **headers))


JOINT = HmacSignature(header="x-signature", stamped=True, key="webhook_secret")
OWN = replace(APP, webhook_secret="hook-secret")


def joint(header: str, app: App = OWN) -> list[Any]:
    return accept(provider(proof=JOINT), app, HOOKS, Call({"x-signature": header}, b'{"who":"ada"}', None, NOW))[1]


def test_a_time_beside_its_signature_is_taken_whoever_else_signed() -> None:
    header = sign(JOINT, "hook-secret", b'{"who":"ada"}', str(NOW // 1000))
    other = sign(JOINT, "older-secret", b'{"who":"ada"}', str(NOW // 1000)).partition(",")[2]
    for good in (header, f" {header},{other}", ", ".join(reversed(header.split(","))), f"{other},{header}"):
        assert joint(good) == [Event(account="ada")]


@pytest.mark.parametrize(
    "header",
    ["", "t=", ",", "=", f"t={NOW // 1000}", f"t={NOW // 1000},v1=", f"t={NOW // 1000},v1=é", "v1=00", "t=1,t=2,v1=0"],
)
def test_a_forged_time_and_signature_are_refused(header: str) -> None:
    with pytest.raises(InvalidSignatureError):
        joint(header)


def test_a_secret_that_nobody_entered_proves_nothing() -> None:
    """A hash under the empty key is one that everybody can make."""
    for secret in ("", APP.client_secret):
        with pytest.raises(InvalidSignatureError):
            joint(sign(JOINT, secret, b'{"who":"ada"}', str(NOW // 1000)), APP)


@pytest.mark.parametrize(
    ("sent", "as_of"),
    [("", None), ("soon", None), ("9" * 5000, None), (str(NOW - DAY), NOW - DAY), (str(NOW + DAY), NOW)],
)
def test_what_is_sent_again_is_as_old_as_it_was(sent: str, as_of: int | None) -> None:
    """That header is not signed: it can only make a message older."""
    hooked = provider(proof=JOINT, sent_header="x-sent")
    header = sign(JOINT, "hook-secret", b'{"who":"ada"}', str(NOW // 1000))
    call = Call({"x-signature": header, "x-sent": sent}, b'{"who":"ada"}', None, NOW)
    assert accept(hooked, OWN, HOOKS, call)[1] == [Event(account="ada", as_of=as_of)]


def test_spelling_of_a_true_signature_does_not_matter() -> None:
    call = stamped(str(NOW))
    loud = call.headers["x-signature"].removeprefix("v1=").upper()
    assert take(replace(call, headers={**call.headers, "x-signature": f" v1={loud} "}))
    proof = HmacSignature(header="x-signature", digest="sha1", encoding="base64")
    given = Call({"x-signature": sign(proof, "app-secret", call.body)}, call.body, None, NOW)
    assert take(given, proof)
    with pytest.raises(InvalidSignatureError):
        take(replace(given, headers={"x-signature": given.headers["x-signature"].lower()}), proof)


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"7", b'{"whom":1}', b"\xff"])
def test_a_proven_body_that_makes_no_sense_is_a_bad_request_and_no_more(body: bytes) -> None:
    with pytest.raises(BadRequestError) as refused:
        take(stamped(str(NOW), body))
    assert (refused.value.status, refused.value.param) == (400, "body")


# ---------------------------------------------------------------- addresses

PERSONAL = HmacSignature(header="x-signature", key="connection")
words = st.text(st.characters(codec="utf-8"), max_size=12)


def addressed(path: str | None, secret: str = "", now: int = NOW) -> Call:
    body = b'{"who":"ada"}'
    return Call({"x-signature": sign(PERSONAL, secret, body)}, body, path, now)


@given(
    words
    | st.just(HOOKS.path("ring", "c1")[:-1])
    | st.just(HOOKS.path("scale", "c1"))
    | st.sampled_from(["c1.", "c1.é", None])
)
def test_a_path_that_is_not_ours_is_refused(path: str | None) -> None:
    source = provider(proof=SecretPath(), path="connection")
    with pytest.raises(InvalidSignatureError):
        accept(source, APP, HOOKS, addressed(path))
    if path is None:
        assert answer(source, HOOKS, path, {}, NOW) is None
    else:
        with pytest.raises(InvalidSignatureError):
            answer(source, HOOKS, path, {}, NOW)


def test_the_path_names_the_connection() -> None:
    source = provider(proof=SecretPath(), path="connection")
    assert accept(source, APP, HOOKS, addressed(HOOKS.path("ring", "c1")))[0] == "c1"
    assert answer(source, HOOKS, HOOKS.path("ring", "c1"), {}, NOW) is None


def test_one_connections_secret_signs_for_no_other() -> None:
    source = provider(proof=PERSONAL, path="connection")
    mine, theirs = (HOOKS.secrets("ring", c, NOW)[0] for c in ("c1", "c2"))
    assert accept(source, APP, HOOKS, addressed(HOOKS.path("ring", "c1"), mine))[0] == "c1"
    for secret in (theirs, "app-secret", ""):
        with pytest.raises(InvalidSignatureError):
            accept(source, APP, HOOKS, addressed(HOOKS.path("ring", "c1"), secret))


def test_a_handshake_says_what_the_provider_makes_of_it() -> None:
    def echo(query: Any, token: str) -> Any:
        return {"echo": query["c"]} if query.get("t") == token else None

    source = provider(proof=STAMPED, handshake=echo)
    assert answer(source, HOOKS, None, {"c": "42", "t": HOOKS.token("ring")}, NOW) == {"echo": "42"}
    for query in ({}, {"c": "42"}, {"c": "42", "t": HOOKS.token("scale")}):
        with pytest.raises(InvalidSignatureError):
            answer(source, HOOKS, None, query, NOW)


def test_a_provider_without_webhooks_has_no_door() -> None:
    mute = replace(provider(proof=STAMPED), webhook=None)
    with pytest.raises(NotFoundError):
        accept(mute, APP, HOOKS, stamped(str(NOW)))
    with pytest.raises(NotFoundError):
        answer(mute, HOOKS, None, {}, NOW)


def test_a_minute_is_a_minute() -> None:
    strict = HmacSignature(header="x-signature", prefix="v1=", timestamp_header="x-time", tolerance_s=60)
    assert take(stamped(str(NOW - MINUTE)), strict)
    with pytest.raises(InvalidSignatureError):
        take(stamped(str(NOW - MINUTE - 1)), strict)
