"""One screen: doors, queues, workers, tables, freshness."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra import freshness
from infra.api import Api
from infra.function import Function
from infra.queue import Queue
from infra.storage import Storage

MINUTE = Duration.minutes(1)


def dashboard(
    scope: Construct,
    namespace: str,
    api: Api,
    queues: Sequence[Queue],
    functions: Mapping[str, Function],
    store: Storage,
) -> cloudwatch.Dashboard:
    rows = [_doors(api), _queues(queues), _functions(functions), _tables(store), _freshness(namespace)]
    return cloudwatch.Dashboard(scope, "Dashboard", widgets=rows)


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.IWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8)


def _doors(api: Api) -> list[cloudwatch.IWidget]:
    requests = api.metric_count(period=MINUTE, statistic="Sum")
    refused = api.metric_client_error(period=MINUTE, statistic="Sum")
    latency = (api.metric_latency(period=MINUTE, statistic=quantile) for quantile in ("p50", "p99"))
    return [
        _graph("Doors: requests", requests),
        _graph("Doors: refused and failed", refused, api.server_errors()),
        _graph("Doors: latency", *latency),
    ]


def _queues(queues: Sequence[Queue]) -> list[cloudwatch.IWidget]:
    waiting = (queue.metric_approximate_number_of_messages_visible(period=MINUTE) for queue in queues)
    return [
        _graph("Queues: waiting", *waiting),
        _graph("Queues: oldest, s", *(queue.oldest_s() for queue in queues)),
        _graph("Dead letters", *(queue.dead_letters() for queue in queues)),
    ]


def _functions(functions: Mapping[str, Function]) -> list[cloudwatch.IWidget]:
    workers = [functions["worker"], functions["worker-bulk"]]
    everyone = functions.values()
    durations = (worker.metric_duration(period=MINUTE, statistic=p) for worker in workers for p in ("p50", "p99"))
    return [
        _graph("Workers: duration", *durations),
        _graph("Functions: errors", *(each.metric_errors(period=MINUTE) for each in everyone)),
        _graph("Functions: throttles", *(each.metric_throttles(period=MINUTE) for each in everyone)),
    ]


def _tables(store: Storage) -> list[cloudwatch.IWidget]:
    tables = (store.data, store.control)
    throttled = (_throttled(table.table_name, way) for table in tables for way in ("Read", "Write"))
    return [
        _graph("Tables: read units", *(table.metric_consumed_read_capacity_units(period=MINUTE) for table in tables)),
        _graph("Tables: write units", *(table.metric_consumed_write_capacity_units(period=MINUTE) for table in tables)),
        _graph("Tables: throttled", *throttled),
    ]


def _freshness(namespace: str) -> list[cloudwatch.IWidget]:
    lags = (freshness.metric(namespace, "Lag", provider, "p95") for provider in freshness.watched())
    used = (freshness.metric(namespace, "PromiseUsed", provider, "p95") for provider in freshness.watched())
    silent = (freshness.metric(namespace, "Silent", p, "Average") for p in freshness.watched() if p.pushes)
    return [
        _graph("Freshness: lag of news, s, p95", *lags),
        _graph("Freshness: part of the promise used, p95", *used),
        _graph("Webhooks: part of connections silent", *silent),
    ]


def _throttled(table_name: str, way: str) -> cloudwatch.Metric:
    name, whose = f"{way}ThrottleEvents", {"TableName": table_name}
    return cloudwatch.Metric(
        namespace="AWS/DynamoDB", metric_name=name, dimensions_map=whose, period=MINUTE, statistic="Sum"
    )
