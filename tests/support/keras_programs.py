"""How programs run that train with Keras, for one backend at a time; each prints one line of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from programs import run_program


def found_by(program: str, backend: str, crops: Path, folder: Path) -> dict[str, Any]:
    """What the program found out; it must end without a complaint of ours."""
    environment = {"KERAS_BACKEND": backend, "CROPS": str(crops), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = run_program(program, cwd=folder, environment=environment, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    result: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return result
