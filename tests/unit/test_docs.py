"""The documentation says what the code does, as far as a machine can tell."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import idle, reads, seen
from ops import cli, coverage, openapi
from shared import condition, errors
from shared.exporting import rows
from shared.providers import Provider
from shared.providers.registry import provider_ids, providers

pytestmark = pytest.mark.needs("dexcom", "file_import", "oura", "withings")
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README, OPERATIONS = ROOT / "README.md", DOCS / "operations.md"
PAGES = sorted([README, *DOCS.rglob("*.md")])
EVERY_PAGE = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES]
EVERY_PROVIDER = [pytest.param(p, id=p.id) for p in providers()]

FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
QUOTED = re.compile(r"From \[`([^`]+)`\][^`]*?:\n\n```python\n(.*?)```", re.DOTALL)
NAMED_PATH = re.compile(r"`((?:[\w.]+/)+[\w.]+\.\w+|[\w]+\.(?:py|json|toml|lock))`")
OUR_FOLDERS = ("functions/", "shared/", "infra/", "ops/", "sandbox/", "tests/", "docs/", "bench/")


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    return FENCED.sub("", text(page))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(prose(page)))
    return {heading.replace(" ", "-") for heading in plain}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    for target, anchor in LINK.findall(prose(page)):
        yield ((page.parent / target).resolve() if target else page), anchor


# ---------------------------------------------------------------- generated


def test_the_providers_tables_are_current() -> None:
    stale = [str(path.relative_to(ROOT)) for path, wanted in coverage.documents().items() if text(path) != wanted]
    assert stale == [], "run `python -m ops.coverage`"


def test_the_api_description_is_current() -> None:
    assert text(DOCS / "openapi.json") == openapi.text(), "write ops.openapi.text() to docs/openapi.json"


# ---------------------------------------------------------------- complete


@pytest.mark.parametrize("provider", EVERY_PROVIDER)
def test_a_provider_has_a_page_with_its_gaps_and_addresses(provider: Provider) -> None:
    assert coverage.gaps(provider)
    page = text(coverage.page(provider))
    if coverage.on_ring(provider):
        assert f"/v1/callback/{provider.id}" in page
    if provider.webhook:
        assert f"/v1/webhooks/{provider.id}" in page


def test_no_page_is_of_a_provider_that_is_gone() -> None:
    """But for one of a service without an interface: its page says which provider to take instead."""
    assert {page.stem for page in (DOCS / "providers").iterdir()} - {"libreview"} == set(provider_ids())


def test_every_setting_is_explained_with_its_default() -> None:
    settings = json.loads(text(ROOT / "cdk.json"))["context"]
    ours = {(name, spelled(value)) for name, value in settings.items() if not name.startswith("@")}
    assert set(re.findall(r"^\| `(\w+)` \| (`[^`]*`|\d+|empty) \| .+ \|$", text(README), re.MULTILINE)) == ours


def spelled(value: object) -> str:
    if type(value) is int:
        return str(value)
    return "empty" if value == "" else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def test_every_route_is_in_the_readme() -> None:
    routes = [(m.upper(), path) for path, methods in openapi.description()["paths"].items() for m in methods]
    assert len(routes) > 8
    assert [route for route in routes if f"| `{' '.join(route)}` |" not in text(README)] == []


def test_every_error_code_is_in_the_readme() -> None:
    kinds: list[type[errors.BadRequestError]] = [errors.BadRequestError, *errors.BadRequestError.__subclasses__()]
    assert [kind.code for kind in kinds if f"`{kind.code}`" not in text(README)] == []


def test_every_column_of_an_export_is_explained() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (`\w+`(?:, `\w+`)*) \|", text(DOCS / "exports.md"), re.MULTILINE)
    told = {kind: re.findall(r"\w+", columns) for kind, columns in listed}
    assert told == {kind: list(columns) for kind, columns in rows.KINDS.items()}


def test_what_reads_cost_is_as_counted() -> None:
    page = text(DOCS / "performance.md")
    with reads.person() as tables:
        for each in reads.reads(tables, times=1):
            assert f"| {each.what} | {each.calls} | {each.units} | {each.bytes} | {each.dollars:.2f} $ |" in page


def test_what_an_idle_stack_costs_is_as_computed() -> None:
    page, paid, free = " ".join(text(README).split()), idle.dollars(), sum(idle.dollars(free=True).values())
    assert f"costs {sum(paid.values()):.2f} $ a month" in page
    assert f"{paid['alarms']:.2f} $ for {idle.units()['alarms']} alarms, {paid['dashboards']:.2f} $ for the" in page
    assert (
        f"{paid['keys']:.2f} $ for the key, {paid['SQS']:.2f} $ for asking the queues, {paid['secrets']:.2f} $" in page
    )
    assert f"AWS's free tier to itself pays {free:.2f} $ of it" in page


def test_every_reason_of_a_connection_is_explained() -> None:
    assert [cause for cause in condition.ADVICE if f"| `{cause}` |" not in text(OPERATIONS)] == []


def test_what_events_and_passes_cost_is_as_computed() -> None:
    assert seen.text() in text(OPERATIONS), "paste what `python -m bench.seen` prints"


# ---------------------------------------------------------------- true


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [
        f"{target.name}#{anchor}"
        for target, anchor in links(page)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert broken == []


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_files_named_are_there(page: Path) -> None:
    named = [path for path in NAMED_PATH.findall(prose(page)) if path.startswith(OUR_FOLDERS) or "/" not in path]
    ours = [path for path in named if path not in ("spec.py", "mapping.py", "answer.json")]
    assert [path for path in ours if not (ROOT / path).exists()] == []


def test_the_architecture_names_files() -> None:
    assert len(set(NAMED_PATH.findall(text(DOCS / "architecture.md")))) > 30


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_code_quoted_from_a_file_is_in_it(page: Path) -> None:
    for path, quoted in QUOTED.findall(text(page)):
        lines = {line.strip() for line in text(ROOT / path).splitlines()}
        assert [line for line in quoted.splitlines() if line.strip() not in lines] == [], path


def test_the_walk_quotes_code() -> None:
    page = text(DOCS / "adding-a-provider.md")
    assert len(QUOTED.findall(page)) == page.count("```python") >= 6


def test_make_targets_and_commands_exist() -> None:
    said = "\n".join(map(text, PAGES))
    targets = set(re.findall(r"^([\w-]+):", text(ROOT / "Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([\w-]+)", said, re.MULTILINE)) <= targets
    (commands,) = (a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert set(re.findall(r"(?:`|bin/)tributary ([a-z]+)", said)) <= commands.choices.keys()


def test_the_walk_of_a_webhook_is_at_most_fourteen_files() -> None:
    walk = re.findall(r"^\| (\d+) \| `([^`]+)` \|", text(DOCS / "architecture.md"), re.MULTILINE)
    assert [int(number) for number, _ in walk[:14]] == list(range(1, 15))
    assert len(walk) == 14
