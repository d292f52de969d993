"""Batches of bytes, which are those of floats without their fractions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import BATCHES, take
from kernel_support import use
from moved_images import GEOMETRY, noise
from scipy import ndimage

from imageloom import ImageDataGenerator
from imageloom._imaging.augment.affine import affine_matrix
from imageloom._imaging.augment.batch import MirroredWarp
from imageloom._imaging.augment.draw import TransformParams
from imageloom._imaging.augment.fused import fusion_of, transform_and_scale
from imageloom._options import GeneratorOptions

UNMOVED: TransformParams = {"flip_horizontal": True, "flip_vertical": False}
MOVED: TransformParams = UNMOVED | {"theta": 17, "tx": 9.3, "ty": -20.2, "shear": 12, "zx": 0.8}


@pytest.mark.parametrize("by_kernels", [True, False])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("size", [(20, 30), (90, 110), (260, 270)])
def test_bytes_are_the_floats_without_their_fractions(
    size: tuple[int, int],
    moves: bool,
    channels: int,
    by_kernels: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not by_kernels:
        use(None, monkeypatch)
    options = GeneratorOptions(**GEOMETRY).transform
    fusion = fusion_of(options, None, to_bytes=True)
    assert fusion is not None
    assert fusion_of(options, None) is None
    x = noise(*size, channels)
    params = MOVED if moves else UNMOVED
    affine = affine_matrix(params, *size, corrected=False) if moves else None
    warp = MirroredWarp.of(params, affine, *size)
    out, floats = np.zeros_like(x), np.empty(x.shape, np.float32)
    assert fusion.fits(x, out)
    fusion.write(x, warp, out)
    transform_and_scale(x, warp, 1.0, floats, fill_mode="nearest")
    off = np.abs(out - floats.astype(np.uint8).astype(int))
    # The kernels' weights are off by 2**-15, which may carry a value across a whole number.
    assert off.max() <= (by_kernels and moves)
    assert np.mean(off > 0) < 0.03
    assert len(np.unique(out)) > 100


def test_bytes_that_are_multiplied_go_the_long_way() -> None:
    fusion = fusion_of(GeneratorOptions(**GEOMETRY).transform, 1 / 255, to_bytes=True)
    assert fusion is not None
    assert not fusion.fits(noise(9, 8, 3), noise(9, 8, 3))
    flips = fusion_of(None, 1 / 255)
    assert flips is not None
    assert not flips.fits(noise(9, 8, 3), noise(9, 8, 3))


@pytest.mark.parametrize("recolours", [{}, {"brightness_range": (0.5, 1.5), "contrast_range": (1, 2)}])
@pytest.mark.parametrize("flips", [{}, {"horizontal_flip": True, "vertical_flip": True}])
def test_batches_of_bytes_are_those_of_floats_without_fractions(
    flips: dict[str, Any], recolours: dict[str, Any], crops: Path
) -> None:
    batches = []
    for dtype in ("uint8", "float32"):
        generator = ImageDataGenerator(
            **(GEOMETRY | {"horizontal_flip": False} | flips | recolours),
            executor="serial", dtype=dtype,
        )  # fmt: skip
        with generator.flow_from_directory(
            crops, (70, 70), batch_size=4, seed=5, interpolation="bilinear", class_mode=None
        ) as it:
            batches.append(np.concatenate(take(it, BATCHES)))
    assert batches[0].dtype == np.uint8
    off = np.abs(batches[0].astype(int) - batches[1].astype(np.uint8))
    # Flips are part of the matrix for bytes, which may carry a value across a whole number.
    assert off.max() <= 1
    assert np.mean(off > 0) < (0.03 if not recolours else 1e-9)


@pytest.mark.parametrize("by_kernels", [True, False])
@pytest.mark.parametrize("fill_mode", ["nearest", "reflect", "constant"])
@pytest.mark.parametrize("cval", [0.0, 255.0])
def test_bytes_of_arrays_are_rounded_as_scipy_rounds_them(
    cval: float, fill_mode: str, by_kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras turns arrays into the dtype first, and SciPy rounds to that of its input."""
    if not by_kernels:
        use(None, monkeypatch)
    x = noise(60, 50, 3)
    generator = ImageDataGenerator(dtype="uint8", fill_mode=fill_mode, cval=cval)
    found = generator.apply_transform(x, {"theta": 20, "tx": 3.3, "zx": 0.9})
    assert found.dtype == np.uint8
    matrix, offset = affine_matrix({"theta": 20, "tx": 3.3, "zx": 0.9}, 60, 50, corrected=False)
    channels = [
        ndimage.affine_transform(x[..., c], matrix, offset, order=1, mode=fill_mode, cval=cval)
        for c in range(3)
    ]
    off = np.abs(found.astype(int) - np.stack(channels, axis=-1))
    assert off.max() <= 1
    assert np.mean(off > 0) < (0.02 if by_kernels else 2e-3)
