"""AWS's services as we ask them, over moto: bytes, refusals and objects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import control, objects
from shared.aws import dynamodb, kms, logs
from shared.signed import AwsError
from tests.functions.standing import ENV
from tests.functions.system import forget, make_resources

plain = st.recursive(
    st.binary(min_size=1) | st.text() | st.integers(-(10**30), 10**30) | st.booleans()
    | st.frozensets(st.text(min_size=1), min_size=1),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["B", "S", "M", "a"]), inner),
    max_leaves=8,
)  # fmt: skip


@pytest.fixture(autouse=True)
def there(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    httpx.post(f"{aws}/moto-api/reset")
    for name, value in {**ENV, "AWS_ENDPOINT_URL": aws}.items():
        monkeypatch.setenv(name, value)
    made = make_resources(aws, {})
    for name, value in {**made, "PUBLIC_URL": "https://x.example", "DEAD_LETTER_QUEUES": ""}.items():
        monkeypatch.setenv(name, value)
    yield
    forget()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(values=st.dictionaries(st.sampled_from(["B", "data", "N"]), plain))
def test_an_item_comes_back_as_it_was_put_and_boto3_sees_the_same(values: dict[str, Any]) -> None:
    item = control.values({"pk": "p", "sk": "s", **values})
    dynamodb().put_item(TableName="Data", Item=item)
    found = [
        dynamodb().get_item(TableName="Data", Key=control.key("p", "s"))["Item"],
        dynamodb().batch_get_item(RequestItems={"Data": {"Keys": [control.key("p", "s")]}})["Responses"]["Data"][0],
        boto3.client("dynamodb").get_item(TableName="Data", Key=control.key("p", "s"))["Item"],
    ]
    assert [control.plain(each) for each in found] == [control.plain(item)] * 3


def test_a_condition_that_fails_is_told_from_other_refusals_and_shows_what_stood_there() -> None:
    dynamodb().put_item(TableName="Data", Item=control.values({"pk": "p", "sk": "s", "held": b"\xff"}))
    asked: Any = {
        "TableName": "Data", "Key": control.key("p", "s"), "UpdateExpression": "SET x = :x",
        "ExpressionAttributeValues": {":x": {"N": "1"}}, "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }  # fmt: skip
    with pytest.raises(AwsError) as stood:
        dynamodb().update_item(**asked)
    with pytest.raises(AwsError) as wrong:
        dynamodb().update_item(**asked | {"TableName": "Nowhere"})
    assert [stood.value.code, wrong.value.code] == ["ConditionalCheckFailedException", "ResourceNotFoundException"]
    held, item = control.tried("p", "s", "SET #x = :x", {"x": 1}, "attribute_not_exists(pk)", {"#x": "x"})
    assert (held, item) == (True, {"pk": "p", "sk": "s", "x": 1}), "another table"
    control.put({"pk": "q", "sk": "s", "held": b"\xff"})
    found = control.tried("q", "s", "SET #x = :x", {"x": 1}, "attribute_not_exists(pk)", {"#x": "x"})
    assert found == (False, {"pk": "q", "sk": "s", "held": b"\xff"})


def test_a_transaction_that_is_refused_says_so() -> None:
    control.put({"pk": "p", "sk": "s"})
    new = {"ConditionExpression": "attribute_not_exists(pk)", "TableName": "Control"}
    writes: Any = [{"Put": {"Item": control.key(pk, "s"), **new}} for pk in ("p", "q")]
    with pytest.raises(AwsError) as refused:
        dynamodb().transact_write_items(TransactItems=writes)
    assert refused.value.code == "TransactionCanceledException"
    assert control.get("q", "s") is None


def test_kms_gives_and_takes_bytes() -> None:
    key = os.environ["VAULT_KEY"]
    made = kms().generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"a": "b"})
    assert (type(made["Plaintext"]), len(made["Plaintext"])) == (bytes, 32)
    told = {"CiphertextBlob": made["CiphertextBlob"], "KeyId": key}
    assert kms().decrypt(**told, EncryptionContext={"a": "b"})["Plaintext"] == made["Plaintext"]
    with pytest.raises(AwsError) as refused:
        kms().decrypt(**told, EncryptionContext={"a": "c"})
    assert refused.value.code == "InvalidCiphertextException"


def test_a_missing_stream_of_a_log_has_a_code_too() -> None:
    with pytest.raises(AwsError) as refused:
        logs().put_log_events(logGroupName="events", logStreamName="nobody", logEvents=[])
    assert refused.value.code == "ResourceNotFoundException"


def test_an_object_is_read_whole_or_by_a_span() -> None:
    body = bytes(range(256))
    objects.put("raw/2026/a b+c", body)
    assert objects.get("raw/2026/a b+c") == body
    assert objects.get("raw/2026/a b+c", 10, 5) == body[10:15]
    assert boto3.client("s3").get_object(Bucket="raw", Key="raw/2026/a b+c")["Body"].read() == body
    with pytest.raises(AwsError) as gone:
        objects.get("raw/2026/another", 1, 1)
    assert gone.value.code == "NoSuchKey"
