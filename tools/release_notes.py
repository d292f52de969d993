"""Print the section of CHANGELOG.md for a release, if everything is ready.

Usage::

    python tools/release_notes.py TAG

The tag must be `v` and the version in pyproject.toml. The changelog must have a section for it,
with a date. The folder `changes/` must not have any fragments. Otherwise the program prints the
reasons and the exit status is 1.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECTION = re.compile(
    r"^## \[?(?P<title>[^\]\n]+?)\]?(?: - (?P<rest>.+))?\n(?P<text>(?:(?!## ).*\n?)*)", re.M
)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def notes_of(root: Path, tag: str) -> tuple[str, list[str]]:
    """Return the section of the changelog without its heading, and the problems."""
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    problems = []
    if tag != f"v{version}":
        problems.append(f"the tag is {tag!r}, but pyproject.toml has version {version}: v{version}")
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = {found["title"]: found for found in SECTION.finditer(changelog)}
    section = sections.get(version)
    text = "" if section is None else section["text"].strip()
    if section is None or not DATE.fullmatch(section["rest"] or ""):
        problems.append(
            f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD': run `make changelog`"
        )
    elif not text:
        problems.append(f"the section {version} of CHANGELOG.md is empty")
    if "Unreleased" in sections:
        problems.append(f"CHANGELOG.md has a section 'Unreleased': move its lines to {version}")
    waiting = {path.name for path in (root / "changes").glob("*.md")} - {"README.md"}
    if waiting:
        problems.append(f"changes are not in CHANGELOG.md yet: {', '.join(sorted(waiting))}")
    return text, problems


def main(tag: str) -> int:
    """Print the notes; return the exit status."""
    text, problems = notes_of(ROOT, tag)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(text)
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
