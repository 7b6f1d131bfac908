"""The arrows and the budgets of docs/architecture.md, read from the source itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from statistics import median

import pytest

from shared.providers import HmacSignature, PublishedKey
from shared.providers.registry import provider_ids, providers

ROOT = Path(__file__).parents[2]
OURS = ("functions", "shared", "infra", "ops", "sandbox", "tests", "bench")
VOCABULARY = {"shared.model", "shared.catalogue", "shared.errors", "shared.values"}
MEASURED = ("functions", "shared", "infra")
SLOW_TO_IMPORT = (
    "boto3", "botocore", "pydantic", "httpx", "cryptography", "aws_lambda_powertools", "dataclasses", "inspect",
    "http.client", "email",
)  # fmt: skip


def sources(*tops: str) -> list[Path]:
    return sorted(f for top in tops for f in (ROOT / top).rglob("*.py"))


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(file: Path) -> Iterator[str]:
    """Every module imported anywhere in the file; `from a import b` may name the module a.b."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*start, *filter(None, [node.module])))
            yield module
            yield from (f"{module}.{a.name}" for a in node.names if is_module(f"{module}.{a.name}"))


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


@pytest.mark.parametrize(
    ("top", "allowed"),
    [
        ("functions", {"functions", "shared"}),
        ("shared", {"shared"}),
        ("sandbox", {"sandbox"}),
        ("infra", {"infra", "shared"}),
    ],
)
def test_arrows_point_inwards(top: str, allowed: set[str]) -> None:
    files = sources(top)
    reached = {(f.name, name) for f in files for name in imports(f) if name.split(".")[0] in OURS}
    assert files
    assert {(f, name) for f, name in reached if name.split(".")[0] not in allowed} == set()


def test_one_function_never_imports_another() -> None:
    reached = {(f.parent.name, name) for f in sources("functions") for name in imports(f)}
    assert {(here, name) for here, name in reached if name.startswith("functions.")} == set()


@pytest.mark.parametrize("provider", provider_ids())
def test_a_provider_knows_only_the_vocabulary_and_itself(provider: str) -> None:
    """What is not in the list cannot touch AWS, the network, or the rest of the corridor."""
    home, strangers = f"shared.providers.{provider}", {f"shared.providers.{p}" for p in provider_ids()}

    def known(name: str) -> bool:
        if name == home or name.startswith(f"{home}."):
            return True
        if name.startswith("shared"):
            stranger = any(name == s or name.startswith(f"{s}.") for s in strangers) or name.endswith(".registry")
            return name in VOCABULARY or (name.startswith("shared.providers") and not stranger)
        return name.split(".")[0] in sys.stdlib_module_names | {"orjson"}

    files = sources(f"shared/providers/{provider}")
    assert files
    assert {(f.name, name) for f in files for name in imports(f) if not known(name)} == set()


def test_what_functions_load_has_light_classes() -> None:
    """One way to make them, so that `replace` knows them all."""
    assert {f.name for f in sources("functions", "shared") if "dataclasses" in imports(f)} == {"values.py"}


# ---------------------------------------------------------------- budgets


