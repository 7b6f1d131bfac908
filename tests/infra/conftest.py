import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from infra import nag
from infra.settings import Settings
from infra.stack import Tributary

ROOT = Path(__file__).parents[2]
Synth = Callable[..., Template]


@pytest.fixture(scope="session")
def context() -> dict[str, Any]:
    """The defaults, as the CDK CLI would give them to the app; without libraries, which take long to bundle."""
    settings: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return settings | {"wheels": "build/wheels/nowhere"}


@pytest.fixture(scope="session")
def synth(context: dict[str, Any]) -> Synth:
    def build(outdir: Path | None = None, **overrides: str) -> Template:
        app = cdk.App(context=context | overrides, outdir=str(outdir) if outdir else None)
        stack = Tributary(app, Settings.from_context(app.node))
        if outdir:
            nag.check(app)
            app.synth()
        return Template.from_stack(stack)

    return build


@pytest.fixture(scope="session")
def default_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("default")


@pytest.fixture(scope="session")
def default(synth: Synth, default_out: Path) -> Template:
    return synth(default_out)


@pytest.fixture(scope="session")
def custom_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("custom")


@pytest.fixture(scope="session")
def custom(synth: Synth, custom_out: Path) -> Template:
    """Everything the other way round, as strings: what `-c` gives."""
    return synth(
        custom_out,
        stack_name="Wearables",
        domain="api.example.com",
        certificate_arn="arn:aws:acm:us-east-1:123456789012:certificate/1",
        origins='["https://app.example.com", "http://localhost:5173"]',
        oidc_issuer="https://id.example.com/",
        oidc_audience='["tributary"]',
        billing="provisioned",
        log_retention_days="2192",
        raw_retention_days="3",
        backfill_days="30",
        backup_days="35",
        removal="destroy",
        tags='{"team": "health"}',
        worker_timeout_s="100",
        worker_concurrency="2",
        alarm_topic_arn="arn:aws:sns:us-east-1:123456789012:ops",
    )
