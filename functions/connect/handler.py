"""POST /v1/connect/{provider} says where to send the person; GET, with a one-time ticket, sends their browser there."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from shared import oauth
from shared.api import answers, iso, resolver, user
from shared.providers import registry
from shared.schemas import ConnectReply, ConnectRequest, ErrorReply
from shared.secret import apps

app = resolver()
REFUSED = {status: answers(ErrorReply, status)[status] for status in (400, 404, 410, 500)}
GOING: Any = {303: {"description": "To the provider's consent page"}, **REFUSED}


@app.post(
    "/v1/connect/<provider>", summary="Start connecting a provider", tags=["connect"], responses=answers(ConnectReply)
)
def connect(provider: str, request: ConnectRequest) -> ConnectReply:
    started = oauth.start(user(app), registry.provider(provider), apps(), request)
    return ConnectReply(authorize_url=started.authorize_url, link=started.link, expires_at=iso(started.expires_at))


@app.get("/v1/connect/<provider>", summary="Follow a one-time connect link", tags=["connect"], responses=GOING)
def follow(provider: str, ticket: Annotated[str, Query(description="From `link`; good once")]) -> Response[None]:
    return Response(
        303, headers={"location": oauth.follow(registry.provider(provider).id, ticket), "cache-control": "no-store"}
    )


handler = app.resolve
