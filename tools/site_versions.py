"""Put a built site beside those of other versions, and list them for the choice on each page.

Usage::

    python tools/site_versions.py SITE FOLDER NAME

SITE is what `make docs` has built, FOLDER has a folder for each version, and NAME is that of this
one: `latest` for the main branch, or a release such as `1.2.0`. The first page of FOLDER leads to the
newest release, or to `latest` before there is one.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

NEXT = "latest"


def publish(site: Path, folder: Path, name: str) -> list[dict[str, object]]:
    """Copy the site; return the list of versions, the newest first."""
    if name != NEXT and not re.fullmatch(r"\d+(\.\d+)*", name):
        sys.exit(f"{name} is neither {NEXT} nor a release")
    shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copytree(site, folder / name)
    found = [path.name for path in folder.iterdir() if (path / "objects.inv").exists()]
    releases = sorted((one for one in found if one != NEXT), key=_numbers, reverse=True)
    preferred = releases[0] if releases else NEXT
    versions: list[dict[str, object]] = [
        {"folder": one, "title": f"{one} (next release)" if one == NEXT else one,
         "preferred": one == preferred}
        for one in [*releases, *(one for one in found if one == NEXT)]
    ]  # fmt: skip
    (folder / "versions.json").write_text(json.dumps(versions, indent=1) + "\n", encoding="utf-8")
    (folder / "index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>imageloom</title>'
        f'<meta http-equiv="refresh" content="0; url={preferred}/">'
        f'<a href="{preferred}/">imageloom</a>',
        encoding="utf-8",
    )
    if (folder / NEXT / "404.html").exists():  # for addresses that are none, in any folder
        shutil.copy(folder / NEXT / "404.html", folder)
    return versions


def _numbers(release: str) -> list[int]:
    return [int(number) for number in release.split(".")]


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    publish(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
