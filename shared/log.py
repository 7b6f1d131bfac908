"""One structured logger. What it is given are identifiers, counts and reasons: never a value, a token or a name."""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools import Logger


@cache
def logger() -> Logger:
    return Logger()
