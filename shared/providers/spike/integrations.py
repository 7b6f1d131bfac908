"""How Spike admits people, one source at a time, and lets them go. https://docs.spikeapi.com/api-docs/authentication"""

import hmac
from collections.abc import Generator, Mapping
from typing import Any

from shared.errors import ForbiddenError, ProviderChangedError
from shared.model import Kind
from shared.providers import Guest, Json, Member, Request
from shared.providers.hosted import account, parts

UPSTREAMS: dict[str, tuple[str, Kind]] = {
    "coros": ("COROS", "watch"),
    "dexcom": ("Dexcom", "cgm"),
    "fitbit": ("Fitbit", "watch"),
    "freestyle_libre": ("FreeStyle Libre", "cgm"),
    "garmin": ("Garmin", "watch"),
    "google_health": ("Google Health", "watch"),
    "huawei": ("Huawei", "watch"),
    "luna": ("Luna", "ring"),
    "omron_eu": ("Omron (Europe)", "cuff"),
    "omron_us": ("Omron (USA)", "cuff"),
    "oura": ("Oura", "ring"),
    "polar": ("Polar", "watch"),
    "suunto": ("Suunto", "watch"),
    "ultrahuman": ("Ultrahuman", "ring"),
    "wahoo": ("Wahoo", "watch"),
    "whoop": ("WHOOP", "watch"),
    "withings": ("Withings", "scale"),
}


def token(application_id: str, key: str, account: str) -> Request:
    """A token of one user's, who need not be known before."""
    user, _ = parts(account)
    signature = hmac.digest(key.encode(), user.encode(), "sha256").hex()
    numbered: int | str = int(application_id) if application_id.isdecimal() else application_id
    wish = {"application_id": numbered, "application_user_id": user, "signature": signature}
    return Request(url="/auth/hmac", method="POST", json=wish, bearer=False)


def headers(application_id: str, token: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {token}"}


def page(guest: Guest) -> Generator[Request, Json, str]:
    """The source's own page."""
    reply = yield Request(url=f"/providers/{guest.wish}/integration/init_url", params={"redirect_uri": guest.home})
    address = reply.get("path") or reply.get("url")
    if not address:
        raise ProviderChangedError("Spike named no address at which to integrate a source")
    return str(address)


def arrived(guest: Guest, query: Mapping[str, str]) -> Generator[Request, Json, Member]:
    """The token is of our own name for the person: only they can have integrated the source under it."""
    reply = yield Request(url="/userinfo")
    known = integrated(reply)
    if query.get("error") or (known is not None and guest.upstream not in known):
        raise ForbiddenError("Spike was not given access to that source; start connecting again")
    return Member(account(guest.reference, guest.upstream), guest.upstream)


def integrated(reply: Json) -> set[str] | None:
    """The sources, where it names any: what each is called there is not documented."""
    listed: Any = reply.get("integrations")
    if not isinstance(listed, list):
        return None
    return {str(one.get("provider_slug") or one.get("provider") if isinstance(one, Mapping) else one) for one in listed}


def leave(account: str) -> Generator[Request, Json, None]:
    _, source = parts(account)
    yield Request(url=f"/providers/{source}/integration", method="DELETE", accepts=(404,))
