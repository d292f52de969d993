"""The progress bar of long jobs."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["progress_bar"]

_PATIENCE_SECONDS = 0.5  # what is done by then needs no bar


def progress_bar(total: int, what: str, unit: str) -> Any:
    """A tqdm bar on standard error, where somebody can see it: in a terminal or a notebook."""
    from tqdm import tqdm

    watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    return tqdm(total=total, desc=what, unit=unit, delay=_PATIENCE_SECONDS, disable=not watched)
