"""What the doors to the HTTP API share: who is calling, and how an error is said."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from http import HTTPStatus
from pathlib import Path
from traceback import extract_tb
from types import UnionType
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoRouteError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestUnsupportedContentType, RequestValidationError
from pydantic import BaseModel

from shared.errors import BadRequestError, ForbiddenError
from shared.log import logger
from shared.schemas import ErrorReply, GatewayReply
from shared.signed import AwsError

ACT_FOR_USERS = {"users:act", "tributary/users:act"}
LONGEST_DAYS = 366
EARLIEST, LATEST = date(1970, 1, 1), date(2999, 12, 31)
PLACES = ("body", "query", "path", "header")
REFUSALS = (400, 403, 404, 500)
BY_GATEWAY = (401, 429)


def answers(model: type[BaseModel], status: int = 200, *more: int) -> Any:
    """The replies of a route, as its description lists them; `more` are refusals of its own."""
    ours = {code: _said(code, ErrorReply) for code in (*REFUSALS, *more)}
    theirs = {code: _said(code, ErrorReply | GatewayReply if code in more else GatewayReply) for code in BY_GATEWAY}
    return {status: _said(status, model), **ours, **theirs}


def _said(status: int, model: type[BaseModel] | UnionType) -> dict[str, Any]:
    return {"description": HTTPStatus(status).phrase, "content": {"application/json": {"model": model}}}


def resolver() -> APIGatewayHttpResolver:
    """A Powertools resolver whose errors all have one shape."""
    app = APIGatewayHttpResolver(enable_validation=True)

    def refused(error: BadRequestError) -> Response[str]:
        return fault(app, error.status, error.code, str(error), error.param)

    def invalid(error: RequestValidationError) -> Response[str]:
        first = error.errors()[0]
        # A body that is not JSON is "at" a byte of it.
        where = [part for part in first["loc"] if isinstance(part, str) and part not in PLACES]
        return fault(app, 400, "bad_request", first["msg"], ".".join(where) or "body")

    def not_json(error: Exception) -> Response[str]:
        return fault(app, 400, "bad_request", "send JSON", "content-type")

    def unread(error: ValueError) -> Response[str]:
        """Powertools raises a bare one where a multipart body names no boundary."""
        multipart = app.current_event.headers.get("content-type", "").lower().startswith("multipart/")
        return not_json(error) if multipart else failed(error)

    def no_text(error: UnicodeDecodeError) -> Response[str]:
        return fault(app, 400, "bad_request", "send UTF-8", "body")

    def no_route(error: NoRouteError) -> Response[str]:
        return fault(app, 404, "not_found", "no such route", None)

    def failed(error: Exception) -> Response[str]:
        # The type and the place: another library's message may quote what it choked on.
        place = "".join(f" {Path(f.filename).name}:{f.lineno}" for f in extract_tb(error.__traceback__)[-3:])
        what = str(error) if isinstance(error, AwsError) else type(error).__name__
        logger().error("failed", extra={"error": what, "at": place.strip()})
        return fault(app, 500, "internal", "our fault, and noted; try again", None)

    app.exception_handler(BadRequestError)(refused)
    app.exception_handler(RequestValidationError)(invalid)
    app.exception_handler(RequestUnsupportedContentType)(not_json)
    app.exception_handler(ValueError)(unread)
    app.exception_handler(UnicodeDecodeError)(no_text)
    app.exception_handler(Exception)(failed)
    app.not_found(no_route)
    return app


def fault(app: APIGatewayHttpResolver, status: int, code: str, message: str, param: str | None) -> Response[str]:
    return error_response(status, code, message, param, app.current_event.request_context.request_id)


def error_response(status: int, code: str, message: str, param: str | None, request_id: str | None) -> Response[str]:
    logger().info("refused", extra={"status": status, "code": code, "param": param})
    kind = "invalid_request" if status < 500 else "internal"
    error = {"type": kind, "code": code, "message": message, "param": param}
    return Response(status, "application/json", json.dumps({"error": error, "request_id": request_id}))


def claims(app: APIGatewayHttpResolver) -> dict[str, Any]:
    authorizer = app.current_event.raw_event["requestContext"].get("authorizer") or {}
    found: dict[str, Any] = (authorizer.get("jwt") or {}).get("claims") or {}
    return found


def is_machine(app: APIGatewayHttpResolver) -> bool:
    """Cognito puts its resource server's name before the scope."""
    return bool(ACT_FOR_USERS & set(str(claims(app).get("scope", "")).split()))


def acts_for_all(app: APIGatewayHttpResolver) -> bool:
    """A machine client that names no user speaks of what it did for everybody."""
    return is_machine(app) and "x-user-id" not in app.current_event.headers


def user(app: APIGatewayHttpResolver) -> str:
    """The verified token's subject; a machine client says for whom it acts. Never from a body."""
    if not is_machine(app):
        subject = str(claims(app).get("sub", ""))
        if not subject:
            raise ForbiddenError("the token names no subject", "authorization")
        return subject
    named = app.current_event.headers.get("x-user-id", "")
    if not named:
        raise BadRequestError("a machine client must say for whom it acts", "x-user-id")
    return named


def window(first: date, last: date, longest: int | None = LONGEST_DAYS) -> tuple[date, date]:
    """Raises BadRequestError, naming the end at fault. Without a `longest`, any number of days."""
    if last < first:
        raise BadRequestError("must not be before `from`", "to")
    if longest and (last - first).days >= longest:
        raise BadRequestError(f"at most {longest} days at once", "from")
    if first < EARLIEST:
        raise BadRequestError(f"not before {EARLIEST}", "from")
    if last > LATEST:
        raise BadRequestError(f"not after {LATEST}", "to")
    return first, last


def iso(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def iso_or_none(instant: int) -> str | None:
    return iso(instant) if instant else None
