"""What each function carries, from this very source; the libraries are made up, but for those it runs with here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from infra import bundle, imported
from infra.bundle import Bundle, Wheels, bundles, packed, shorten
from infra.function import RUNTIME
from infra.imported import ROOT, modules, ours

FUNCTIONS = sorted(f.parent.name for f in ROOT.glob("functions/*/handler.py"))
UNCHECKED = b"\x01\0\0\0"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    return bundles(None, sys.executable, tmp_path_factory.mktemp("bundles"))


def names(each: Bundle) -> set[str]:
    return set(ZipFile(each.zip).namelist())


def sources(each: Bundle) -> set[str]:
    return {name for name in names(each) if name.endswith(".py")}


def test_every_function_has_its_own(made: dict[str, Bundle]) -> None:
    assert sorted(made) == FUNCTIONS
    for name, each in made.items():
        handlers = {file for file in sources(each) if file.endswith("/handler.py")}
        assert handlers == {f"functions/{name}/handler.py"}
        assert each.size == sum(entry.file_size for entry in ZipFile(each.zip).infolist())
        assert each.files == len(names(each))


def test_it_carries_what_the_function_imports_and_no_more(made: dict[str, Bundle]) -> None:
    door, worker, api = (sources(made[name]) for name in ("webhook", "worker", "api"))
    assert {"shared/webhooks.py", "shared/providers/oura/spec.py", "shared/providers/oura/mapping.py"} <= door
    assert not {"shared/api.py", "shared/sync.py", "shared/vendor.py"} & door
    assert "shared/sync.py" in worker
    assert not {"shared/api.py", "shared/exporting/parquet.py"} & worker
    assert "shared/exporting/parquet.py" in sources(made["exporter"])
    assert "docs/openapi.json" in names(made["api"]) - names(made["worker"])
    assert "shared/api.py" in api


def test_its_bytecode_is_never_looked_at_again(made: dict[str, Bundle]) -> None:
    """By the times in a zip no file would be as old as its bytecode says."""
    for each in made.values():
        archive = ZipFile(each.zip)
        compiled = {name for name in archive.namelist() if name.endswith(".pyc")}
        assert len(compiled) == len(sources(each))
        assert {archive.read(name)[4:8] for name in compiled} == {UNCHECKED}


def test_what_went_in_comes_out_to_the_byte(made: dict[str, Bundle], tmp_path: Path) -> None:
    again = bundles(None, sys.executable, tmp_path)
    assert {name: each.zip.read_bytes() for name, each in again.items()} == {
        name: each.zip.read_bytes() for name, each in made.items()
    }


def test_it_is_made_once(made: dict[str, Bundle]) -> None:
    kept = made["api"].zip.parents[1]
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("*")}
    assert bundles(None, sys.executable, kept) == made
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*")} == before


@pytest.mark.parametrize("source", [bundle, imported])
def test_what_chooses_and_packs_the_files_goes_in(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bundle.digest(None, sys.executable)
    monkeypatch.setattr(source, "__file__", __file__)
    assert bundle.digest(None, sys.executable) != before


def test_the_wheels_of_another_machine_are_others_though_locked_alike(tmp_path: Path) -> None:
    """This machine may have the very Python that Lambda has."""
    for name in ("here", "lambda"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "made").write_text("locked")
    made = {bundle.digest(wheels, sys.executable) for wheels in (None, tmp_path / "here", tmp_path / "lambda")}
    assert len(made) == 3


def test_without_its_interpreter_it_is_source(tmp_path: Path) -> None:
    made = bundles(None, None, tmp_path)
    assert not [name for each in made.values() for name in names(each) if name.endswith(".pyc")]
    assert bundle.interpreter("python2.0") is None
    assert bundle.interpreter(sys.executable) == sys.executable


def test_every_function_starts_from_nothing_else(made: dict[str, Bundle], tmp_path: Path) -> None:
    """Each in a child of one process that has read the libraries already."""
    for name, each in made.items():
        ZipFile(each.zip).extractall(tmp_path / name)
    program = f"""
