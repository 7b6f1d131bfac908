"""What a function imports, read from the source: a static closure, lazy imports among it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = ("functions", "shared")
ANY_PROVIDER = "shared.providers.registry"
"""Whoever imports it may load every provider by its name."""
READS = {"shared.views": "docs/openapi.json"}
"""Modules and what they read from disk."""


def imported(file: Path) -> Iterator[str]:
    """Every module the file imports, or may; `from a import b` may name the module a.b. What only a type checker reads
    is left out."""
    package = file.relative_to(ROOT).parent.parts
    for node in _running(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*start, *filter(None, [node.module])))
            yield from (module, *(f"{module}.{alias.name}" for alias in node.names))


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below, but for `if TYPE_CHECKING:`."""
    yield node
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    for child in ast.iter_child_nodes(node):
        yield from _running(child)


@cache
def source(module: str) -> Path | None:
    """The file of one of our modules; None for anything else."""
    path = ROOT.joinpath(*module.split("."))
    found = (f for f in (path / "__init__.py", path.with_suffix(".py")) if f.is_file())
    return next(found, None) if module.split(".")[0] in OURS else None


@cache
def needs(module: str) -> frozenset[str]:
    """The modules that one of ours imports, and the packages that these and itself are in."""
    file = source(module)
    assert file
    found = set(imported(file))
    if module == ANY_PROVIDER:
        specs = ROOT.glob("shared/providers/*/spec.py")
        found |= {f"shared.providers.{spec.parent.name}.spec" for spec in specs}
    parts = (name.split(".") for name in {module, *found})
    return frozenset(found | {".".join(part[:n]) for part in parts for n in range(1, len(part))})


def modules(function: str) -> set[str]:
    """All that the function may import, of ours and of others."""
    found, new = set[str](), {f"functions.{function}.handler"}
    while new:
        found |= new
        new = {name for module in new if source(module) for name in needs(module)} - found
    return found


def ours(names: set[str]) -> set[str]:
    """The files of these modules, and what they read, by their paths from the root."""
    files = {str(file.relative_to(ROOT)) for file in map(source, names) if file}
    return files | {path for module, path in READS.items() if module in names}
