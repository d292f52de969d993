"""The progress bar for long jobs."""

from __future__ import annotations

import functools
import sys
from typing import Any

from imageloom._locks import Lock
from imageloom._log import tells_news

__all__ = ["progress_bar"]

_PATIENCE_SECONDS = 0.5  # shorter jobs show no bar


def progress_bar(total: int, what: str, unit: str, *, shown: bool = True) -> Any:
    """Returns a tqdm bar on standard error, which shows in a terminal or a notebook only.

    Nor does it show if not `shown`, or after `set_verbosity(0)`.
    """
    watched = shown and tells_news() and (sys.stderr.isatty() or "ipykernel" in sys.modules)
    return _bar_class()(
        total=total,
        desc=what,
        unit=unit,
        delay=_PATIENCE_SECONDS,
        disable=not watched,
        dynamic_ncols=True,
    )


@functools.cache
def _bar_class() -> Any:
    """Returns tqdm's class, with a lock for threads if the program has set none.

    tqdm's own lock is for processes as well. To make it chooses how `multiprocessing` starts processes,
    which a program could not choose any more, and starts a process from Python 3.14 on.
    """
    from tqdm import tqdm

    return tqdm if hasattr(tqdm, "_lock") else type("tqdm", (tqdm,), {"_lock": Lock()})