import os, sys
import aws_lambda_powertools.event_handler.openapi.params
import botocore.session, cryptography, httpx, orjson, pydantic
sys.path = [part for part in sys.path if {str(ROOT)!r} != part]
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in str(finder)]
for name in {FUNCTIONS!r}:
    if os.fork():
        assert not os.wait()[1], name
    else:
        sys.path.insert(0, f"{tmp_path}/{{name}}")
        module = __import__(f"functions.{{name}}.handler", fromlist=["handler"])
        if name in ("webhook", "worker"):
            from shared.providers.registry import providers
            assert len(providers()) > 15
        assert module.__file__.startswith({str(tmp_path)!r}) and callable(module.handler)
        os._exit(0)
print("all")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd="/", capture_output=True, text=True, check=False)
    assert done.stdout == "all\n", done.stderr


# ---------------------------------------------------------------- libraries


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Two libraries, one of which asks for the other and, for an extra that nobody has, for a third."""

    def install(name: str, requires: tuple[str, ...], *files: str) -> None:
        info = f"{name}-1.dist-info"
        wanted = "".join(f"Requires-Dist: {text}\n" for text in requires)
        for path in (*files, f"{info}/RECORD", f"{info}/METADATA"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text("")
        (tmp_path / info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{wanted}")
        (tmp_path / info / "RECORD").write_text("".join(f"{path},,\n" for path in (*files, f"{info}/METADATA")))

    dead = (
        "httpx/tests/test_it.py",
        "httpx/core.pyi",
        "httpx/py.typed",
        "httpx/__pycache__/core.pyc",
        "../../bin/httpx",
    )
    install("httpx", ('H.2_one>=1; python_version > "3"', "extra-ordinary; extra == 'cli'"), "httpx/core.py", *dead[:4])
    install("h-2-one", (), "h2one.py")
    install("extra-ordinary", (), "extra_ordinary.py")
    models = ("s3/2006/service-2.json.gz", "s3/2006/examples-1.json", "ec2/2016/service-2.json.gz", "_retry.json")
    install("botocore", (), "botocore/session.py", *(f"botocore/data/{path}" for path in models))
    return tmp_path


def test_libraries_come_with_what_they_ask_for(wheels: Path) -> None:
    assert Wheels(wheels).files({"httpx", "httpx.core", "json"}) == {"httpx/core.py", "h2one.py"}


def test_only_the_models_of_what_is_called_are_carried(wheels: Path) -> None:
    kept = {"botocore/session.py", "botocore/data/s3/2006/service-2.json.gz", "botocore/data/_retry.json"}
    assert Wheels(wheels).files({"botocore.session"}) == kept


def test_every_client_that_we_make_has_its_model() -> None:
    made = (ROOT / "shared" / "aws.py").read_text(encoding="utf-8")
    assert set(re.findall(r'create_client\("(\w+)"', made)) == bundle.SERVICES


def test_endpoints_and_authorities_are_those_that_are_asked(tmp_path: Path) -> None:
    """Of what botocore and certifi have."""
    import botocore
    import certifi

    for path, source in (
        (bundle.ENDPOINTS, Path(botocore.__file__).parent / "data" / "endpoints.json"),
        ("certifi/cacert.pem", Path(certifi.where())),
    ):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(source.read_bytes())
    shorten(tmp_path)
    partitions = json.loads((tmp_path / bundle.ENDPOINTS).read_text())["partitions"]
    assert set(partitions[0]["services"]) == bundle.SERVICES
    assert len({partition["partition"] for partition in partitions}) > 3
    trusted = (tmp_path / bundle.AUTHORITIES).read_text()
    assert trusted.count("BEGIN CERTIFICATE") == trusted.count("END CERTIFICATE") == 5


def test_a_zip_holds_what_it_is_told_to_hold(tmp_path: Path) -> None:
    for name in ("a/b.py", "a/c.py", "a/b.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    assert packed(tmp_path, {"a/b.py", "a/b.txt"}, tmp_path / "a.zip") == (2, 2)


def test_what_lambda_runs_has_one_name() -> None:
    assert RUNTIME.name == bundle.PYTHON


def test_what_only_a_type_checker_reads_is_not_carried() -> None:
    assert "types_boto3_dynamodb" not in modules("worker")
    assert "shared/aws.py" in ours(modules("worker"))
