"""Sealing, over KMS and DynamoDB as moto plays them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import httpx
import pytest

from shared import vault
from shared.apps import App, Hooks
from shared.connections import Connection
from shared.values import replace
from shared.vault import Owner, UnsealError, seal, unseal
from tests.functions.deployed import TOLD
from tests.functions.standing import ENV
from tests.functions.system import forget, make_resources
from tests.functions.wired import Asked, watched

ADA = Owner("ada", "ring", "c1", b"s" * 32)
MONTH = datetime.now(UTC).strftime("%Y-%m").encode()
BRANCH_KEY = bytes(range(32))
NONCE = bytes(range(12))


@pytest.fixture(autouse=True)
def key(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty Control table and a KMS key, whose ARN this is."""
    httpx.post(f"{aws}/moto-api/reset")
    for name, value in {**dict.fromkeys(TOLD, "1"), **ENV, "AWS_ENDPOINT_URL": aws}.items():
        monkeypatch.setenv(name, value)
    for name, value in make_resources(aws, {}).items():
        monkeypatch.setenv(name, value)
    yield os.environ["VAULT_KEY"]
    forget()


@pytest.fixture
def calls() -> Iterator[list[str]]:
    """The KMS operations as they leave the process."""
    made: list[str] = []
    with watched(before=lambda call: made.append(call.operation) if call.service == "kms" else None):
        yield made


def test_what_was_sealed_opens_and_is_never_sealed_the_same_way_twice() -> None:
    first, second = seal(ADA, "tokens", b"plain"), seal(ADA, "tokens", b"plain")
    assert [unseal(ADA, "tokens", s) for s in (first, second)] == [b"plain", b"plain"]
    assert first != second
    assert b"plain" not in first


@pytest.mark.parametrize(
    ("thief", "purpose"),
    [
        (replace(ADA, user="bob"), "raw"),
        (replace(ADA, provider="scale"), "raw"),
        (replace(ADA, connection="c2"), "raw"),
        (replace(ADA, salt=bytes(32)), "raw"),  # as good as destroyed
        (ADA, "tokens"),
        (ADA, "payload"),
    ],
)
def test_moved_anywhere_else_it_does_not_open(thief: Owner, purpose: vault.Purpose) -> None:
    sealed = seal(ADA, "raw", b"plain")
    with pytest.raises(UnsealError):
        unseal(thief, purpose, sealed)


def test_every_flipped_bit_and_every_cut_is_noticed(calls: list[str]) -> None:
    """Also one in the name of the branch key, which must not make a key of that name."""
    sealed = seal(ADA, "raw", b"plain")
    calls.clear()
    spoiled = [sealed[:n] + bytes([sealed[n] ^ bit]) + sealed[n + 1 :] for n in range(len(sealed)) for bit in (1, 128)]
    for wrong in [*spoiled, *(sealed[:n] for n in range(len(sealed)))]:
        with pytest.raises(UnsealError):
            unseal(ADA, "raw", wrong)
    assert "GenerateDataKey" not in calls


def store_branch(key: str) -> None:
    context = {"purpose": "branch-key", "id": MONTH.decode()}
    wrapped = boto3.client("kms").encrypt(KeyId=key, Plaintext=BRANCH_KEY, EncryptionContext=context)
    item: Any = {"pk": {"S": "K#branch"}, "sk": {"S": MONTH.decode()}, "wrapped": {"B": wrapped["CiphertextBlob"]}}
    boto3.client("dynamodb").put_item(TableName="Control", Item=item)


def test_the_published_vector(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Computed apart: RFC 5869 by two HMACs, then AES-256-GCM over "1|Control|ada|ring|tokens", no month."""
    store_branch(key)
    with monkeypatch.context() as edge:
        edge.setattr(os, "urandom", lambda size: NONCE if size == len(NONCE) else bytes(size))
        sealed = seal(ADA, "tokens", b"plain")
    assert sealed[: -len(b"plain") - 16] == b"\x01\x07" + MONTH + NONCE
    assert sealed[-len(b"plain") - 16 :].hex() == "d2a2c8364a4744675c8362fc3924ae58730a8cde7a"


def test_kms_is_asked_once_an_hour_however_many_sync(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for owner in (replace(ADA, connection=f"c{n}") for n in range(1_000)):
        unseal(owner, "raw", seal(owner, "raw", b"x"))
    assert calls == ["GenerateDataKey"]
    later = time.monotonic() + vault.KEPT_S + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    for _ in range(5):
        seal(ADA, "tokens", b"x")
    assert calls == ["GenerateDataKey", "Decrypt"]


def test_two_processes_that_make_the_months_key_at_once_end_with_one(calls: list[str]) -> None:
    """The other one is quicker: its key is stored between our look and our write."""
    others: list[bytes] = []

    def overtake(call: Asked) -> None:
        if call.operation == "GenerateDataKey" and not others:
            others.append(b"")
            vault._kept.clear()
            vault._new_branch(MONTH.decode())

    with watched(before=overtake):
        sealed = seal(ADA, "raw", b"ours")
    vault._kept.clear()  # a third process, which finds only what is stored
    assert unseal(ADA, "raw", sealed) == b"ours"
    assert calls.count("GenerateDataKey") == 2
    stored = boto3.client("dynamodb").scan(TableName="Control")["Items"]
    assert len(stored) == 1


def test_nothing_secret_is_shown_by_repr() -> None:
    shown = (
        repr(ADA)
        + repr(Connection("c1", "ada", "ring", "active", salt=b"s" * 32, sealed=b"SEALED"))
        + repr(App("id", "SECRET"))
        + repr(Hooks(b"SECRET"))
    )
    assert "sss" not in shown
    assert "SEALED" not in shown
    assert "SECRET" not in shown
