"""Reads the JSON files that `imageloom replay` and `imageloom verify` are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from imageloom._cli.terminal import Failure

__all__ = ["read_json"]


def read_json(path: Path) -> Any:
    """Returns what a JSON file has.

    Raises:
        Failure: it cannot be read, or it is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Failure(f"{str(path)!r} is no JSON file, or it is damaged.") from error
