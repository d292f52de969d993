"""The progress bar leaves the program's own processes alone."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import multiprocessing, psutil
from imageloom._preview.progress import progress_bar
progress_bar(3, "Looking", "image").close()
print(multiprocessing.get_start_method(allow_none=True), psutil.Process().children())
"""


def test_a_bar_neither_starts_a_process_nor_chooses_how_to_start_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["None", "[]"]
