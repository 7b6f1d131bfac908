"""Whatever a phone sends as an item is accepted or rejected by itself, and what is accepted can be mapped and filed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.filing import Answer, file
from shared.local_time import Zones
from shared.providers import PhonePush, Provider
from shared.providers.registry import providers
from shared.push_items import Read

PHONES = [pytest.param(p, p.auth, id=p.id) for p in providers() if isinstance(p.auth, PhonePush)]
RECORDED = Path(__file__).parents[1] / "contract"
NOW = 1_795_000_000_000
ZONES = Zones(((0, "Europe/Berlin"),))
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=12) | st.sampled_from(
    ("2026-11-02T06:00:00Z", "2026-11-02", "+01:00", "%", "mmol/L", "Europe")
)
JSON = st.recursive(
    SCALARS | TEXTS, lambda x: st.lists(x, max_size=3) | st.dictionaries(TEXTS, x, max_size=3), max_leaves=6
)


def recorded(provider: Provider) -> list[dict[str, Any]]:
    """Every item of the provider's recorded batches."""
    files = [f for f in (RECORDED / provider.id).rglob("*.json") if not f.name.endswith(".expected.json")]
    return [item for f in files for part in json.loads(f.read_bytes()).values() for item in part["upserts"]]


def changed(items: list[dict[str, Any]]) -> st.SearchStrategy[Any]:
    """One of them, with anything at all in one or two of its fields."""
    names = st.sampled_from(("source_id", "type", "start", "end", "value", "unit", "samples", "components", "stages",
                             "source", "device", "version", "zone", "zone_offset", "activity", "metadata"))  # fmt: skip
    return st.builds(
        lambda item, fields: {**item, **fields}, st.sampled_from(items), st.dictionaries(names, JSON, max_size=2)
    )


@pytest.mark.parametrize(("provider", "push"), PHONES)
def test_no_item_brings_the_door_down(provider: Provider, push: PhonePush) -> None:
    @settings(max_examples=150, deadline=None)
    @given(st.lists(changed(recorded(provider)) | JSON, max_size=4))
    def check(items: list[Any]) -> None:
        items = orjson.loads(orjson.dumps(items))
        read = Read(provider, push.types, NOW)
        results = [read.upsert(item) for item in items]
        assert all(bool(result.message) == (result.status == "rejected") for result in results)
        filed = [
            file(Answer("ada", provider, provider.resource(name), [{name: part}], NOW, ZONES))
            for name, part in read.parts.items()
        ]
        unread = [skip for found in filed for skip in found.skipped if skip.index >= 0]
        assert unread == [], "what the door accepts, the worker maps"

    check()


@pytest.mark.parametrize(("provider", "push"), PHONES)
def test_what_is_recorded_is_accepted_or_named(provider: Provider, push: PhonePush) -> None:
    read = Read(provider, push.types, NOW)
    rejected = [result for result in map(read.upsert, recorded(provider)) if result.status == "rejected"]
    assert rejected
    assert all(result.field and result.message for result in rejected)


@pytest.mark.parametrize(("provider", "push"), PHONES)
def test_every_type_leads_to_a_resource_and_every_resource_has_one(provider: Provider, push: PhonePush) -> None:
    assert set(push.types.values()) == {resource.name for resource in provider.resources}
