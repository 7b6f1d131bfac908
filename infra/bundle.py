"""What one function carries: its own modules, the libraries these import, and bytecode of both, as one zip.

Same inputs, same bytes: files in order and without times. Bundles are kept in `build/bundles` under the digest of what
went into them, so that only a change makes new ones. Lambda's disk is read-only: bytecode that is not there is compiled
at every cold start; and it is `unchecked-hash`, since a zip's times say nothing about its files.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import Distribution, distributions
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from infra import imported
from infra.imported import OURS, READS, ROOT, modules, ours

KEPT = ROOT / "build" / "bundles"
PYTHON = "python3.13"
"""What Lambda runs."""
MB = 10**6
UNNAMED = {"zoneinfo": "tzdata"}
"""The standard library's modules, and what they load if it is there."""
SERVICES = {"s3"}
"""What is called through botocore, which carries the models of four hundred; `shared/signed.py` needs none."""
MODELS = "botocore/data"
ENDPOINTS = f"{MODELS}/endpoints.json"
USELESS = re.compile(r".*\.dist-info/|.*\.(pyi|typed|h)$|(.*/)?(tests|__pycache__)/|\.\./|.*/examples-1\.json")
AUTHORITIES = "amazon.pem"
AMAZON = re.compile(
    r'# Label: "(?:Amazon Root CA \d|Starfield Services Root [\w ]+ - G2)".*?-----END CERTIFICATE-----\n', re.DOTALL
)
"""Those whom AWS's own doors are certified by (https://www.amazontrust.com/repository), as certifi has them: all that
there are take a process longer to read than a call does."""


@dataclass(frozen=True)
class Bundle:
    """`size` is what it takes on Lambda, in bytes, where a quarter of a gigabyte is the most there may be."""

    zip: Path
    size: int
    files: int


# ---------------------------------------------------------------- libraries


@dataclass(frozen=True)
class Wheels:
    """A folder of installed libraries, for Lambda or for this machine."""

    folder: Path

    @cached_property
    def here(self) -> dict[str, Distribution]:
        return {_plain(found.name): found for found in distributions(path=[str(self.folder)])}

    @cached_property
    def tops(self) -> dict[str, str]:
        """The distribution of each module that can be imported."""
        return {
            path.parts[0].partition(".")[0]: name
            for name, found in self.here.items()
            for path in found.files or ()
            if len(path.parts) > 1 or path.suffix in (".py", ".so")
        }

    def files(self, names: set[str]) -> set[str]:
        """What these modules and all that their libraries ask for take, without what nothing reads."""
        found, new = set[str](), {self.tops[top] for top in map(_top, names) if top in self.tops}
        while new:
            found |= new
            asked = (_plain(text) for name in new for text in self.here[name].requires or () if "extra ==" not in text)
            new = {name for name in asked if name in self.here} - found
        paths = {str(path) for name in found for path in self.here[name].files or ()}
        return {path for path in paths if not USELESS.match(path) and _modelled(path)}


def _top(module: str) -> str:
    return UNNAMED.get(module, module.partition(".")[0])


