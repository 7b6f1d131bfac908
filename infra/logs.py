"""A log group that cannot be made without a retention and the key."""

from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings import LOG_RETENTION, Settings


class LogGroup(logs.LogGroup):
    def __init__(self, scope: Construct, id: str, key: kms.IKey, settings: Settings) -> None:
        super().__init__(
            scope,
            id,
            encryption_key=key,
            retention=LOG_RETENTION[settings.log_retention_days],
            removal_policy=settings.removal_policy,
        )
