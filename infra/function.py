"""Our Lambda, written once: a folder under functions/, its own role with exactly what it may do, its own log group."""

import sys
from collections.abc import Mapping, Sequence

from aws_cdk import Annotations, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import bundle
from infra.alarm import alarm
from infra.grant import Grant
from infra.imported import ROOT
from infra.logs import LogGroup
from infra.settings import Settings

RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64


class Function(lambda_.Function):
    """`worker-bulk` is the folder `worker` again, on another queue."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        memory_mb: int,
        timeout_s: int,
        may: Sequence[Grant],
        environment: Mapping[str, str],
        code: lambda_.Code,
        key: kms.IKey,
        settings: Settings,
    ) -> None:
        id = "".join(part.capitalize() for part in name.split("-"))
        log_group = LogGroup(scope, f"{id}Logs", key, settings)
        write_logs = Grant("logs", ("CreateLogStream", "PutLogEvents"), log_group.log_group_arn)
        role = _role(scope, f"{id}Role", (write_logs, *may))
        super().__init__(
            scope,
            id,
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler=f"functions.{folder(name)}.handler.handler",
            code=code,
            memory_size=memory_mb,
            timeout=Duration.seconds(timeout_s),
            environment={**environment, "LOG_LEVEL": "INFO", "POWERTOOLS_SERVICE_NAME": name},
            role=role,
            log_group=log_group,
            # Each line that Lambda adds to ours costs as much as ours; what it would say is in its metrics.
            logging_format=lambda_.LoggingFormat.JSON,
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
        )
        self.own_role = role
        errors = self.metric_errors(period=Duration.minutes(5), statistic="Sum")
        alarm(self, "Errors", errors, 1, f"{name} raised: its log group holds the error")


def folder(name: str) -> str:
    """Under functions/."""
    return name.partition("-")[0]


def _role(scope: Construct, id: str, may: Sequence[Grant]) -> iam.Role:
    us = iam.ServicePrincipal("lambda.amazonaws.com")
    granted = iam.PolicyDocument(statements=[grant.statement() for grant in may])
    return iam.Role(scope, id, assumed_by=us, inline_policies={"May": granted})


def code(stack: Stack, wheels: str) -> dict[str, lambda_.Code]:
    """Every function's own bundle, by its name. `wheels` is what `make build` put the libraries for Lambda into; empty
    where Lambda is this machine, which has them."""
    libraries = ROOT / wheels if wheels else None
    if libraries and not (libraries / "made").exists():
        advice = "The libraries are not built: run `make build` before deploying to AWS."
        Annotations.of(stack).add_warning_v2("tributary:libraries", advice)
        libraries = None
    python = bundle.interpreter(bundle.PYTHON) if wheels else sys.executable
    if python is None:
        advice = f"There is no {bundle.PYTHON} here to compile bytecode with: every cold start will take twice as long."
        Annotations.of(stack).add_warning_v2("tributary:bytecode", advice)
    made = bundle.bundles(libraries, python)
    return {name: lambda_.Code.from_asset(str(each.zip)) for name, each in made.items()}
