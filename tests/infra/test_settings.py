from typing import Any

import aws_cdk as cdk
import pytest

from infra.settings import Settings


def settings(context: dict[str, Any], **overrides: Any) -> Settings:
    return Settings.from_context(cdk.App(context=context | overrides).node)


def test_values_from_the_command_line_are_strings(context: dict[str, Any]) -> None:
    read = settings(
        context, origins='["https://a.example"]', tags='{"team": "health"}', raw_retention_days="3", removal="destroy"
    )
    assert read.origins == ("https://a.example",)
    assert read.tags == {"team": "health"}
    assert read.raw_retention_days == 3
    assert not read.retain


def test_the_local_aws_may_be_plain_http(context: dict[str, Any]) -> None:
    local = "http://127.0.0.1:4966/_aws/execute-api/tributary"
    read = settings(context, public_url=local, oidc_issuer="http://127.0.0.1:9999", oidc_audience=["a"])
    assert read.public_url == local


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"billing": "cheap"}, "billing: on_demand or provisioned"),
        ({"removal": "keep"}, "removal: retain or destroy"),
        ({"domain": "api.example.com"}, "domain and certificate_arn: set both"),
        ({"certificate_arn": "arn:aws:acm:us-east-1:1:certificate/1"}, "domain and certificate_arn: set both"),
        ({"domain": "https://api.example.com/", "certificate_arn": "a"}, "domain: a bare host name"),
        ({"oidc_issuer": "https://id.example.com"}, "oidc_issuer and oidc_audience: set both"),
        ({"oidc_audience": ["tributary"]}, "oidc_issuer and oidc_audience: set both"),
        ({"oidc_issuer": "http://id.example.com", "oidc_audience": ["a"]}, "oidc_issuer: the https:// URL"),
        ({"origins": ["https://app.example.com/"]}, "origins: scheme and host only"),
        ({"origins": ["*"]}, "origins: scheme and host only"),
        ({"origins": "https://app.example.com"}, "origins: expected a JSON list"),
        ({"tags": '["team"]'}, "tags: expected a JSON object"),
        ({"tags": {"team": 1}}, "tags: expected a JSON object"),
        ({"public_url": "http://api.example.com"}, "public_url: https://"),
        ({"public_url": "https://api.example.com/"}, "public_url: https://"),
        ({"log_retention_days": 91}, "log_retention_days: one of 7, 14"),
        ({"raw_retention_days": 0}, "raw_retention_days: at least 1"),
        ({"raw_retention_days": "a week"}, "raw_retention_days: expected a whole number"),
        ({"raw_retention_days": 1.5}, "raw_retention_days: expected a whole number"),
        ({"backfill_days": 366}, "backfill_days: 1 to 365"),
        ({"backup_days": 36}, "backup_days: 1 to 35"),
        ({"ring_shards": 0}, "ring_shards: 1 to 64"),
        ({"worker_concurrency": 1}, "worker_concurrency: 2 to 1000"),
        ({"worker_timeout_s": 841}, "worker_timeout_s: 20 to 840"),
        ({"stack_name": "my stack"}, "stack_name: letters"),
        ({"stack_name": 7}, "stack_name: expected text"),
    ],
)
def test_a_wrong_value_says_what_to_write(context: dict[str, Any], wrong: dict[str, Any], advice: str) -> None:
    with pytest.raises(ValueError, match=advice.replace("(", r"\(")):
        settings(context, **wrong)


def test_every_wrong_value_is_named_at_once(context: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"billing: .*; removal: "):
        settings(context, billing="", removal="")


def test_a_missing_value_names_cdk_json() -> None:
    with pytest.raises(ValueError, match=r"stack_name is missing: .*cdk\.json"):
        Settings.from_context(cdk.App().node)
