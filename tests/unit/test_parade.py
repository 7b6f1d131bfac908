"""`make demo PROVIDERS=all`: every provider there is has its part in it, by existing."""

from __future__ import annotations

from ops import parade
from shared.providers import FileUpload, PhonePush, house
from shared.providers.registry import provider, provider_ids


def test_every_provider_takes_part_in_its_own_way() -> None:
    connected = set(parade.connectable())
    assert {provider(name).id for name in connected} == connected
    others = {source.id for kind in (PhonePush, FileUpload) for source in parade.of_kind(kind)}
    assert {house(name) for name in connected} | others == set(provider_ids())
    assert not {house(name) for name in connected} & others
