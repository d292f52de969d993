"""The site of the documents, for tests: the one that `make docs` has built, or one built for them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from programs import environment_of

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PATIENCE = 300


def built_site() -> Path:
    """The folder of the site; skips the test if Sphinx is not installed or there are no documents."""
    if not (DOCS / "conf.py").exists():
        pytest.skip("an unpacked distribution has no documents")
    newest = max(path.stat().st_mtime for path in DOCS.rglob("*") if path.is_file())
    for folder in (ROOT / "build" / "docs", ROOT / "build" / "docs-of-tests"):
        inventory = folder / "objects.inv"  # is written last
        if inventory.exists() and inventory.stat().st_mtime >= newest:
            return folder
    missing = [
        name for name in ("sphinx", "furo", "myst_parser", "sphinx_copybutton") if not find_spec(name)
    ]
    if missing:
        pytest.skip(f"the site is not built (`make docs`), and there is no {missing[0]} for it")
    return _build(ROOT / "build" / "docs-of-tests", newest)


def _build(folder: Path, newest: float) -> Path:
    """Builds it, once for all processes of the test run: the others wait for the one that begins."""
    mark = folder.with_suffix(".building")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        end = time.monotonic() + PATIENCE
        while mark.exists() and time.monotonic() < end:
            time.sleep(0.2)
        mark.unlink(missing_ok=True)
        inventory = folder / "objects.inv"
        return (
            folder
            if inventory.exists() and inventory.stat().st_mtime >= newest
            else _build(folder, newest)
        )
    try:
        words = ["-q", "-d", str(folder.with_suffix(".doctrees")), str(DOCS), str(folder)]
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", *words],
            env=environment_of(), capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
    finally:
        mark.unlink(missing_ok=True)
    return folder
