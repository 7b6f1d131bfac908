"""The API as a person's app sees it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

TIMEOUT_S = 60.0


class ApiError(Exception):
    """The API answered with something else than it was asked for."""


def ask(http: httpx.Client, method: str, url: str, **request: Any) -> Any:
    """The JSON of a 2xx answer. Raises ApiError with what came instead."""
    reply = http.request(method, url, **request)
    if not reply.is_success:
        raise ApiError(f"{method} {reply.url.path} answered {reply.status_code}: {reply.text[:300]}")
    return reply.json() if reply.content else None


def token(issuer: str, **form: str) -> str:
    """From the sandbox's issuer, which asks for no password."""
    with httpx.Client(trust_env=False) as http:
        issued: str = ask(http, "POST", f"{issuer}/token", data=form)["access_token"]
        return issued


class Api:
    """One user's view. Days and answers are the API's own JSON."""

    def __init__(self, base: str, bearer: str) -> None:
        self.base = base
        headers = {"authorization": f"Bearer {bearer}", "accept": "application/json"}
        self.http = httpx.Client(headers=headers, timeout=TIMEOUT_S, trust_env=False)

    def close(self) -> None:
        self.http.close()

    def get(self, path: str, **params: str) -> Any:
        return ask(self.http, "GET", f"{self.base}/v1/{path}", params=params)

    def post(self, path: str, **request: Any) -> Any:
        return ask(self.http, "POST", f"{self.base}/v1/{path}", **request)

    def delete(self, path: str) -> Any:
        return ask(self.http, "DELETE", f"{self.base}/v1/{path}")

    def connect(self, provider: str, person: str, timezone: str) -> dict[str, str]:
        """Consents as `person` at the sandbox and comes back: the connection and its backfill job."""
        started = self.post(f"connect/{provider}", json={"timezone": timezone})
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as browser:
            consent = browser.post(started["authorize_url"], data={"person": person, "decision": "allow"})
            if not consent.has_redirect_location:
                raise ApiError(f"the consent page answered {consent.status_code}: {consent.text[:300]}")
            headers = {"accept": "application/json"}
            connected: dict[str, str] = ask(browser, "GET", consent.headers["location"], headers=headers)
            return connected

    def days(self, first: str, last: str) -> dict[str, Mapping[str, Any]]:
        """By date, as of now: reads are consistent."""
        found = self.get("days", **{"from": first, "to": last, "fresh": "1", "others": "1"})["days"]
        return {day["day"]: day for day in found}

    def job(self, id_: str) -> dict[str, Any]:
        report: dict[str, Any] = self.get(f"jobs/{id_}")
        return report

    def sync_at_once(self, count: int, **request: Any) -> list[str]:
        """The same request `count` times, by three devices at the same moment; the jobs' ids."""
        with ThreadPoolExecutor(3) as devices:
            replies = devices.map(lambda _: self.post("sync", json=request), range(count))
            return [reply["job"] for reply in replies]

    def upload(self, body: bytes, media_type: str, zone: str = "") -> dict[str, Any]:
        """The reply names the rows at fault, also where every one of them is."""
        params = {"zone": zone} if zone else {}
        url = f"{self.base}/v1/uploads"
        reply = self.http.post(url, params=params, content=body, headers={"content-type": media_type})
        answer: dict[str, Any] = reply.json()
        if "errors" not in answer:
            raise ApiError(f"POST {reply.url.path} answered {reply.status_code}: {reply.text[:300]}")
        return answer
