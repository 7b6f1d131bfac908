"""The promises every provider keeps. A new provider gets these tests by existing.

A provider's folder here holds what the vendor sends, in its true shape with invented values:
    <resource>/<case>.json            a reply                <case>.expected.json   what it must become, by hand
    webhooks.json                     calls and verdicts     tokens.json            token replies
    errors.json                       error replies and what the worker must do about them
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

import shared.errors
from ops.explain import explain
from shared.apps import EVERYBODY, App, Hooks
from shared.catalogue import METRICS
from shared.errors import InvalidSignatureError, TributaryError
from shared.local_time import Zones
from shared.model import Document, Skipped, millis
from shared.providers import (
    Event,
    FileUpload,
    HmacSignature,
    OAuth2,
    PhonePush,
    Point,
    Provider,
    PublishedKey,
    Resource,
    SecretPath,
    Window,
)
from shared.providers.registry import provider_ids, providers
from shared.values import replace
from shared.vendor import judge
from shared.webhooks import Call, accept, sign

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HOOKS = Hooks(b"test-hook-key")
CONNECTION = "c0ffee"

PROVIDERS = [pytest.param(p, id=p.id) for p in providers()]
OAUTH = [pytest.param(p, p.auth, id=p.id) for p in providers() if isinstance(p.auth, OAuth2)]
ASKED = [pytest.param(p, id=p.id) for p in providers() if p.connects]
RESOURCES = [pytest.param(p, r, id=f"{p.id}-{r.name}") for p in providers() for r in p.resources]
HOOKED = [pytest.param(p, id=p.id) for p in providers() if p.webhook]
SIGNED = [pytest.param(p, id=p.id) for p in providers() if p.webhook and not isinstance(p.webhook.proof, SecretPath)]


def load(provider: Provider, name: str) -> Any:
    return json.loads((HERE / provider.id / name).read_text(encoding="utf-8"))


def replies(provider: Provider, resource: Resource) -> list[Path]:
    folder = HERE / provider.id / resource.name
    return sorted(f for f in folder.iterdir() if not f.name.endswith(".expected.json")) if folder.exists() else []


REPLIES = [
    pytest.param(p, r, f, id=f"{p.id}-{r.name}-{f.stem}")
    for p in providers()
    for r in p.resources
    for f in replies(p, r)
]


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


# ---------------------------------------------------------------- the spec


@pytest.mark.parametrize("provider", PROVIDERS)
def test_folder_is_named_after_the_provider(provider: Provider) -> None:
    assert provider.id in provider_ids()
    assert provider.docs.startswith("https://")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_other_code_names_the_provider(provider: Provider) -> None:
    files = [f for top in ("functions", "infra") for f in (ROOT / top).rglob("*.py")] + list(
        (ROOT / "shared").glob("*.py")
    )
    assert files
    named = re.compile(rf"\b{provider.id}\b", re.IGNORECASE)
    assert [f.name for f in files if named.search(f.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_successor_is_another_provider(provider: Provider) -> None:
    assert provider.successor in {"", *provider_ids()} - {provider.id}


@pytest.mark.parametrize(("provider", "resource"), RESOURCES)
def test_owned_metrics_are_in_the_catalogue(provider: Provider, resource: Resource) -> None:
    assert resource.series | resource.totals | resource.spots <= METRICS.keys()


@pytest.mark.parametrize(("provider", "resource"), RESOURCES)
def test_every_resource_can_be_reached(provider: Provider, resource: Resource) -> None:
    """By asking, by a file or a phone, or by a webhook that carries the data."""
    handed = isinstance(provider.auth, PhonePush) and resource.name in provider.auth.types.values()
    assert resource.fetch or resource.topics or handed or isinstance(provider.auth, FileUpload)


@pytest.mark.parametrize(("provider", "resource"), RESOURCES)
def test_the_question_holds_the_window(provider: Provider, resource: Resource) -> None:
    if resource.fetch is None:
        return
    window = Window(date(2026, 3, 28), date(2026, 3, 30))
    request = resource.fetch(window)
    assert request.bearer
    bounded = resource.current or resource.reach_days  # by the vendor, whatever is asked
    assert resource.fetch(window) == request
    assert bounded or resource.fetch(window.padded(1)) != request, "a question without a window fetches everything"


# ---------------------------------------------------------------- mapping


@pytest.mark.parametrize(("provider", "resource"), RESOURCES)
def test_every_resource_has_recorded_replies(provider: Provider, resource: Resource) -> None:
    assert replies(provider, resource), f"record one reply in tests/contract/{provider.id}/{resource.name}/"


@pytest.mark.parametrize(("provider", "resource", "file"), REPLIES)
def test_replies_become_what_was_expected_by_hand(provider: Provider, resource: Resource, file: Path) -> None:
    expected = read(file.with_suffix("").with_suffix(".expected.json"))
    rows = explain(provider, resource, read(file), Zones(((0, "Europe/Berlin"),)), expand=True)
    assert len(rows) == len(expected), [row.get("metric") or row for row in rows]
    for row, wanted in zip(rows, expected, strict=True):
        assert {key: row.get(key) for key in wanted} == wanted


@pytest.mark.parametrize(("provider", "resource", "file"), REPLIES)
def test_mapping_is_pure_and_in_range(provider: Provider, resource: Resource, file: Path) -> None:
    first, again = (list(resource.map(read(file))) for _ in range(2))
    assert first == again
    for document in (item for item in first if isinstance(item, Document)):
        assert document.id or not document.manual, "samples that stand for themselves cannot say who entered them"
        for series in document.series:
            assert series.metric in resource.series, f"{series.metric} is not declared as a series of {resource.name}"
            assert len(series.times) == len(series.values)
        for reading in document.readings:
            owned = resource.totals if reading.at is None else resource.spots
            assert reading.metric in owned, f"{reading.metric} is not declared by {resource.name}"


@pytest.mark.parametrize(("provider", "resource"), RESOURCES)
def test_a_broken_record_is_skipped_and_the_others_kept(provider: Provider, resource: Resource) -> None:
    """Nulls, strings and missing fields in one record never lose its neighbours or name a value."""
    for file in replies(provider, resource):
        reply = read(file)
        records = reply
        for key in filter(None, resource.records.split(".")):
            records = records.get(key)
        if not isinstance(records, list) or len(records) < 1:
            continue
        good = [item for item in resource.map(reply) if not isinstance(item, Skipped)]
        records.append({})
        after = list(resource.map(reply))
        assert [item for item in after if not isinstance(item, Skipped)] == good


# ---------------------------------------------------------------- tokens and errors


@pytest.mark.parametrize(("provider", "auth"), OAUTH)
def test_token_replies_are_understood(provider: Provider, auth: OAuth2) -> None:
    for reply in load(provider, "tokens.json"):
        token = auth.read_token(reply["reply"])
        assert {key: token.get(key) for key in reply["expected"]} == reply["expected"]


@pytest.mark.parametrize("provider", ASKED)
def test_error_replies_say_what_to_do(provider: Provider) -> None:
    for case in load(provider, "errors.json"):
        with pytest.raises(TributaryError) as caught:
            judge(provider, case["status"], case.get("headers", {}), case["body"])
        assert type(caught.value) is getattr(shared.errors, case["error"]), case
        if "after" in case:
            assert caught.value.after == case["after"]  # type: ignore[attr-defined]


# ---------------------------------------------------------------- webhooks


def call(provider: Provider, case: dict[str, Any]) -> Call:
    """`derived` stands for what only our hook key can make: a path, the secret of a connection, or our token."""
    path, body, headers = case.get("path"), case["body"].encode(), dict(case.get("headers", {}))
    now = millis(datetime.fromisoformat(case["now"]))
    if path == "derived":
        assert provider.webhook
        path = HOOKS.path(provider.id, CONNECTION if provider.webhook.path == "connection" else EVERYBODY)
    for name, value in headers.items():
        if value == "derived":
            headers[name] = derived(provider, body, now)
    return Call(headers, body, path, now)


def derived(provider: Provider, body: bytes, now: int) -> str:
    assert provider.webhook
    proof = provider.webhook.proof
    if isinstance(proof, HmacSignature):
        return sign(proof, HOOKS.secrets(provider.id, CONNECTION, now)[0], body)
    return f"Bearer {HOOKS.token(provider.id)}"


Taken = Callable[..., tuple[str | None, list[Event | Skipped]]]


def taking(provider: Provider, recorded: dict[str, Any], trusting: bool = False) -> Taken:
    """Recorded is one secret, whoever made it, and the keys that the vendor publishes. `trusting`: data that nobody
    signed is taken."""

    def key(proof: PublishedKey, app: App, id: str) -> Point | None:
        return proof.read_keyset(recorded["keyset"]).get(id)

    def taken(call: Call, secret: str = recorded["client_secret"], hooks: Hooks = HOOKS) -> Any:
        app = App("client", secret, webhook_secret=secret, accept_unsigned_data=trusting)
        return accept(provider, app, hooks, call, [secret], key)

    return taken


def event_row(event: Event | Skipped) -> dict[str, Any]:
    if isinstance(event, Skipped):
        return {"skipped": event.index}
    row: dict[str, Any] = {"resources": list(event.resources), "account": event.account, "document": event.document}
    window = event.window and [event.window.first.isoformat(), event.window.last.isoformat()]
    words = {
        name: getattr(event, name)
        for name in ("callback", "deleted", "goodbye", "permissions", "successor", "trouble", "as_of")
    }
    return {**row, **words, "window": window, "payload": bool(event.payload)}


@pytest.mark.parametrize("provider", HOOKED)
def test_webhooks_are_accepted_or_refused_as_recorded(provider: Provider) -> None:
    recorded = load(provider, "webhooks.json")
    outcomes = {case["outcome"] for case in recorded["cases"]}
    assert outcomes == {"accepted", "refused"}, "record one that is good and one that is not"
    for case in recorded["cases"]:
        taken = taking(provider, recorded, case.get("accept_unsigned_data", False))
        if case["outcome"] == "refused":
            with pytest.raises(InvalidSignatureError, match=case["because"]):
                taken(call(provider, case))
        else:
            _, events = taken(call(provider, case))
            rows = [event_row(event) for event in events]
            assert len(rows) == len(case["events"]), case["name"]
            for row, wanted in zip(rows, case["events"], strict=True):
                assert {key: row.get(key) for key in wanted} == wanted, case["name"]


@pytest.mark.parametrize("provider", SIGNED)
def test_a_flipped_bit_a_lost_header_and_another_secret_are_refused(provider: Provider) -> None:
    recorded = load(provider, "webhooks.json")
    good = next(c for c in recorded["cases"] if c["outcome"] == "accepted")
    taken, proven = taking(provider, recorded), call(provider, good)
    flipped = bytes([proven.body[0] ^ 1]) + proven.body[1:]
    with pytest.raises(InvalidSignatureError):
        taken(replace(proven, body=flipped))
    with pytest.raises(InvalidSignatureError):
        taken(replace(proven, headers={}))
    with pytest.raises(InvalidSignatureError):
        taken(proven, "another", Hooks(b"another"))


@pytest.mark.parametrize("provider", HOOKED)
def test_every_topic_named_leads_somewhere(provider: Provider) -> None:
    for case in load(provider, "webhooks.json")["cases"]:
        for event in case.get("events", []):
            for name in event.get("resources", []):
                provider.resource(name)
