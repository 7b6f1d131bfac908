"""How Withings talks: the status is in the body of a 200, tokens come wrapped, notifications are forms.
https://developer.withings.com/api-reference#section/Response-status"""

import hmac
from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl

from shared.errors import (
    NotGrantedError,
    ProviderChangedError,
    ProviderUnavailableError,
    RateLimitedError,
    ReconnectError,
    TokenRejectedError,
    TributaryError,
)
from shared.providers import (
    ByDate,
    ByInstant,
    Event,
    Holder,
    Json,
    Request,
    Subscription,
    Subscriptions,
    Window,
    as_epoch,
    dig,
)
from shared.values import replace

BUSY_S = 60.0
DAY_S = 86_400

TOKEN_REJECTED = {100, 101, 102, 200, 401}
NOT_GRANTED = {214, 277, 2553, 2555}
NOT_IMPLEMENTED = 2554
TOO_MANY_REQUESTS = 601
# 503 stands among the invalid parameters too, but is how the token endpoint fails; 522 timed out, 524 is a bad state.
UNAVAILABLE = {503, 522, 524}
INVALID_PARAMS = (
    (201, 213), (216, 218), (220, 221), (223, 223), (225, 225), (227, 230), (234, 236), (238, 238), (240, 252),
    (254, 254), (260, 267), (271, 272), (275, 276), (283, 288), (290, 290), (293, 295), (297, 297), (300, 304),
    (321, 321), (323, 353), (380, 382), (400, 400), (501, 511), (523, 523), (532, 532), (3017, 3019),
)  # fmt: skip


def ask(path: str, action: str, **form: str) -> Request:
    return Request(url=path, method="POST", form={"action": action, **form})


def by_instant(path: str, action: str, **form: str) -> ByInstant:
    return ByInstant(ask(path, action, **form), "startdate", "enddate", as_epoch)


def by_date(path: str, action: str, *fields: str) -> ByDate:
    """`data_fields` is explicit: what is not asked for is left out."""
    return ByDate(ask(path, action, data_fields=",".join(fields)), "startdateymd", "enddateymd")


# ---------------------------------------------------------------- replies


def check(reply: Json) -> None:
    status = reply.get("status")
    if not isinstance(status, int):
        raise ProviderChangedError("Withings answered without a status")
    if status != 0:
        raise verdict(status, str(reply.get("error")))


def verdict(status: int, error: str) -> TributaryError:
    """What a status asks of us. The vendor's own text is read, never repeated: it may quote what was sent."""
    said = f"Withings answered status {status}"
    if status == 503 and "invalid refresh_token" in error:
        return ReconnectError(said, "invalid_grant")
    if status in TOKEN_REJECTED:
        return TokenRejectedError(said)
    if status in NOT_GRANTED:
        return NotGrantedError(said)
    if status == TOO_MANY_REQUESTS:
        return RateLimitedError(said, BUSY_S)
    invalid = status == NOT_IMPLEMENTED or any(low <= status <= high for low, high in INVALID_PARAMS)
    if invalid and status not in UNAVAILABLE:
        return ProviderChangedError(said)
    return ProviderUnavailableError(said, BUSY_S)


def read_token(reply: Json) -> Json:
    """{"status": 0, "body": {"userid": 40871923, "access_token": …}}; `userid` is an integer or a string."""
    check(reply)
    token = dict(reply["body"])
    if "userid" in token:
        token["userid"] = str(token["userid"])
    return token


def revoke(holder: Holder) -> Generator[Request, Json, None]:
    """A nonce first, then the call, each signed over the values of three parameters in the order of their names.
    Tokens become invalid and notifications are unsubscribed."""
    stamp = str(holder.now)
    sealed = signature(holder, "getnonce", holder.client_id, stamp)
    nonce = yield unsigned("/v2/signature", "getnonce", client_id=holder.client_id, timestamp=stamp, signature=sealed)
    secret = str(nonce["body"]["nonce"])
    sealed = signature(holder, "revoke", holder.client_id, secret)
    yield unsigned(
        "/v2/oauth2", "revoke", client_id=holder.client_id, nonce=secret, signature=sealed, userid=holder.account
    )


def unsigned(path: str, action: str, **form: str) -> Request:
    return replace(ask(path, action, **form), bearer=False)


def signature(holder: Holder, *values: str) -> str:
    return hmac.new(holder.client_secret.encode(), ",".join(values).encode(), "sha256").hexdigest()


def next_offset(request: Request, reply: Json) -> Request | None:
    """`more` is 1 or true; `offset` is where the next page begins."""
    return request.with_params(offset=str(reply["body"]["offset"])) if dig(reply, "body.more") else None


def next_24_hours(request: Request, reply: Json) -> Request | None:
    """Of any range only the first 24 hours are answered: ask again from where they ended."""
    assert request.form is not None  # every question is a form
    start = int(request.form["startdate"]) + DAY_S
    return request.with_params(startdate=str(start)) if start < int(request.form["enddate"]) else None


# ---------------------------------------------------------------- notifications

PROFILE_CHANGED = "46"
GOODBYES = ("unlink", "delete")


def read_event(body: bytes, for_topic: Callable[[str], tuple[str, ...]]) -> Iterator[Event]:
    """userid=40871923&startdate=1793581200&enddate=1793581201&appli=1: a pointer, never a value."""
    form = dict(parse_qsl(body.decode()))
    account, appli = form["userid"], form["appli"]
    if appli == PROFILE_CHANGED and form["action"] in GOODBYES:
        yield Event(account=account, goodbye=True)
    elif resources := for_topic(appli):
        yield Event(resources=resources, account=account, window=window(form))


def window(form: Json) -> Window | None:
    """`date` is the person's own day, or an instant like `startdate`: then the days around it, wherever they live."""
    day = form.get("date", "")
    if "-" in day:
        return Window(date.fromisoformat(day), date.fromisoformat(day))
    start = form.get("startdate") or day
    return Window(utc_day(start), utc_day(form.get("enddate") or start)).padded(1) if start else None


def utc_day(seconds: str) -> date:
    return datetime.fromtimestamp(int(seconds), UTC).date()


def read_subscriptions(reply: Any) -> Iterable[Subscription]:
    for profile in reply["body"]["profiles"]:
        appli = str(profile["appli"])
        yield Subscription(topic=appli, id=appli, url=profile["callbackurl"])


SUBSCRIPTIONS = Subscriptions(
    per="connection",
    topics=("1", "2", "4", "16", "44", PROFILE_CHANGED),
    listing=lambda hook: ask("/notify", "list"),
    read=read_subscriptions,
    create=lambda hook, topic: notify("subscribe", hook.url, topic),
    delete=lambda hook, subscription: notify("revoke", subscription.url, subscription.topic),
)


def notify(action: str, url: str, appli: str) -> Request:
    return ask("/notify", action, callbackurl=url, appli=appli)
