"""Ends a worker with its parent, however that ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final

__all__ = ["end_with_parent"]

_PR_SET_PDEATHSIG: Final = 1


def end_with_parent(lifeline: Connection) -> None:
    """Ends this process when the parent has ended, also while it computes.

    Each of the two ways may be missing: there may be too many threads for another one, and the system
    call may be forbidden, or unknown. Without any, the end of the connection ends an idle worker, and
    others when they have computed their batch.
    """
    with suppress(RuntimeError):
        threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()
    if sys.platform == "linux":
        with suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch(lifeline: Connection) -> None:
    """Waits for the end of a connection that carries nothing, and whose other end the parent holds."""
    with suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(0)
