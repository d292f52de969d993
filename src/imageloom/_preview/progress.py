"""The progress bar for long jobs."""

from __future__ import annotations

import sys
from typing import Any

from imageloom._log import tells_news

__all__ = ["progress_bar"]

_PATIENCE_SECONDS = 0.5  # shorter jobs show no bar


def progress_bar(total: int, what: str, unit: str, *, shown: bool = True) -> Any:
    """Returns a tqdm bar on standard error, which shows in a terminal or a notebook only.

    Nor does it show if not `shown`, or after `set_verbosity(0)`.
    """
    from tqdm import tqdm

    watched = shown and tells_news() and (sys.stderr.isatty() or "ipykernel" in sys.modules)
    return tqdm(
        total=total,
        desc=what,
        unit=unit,
        delay=_PATIENCE_SECONDS,
        disable=not watched,
        dynamic_ncols=True,
    )
