"""Asking a vendor: windows of local days, requests, and the few ways vendors take a span and hand out pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.providers.reading import Json, dig
from shared.values import dataclass, field, replace

WEST, EAST = timedelta(hours=10), timedelta(hours=13)


@dataclass(frozen=True)
class Window:
    """Whole local days, both ends included."""

    first: date
    last: date

    @classmethod
    def around(cls, start: datetime, end: datetime) -> Window:
        """The local days that hold these instants for whoever lives between Hawaii and New Zealand."""
        return cls((start - WEST).date(), (end + EAST).date())

    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    def padded(self, days: int) -> Window:
        return Window(self.first - timedelta(days=days), self.last + timedelta(days=days))

    def span(self) -> tuple[datetime, datetime]:
        """The UTC instants that hold these days wherever on Earth they are lived (UTC+14 to UTC-12)."""
        start = datetime.combine(self.first, datetime.min.time(), UTC) - timedelta(hours=14)
        end = datetime.combine(self.last, datetime.min.time(), UTC) + timedelta(days=1, hours=12)
        return start, end

    def split(self, days: int) -> list[Window]:
        """Windows of at most `days` days, newest first: what people look at first arrives first."""
        parts, last = [], self.last
        while last >= self.first:
            first = max(self.first, last - timedelta(days=days - 1))
            parts.append(Window(first, last))
            last = first - timedelta(days=1)
        return parts


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call to the vendor. `url` is absolute, or a path below the provider's `base_url`. `then` is asked once this
    question has no more pages, and is part of the same answer."""

    url: str
    method: str = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    bearer: bool = True
    then: Request | None = None
    accepts: tuple[int, ...] = ()
    """Statuses that are an answer to this, beside 2xx, where the vendor's `verdict` has nothing to say of it."""

    def with_params(self, **more: str) -> Request:
        """The same question with more parameters, wherever this request carries them."""
        if self.form is not None:
            return replace(self, form={**self.form, **more})
        if self.json is not None:
            return replace(self, json={**self.json, **more})
        return replace(self, params={**self.params, **more})


def as_utc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def as_naive_utc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def as_epoch(at: datetime) -> str:
    return str(int(at.timestamp()))


@dataclass(frozen=True)
class ByDate:
    """Asks for whole days by their dates."""

    request: Request
    first: str
    last: str

    def __call__(self, window: Window) -> Request:
        return self.request.with_params(**{self.first: window.first.isoformat(), self.last: window.last.isoformat()})


@dataclass(frozen=True)
class ByPath:
    """Asks for whole days whose dates stand in the address, at {first} and {last}."""

    request: Request

    def __call__(self, window: Window) -> Request:
        return replace(self.request, url=self.request.url.format(first=window.first, last=window.last))


@dataclass(frozen=True)
class ByInstant:
    """Asks for the instants that hold the days, in the vendor's own spelling."""

    request: Request
    start: str
    end: str
    spell: Callable[[datetime], str]

    def __call__(self, window: Window) -> Request:
        start, end = window.span()
        return self.request.with_params(**{self.start: self.spell(start), self.end: self.spell(end)})


def in_turn(*asks: Callable[[Window], Request]) -> Callable[[Window], Request]:
    """What several addresses say about the same days is one answer."""

    def fetch(window: Window) -> Request:
        *others, following = (ask(window) for ask in asks)
        for request in reversed(others):
            following = replace(request, then=following)
        return following

    return fetch


def one_page(request: Request, reply: Json) -> Request | None:
    return None


@dataclass(frozen=True)
class Token:
    """Pages follow a token in the reply, sent back in `param` of the same question."""

    at: str
    param: str

    def __call__(self, request: Request, reply: Json) -> Request | None:
        token = dig(reply, self.at)
        return request.with_params(**{self.param: str(token)}) if token else None
