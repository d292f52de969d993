"""The progress bar for long jobs."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["progress_bar"]

_PATIENCE_SECONDS = 0.5  # shorter jobs show no bar


def progress_bar(total: int, what: str, unit: str) -> Any:
    """Returns a tqdm bar on standard error, which shows in a terminal or a notebook only."""
    from tqdm import tqdm

    watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    return tqdm(
        total=total,
        desc=what,
        unit=unit,
        delay=_PATIENCE_SECONDS,
        disable=not watched,
        dynamic_ncols=True,
    )
