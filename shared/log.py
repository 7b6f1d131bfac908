"""One structured logger. What it is given are identifiers, counts and reasons: never a value, a token or a name."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cache

from aws_lambda_powertools import Logger

from shared.settings import settings

UNITS = {"Lag": "Seconds", "PromiseUsed": "None", "Silent": "None"}
MOST_VALUES = 100
"""That CloudWatch takes of one metric in one line."""


@cache
def logger() -> Logger:
    """Its time in the one spelling that Lambda reads, which else takes every line for one of level INFO."""
    return Logger(use_rfc3339=True)


def measure(provider: str, values: Mapping[str, Sequence[float]]) -> None:
    """Metrics by provider, as CloudWatch's embedded metric format: a line of the log that CloudWatch also counts.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    for name, found in values.items():
        for start in range(0, len(found), MOST_VALUES):
            told = {
                "Namespace": settings().metrics_namespace,
                "Dimensions": [["provider"]],
                "Metrics": [{"Name": name, "Unit": UNITS[name]}],
            }
            aws = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [told]}
            part = list(found[start : start + MOST_VALUES])
            logger().info("measured", extra={"_aws": aws, "provider": provider, name: part})
