"""Looks for secrets in plain text in all that a local system made: tables, objects, log lines, queues, metrics."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress

from ops.local import Local
from ops.stage import Stage

TABLES = ("DataTable", "ControlTable")
QUEUES = ("FreshQueue", "BulkQueue", "ChangesQueue", "FreshDlq", "BulkDlq", "ChangesDlq")


def tables(system: Local) -> Iterator[tuple[str, bytes]]:
    for name in TABLES:
        pages = system.client("dynamodb").get_paginator("scan").paginate(TableName=system.output(name))
        for item in (item for page in pages for item in page["Items"]):
            yield f"{name} {item['sk']}", repr(item).encode()
            for attribute in item.values():
                if "B" in attribute:
                    yield f"{name} {item['sk']}", inflated(bytes(attribute["B"]))


def inflated(data: bytes) -> bytes:
    """A packed section's content, or the bytes themselves."""
    with suppress(zlib.error):
        return zlib.decompress(data[1:], wbits=-15)
    return data


def objects(system: Local) -> Iterator[tuple[str, bytes]]:
    s3, bucket = system.client("s3"), system.output("RawBucket")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", []):
            yield found["Key"], s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()


def logs(system: Local) -> Iterator[tuple[str, bytes]]:
    client = system.client("logs")
    for group in client.describe_log_groups()["logGroups"]:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for event in (event for page in pages for event in page["events"]):
            yield group["logGroupName"], event["message"].encode()
    yield "the emulator's own log", (system.folder / "ministack.log").read_bytes()


def queues(system: Local) -> Iterator[tuple[str, bytes]]:
    sqs = system.client("sqs")
    for name in QUEUES:
        while batch := sqs.receive_message(QueueUrl=system.output(name), MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                yield name, message["Body"].encode()
                sqs.delete_message(QueueUrl=system.output(name), ReceiptHandle=message["ReceiptHandle"])


def metrics(system: Local) -> Iterator[tuple[str, bytes]]:
    yield "metrics", json.dumps(system.client("cloudwatch").list_metrics()["Metrics"], default=str).encode()


def secrets(stage: Stage, system: Local) -> dict[str, list[bytes]]:
    """Each secret, and the ways it may be written: as it is, and in base64 at each of its three phases."""
    issued: list[str] = stage.sandbox.read("secrets")
    arn = system.output("AppSecret")
    app = json.loads(system.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    return {secret: [secret.encode(), *encoded(secret)] for secret in [*issued, app["hook_key"]]}


def encoded(secret: str) -> list[bytes]:
    return [base64.b64encode(b"\0" * phase + secret.encode())[4:-4] for phase in range(3)]


def leaks(system: Local, stage: Stage) -> list[str]:
    wanted = secrets(stage, system)
    assert len(wanted) > 10
    places = 0
    found = []
    for look in (tables, objects, logs, queues, metrics):
        for place, held in look(system):
            places += 1
            found += [place for spellings in wanted.values() if any(s in held for s in spellings)]
    assert places > 500, "the search looked nowhere"
    return found
