"""ANY /v1/webhooks/{provider}[/{key}]: verify, queue, answer. Imports nothing it can do without: this door must be
open within milliseconds."""

from __future__ import annotations

import base64
import json
from typing import Any

from shared.door import take
from shared.errors import BadRequestError
from shared.jobs import now_ms
from shared.providers.registry import provider
from shared.secret import apps
from shared.webhooks import Call, answer


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    name, method = event["pathParameters"]["provider"], event["requestContext"]["http"]["method"]
    said: dict[str, Any] = {"provider": name, "method": method}
    try:
        reply = greet(event) if method in ("GET", "HEAD") else receive(event, said)
    except BadRequestError as error:
        said |= {"refused": error.code}
        reply = {"statusCode": error.status, "body": json.dumps({"error": {"code": error.code, "message": str(error)}})}
    # The route and the outcome: never the path, whose last part is a secret.
    print(json.dumps({**said, "status": reply["statusCode"]}))
    return reply


def greet(event: dict[str, Any]) -> dict[str, Any]:
    params = event["pathParameters"]
    echoed = answer(
        provider(params["provider"]),
        apps().hooks,
        params.get("key"),
        event.get("queryStringParameters") or {},
        now_ms(),
    )
    body = "" if echoed is None else json.dumps(echoed)
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": body}


def receive(event: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    params, body = event["pathParameters"], event.get("body") or ""
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    headers = {name.lower(): value for name, value in event["headers"].items()}
    said |= take(provider(params["provider"]), apps(), Call(headers, raw, params.get("key"), now_ms()))
    return {"statusCode": 200, "body": ""}
