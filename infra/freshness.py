"""The promise of freshness, provider by provider: what the worker measures, and when to raise an alarm."""

from collections.abc import Iterator

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.alarm import alarm
from shared.providers import Provider
from shared.providers.registry import providers

HOUR = Duration.hours(1)
MOST_SILENT = 0.2
"""The part of a provider's connections whose webhooks may be silent before it is the provider's fault, or ours."""


def watched() -> Iterator[Provider]:
    """Those that are asked, or that tell us; files come when they come."""
    return (provider for provider in providers() if provider.connects)


def metric(namespace: str, name: str, provider: Provider, statistic: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map={"provider": provider.id},
        period=HOUR,
        statistic=statistic,
    )


def alarms(scope: Construct, namespace: str) -> None:
    late, silent = Construct(scope, "Late"), Construct(scope, "Silent")
    for provider in watched():
        used = metric(namespace, "PromiseUsed", provider, "p95")
        alarm(late, provider.id, used, 1, f"{provider.name}: one in twenty news of an hour came later than promised")
        if provider.pushes:
            share = metric(namespace, "Silent", provider, "Average")
            means = f"{provider.name}: webhooks have stopped for one connection in five; polling stands in"
            alarm(silent, provider.id, share, MOST_SILENT, means)
