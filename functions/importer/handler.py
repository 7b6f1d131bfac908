"""SQS imports: one large file an invocation, from the bucket to parts for the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.alone import serve
from shared.importing import read

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return serve(event, context, read)
