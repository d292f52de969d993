"""What the compiled kernels take and do."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Kernels", "Readable", "Writable"]

Readable: TypeAlias = bytes | memoryview | NDArray[Any]
Writable: TypeAlias = NDArray[np.uint8]


class Kernels(Protocol):
    """The functions of a compiled module.

    Arrays are C-contiguous. A ValueError says that their sizes and the numbers do not agree.
    """

    def unfilter(
        self, filtered: Readable, pixels: Writable, rows: int, row_bytes: int, pixel_bytes: int, /
    ) -> None:
        """Undoes the row filters of a PNG file's bytes; a row has the byte of its filter before it.

        Raises:
            ValueError: A filter is unknown, or the sizes do not agree.
        """

    def resize(
        self,
        pixels: Readable,
        resized: Writable,
        rows: int,
        columns: int,
        channels: int,
        vertical: bool,
        bounds: Readable,
        weights: Readable,
        /,
    ) -> None:
        """Resizes one side of (rows, columns, channels) bytes as Pillow does.

        Args:
            pixels: the image.
            resized: where the result goes.
            rows: the height of the image.
            columns: its width.
            channels: its channels, 1 to 4.
            vertical: whether the height is resized; else the width.
            bounds: (that side of the result, 2) of int32: the first row or column before for each,
                and how many.
            weights: (that side of the result, the most of them) of int32, in fractions of 2**22.
        """

    def warp(
        self,
        pixels: Readable,
        warped: Writable,
        rows: int,
        columns: int,
        channels: int,
        out_rows: int,
        out_columns: int,
        fill: int,
        rounds: bool,
        matrix: Readable,
        /,
    ) -> None:
        """Warps (rows, columns, channels) bytes bilinearly, in fractions of 2**14.

        Args:
            pixels: the image, of at least two rows and columns, and less than 2**31 bytes.
            warped: where the result goes.
            rows: the height of the image.
            columns: its width.
            channels: its channels, 1 to 4.
            out_rows: the height of the result.
            out_columns: its width.
            fill: how the image goes on beyond its border: 0 with its last pixels, 1 reflected with
                and 2 without them, 3 from the other side. For 3, its first row and column must follow
                its last ones.
            rounds: whether values are rounded; else their fractions are cut off.
            matrix: (2, 3) of float64, from (column, row, 1) of the result to (column, row).
        """

    def has_avx2(self) -> bool:
        """Whether this processor runs what is compiled with AVX2."""
