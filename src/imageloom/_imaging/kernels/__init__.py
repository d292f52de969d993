"""Kernels in C: the steps for which no library is as fast, or as exact.

They are compiled once for processors with AVX2, and once for all others. Where nothing could be
compiled, `kernels` is None, and the other libraries do these steps.
"""

from __future__ import annotations

from typing import Final

from imageloom._imaging.kernels.signatures import Kernels

__all__ = ["kernels", "variants"]


def variants() -> dict[str, Kernels]:
    """The compiled modules that this processor can run, the fastest one first."""
    try:
        from imageloom._imaging.kernels import _portable
    except ImportError:
        return {}
    found: dict[str, Kernels] = {"portable": _portable}
    if _portable.has_avx2():
        try:
            from imageloom._imaging.kernels import _avx2
        except ImportError:
            return found
        found = {"avx2": _avx2, **found}
    return found


kernels: Final[Kernels | None] = next(iter(variants().values()), None)
