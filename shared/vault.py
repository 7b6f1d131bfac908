"""Sealing: KMS → branch keys → one key per connection → AES-256-GCM.

    version (1) | length of the branch key's id (1) | id | nonce (12) | ciphertext and tag

A branch key is made monthly by `GenerateDataKey`, stored wrapped, and kept in memory for an hour at most, so a revoked
KMS key takes effect within that hour. A connection's key is HKDF-SHA256(branch key, its salt, its names): destroying
the salt makes everything sealed for that connection unreadable, wherever a copy lies. The associated data names what
is sealed, so a ciphertext moved to another user, provider or purpose does not open.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from threading import Lock
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.aws import dynamodb, kms
from shared.errors import TributaryError
from shared.settings import settings
from shared.signed import AwsError
from shared.values import dataclass, field

VERSION = 1
NONCE = 12
KEPT_S = 3600
Purpose = Literal["tokens", "raw", "payload", "hook"]


class UnsealError(TributaryError):
    """What was sealed does not open here: another owner, another purpose, a changed byte, or a destroyed salt."""


@dataclass(frozen=True)
class Owner:
    """Whose secret it is. `salt` is the connection's own 32 random bytes."""

    user: str
    provider: str
    connection: str
    salt: bytes = field(repr=False)

    def aad(self, table: str, purpose: Purpose) -> bytes:
        return "|".join((str(VERSION), table, self.user, self.provider, purpose)).encode()


def seal(owner: Owner, purpose: Purpose, plain: bytes) -> bytes:
    branch = _current_branch()
    nonce, name = os.urandom(NONCE), branch.encode()
    sealed = AESGCM(_key(_branch_key(branch, make=True), owner)).encrypt(
        nonce, plain, owner.aad(settings().control_table, purpose)
    )
    return bytes([VERSION, len(name)]) + name + nonce + sealed


def unseal(owner: Owner, purpose: Purpose, sealed: bytes) -> bytes:
    """Raises UnsealError."""
    if not sealed or sealed[0] != VERSION:
        raise UnsealError("sealed by a version this code does not know")
    try:
        start = 2 + sealed[1]
        branch, nonce = sealed[2:start].decode(), sealed[start : start + NONCE]
        if not branch:
            raise ValueError("names no branch key")
        aad = owner.aad(settings().control_table, purpose)
        return AESGCM(_key(_branch_key(branch), owner)).decrypt(nonce, sealed[start + NONCE :], aad)
    except (InvalidTag, IndexError, ValueError) as error:  # changed, or cut short
        raise UnsealError("this ciphertext was not sealed for this owner and purpose") from error


def is_current(sealed: bytes) -> bool:
    """Sealed under this month's branch key."""
    return sealed[2 : 2 + sealed[1]].decode() == _current_branch()


def _key(branch_key: bytes, owner: Owner) -> bytes:
    info = f"{owner.user}|{owner.provider}|{owner.connection}".encode()
    return HKDF(SHA256(), 32, owner.salt, info).derive(branch_key)


# ---------------------------------------------------------------- branch keys

_kept: dict[str, tuple[float, bytes]] = {}
_opening = Lock()


def _current_branch() -> str:
    return datetime.now(UTC).strftime("%Y-%m")


def _branch_key(branch: str, make: bool = False) -> bytes:
    with _opening:
        kept = _kept.get(branch)
        if kept and time.monotonic() - kept[0] < KEPT_S:
            return kept[1]
        key = _stored_branch(branch) or (_new_branch(branch) if make else None)
        if key is None:
            raise UnsealError("sealed under a branch key that is not here")
        _kept[branch] = (time.monotonic(), key)
        return key


def _stored_branch(branch: str) -> bytes | None:
    reply = dynamodb().get_item(
        TableName=settings().control_table, Key={"pk": {"S": "K#branch"}, "sk": {"S": branch}}, ConsistentRead=True
    )
    if "Item" not in reply:
        return None
    context = {"purpose": "branch-key", "id": branch}
    wrapped = bytes(reply["Item"]["wrapped"]["B"])
    return kms().decrypt(CiphertextBlob=wrapped, KeyId=settings().vault_key, EncryptionContext=context)["Plaintext"]


def _new_branch(branch: str) -> bytes:
    """Made once by whoever needs it first; everybody else reads theirs."""
    made = kms().generate_data_key(
        KeyId=settings().vault_key, KeySpec="AES_256", EncryptionContext={"purpose": "branch-key", "id": branch}
    )
    try:
        dynamodb().put_item(
            TableName=settings().control_table,
            Item={"pk": {"S": "K#branch"}, "sk": {"S": branch}, "wrapped": {"B": made["CiphertextBlob"]}},
            ConditionExpression="attribute_not_exists(pk)",
        )
    except AwsError as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        stored = _stored_branch(branch)
        if stored is None:
            raise UnsealError(f"the branch key {branch} vanished while it was made") from error
        return stored
    return made["Plaintext"]
