"""Where decoded, resized pixels may be kept between epochs.

`PixelStore` is the seam through which the pipeline asks for an image's pixels, before any hook. This
version keeps nothing; the `cache` argument is refused until a store that keeps pixels is here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

__all__ = ["DecodeAlways", "PixelStore"]


class PixelStore(Protocol):
    """Pixels by sample number."""

    def pixels(self, sample: int, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """The pixels of a sample, decoded if they are not at hand; possibly read-only."""
        ...


class DecodeAlways:
    """The store that keeps nothing."""

    def pixels(self, sample: int, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Decodes."""
        del sample
        return decode()
