"""SQS exports: one export an invocation, from the tables to a file in the bucket. Only this function carries what
writes Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.alone import serve
from shared.exporting.job import export

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(event, context, export)
