"""Where an operator's command works: the local system that is up, or a stack in an AWS account."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from ops.local import Local, LocalError, running

STACK = "Tributary"
OURS_ALONE = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")
"""What would speak against the credentials a command has chosen."""


class DeploymentError(Exception):
    """There is no such deployment, or it is of another version; the text says what can be done."""


@dataclass(frozen=True)
class Deployment:
    """A deployed stack: its outputs and the way to its AWS. `endpoint` is that of an emulator."""

    name: str
    stack: str
    outputs: Mapping[str, str]
    session: boto3.session.Session
    endpoint: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def output(self, name: str) -> str:
        if name not in self.outputs:
            raise DeploymentError(f"{self.name} has no output {name}: deploy this version of Tributary first")
        return self.outputs[name]

    def client(self, service: str) -> Any:
        if service not in self._clients:
            around = Config(proxies={}) if self.endpoint else None
            made = self.session.client(service, endpoint_url=self.endpoint, config=around)  # type: ignore[call-overload]
            self._clients[service] = made
        return self._clients[service]

    def scan(self, condition: str, projection: str, **given: str) -> Iterator[Mapping[str, Any]]:
        """The whole Control table, item by item. No function may do this; an operator seldom does."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(
            TableName=self.output("ControlTable"),
            FilterExpression=condition,
            ProjectionExpression=projection,
            ExpressionAttributeValues={f":{name}": {"S": value} for name, value in given.items()},
        )  # fmt: skip
        return (item for page in pages for item in page["Items"])

    @contextmanager
    def entered(self) -> Iterator[None]:
        """For as long as the block runs, `shared` is told what the worker is told, and acts as the operator."""
        told: dict[str, str | None] = {**dict.fromkeys(OURS_ALONE), **self._environment()}
        before = {name: os.environ.get(name) for name in told}
        setenv(told)
        try:
            yield
        finally:
            setenv(before)

    def told(self) -> Mapping[str, str]:
        """What the worker is told."""
        worker = self.client("lambda").get_function_configuration(FunctionName=self.output("WorkerFunction"))
        variables: Mapping[str, str] = worker["Environment"]["Variables"]
        return variables

    def _environment(self) -> dict[str, str]:
        found = self.session.get_credentials()
        if found is None:
            raise DeploymentError("no AWS credentials; set AWS_PROFILE, or what else your account is entered by")
        keys = found.get_frozen_credentials()
        told = {
            **self.told(),
            "AWS_REGION": str(self.session.region_name),
            "AWS_DEFAULT_REGION": str(self.session.region_name),
            "AWS_ACCESS_KEY_ID": str(keys.access_key),
            "AWS_SECRET_ACCESS_KEY": str(keys.secret_key),
        }
        if keys.token:
            told["AWS_SESSION_TOKEN"] = keys.token
        if self.endpoint:
            told |= {"AWS_ENDPOINT_URL": self.endpoint, "NO_PROXY": "127.0.0.1"}
        return told


def setenv(values: Mapping[str, str | None]) -> None:
    """None takes a variable away."""
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def of_local(system: Local) -> Deployment:
    if system.outputs is None:
        raise LocalError(f"{system.name} is still starting")
    return Deployment(f"the local system {system.name}", STACK, system.outputs, system.session, system.aws)


def of_stack(name: str, region: str | None) -> Deployment:
    """By the outputs CloudFormation knows. Raises DeploymentError."""
    session = boto3.session.Session(region_name=region or os.environ.get("AWS_REGION"))
    if not session.region_name:
        raise DeploymentError("in which region? Say --region, or set AWS_REGION")
    try:
        [stack] = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise DeploymentError(
            f"no stack {name} in {session.region_name}; say --stack, --region, or start one with `tributary up`"
        ) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    return Deployment(f"stack {name} in {session.region_name}", name, outputs, session)


def find(options: argparse.Namespace) -> Deployment:
    """What the command names; else the local system, if one is up; else the stack called Tributary."""
    if options.stack or options.region:
        return of_stack(options.stack or STACK, options.region)
    try:
        return of_local(running())
    except LocalError:
        if options.local:
            raise
    return of_stack(STACK, None)


Run = Callable[[Deployment, argparse.Namespace], int]


def operator_command(commands: Any, name: str, run: Run, text: str) -> argparse.ArgumentParser:
    """A command that works at a deployment, and says first at which."""

    def at_deployment(options: argparse.Namespace) -> int:
        found = find(options)
        print(f"at {found.name}", file=sys.stderr)
        with found.entered():
            return run(found, options)

    made: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    place = made.add_argument_group("where", "without these: the local system if one is up, else the stack Tributary")
    place.add_argument("--local", action="store_true", help="the local system and no other")
    place.add_argument("--stack", default="", help="a stack in the AWS account of your credentials")
    place.add_argument("--region", default="", help="its region, if not AWS_REGION")
    made.set_defaults(run=at_deployment)
    return made
