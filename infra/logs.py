"""A log group that cannot be made without a retention and the key."""

from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings import LOG_RETENTION, Settings


class LogGroup(logs.LogGroup):
    def __init__(self, scope: Construct, id: str, key: kms.IKey, settings: Settings, days: int = 0) -> None:
        """`days` where the retention is not the operator's choice."""
        super().__init__(
            scope,
            id,
            encryption_key=key,
            retention=LOG_RETENTION[days or settings.log_retention_days],
            removal_policy=settings.removal_policy,
        )
