"""Our Lambda, written once: a folder under functions/, its own role with exactly what it may do, its own log group."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Annotations, Duration, IgnoreMode, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.alarm import alarm
from infra.grant import Grant
from infra.logs import LogGroup
from infra.settings import Settings

ROOT = Path(__file__).parent.parent
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
        layers: Sequence[lambda_.ILayerVersion],
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
            handler=f"functions.{name.partition('-')[0]}.handler.handler",
            code=code,
            layers=list(layers),
            memory_size=memory_mb,
            timeout=Duration.seconds(timeout_s),
            environment={**environment, "LOG_LEVEL": "INFO", "POWERTOOLS_SERVICE_NAME": name},
            role=role,
            log_group=log_group,
        )
        self.own_role = role
        errors = self.metric_errors(period=Duration.minutes(5), statistic="Sum")
        alarm(self, "Errors", errors, 1, f"{name} raised: its log group holds the error")


def _role(scope: Construct, id: str, may: Sequence[Grant]) -> iam.Role:
    us = iam.ServicePrincipal("lambda.amazonaws.com")
    granted = iam.PolicyDocument(statements=[grant.statement() for grant in may])
    return iam.Role(scope, id, assumed_by=us, inline_policies={"May": granted})


def code(root: Path = ROOT) -> lambda_.Code:
    """Bytecode stays out: this machine's Python is not Lambda's."""
    keep = ("!functions", "!shared", "!docs/openapi.json")
    return lambda_.Code.from_asset(str(root), exclude=["*", *keep, "**/__pycache__"], ignore_mode=IgnoreMode.DOCKER)


def dependencies(stack: Stack, folder: Path, id: str = "Dependencies") -> list[lambda_.ILayerVersion]:
    """What `make build` put into `folder`. The local AWS runs functions on our own Python and needs none."""
    if not folder.is_dir():
        advice = "Dependencies are not built: run `make build` before deploying to AWS."
        Annotations.of(stack).add_warning_v2("tributary:dependencies", advice)
        return []
    return [
        lambda_.LayerVersion(
            stack,
            id,
            code=lambda_.Code.from_asset(str(folder)),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[ARCHITECTURE],
        )
    ]
