"""Asking a vendor: one request, its pages, and what the answer means."""

from __future__ import annotations

import email.utils
import logging
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import httpx
import orjson

from shared.apps import App
from shared.budget import Budget
from shared.errors import (
    NotGrantedError,
    ProviderChangedError,
    ProviderUnavailableError,
    RateLimitedError,
    RetiredError,
    TokenRejectedError,
    TributaryError,
)
from shared.providers import Hosted, Json, Provider, Refusal, Request
from shared.providers.registry import provider as provider_of
from shared.values import dataclass

T = TypeVar("T")
TIMEOUT_S = 10.0
MAX_PAGES = 1_000
BUSY_S = 60.0
MOST_S = 86_400.0


@dataclass(frozen=True)
class Reply:
    """The bytes the vendor sent and what they say."""

    body: bytes
    json: Any


@cache
def client() -> httpx.Client:
    """One per process: connections and the TLS context are reused by every job and thread."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would tell whole addresses, which may hold a token
    return httpx.Client(
        timeout=TIMEOUT_S,
        follow_redirects=False,
        headers={"user-agent": "tributary", "accept": "application/json"},
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),  # whoever asks waits in a thread
    )


def ask(
    provider: Provider, app: App, request: Request, token: str | None = None, budget: Budget | None = None,
    first: bool = False,
) -> Reply:  # fmt: skip
    """One call, in its turn. Raises OverBudgetError where that is too far off, and else as `call`."""
    budget = budget or Budget.of(provider, app)
    budget.take(first)
    return call(provider, app, request, token, budget)


def call(provider: Provider, app: App, request: Request, token: str | None, budget: Budget) -> Reply:
    """The call itself, its turn taken. Raises what the answer asks us to do (see `judge`)."""
    try:
        reply = exchange(provider, app, request, token)
    except TributaryError as error:
        budget.heard(error)
        raise
    budget.heard(None)
    return reply


def exchange(provider: Provider, app: App, request: Request, token: str | None) -> Reply:
    """204 and empty bodies read as {}."""
    url = address(provider, app, request)
    headers = dict(request.headers)
    if request.bearer and token:
        headers |= proof(provider, app, token)
    try:
        response = client().request(
            request.method, url, params=request.params or None, data=request.form, json=request.json,
            headers=headers,
        )  # fmt: skip
    except httpx.TransportError as error:
        raise ProviderUnavailableError(f"{provider.name} did not answer ({type(error).__name__})", BUSY_S) from error
    reply = parse(provider, response)
    judge(provider, response.status_code, response.headers, reply, request.accepts)
    return Reply(response.content, reply)


def address(provider: Provider, app: App, request: Request) -> str:
    """Where this is asked. Where a server says what its doors and pages are, they are on it or, for a question without
    the person's token, on the hosts that the operator has listed beside it."""
    url = request.url if "://" in request.url else provider.base_url + request.url
    if provider.discover:
        home, there = httpx.URL(provider.base_url), httpx.URL(url)
        beside = there.host in app.hosts and there.scheme == home.scheme and not request.bearer
        if not beside and (there.scheme, there.host, there.port) != (home.scheme, home.host, home.port):
            raise ProviderChangedError(f"{provider.name} led to {there.host}, which is not listed for it")
    return app.url(url)


def proof(provider: Provider, app: App, token: str) -> Mapping[str, str]:
    """What authenticates a call: RFC 6750, or a vendor's own headers."""
    if isinstance(provider.auth, Hosted):
        return provider.auth.headers(app.client_id, token)
    return {"authorization": f"Bearer {token}"}


def converse(asking: Generator[Request, Json, T], ask: Callable[[Request], Json]) -> T:
    """Drives a spec's generator: a request out, its reply in, until it returns."""
    try:
        request = next(asking)
        while True:
            request = asking.send(ask(request))
    except StopIteration as done:
        said: T = done.value
        return said


def pages(
    provider: Provider, app: App, request: Request, token: str, follow: Callable[..., Request | None], budget: Budget
) -> list[Reply]:
    """Every page of the answer. A vendor that never ends is one we do not understand."""
    replies: list[Reply] = []
    following: Request | None = request
    while following is not None:
        if len(replies) == MAX_PAGES:
            raise ProviderChangedError(f"{provider.name} sent {MAX_PAGES} pages and more")
        replies.append(ask(provider, app, following, token, budget, first=not replies))
        following = follow(following, replies[-1].json) or following.then
    return replies


def parse(provider: Provider, response: httpx.Response) -> Any:
    if not response.content:
        return {}
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        if response.is_error:  # proxies in front of vendors answer in HTML
            return {}
        raise ProviderChangedError(
            f"{provider.name} answered {response.status_code} with something not JSON"
        ) from error


def judge(
    provider: Provider, status: int, headers: Mapping[str, str], reply: Json, accepts: tuple[int, ...] = ()
) -> None:
    """Raises the error that says what to do about this answer; returns where it is an answer."""
    if status < 300:
        provider.check(reply)
        return
    error = provider.verdict(Refusal(status, headers, reply))
    if error is None and status in accepts:
        return
    if error is None and status == 410 and provider.successor:
        instead = provider_of(provider.successor).name
        error = RetiredError(f"{provider.name} has ended this service: connect {instead} instead")
    error = error or verdict(provider.name, status, headers)
    code = reply.get("error") if isinstance(reply, Mapping) else None
    error.vendor_code = code if isinstance(code, str) else ""
    raise error


def verdict(name: str, status: int, headers: Mapping[str, str]) -> TributaryError:
    if status == 401:
        return TokenRejectedError(f"{name} refused the access token")
    if status in (403, 404, 410):
        return NotGrantedError(f"{name} answered {status}: not granted, or not there")
    if status == 429:
        return RateLimitedError(f"{name} asked us to slow down", retry_after(headers.get("retry-after")))
    if status >= 500 or status == 408:
        return ProviderUnavailableError(f"{name} answered {status}", retry_after(headers.get("retry-after")))
    return ProviderChangedError(f"{name} answered {status} to a request it documents")


def retry_after(header: str | None) -> float:
    """RFC 9110 §10.2.3: seconds or a date; a minute where the vendor does not say, or says neither."""
    try:
        return min(MOST_S, max(1.0, float(header or BUSY_S)))
    except ValueError:
        return _until(str(header))


def _until(date: str) -> float:
    try:
        at = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return BUSY_S
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(MOST_S, max(1.0, (aware - datetime.now(UTC)).total_seconds()))
