"""How Terra admits people, and lets them go. https://docs.tryterra.co/unified-api/authentication-flow"""

from collections.abc import Generator, Mapping

from shared.errors import ForbiddenError, ProviderChangedError
from shared.providers import Guest, Json, Member, Request

SESSION = "https://access.tryterra.co/api/widget/session"


def headers(dev_id: str, key: str) -> Mapping[str, str]:
    return {"dev-id": dev_id, "x-api-key": key}


def page(guest: Guest, upstreams: str) -> Generator[Request, Json, str]:
    """The widget, for one source or for all we know."""
    wish = {
        "reference_id": guest.reference,
        "providers": guest.upstream.upper() or upstreams,
        "auth_success_redirect_url": guest.home,
        "auth_failure_redirect_url": guest.refused,
    }
    session = yield Request(url=SESSION, method="POST", json=wish)
    if not session.get("url"):
        raise ProviderChangedError("Terra opened a session without an address")
    return str(session["url"])


def arrived(guest: Guest, query: Mapping[str, str]) -> Generator[Request, Json, Member]:
    """Anybody can write a `user_id` into the address they come back to. Whose it is, Terra knows."""
    reply = yield Request(url="/userInfo", params={"user_id": query.get("user_id", "")})
    user = reply.get("user") or {}
    if user.get("reference_id") != guest.reference or user.get("active") is False:
        raise ForbiddenError("that is not the account that was connected here; start connecting again")
    scopes = frozenset(filter(None, str(user.get("scopes") or "").split(",")))
    return Member(str(user["user_id"]), str(user["provider"]).lower(), scopes)


def leave(account: str) -> Generator[Request, Json, None]:
    """Deletes what Terra holds of this connection, and ends its access to the source."""
    params = {"user_id": account}
    yield Request(url="/auth/deauthenticateUser", method="DELETE", params=params, accepts=(404,))


def about(request: Request, account: str) -> Request:
    return request.with_params(user_id=account)