def lengths(*tops: str) -> list[tuple[int, str]]:
    """Lines of every function, decorators aside, shortest first."""
    return sorted(
        ((node.end_lineno or 0) - node.lineno + 1, f"{file.relative_to(ROOT)}:{node.name}")
        for file in sources(*tops)
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def code_lines(file: Path) -> int:
    """Lines that hold more than blanks, a comment or the module's docstring."""
    first = tree(file).body[0] if tree(file).body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    skipped = first.end_lineno or 0 if first and is_docstring else 0
    return sum(1 for line in lines(file)[skipped:] if line.strip() and not line.strip().startswith("#"))


def test_functions_are_short() -> None:
    found = [length for length, _ in lengths(*MEASURED)]
    assert len(found) > 100
    assert median(found) <= 9
    assert found[int(len(found) * 0.9)] <= 30
    assert [where for length, where in lengths(*MEASURED, "ops", "sandbox") if length > 60] == []


def test_files_are_short() -> None:
    found = [len(lines(f)) for f in sources(*MEASURED) if lines(f)]
    assert median(found) <= 90
    assert [f.name for f in sources(*MEASURED, "ops", "sandbox") if len(lines(f)) > 400] == []


def all_lines(file: Path) -> int:
    return len(lines(file))


@pytest.mark.parametrize(
    ("pattern", "size", "most"),
    [
        ("functions/*/handler.py", all_lines, 60),
        ("shared/providers/*/spec.py", code_lines, 60),
        ("shared/providers/*/mapping.py", code_lines, 250),
    ],
)
def test_the_parts_that_multiply_stay_small(pattern: str, size: Callable[[Path], int], most: int) -> None:
    sizes = {str(f.relative_to(ROOT)): size(f) for f in ROOT.glob(pattern)}
    assert sizes
    assert {name: n for name, n in sizes.items() if n > most} == {}


# ---------------------------------------------------------------- importing


def python(program: str) -> str:
    """What a new interpreter without any environment prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_needs_nothing() -> None:
    """No environment, no credentials, no network: what a function needs it asks for when it is called."""
    names = [f"functions.{f.parent.name}.handler" for f in ROOT.glob("functions/*/handler.py")]
    assert len(names) >= 8
    no_network = (
        "import socket\ndef refuse(*a, **k): raise OSError('network at import')\nsocket.socket.connect = refuse"
    )
    assert python("\n".join([no_network, *(f"import {name}" for name in names), "print('ok')"])) == "ok\n"


SEALING = frozenset({"cryptography", "_cffi_backend"})
LOGGING = frozenset({"aws_lambda_powertools", "typing_extensions", "jmespath"})
LOOKED_FOR = "botocore"
"""By Powertools, which loads no more than its first file. Any other of its modules would cost half a cold start."""
ASKING = frozenset({"httpx", "idna"})
"""The vendors. What opens its sockets is loaded with the first question."""
ROUTES = frozenset({"aws_lambda_powertools", "typing_extensions"})
SHAPES = frozenset({"pydantic", "pydantic_core", "annotated_types", "typing_inspection"})
"""Of the app's requests."""
JSON = frozenset({"orjson"})
STORING = (SEALING, LOGGING, JSON)
MAY_LOAD: dict[str, tuple[frozenset[str], ...]] = {
    "webhook": (),
    "poll": STORING,
    "importer": STORING,
    "worker": (*STORING, ASKING),
    **dict.fromkeys(
        ("events", "export", "exporter", "periods", "profile", "push", "readings", "upload"), (*STORING, ROUTES, SHAPES)
    ),
    **dict.fromkeys(("api", "callback", "connect", "disconnect", "erase", "sync"), (*STORING, ROUTES, SHAPES, ASKING)),
}
FOR_PEOPLE = ("click", "rich", "pygments")
"""What httpx loads for its command line where it finds them: a Lambda carries none."""


@cache
def third_parties() -> frozenset[str]:
    return frozenset(packages_distributions()) - set(OURS)


@pytest.mark.parametrize("function", sorted(f.parent.name for f in ROOT.glob("functions/*/handler.py")))
def test_a_function_loads_no_more_than_it_may(function: str) -> None:
    """Each library is part of every cold start. One that a function no longer loads is taken off its list."""
    loaded = python(
        f"import sys\nfor name in {FOR_PEOPLE!r}: sys.modules[name] = None\n"
        f"before = set(sys.modules)\nimport functions.{function}.handler\n"
        f"print(*{{name.partition('.')[0] for name in set(sys.modules) - before - {{{LOOKED_FOR!r}}}}})"
    )
    found = third_parties() & set(loaded.split())
    assert found - frozenset().union(*MAY_LOAD[function]) == set()
    assert [sorted(group) for group in MAY_LOAD[function] if not group & found] == []


def test_only_the_exporter_carries_what_writes_exports() -> None:
    """Parquet's library is in its bundle alone, and loaded when a table is written."""
    users = {str(f.relative_to(ROOT)) for f in sources("functions", "shared") for n in imports(f) if "arro3" in n}
    assert users == {"shared/exporting/parquet.py"}
    for function in ("worker", "webhook", "api", "export", "exporter"):
        loaded = python(
            f"import sys, functions.{function}.handler\n"
            "print(sorted({m.split('.')[0] for m in sys.modules} & {'arro3', 'pyarrow', 'fhir', 'omh_shim'}), "
            "'shared.exporting' in sys.modules)"
        )
        assert loaded == f"[] {function == 'exporter'}\n"


def test_the_webhook_door_loads_nothing_slow() -> None:
    """Its cold start is part of every vendor's time-out."""
    signed = [p.id for p in providers() if p.webhook and isinstance(p.webhook.proof, HmacSignature | PublishedKey)]
    assert signed
    program = (
        "import sys, functions.webhook.handler\nfrom shared.providers.registry import provider\n"
        f"for name in {signed!r}: provider(name)\n"
        f"print([m for m in {SLOW_TO_IMPORT!r} if m in sys.modules])"
    )
    assert python(program) == "[]\n"


def test_the_worker_loads_a_seldom_task_when_it_comes() -> None:
    """Nor what only the app's reads need: `recovery` brings the standard library's statistics."""
    seldom = ("shared.tasks", "shared.erasure", "shared.leaving", "shared.replay", "shared.subscriptions")
    program = (
        "import sys, functions.worker.handler\n"
        f"print([m for m in {(*seldom, 'shared.days', 'shared.recovery', 'statistics')!r} if m in sys.modules])"
    )
    assert python(program) == "[]\n"


def test_opening_one_provider_loads_no_other() -> None:
    program = (
        "import sys\nfrom shared.providers.registry import provider, provider_ids\nfor name in provider_ids():\n"
        "    before = set(sys.modules)\n    provider(name)\n    loaded = set(sys.modules) - before\n"
        "    ours = {m.split('.')[2] for m in loaded if m.startswith('shared.providers.')}\n"
        "    print(ours & {*provider_ids()} == {name})"
    )
    assert set(python(program).split()) == {"True"}
