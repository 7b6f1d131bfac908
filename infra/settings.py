"""What an operator may choose: cdk.json holds the defaults, `cdk deploy -c name=value` overrides them."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Node

# CloudWatch Logs accepts only certain retentions; 2192 days are HIPAA's six years.
LOG_RETENTION: Mapping[int, logs.RetentionDays] = {
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    731: logs.RetentionDays.TWO_YEARS,
    1827: logs.RetentionDays.FIVE_YEARS,
    2192: logs.RetentionDays.SIX_YEARS,
    3653: logs.RetentionDays.TEN_YEARS,
}
_ORIGIN = re.compile(r"https?://[\w.-]+(:\d+)?")
_URL = re.compile(r"https://\S+[^/\s]|http://(127\.0\.0\.1|localhost)(:\d+)?(/\S*)?")


@dataclass(frozen=True)
class Settings:
    stack_name: str
    public_url: str
    """Where browsers and providers reach the API, when neither `domain` nor the API's own address is right."""
    domain: str
    certificate_arn: str
    origins: tuple[str, ...]
    """Web origins: allowed by CORS, and as the place a person returns to after connecting."""
    oidc_issuer: str
    """Empty: a Cognito user pool is made. Otherwise the customer's own issuer, compared exactly with `iss`."""
    oidc_audience: tuple[str, ...]
    billing: str
    log_retention_days: int
    raw_retention_days: int
    backfill_days: int
    """How much older than a week what a new connection fetches may be."""
    backup_days: int
    keep_consent_proof: bool
    """Keep, of an erased person's consent ledger, its length and last hash: a proof that names nobody."""
    removal: str
    tags: Mapping[str, str]
    worker_timeout_s: int
    worker_concurrency: int
    """How many of each worker may run at once; 0: as many as the account allows. A limit keeps five pollers awake on an
    idle queue where two would do."""
    ring_shards: int
    """How many messages share the connections of one minute of polling. Raised, nobody is lost; lowered, they are."""
    alarm_topic_arn: str
    wheels: str
    """The folder of the functions' libraries, built for Lambda; empty where Lambda is this machine."""

    @classmethod
    def from_context(cls, node: Node) -> "Settings":
        """Raises ValueError naming every wrong value and what to write instead."""
        return cls(**{field.name: _read(node, field.name, field.type) for field in fields(cls)})

    @property
    def retain(self) -> bool:
        return self.removal == "retain"

    @property
    def removal_policy(self) -> RemovalPolicy:
        """What becomes of whatever holds data, its key and its logs when the stack is deleted."""
        return RemovalPolicy.RETAIN if self.retain else RemovalPolicy.DESTROY

    def __post_init__(self) -> None:
        rules = (
            (re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,40}", self.stack_name), "stack_name: letters, digits and '-'"),
            (not self.public_url or _URL.fullmatch(self.public_url), "public_url: https://…, no '/' at the end"),
            (
                bool(self.domain) == bool(self.certificate_arn),
                "domain and certificate_arn: set both, the certificate in ACM in the stack's region, or neither",
            ),
            ("/" not in self.domain, "domain: a bare host name such as api.example.com"),
            (all(map(_ORIGIN.fullmatch, self.origins)), "origins: scheme and host only, as https://app.example.com"),
            (
                bool(self.oidc_issuer) == bool(self.oidc_audience),
                "oidc_issuer and oidc_audience: set both to use your own sign-in, or neither to get a user pool",
            ),
            (not self.oidc_issuer or _URL.match(self.oidc_issuer), "oidc_issuer: the https:// URL found in `iss`"),
            (self.billing in ("on_demand", "provisioned"), "billing: on_demand or provisioned"),
            (self.removal in ("retain", "destroy"), "removal: retain or destroy"),
            (
                self.log_retention_days in LOG_RETENTION,
                f"log_retention_days: one of {', '.join(map(str, LOG_RETENTION))}",
            ),
            (self.raw_retention_days >= 1, "raw_retention_days: at least 1"),
            (1 <= self.backfill_days <= 365, "backfill_days: 1 to 365"),
            (1 <= self.backup_days <= 35, "backup_days: 1 to 35, the range DynamoDB offers"),
            (20 <= self.worker_timeout_s <= 840, "worker_timeout_s: 20 to 840, so that one SQS delay outlasts it"),
            (
                self.worker_concurrency == 0 or 2 <= self.worker_concurrency <= 1000,
                "worker_concurrency: 2 to 1000, or 0 for as many as the account allows",
            ),
            (1 <= self.ring_shards <= 64, "ring_shards: 1 to 64, and never fewer than before"),
        )
        if wrong := [advice for fine, advice in rules if not fine]:
            raise ValueError("Check cdk.json and -c: " + "; ".join(wrong))


def _read(node: Node, name: str, kind: Any) -> Any:
    value = node.try_get_context(name)
    if value is None:
        raise ValueError(f"{name} is missing: run the CDK CLI beside cdk.json, which holds the defaults")
    try:
        return _READERS[kind](value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected {_EXAMPLES[kind].format(name=name)}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return int(value)


def _json(value: Any, kind: type) -> Any:
    """`-c` always gives a string, cdk.json gives the value itself."""
    parsed = json.loads(value) if isinstance(value, str) else value
    if not isinstance(parsed, kind):
        raise TypeError
    return parsed


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in _json(value, list))


def _pairs(value: Any) -> Mapping[str, str]:
    return {name: _text(text) for name, text in _json(value, dict).items()}


_READERS: Mapping[Any, Callable[[Any], Any]] = {
    str: _text,
    int: _whole,
    bool: lambda value: bool(_json(value, bool)),
    tuple[str, ...]: _texts,
    Mapping[str, str]: _pairs,
}
_EXAMPLES: Mapping[Any, str] = {
    str: "text, as -c {name}=value",
    int: "a whole number, as -c {name}=30",
    bool: "true or false, as -c {name}=true",
    tuple[str, ...]: 'a JSON list, as -c {name}=\'["one", "two"]\'',
    Mapping[str, str]: 'a JSON object, as -c {name}=\'{{"team": "health"}}\'',
}
