"""Runs `make quick` with every supported Python of this machine, each in its own environment.

    python tools/pythons.py [more paths of interpreters]

Looks for `python3.11` and so on where programs are, and where pyenv and uv keep them. Says at the end
which passed, which failed, and which are not there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEPT_BY = ("~/.pyenv/versions/{}.*/bin/python", "~/.local/share/uv/python/cpython-{}.*/bin/python3")


def supported() -> list[str]:
    """The versions that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))


def version_of(python: str) -> str | None:
    """Such as "3.12"; None if it does not run, as the stand-ins of pyenv for what is not chosen."""
    code = "import sys; print('{}.{}'.format(*sys.version_info))"
    try:
        done = subprocess.run(
            [python, "-c", code], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def candidates(version: str, named: Iterable[str] = ()) -> list[str]:
    """Paths of interpreters that may have this version, those that the user names first."""
    found = [*named, *filter(None, [shutil.which(f"python{version}")])]
    for pattern in KEPT_BY:
        folder, _, rest = os.path.expanduser(pattern.format(version)).partition("*")
        start = Path(folder)
        found += sorted(map(str, start.parent.glob(f"{start.name}*{rest}")))
    return found


def find(versions: Iterable[str], named: Iterable[str] = ()) -> dict[str, str | None]:
    """An interpreter for each version; None where there is none."""
    named = list(named)
    return {
        version: next((p for p in candidates(version, named) if version_of(p) == version), None)
        for version in versions
    }


def main(named: list[str]) -> int:
    """Runs the tests; the status is 1 if any of them fail, or no Python was found."""
    found = find(supported(), named)
    results = dict.fromkeys(found, "not there")
    for version, python in found.items():
        if python is not None:
            print(f"== Python {version}: {python}", flush=True)
            environment = f"build/pythons/{version}"
            done = subprocess.run(
                ["make", "quick", f"PYTHON={python}", f"VENV={environment}"], cwd=ROOT, check=False
            )
            results[version] = "failed" if done.returncode else "passed"
    for version, result in results.items():
        print(f"Python {version}: {result}")
    return 0 if {"passed"} <= {*results.values()} <= {"passed", "not there"} else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
