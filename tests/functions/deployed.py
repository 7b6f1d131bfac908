"""A running backend as an operator's command line finds it: a stack with outputs, dead letters behind every queue."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from moto.backends import get_backend

from tests.functions.standing import backend
from tests.functions.system import System

HOMES = ("fresh", "bulk", "segments", "exports", "imports", "changes")
QUEUES = (*HOMES, *(f"{name}-dead" for name in HOMES))
RESOURCE = {"Nothing": {"Type": "AWS::SNS::Topic"}}
OUTPUTS = {
    "DataTable": "DATA_TABLE",
    "ControlTable": "CONTROL_TABLE",
    "PublicUrl": "PUBLIC_URL",
    "FreshQueue": "FRESH_QUEUE",
    "BulkQueue": "BULK_QUEUE",
    "SegmentsQueue": "SEGMENTS_QUEUE",
    "ExportsQueue": "EXPORTS_QUEUE",
    "ImportsQueue": "IMPORTS_QUEUE",
    "ChangesQueue": "CHANGES_QUEUE",
}
TOLD = (
    "DATA_TABLE", "CONTROL_TABLE", "RAW_BUCKET", "VAULT_KEY", "APP_SECRET", "FRESH_QUEUE", "BULK_QUEUE",
    "SEGMENTS_QUEUE", "EXPORTS_QUEUE", "IMPORTS_QUEUE", "CHANGES_QUEUE", "PUBLIC_URL", "RETURN_ORIGINS",
    "DEAD_LETTER_QUEUES", "LONGEST_JOB_S", "EVENTS_LOG", "BACKUP_DAYS", "RAW_DAYS",
)  # fmt: skip
"""What a function is told by its environment."""


@contextmanager
def stack(aws: str, sandbox: httpx.Client | None = None) -> Iterator[System]:
    with backend(aws, sandbox) as system:
        outputs = {name: os.environ[variable] for name, variable in OUTPUTS.items()}
        outputs |= {f"{queue.capitalize()}Dlq": bury(system, queue) for queue in HOMES}
        outputs["WorkerFunction"] = worker(system)
        outputs |= {"EventsLog": os.environ["EVENTS_LOG"], "WebhookLog": "webhook"}
        system.aws("logs").create_log_group(logGroupName="webhook")
        body = {"Resources": RESOURCE, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}
        system.aws("cloudformation").create_stack(StackName="Tributary", TemplateBody=json.dumps(body))
        yield system


def queue(name: str) -> Any:
    """As SQS itself sees it, hidden messages and all."""
    return get_backend("sqs")["123456789012"]["us-east-1"].queues[name]


def put(system: System, name: str, body: str, **more: Any) -> str:
    """A message straight into a queue; its id."""
    sqs = system.aws("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    return str(sqs.send_message(QueueUrl=url, MessageBody=body, **more)["MessageId"])


def bury(system: System, queue: str) -> str:
    """What is received a second time dies."""
    sqs = system.aws("sqs")
    dead: str = sqs.create_queue(QueueName=f"{queue}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    url = system.env[f"{queue.upper()}_QUEUE"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
    return dead


def worker(system: System) -> str:
    """What its configuration says; nobody invokes it."""
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as bundle:
        bundle.writestr("nothing.py", "")
    role = system.aws("iam").create_role(RoleName="worker", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    made = system.aws("lambda").create_function(
        FunctionName="worker", Runtime="python3.13", Role=role, Handler="nothing.handler",
        Code={"ZipFile": empty.getvalue()}, Environment={"Variables": {name: os.environ[name] for name in TOLD}},
    )  # fmt: skip
    return str(made["FunctionName"])


def die(system: System, body: str, queue: str = "fresh", killed: bool = False) -> str:
    """Lets a worker fail with a message (or be killed by it) until it is among the dead letters; its id."""
    sqs, url = system.aws("sqs"), system.env[f"{queue.upper()}_QUEUE"]
    sqs.send_message(QueueUrl=url, MessageBody=body)
    [message] = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    if not killed:
        assert system.deliver(queue, [message]) == [message["MessageId"]]
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    return str(message["MessageId"])
