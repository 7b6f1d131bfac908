"""What a server says of itself, and what is said to it. https://hl7.org/fhir/smart-app-launch/STU2.2/"""

import base64
import re
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from urllib.parse import quote, urljoin

from shared.errors import (
    NotGrantedError,
    ProviderChangedError,
    RateLimitedError,
    ReconnectError,
    RetryLaterError,
    TributaryError,
)
from shared.providers import Holder, Json, OAuth2, Provider, Refusal, Request, Window, as_utc, dig
from shared.values import replace

READ = ("Observation", "MedicationRequest")
SCOPE = re.compile(r"(?:patient|user)/(\w+|\*)\.(read|\*|[cruds]+)(?:\?category=(?:[^|]*\|)?([\w-]+))?")
SHORT_S, BUSY_S, TOMORROW_S = 300, 60.0, 86_400.0


def discover(found: Provider) -> Generator[Request, Json, Provider]:
    """https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#using-well-known"""
    told = yield Request(url="/.well-known/smart-configuration", bearer=False)
    auth, home = found.auth, found.base_url
    assert isinstance(auth, OAuth2)
    if "S256" not in (told.get("code_challenge_methods_supported") or ["S256"]):
        raise ProviderChangedError(f"{found.name} has no PKCE with S256")

    def place(name: str) -> str:
        """Older servers give it relative to their base. What is not HTTPS is no place to send anybody."""
        found = urljoin(f"{home}/", str(told.get(name) or ""))
        return found if told.get(name) and found.startswith("https://") else ""

    if not place("authorization_endpoint") or not place("token_endpoint"):
        raise ProviderChangedError(f"{found.name} does not let people sign in")
    basic = "client_secret_basic" in (told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"])
    goodbye = place("revocation_endpoint")
    known = replace(
        auth, authorize_url=place("authorization_endpoint"), token_url=place("token_endpoint"),
        scopes=wished(told.get("capabilities") or ()), authorize_params={"aud": home}, issuer=told.get("issuer") or "",
        client_auth="basic" if basic else "body", read_token=partial(token_of, home), about=partial(about, home),
        revoke=partial(revoke, goodbye, basic) if goodbye else None,
    )  # fmt: skip
    return replace(found, auth=known)


def wished(capabilities: Sequence[str]) -> tuple[str, ...]:
    """What a server lists as its scopes is not always all of them: what it can do says more."""
    online = "permission-online" in capabilities and "permission-offline" not in capabilities
    verbs = "rs" if "permission-v2" in capabilities else "read"
    return ("launch/patient", "online_access" if online else "offline_access", *(f"patient/{r}.{verbs}" for r in READ))


def granted(scope: str) -> frozenset[str]:
    """Of either version, with or without a category, as version 2 spells them; what opens nothing as it is."""
    verbs: defaultdict[str, set[str]] = defaultdict(set)
    for part in scope.split():
        if found := SCOPE.fullmatch(part):
            category = f"?category={found[3]}" if found[3] else ""
            for resource in READ if found[1] == "*" else (found[1],):
                verbs[f"patient/{resource}.rs{category}"] |= set("rs" if found[2] in ("read", "*") else found[2])
    others = (part for part in scope.split() if not SCOPE.fullmatch(part))
    return frozenset({name for name, allowed in verbs.items() if allowed >= {"r", "s"}} | set(others))


def token_of(home: str, reply: Json) -> Json:
    """The patient by their full address: a bare id means somebody else at another server."""
    patient = {"patient": f"{home}/Patient/{reply['patient']}"} if reply.get("patient") else {}
    return {"expires_in": SHORT_S, **reply, **patient}


def about(home: str, request: Request, account: str) -> Request:
    """Raises ReconnectError where that person is one of another server's."""
    there, _, patient = account.rpartition("/Patient/")
    if there != home:
        raise ReconnectError("this server is not the one that was connected", "server_changed")
    return replace(request, url=f"{request.url}&patient={quote(patient, safe='')}")


def revoke(endpoint: str, basic: bool, holder: Holder) -> Generator[Request, Json, None]:
    """RFC 7009. With the refresh token the access token dies, too."""
    name = "refresh_token" if holder.refresh_token else "access_token"
    form = {"token": holder.refresh_token or holder.access_token, "token_type_hint": name}
    by_header = basic and holder.client_secret
    if not by_header:
        form |= {"client_id": holder.client_id}
        form |= {"client_secret": holder.client_secret} if holder.client_secret else {}
    pair = base64.b64encode(f"{holder.client_id}:{holder.client_secret}".encode()).decode()
    headers = {"authorization": f"Basic {pair}"} if by_header else {}
    yield Request(url=endpoint, method="POST", form=form, headers=headers, bearer=False)


# ---------------------------------------------------------------- data


def observations(category: str, window: Window) -> Request:
    start, end = window.span()
    span = f"date=ge{as_utc(start)}&date=le{as_utc(end)}"
    return Request(url=f"/Observation?category={category}&{span}&_count=100", headers=FHIR)


def prescriptions(window: Window) -> Request:
    """Orders, and what people say they take. There is no date that all servers search by."""
    return Request(url="/MedicationRequest?intent=order,plan&_count=100", headers=FHIR)


def next_link(request: Request, reply: Json) -> Request | None:
    """An address like any other to us; `shared.vendor` sees to it that it is the same server's."""
    links = [str(link["url"]) for link in reply.get("link") or () if link.get("relation") == "next" and link.get("url")]
    if not links:
        return None
    return Request(url=links[0] if "://" in links[0] else f"/{links[0].lstrip('/')}", headers=FHIR)


FHIR = {"accept": "application/fhir+json"}


# ---------------------------------------------------------------- what went wrong

# Of FHIR (https://hl7.org/fhir/R4/valueset-issue-type.html), and Epic's own numbers.
AGAIN = {"throttled": BUSY_S, "transient": BUSY_S, "lock-error": BUSY_S, "timeout": BUSY_S, "no-store": BUSY_S,
         "4113": BUSY_S, "4135": TOMORROW_S}  # fmt: skip
REFUSED = {"forbidden", "security", "suppressed", "4130", "4131", "4134"}


def verdict(refusal: Refusal) -> TributaryError | None:
    """A server too busy, or a link whose search has ended, may say so with any status. 401, 429 and 5xx are clear."""
    if not isinstance(refusal.body, dict) or refusal.status in (401, 429) or refusal.status >= 500:
        return None
    return judged(refusal.body)


def judged(outcome: Json) -> TributaryError | None:
    for word in (word for issue in outcome.get("issue") or () for word in words(issue)):
        if word in AGAIN:
            kind = RateLimitedError if word == "throttled" else RetryLaterError
            return kind("the server asks to be asked again", AGAIN[word])
        if word in REFUSED:
            return NotGrantedError("the server refuses this resource")
    return None


def words(issue: Json) -> Iterator[str]:
    if issue.get("severity") in ("error", "fatal"):
        yield str(issue.get("code"))
        yield from (str(coding.get("code")) for coding in (issue.get("details") or {}).get("coding") or ())


def check(reply: Json) -> None:
    """An error may come with 200, alone or among the records: then the others are not all there are."""
    for found in (reply, *(dig(entry, "resource") for entry in dig(reply, "entry") or ())):
        if dig(found, "resourceType") == "OperationOutcome" and any(map(failed, found.get("issue") or ())):
            raise judged(found) or ProviderChangedError("an answer holds an error that is not documented")


def failed(issue: Json) -> bool:
    """Epic says with an error that there is nothing."""
    return issue.get("severity") in ("error", "fatal") and "4101" not in words(issue)
