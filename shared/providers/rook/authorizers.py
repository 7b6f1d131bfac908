"""How Rook admits people, one source at a time, and lets them go. https://docs.tryrook.io/api"""

import base64
from collections.abc import Generator, Mapping

from shared.errors import ForbiddenError, ProviderChangedError
from shared.model import Kind
from shared.providers import Guest, Json, Member, Request
from shared.providers.hosted import account, parts

UPSTREAMS: dict[str, tuple[str, Kind]] = {
    "dexcom": ("Dexcom", "cgm"),
    "fitbit": ("Fitbit", "watch"),
    "garmin": ("Garmin", "watch"),
    "oura": ("Oura", "ring"),
    "polar": ("Polar", "watch"),
    "whoop": ("Whoop", "watch"),
    "withings": ("Withings", "scale"),
}
"""The names are as Rook spells them to itself."""


def headers(client_uuid: str, secret: str) -> Mapping[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{client_uuid}:{secret}".encode()).decode()}


def page(guest: Guest) -> Generator[Request, Json, str]:
    """The source's own page. Rook has none at which to choose; and none for a source that is authorized already."""
    reply = yield authorizer(guest, redirect_url=guest.home)
    if reply.get("authorization_url"):
        return str(reply["authorization_url"])
    if not reply.get("authorized"):
        raise ProviderChangedError("Rook named no address at which to authorize a source")
    return guest.home


def arrived(guest: Guest, query: Mapping[str, str]) -> Generator[Request, Json, Member]:
    """The user is by our own name for the person: only they can have authorized the source for it."""
    reply = yield authorizer(guest)
    if reply.get("authorized") is not True:
        raise ForbiddenError("Rook was not given access to that source; start connecting again")
    return Member(account(guest.reference, guest.upstream), guest.upstream)


def authorizer(guest: Guest, **params: str) -> Request:
    name, _ = UPSTREAMS[guest.wish]
    return Request(url=f"/api/v1/user_id/{guest.reference}/data_source/{name}/authorizer", params=params)


def leave(account: str) -> Generator[Request, Json, None]:
    user_id, source = parts(account)
    name, _ = UPSTREAMS[source]
    yield Request(url=f"/api/v1/user_id/{user_id}/data_sources/revoke_auth", method="POST", json={"data_source": name})


def about(request: Request, account: str) -> Request:
    """Only data is asked for of whoever's it is."""
    return request.with_params(user_id=parts(account)[0])