def _plain(requirement: str) -> str:
    """PEP 503's name of a distribution, from a requirement that names it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement.strip())[0]).lower()


def _modelled(path: str) -> bool:
    """Not the model of a service that nobody calls."""
    service = path.removeprefix(f"{MODELS}/").split("/")
    return not path.startswith(MODELS) or len(service) == 1 or service[0] in SERVICES


# ---------------------------------------------------------------- making


def bundles(wheels: Path | None, python: str | None = sys.executable, kept: Path = KEPT) -> dict[str, Bundle]:
    """Every function's, by its name. Without `wheels` they carry no libraries: whoever runs them has some. Bytecode is
    that of `python`; where it is None they are source."""
    folder = kept / digest(wheels, python)
    if not folder.is_dir():
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept) as made:
            stage, out = Path(made) / "stage", Path(made) / "out"
            out.mkdir()
            make(stage, out, Wheels(wheels) if wheels else None, python)
            try:
                out.rename(folder)
            except OSError:  # somebody else was as quick, and made the same
                if not folder.is_dir():
                    raise
    sizes = json.loads((folder / "sizes.json").read_text(encoding="utf-8"))
    return {name: Bundle(folder / f"{name}.zip", *size) for name, size in sizes.items()}


def digest(wheels: Path | None, python: str | None) -> str:
    """Of everything that makes a difference. The same locked wheels are others for Lambda than for this machine."""
    files = (file for top in OURS for file in (ROOT / top).rglob("*.py"))
    read = sorted({*files, *(ROOT / path for path in READS.values()), Path(__file__), Path(imported.__file__)})
    made = hashlib.sha256(f"{_version(python)} {wheels}\n".encode())
    made.update((wheels / "made").read_bytes() if wheels else b"")
    for file in read:
        made.update(f"{file.relative_to(ROOT)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return made.hexdigest()[:16]


@cache
def _version(python: str | None) -> str:
    return subprocess.run([python, "-VV"], check=True, capture_output=True, text=True).stdout if python else "source"


def make(stage: Path, out: Path, wheels: Wheels | None, python: str | None) -> None:
    """Everything once into `stage`, compiled; and of that to each function its own."""
    wanted = {
        f.parent.name: (ours(names := modules(f.parent.name)), wheels.files(names) if wheels else set[str]())
        for f in sorted(ROOT.glob("functions/*/handler.py"))
    }
    for home, which in ((ROOT, 0), (wheels.folder if wheels else ROOT, 1)):
        for path in set[str]().union(*(files[which] for files in wanted.values())):
            (stage / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(home / path, stage / path)
    if wheels:
        shorten(stage)
    if python:
        how = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(stage), str(stage)]
        subprocess.run([python, *how], check=True)

    def pack(item: tuple[str, tuple[set[str], set[str]]]) -> tuple[str, tuple[int, int]]:
        name, (own, libraries) = item
        more = {AUTHORITIES} if wheels else set[str]()
        return name, packed(stage, own | libraries | more, out / f"{name}.zip")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sizes = dict(pool.map(pack, wanted.items()))
    (out / "sizes.json").write_text(json.dumps(sizes), encoding="utf-8")


def shorten(stage: Path) -> None:
    """Of the endpoints of all services, and of all authorities, those that are asked."""
    told = json.loads((stage / ENDPOINTS).read_text(encoding="utf-8"))
    for partition in told["partitions"]:
        partition["services"] = {name: at for name, at in partition["services"].items() if name in SERVICES}
    (stage / ENDPOINTS).write_text(json.dumps(told, separators=(",", ":")), encoding="utf-8")
    trusted = AMAZON.findall((stage / "certifi" / "cacert.pem").read_text(encoding="utf-8"))
    (stage / AUTHORITIES).write_text("".join(trusted), encoding="utf-8")


def packed(stage: Path, paths: set[str], to: Path) -> tuple[int, int]:
    """Into a zip, each with its bytecode; returns how many bytes and files."""
    size = 0
    with ZipFile(to, "w", ZIP_DEFLATED) as made:
        files = sorted({file for path in paths for file in (stage / path, *compiled(stage / path))})
        for file in files:
            content = file.read_bytes()
            size += len(content)
            entry = ZipInfo(str(file.relative_to(stage)))  # of the first of January 1980
            entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
            made.writestr(entry, content)
    return size, len(files)


def compiled(file: Path) -> list[Path]:
    found = file.parent.glob(f"__pycache__/{file.stem}.*.pyc") if file.suffix == ".py" else ()
    return [each for each in found if each.name.split(".")[0] == file.stem]


def interpreter(name: str) -> str | None:
    """The Python that Lambda runs, if it is here."""
    found = shutil.which(name)
    works = found and subprocess.run([found, "-V"], check=False, capture_output=True).returncode == 0
    return found if works else None


def main() -> None:
    python = interpreter(PYTHON)
    for function, made in bundles(ROOT / "build" / "wheels" / "lambda", python).items():
        zipped = made.zip.stat().st_size / MB
        print(f"{function:12}{made.size / MB:6.1f} MB, {zipped:4.1f} MB zipped, {made.files:5,} files")
    if python is None:
        print(f"There is no {PYTHON} here to compile bytecode with: every cold start will take twice as long.")


if __name__ == "__main__":
    main()
