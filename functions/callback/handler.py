"""GET /v1/callback/{provider}: the person is back from the consent page."""

from __future__ import annotations

import json
from html import escape
from typing import Any
from urllib.parse import urlencode

from shared import connections, oauth
from shared.errors import BadRequestError, TributaryError
from shared.jobs import now_ms
from shared.log import logger
from shared.providers import Provider
from shared.providers.registry import provider
from shared.secret import apps

PAGE = "<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><p>{text}</p>"


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    query = event.get("queryStringParameters") or {}
    as_json = "application/json" in event["headers"].get("accept", "")
    try:
        source = provider(event["pathParameters"]["provider"])
        return arrived(source, query, as_json)
    except TributaryError as error:
        status = error.status if isinstance(error, BadRequestError) else 502
        logger().info("callback failed", extra={"error": type(error).__name__, "at": now_ms()})
        return answer(status, "Not connected", str(error), as_json, {"error": {"message": str(error)}})


def arrived(source: Provider, query: dict[str, str], as_json: bool) -> dict[str, Any]:
    if "state" not in query:
        raise BadRequestError("this address is for coming back from a consent page", "state")
    if "error" in query:
        back = oauth.landing(source.id, query["state"])
        told = {"error": "access_denied", "provider": source.id}
        text = f"{source.name} was not connected. You can close this window and try again."
        return redirect(back, told) if back else answer(400, "Not connected", text, as_json, told)
    held, back = oauth.finish(source, apps(), query)
    made = connections.load(held.id)
    told = {"connected": held.provider, "connection": held.id, "job": made.backfill if made else ""}
    text = f"{source.name} is connected; the last days are on their way. You can close this window."
    return redirect(back, told) if back and not as_json else answer(200, "Connected", text, as_json, told)


def redirect(url: str, params: dict[str, str]) -> dict[str, Any]:
    base, hash_, fragment = url.partition("#")
    query = f"{'&' if '?' in base else '?'}{urlencode(params)}"
    return {"statusCode": 303, "headers": {"location": f"{base}{query}{hash_}{fragment}"}}


def answer(status: int, title: str, text: str, as_json: bool, told: dict[str, Any]) -> dict[str, Any]:
    if as_json:
        return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(told)}
    page = PAGE.format(title=escape(title), text=escape(text))
    return {"statusCode": status, "headers": {"content-type": "text/html; charset=utf-8"}, "body": page}
