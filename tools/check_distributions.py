"""Check that the built distributions have all required files, and no others.

Usage::

    python tools/check_distributions.py DIRECTORY

The directory has a source distribution of imageloom, a wheel for all systems, and in `compiled` one
with kernels for this system, if they can be compiled here; all are built from this checkout. The
expected modules and tests are those that git lists. Files that git ignores must not be included, but
for the kernels.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SDIST_OWN = {"CHANGELOG.md", "LICENSE", "MANIFEST.in", "PKG-INFO", "README.md", "pyproject.toml"}
SDIST_OWN |= {"setup.cfg", "setup.py"}
BACKENDS = "src/imageloom.egg-info/"  # what the build backend writes for itself
KERNELS = "imageloom/_imaging/kernels/"
COMPILED = {f"{KERNELS}_portable.abi3.so", f"{KERNELS}_avx2.abi3.so"}
SOURCES = (".c", ".h")  # only in the source distribution
ENTRY_POINTS = "[console_scripts]\nimageloom = imageloom._cli:main\n"


def files_of_checkout(*folders: str) -> set[str]:
    """Return the files that git tracks, or that are new and not ignored."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return {name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()}


def described() -> dict[str, Any]:
    """Return what `pyproject.toml` says of the project."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


def differences(place: str, names: set[str], expected: set[str]) -> list[str]:
    """Return a line for each missing file and for each file that should not be there."""
    return [f"{place} lacks {name}" for name in sorted(expected - names)] + [
        f"{place} has {name}, which must not be included" for name in sorted(names - expected)
    ]


def check_wheel(path: Path) -> list[str]:
    """Return the problems of a wheel."""
    info = f"{'-'.join(path.name.split('-')[:2])}.dist-info"
    expected = {name.removeprefix("src/") for name in files_of_checkout("src/imageloom")}
    expected = {name for name in expected if not name.endswith(SOURCES)}
    expected |= {
        f"{info}/{name}"
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt")
    }
    expected |= {f"{info}/licenses/{name}" for name in described()["license-files"]}
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
        if not path.name.endswith("-none-any.whl"):
            compiled = names & COMPILED  # which ones, depends on the processor
            if not compiled or "-cp311-abi3-" not in path.name:
                return [f"{path.name} has no kernels for all versions of Python"]
            names -= compiled
        problems = differences(path.name, names, expected | {"imageloom/py.typed"})
        if problems:
            return problems
        if wheel.read(f"{info}/entry_points.txt").decode() != ENTRY_POINTS:
            problems.append(f"{path.name} has entry points other than the command")
        return problems + check_metadata(path.name, wheel.read(f"{info}/METADATA").decode())


def check_metadata(place: str, text: str) -> list[str]:
    """Return the problems of the metadata."""
    metadata = Parser().parsestr(text)
    project = described()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    expected = {
        "Version": project["version"],
        "Requires-Python": project["requires-python"],
        "License-Expression": project["license"],
        "Description-Content-Type": "text/markdown",
    }
    problems = [
        f"{place}: {name} is {metadata[name]!r}, not {value!r}"
        for name, value in expected.items()
        if metadata[name] != value
    ]
    if metadata.get_payload() != readme:
        problems.append(f"{place}: the description is not README.md")
    extras = set(metadata.get_all("Provides-Extra", []))
    problems += differences(f"{place}, of extras,", extras, set(project["optional-dependencies"]))
    missing = [need for need in metadata.get_all("Requires-Dist", []) if ">=" not in need]
    return problems + [f"{place} needs {need!r} without a lower bound" for need in missing]


def check_sdist(path: Path) -> list[str]:
    """Return the problems of the source distribution."""
    with tarfile.open(path) as sdist:
        names = {member.name.partition("/")[2] for member in sdist if not member.isdir()}
    names = {name for name in names if not name.startswith(BACKENDS)}
    return differences(path.name, names, files_of_checkout("src/imageloom", "tests") | SDIST_OWN)


def main(directory: Path) -> int:
    """Check all distributions; return the exit status."""
    pure = list(directory.glob("imageloom-*-none-any.whl"))
    compiled = list(directory.glob("compiled/imageloom-*.whl"))
    sdists = list(directory.glob("imageloom-*.tar.gz"))
    if not len(pure) == len(compiled) == len(sdists) == 1:
        print(
            f"{directory} has {len(pure)} wheels for all systems, {len(compiled)} for this one and "
            f"{len(sdists)} source distributions, but must have one of each: empty it and build again",
            file=sys.stderr,
        )
        return 1
    problems = check_sdist(sdists[0])
    for wheel in pure + compiled:
        problems += check_wheel(wheel)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        names = [path.name for path in pure + compiled + sdists]
        print(", ".join(names), "have all required files")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
