"""The description and the API agree: Schemathesis asks what it allows, and what it does not, of every route."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.functions.described import described
from tests.functions.standing import backend
from tests.functions.system import System

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, negative_data_rejection,
]  # fmt: skip
MACHINE = "robot tributary/users:act"
schema = described()
schema.config.phases.coverage.unexpected_methods = set()  # those end at API Gateway


@pytest.fixture(scope="module")
def standing(aws: str) -> Iterator[System]:
    with backend(aws) as system:
        yield system


@schema.parametrize()
@settings(
    max_examples=4, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[*HealthCheck],
)  # fmt: skip
def test_no_route_fails_or_says_what_its_description_does_not(standing: System, case: schemathesis.Case) -> None:
    token = MACHINE if "x-user-id" in case.headers else "ada"
    case.call_and_validate(
        base_url=standing.url, headers={"authorization": f"Bearer {token}"}, checks=CHECKS, timeout=30,
        allow_redirects=False,
    )  # fmt: skip
