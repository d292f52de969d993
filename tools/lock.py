"""Write constraints/ci.txt: exact versions of all that the Makefile installs, for repeatable checks.

Usage::

    python tools/lock.py OUTPUT

For each Python and system that continuous integration runs, the newest versions that fit together and
have wheels there are looked up. Where all agree, the file has one line for a package; where they do
not, one for each version, with a marker.
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
# `sys_platform` -> what the resolver calls that system.
SYSTEMS = {
    "linux": "x86_64-manylinux_2_28",
    "darwin": "aarch64-apple-darwin",
    "win32": "x86_64-pc-windows-msvc",
}
# The oldest macOS that torch has wheels for.
OLDEST_MACOS = "14.0"
# Is installed as the extra of the same name, which alone knows its contents.
EXTRA = "docs"
# The build backend asks for this one when it makes an editable installation.
FOR_BUILDING = ["editables", "pip"]
HEADER = """\
# Exact versions of all that the Makefile installs, the tools that build the package too.
# `make lock` writes this file anew, with the newest of everything; `make test NEWEST=1` does without.
"""


class Place(NamedTuple):
    """Where an environment is made: a Python, as "3.11", and a system, as in `sys_platform`."""

    python: str
    system: str


def places_of(project: Mapping[str, list[str]]) -> list[Place]:
    """All for which the project says that it works."""
    pythons = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    return [Place(python, system) for python in pythons for system in SYSTEMS]


def resolved(place: Place, groups: Collection[str], build: Path) -> dict[str, str]:
    """Package -> newest version, of all groups together."""
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
    """What holds in the chosen places and in none of the others, as short as it is easily found."""
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
    """A marker that is true if the variable has one of some values."""
    return " or ".join(f"{variable} == '{value}'" for value in sorted(values))


def lines_of(versions: Mapping[Place, Mapping[str, str]]) -> list[str]:
    """Constraints that give each place the versions that were found for it."""
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
