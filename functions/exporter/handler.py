"""SQS exports: one export an invocation, from the tables to a file in the bucket. Only this function carries what
writes Parquet."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.alone import serve
from shared.exporting.job import export


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(event, context, export)
