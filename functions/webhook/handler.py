"""ANY /v1/webhooks/{provider}[/{key}]: verify, queue, answer. Imports nothing it can do without: this door must be
open within milliseconds."""

from __future__ import annotations

import base64
import json
from typing import Any

from shared.door import take
from shared.errors import BadRequestError, ProviderUnavailableError
from shared.jobs import now_ms
from shared.providers.registry import provider
from shared.secret import apps
from shared.webhooks import Call, answer, hook_of


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    name, method = event["pathParameters"]["provider"], event["requestContext"]["http"]["method"]
    said: dict[str, Any] = {"provider": name, "method": method}
    try:
        reply = greet(event) if method in ("GET", "HEAD") else receive(event, said)
    except BadRequestError as error:
        said |= {"refused": error.code}
        reply = {"statusCode": error.status, "body": json.dumps({"error": {"code": error.code, "message": str(error)}})}
    except ProviderUnavailableError:  # what would prove the call cannot be had now: the vendor calls again
        said |= {"refused": "unproven"}
        reply = {"statusCode": 503, "body": ""}
    # The route and the outcome: never the path, whose last part is a secret.
    print(json.dumps({**said, "status": reply["statusCode"]}))
    return reply


def greet(event: dict[str, Any]) -> dict[str, Any]:
    params = event["pathParameters"]
    source, known = provider(params["provider"]), apps()
    query, app = event.get("queryStringParameters") or {}, known.providers.get(params["provider"])
    echoed = answer(source, known.hooks, params.get("key"), query, now_ms(), app)
    body = json.dumps(echoed) if echoed else ""
    return {"statusCode": hook_of(source).answer(b""), "headers": {"content-type": "application/json"}, "body": body}


def receive(event: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    params, body = event["pathParameters"], event.get("body") or ""
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    headers = {name.lower(): value for name, value in event["headers"].items()}
    source = provider(params["provider"])
    said |= take(source, apps(), Call(headers, raw, params.get("key"), now_ms()))
    return {"statusCode": hook_of(source).answer(raw), "body": ""}
