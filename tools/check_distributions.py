"""Check that the built distributions hold what they should, and nothing else.

Usage::

    python tools/check_distributions.py DIRECTORY

The directory holds one wheel and one source distribution of imageloom.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

WHEEL_NEEDS = {"imageloom/__init__.py", "imageloom/py.typed"}
# The build backend always adds .gitignore and PKG-INFO.
SDIST_HOLDS = {
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "PKG-INFO",
    "README.md",
    "pyproject.toml",
    "src",
    "tests",
}
UNWANTED_SUFFIXES = {".pyc", ".pyo", ".so", ".swp", ".orig"}


def check_wheel(path: Path) -> list[str]:
    """Return what is wrong with the wheel."""
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
    problems = [f"{path.name} lacks {name}" for name in sorted(WHEEL_NEEDS - names)]
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        problems.append(f"{path.name} lacks the licence")
    for name in sorted(names):
        top = PurePosixPath(name).parts[0]
        if top != "imageloom" and not top.endswith(".dist-info"):
            problems.append(f"{path.name} holds {name}, which is outside the package")
    return problems + unwanted_files(path, names)


def check_sdist(path: Path) -> list[str]:
    """Return what is wrong with the source distribution."""
    with tarfile.open(path) as sdist:
        names = {member.name.partition("/")[2] for member in sdist if member.isfile()}
    tops = {PurePosixPath(name).parts[0] for name in names}
    problems = [f"{path.name} lacks {top}" for top in sorted(SDIST_HOLDS - tops)]
    problems += [f"{path.name} holds {top}, unexpectedly" for top in sorted(tops - SDIST_HOLDS)]
    return problems + unwanted_files(path, names)


def unwanted_files(path: Path, names: set[str]) -> list[str]:
    """Return the compiled and left-over files among the names."""
    return [
        f"{path.name} holds {name}, a left-over"
        for name in sorted(names)
        if PurePosixPath(name).suffix in UNWANTED_SUFFIXES or "__pycache__" in name
    ]


def main(directory: Path) -> int:
    """Check both distributions; return the exit status."""
    wheels = list(directory.glob("imageloom-*.whl"))
    sdists = list(directory.glob("imageloom-*.tar.gz"))
    if len(wheels) != 1 or len(sdists) != 1:
        print(
            f"{directory} holds {len(wheels)} wheels and {len(sdists)} source distributions; "
            "one of each is needed: empty it and build again",
            file=sys.stderr,
        )
        return 1
    problems = check_wheel(wheels[0]) + check_sdist(sdists[0])
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{wheels[0].name} and {sdists[0].name} hold what they should")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
