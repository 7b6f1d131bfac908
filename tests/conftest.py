"""A test of a provider that is not here has nothing to prove: it is left out, and no other is the worse for it. AWS is
moto's, one server for all tests of a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from shared.providers.registry import provider_ids

# A loaded machine is slow, not wrong.
settings.register_profile("here", deadline=None)
settings.load_profile("here")

HERE = Path(__file__).parent
# A provider's own tests lie beside its recorded examples.
collect_ignore = [
    str(folder) for folder in (HERE / "contract").iterdir() if folder.is_dir() and folder.name not in provider_ids()
]


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """Its address."""
    from tests.functions.standing import moto  # takes seconds to import

    with moto() as url:
        yield url


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    absent = [item for item in items if needed(item) - set(provider_ids())]
    if absent:
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]


def needed(item: pytest.Item) -> set[str]:
    return {str(name) for mark in item.iter_markers("needs") for name in mark.args}
