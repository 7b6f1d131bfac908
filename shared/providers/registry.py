"""Finds the providers: every folder beside this file that has a spec, and the sources of aggregators. A provider is
loaded when it is named."""

import os
from functools import cache
from importlib import import_module

import shared.providers
from shared.errors import UnknownProviderError
from shared.providers import Provider


@cache
def provider_ids() -> tuple[str, ...]:
    # Not by pkgutil: it loads `inspect` to look, and every door asks.
    return tuple(sorted(f.name for f in os.scandir(*shared.providers.__path__) if os.path.isfile(f"{f.path}/spec.py")))


@cache
def provider(provider_id: str) -> Provider:
    """Raises UnknownProviderError, naming the ones there are."""
    name, _, upstream = provider_id.partition(".")
    if name not in provider_ids():
        raise UnknownProviderError(f"unknown provider; known are {', '.join(provider_ids())}", "provider")
    spec: Provider = import_module(f"shared.providers.{name}.spec").PROVIDER
    return spec.through(upstream) if upstream else spec


def providers() -> tuple[Provider, ...]:
    return tuple(provider(name) for name in provider_ids())
