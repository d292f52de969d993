"""Write constraints/ci.txt: exact versions of all packages that the Makefile installs.

Usage::

    python tools/lock.py OUTPUT

The program finds the newest compatible versions with wheels for each Python and system of
continuous integration. A package has one line if its version is the same everywhere. Otherwise it
has one line per version, with a marker.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
# `sys_platform` -> the name of the system for the resolver.
SYSTEMS = {
    "linux": "x86_64-manylinux_2_28",
    "darwin": "aarch64-apple-darwin",
    "win32": "x86_64-pc-windows-msvc",
}
# The oldest macOS for which torch has wheels.
OLDEST_MACOS = "14.0"
# This group is resolved as the extra of the same name, which lists its packages.
EXTRA = "docs"
# The Makefile installs it first.
FOR_BUILDING = ["pip"]
HEADER = """\
# Exact versions of all that the Makefile installs, the tools that build the package too.
# `make lock` writes this file anew, with the newest of everything; `make test NEWEST=1` does without.
"""


class Place(NamedTuple):
    """The place of an environment: a Python, such as "3.11", and a system, as in `sys_platform`."""

    python: str
    system: str


def places_of(project: Mapping[str, list[str]]) -> list[Place]:
    """Return all places that the project supports."""
    pythons = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    return [Place(python, system) for python in pythons for system in SYSTEMS]


def resolved(place: Place, groups: Collection[str], build: Path) -> dict[str, str]:
    """Return the newest compatible version of each package of all groups."""
    command = [
        "uv", "pip", "compile", "pyproject.toml", str(build),
        "--quiet", "--no-config", "--no-header", "--no-annotate", "--only-binary", ":all:",
        "--python-version", place.python, "--python-platform", SYSTEMS[place.system],
        "--extra", EXTRA,
    ]  # fmt: skip
    command += [word for group in groups for word in ("--group", group)]
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return dict(line.split("==") for line in done.stdout.splitlines())


def marker_of(chosen: Collection[Place], others: Collection[Place]) -> str:
    """Return a short marker that is true in the chosen places and false in the others."""
    pythons, systems = ({place[field] for place in chosen} for field in (0, 1))
    if pythons.isdisjoint(place.python for place in others):
        return any_of("python_version", pythons)
    if systems.isdisjoint(place.system for place in others):
        return any_of("sys_platform", systems)
    return " or ".join(
        f"python_version == '{place.python}' and sys_platform == '{place.system}'"
        for place in sorted(chosen)
    )


def any_of(variable: str, values: Collection[str]) -> str:
    """Return a marker that is true if the variable has one of these values."""
    return " or ".join(f"{variable} == '{value}'" for value in sorted(values))


def lines_of(versions: Mapping[Place, Mapping[str, str]]) -> list[str]:
    """Return the lines of constraints, which give each place the versions found for it."""
    places: dict[str, dict[str, list[Place]]] = defaultdict(lambda: defaultdict(list))
    for place, found in versions.items():
        for name, version in found.items():
            places[name][version].append(place)
    lines = []
    for name, by_version in sorted(places.items()):
        for version, chosen in by_version.items():
            others = [place for one, rest in by_version.items() if one != version for place in rest]
            marker = f"; {marker_of(chosen, others)}" if others else ""
            lines.append(f"{name}=={version}{marker}")
    return lines


def main(output: Path) -> None:
    """Write the file."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [group for group in pyproject["dependency-groups"] if group != EXTRA]
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder, "build.in")
        needs = [*pyproject["build-system"]["requires"], *FOR_BUILDING]
        build.write_text("\n".join(needs), encoding="utf-8")
        versions = {place: resolved(place, groups, build) for place in places_of(pyproject["project"])}
    output.write_text(HEADER + "\n".join(lines_of(versions)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
