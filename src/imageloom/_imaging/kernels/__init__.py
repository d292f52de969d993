"""Kernels in C: the steps for which no library is as fast, or as exact.

They are compiled once for processors with AVX2, and once for all others. Where nothing could be
compiled, `kernels` is None, and the other libraries do these steps.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final, cast

from imageloom._imaging.kernels.signatures import Kernels

__all__ = ["kernels", "variants"]


def variants() -> dict[str, Kernels]:
    """The compiled modules that this processor can run, the fastest one first."""
    portable = _compiled("_portable")
    if portable is None:
        return {}
    fastest = _compiled("_avx2") if portable.has_avx2() else None
    found = {"avx2": fastest, "portable": portable}
    return {name: module for name, module in found.items() if module is not None}


def _compiled(name: str) -> Kernels | None:
    try:
        return cast(Kernels, import_module(f"{__name__}.{name}"))
    except ImportError:
        return None


kernels: Final[Kernels | None] = next(iter(variants().values()), None)
