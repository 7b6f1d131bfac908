"""Everything that a local system holds, place by place: tables, objects, log lines, queues, metrics."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress

from ops.local import Local

TABLES = ("DataTable", "ControlTable")
QUEUES = (
    *("FreshQueue", "BulkQueue", "SegmentsQueue", "ExportsQueue", "ImportsQueue", "ChangesQueue"),
    *("FreshDlq", "BulkDlq", "SegmentsDlq", "ExportsDlq", "ImportsDlq", "ChangesDlq"),
)


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


def traces(system: Local, wanted: Iterable[bytes]) -> tuple[int, list[str]]:
    """How many places were searched, and those where one of the wanted stands."""
    needles = tuple(wanted)
    places = [
        (place, any(needle in held for needle in needles))
        for look in (tables, objects, logs, queues, metrics)
        for place, held in look(system)
    ]
    return len(places), sorted({place for place, found in places if found})
