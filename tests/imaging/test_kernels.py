"""Each variant of the compiled kernels, next to Pillow and SciPy."""

from __future__ import annotations

import io
import os
import shutil
import sys
import sysconfig
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_support import VARIANTS, use
from moved_images import noise
from numpy.typing import NDArray
from PIL import Image
from png_files import file_of, header
from scipy import ndimage

import imageloom
from imageloom._imaging.augment.warp_bytes import warp_bytes, warps_bytes
from imageloom._imaging.pillow_resize import resize_as_pillow, resizes

# Without kernels there is one case, which is skipped.
variant = pytest.mark.parametrize("kernels", VARIANTS.values(), ids=list(VARIANTS))
FILTERS = ["bilinear", "box", "hamming", "bicubic", "lanczos"]
FILLS = {"nearest": "nearest", "reflect": "reflect", "mirror": "mirror", "wrap": "grid-wrap"}
SIDE = st.integers(1, 90)


def could_be_compiled() -> bool:
    """Whether this is a checkout, installed where all is there that the kernels need."""
    has_compiler = sys.platform != "win32" and shutil.which("cc") is not None
    has_headers = Path(sysconfig.get_path("include"), "Python.h").exists()
    wanted = os.environ.get("IMAGELOOM_PURE") != "1" and "site-packages" not in imageloom.__file__
    return has_compiler and has_headers and wanted


@pytest.mark.skipif(not could_be_compiled(), reason="nothing could be compiled here")
def test_they_are_compiled_where_there_is_a_compiler() -> None:
    assert "portable" in VARIANTS


@variant
@pytest.mark.parametrize("channels", [1, 3])
@settings(max_examples=40)
@given(height=SIDE, width=SIDE, only_paeth=st.booleans(), seed=st.integers(0, 99))
def test_row_filters_are_undone_as_by_pillow(
    kernels: Any, channels: int, height: int, width: int, only_paeth: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, (height, 1 + width * channels), dtype=np.uint8)
    rows[:, 0] = 4 if only_paeth else rng.integers(0, 5, height)
    colour = {1: 0, 3: 2}[channels]
    content = file_of(header(height, width, colour), compressed(rows))
    expected = np.asarray(Image.open(io.BytesIO(content))).reshape(height, width, channels)
    pixels = np.empty_like(expected)
    kernels.unfilter(rows.tobytes(), pixels, height, width * channels, channels)
    np.testing.assert_array_equal(pixels, expected)


def compressed(rows: NDArray[np.uint8]) -> bytes:
    return zlib.compress(rows.tobytes())


@variant
@pytest.mark.parametrize("channels", [2, 4])
def test_row_filters_of_pixels_with_alpha(kernels: Any, channels: int) -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (70, 1 + 33 * channels), dtype=np.uint8)
    rows[:, 0] = rng.integers(0, 5, 70)
    content = file_of(header(70, 33, {2: 4, 4: 6}[channels]), compressed(rows))
    pixels = np.empty((70, 33, channels), np.uint8)
    kernels.unfilter(rows, pixels, 70, 33 * channels, channels)
    np.testing.assert_array_equal(pixels, np.asarray(Image.open(io.BytesIO(content))))


@variant
@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize("channels", [1, 3])
@settings(max_examples=60)
@given(
    size=st.tuples(SIDE, SIDE),
    target=st.tuples(SIDE, SIDE),
    two_colours=st.booleans(),
    seed=st.integers(0, 99),
)
def test_resizing_has_pillows_bits(
    kernels: Any,
    channels: int,
    interpolation: str,
    size: tuple[int, int],
    target: tuple[int, int],
    two_colours: bool,
    seed: int,
) -> None:
    pixels = noise(*size, channels, seed)
    if two_colours:  # sums beyond 0 and 255, with filters that have negative weights
        pixels = (pixels > 127).astype(np.uint8) * 255
    with pytest.MonkeyPatch.context() as patch:
        use(kernels, patch)
        found = resize_as_pillow(pixels, target, interpolation)
    np.testing.assert_array_equal(found, by_pillow(pixels, target, interpolation), strict=True)


def by_pillow(pixels: NDArray[np.uint8], target: tuple[int, int], interpolation: str) -> Any:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    resized = image.resize(target[::-1], Image.Resampling[interpolation.upper()])
    return np.asarray(resized).reshape(*target, -1)


@variant
def test_a_part_is_resized_as_pillow_resizes_a_box(
    kernels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(kernels, monkeypatch)
    pixels = noise(80, 90, 3)
    found = resize_as_pillow(pixels, (30, 40), "bilinear", (77.25, 88.5))
    expected = Image.fromarray(pixels).resize(
        (40, 30), Image.Resampling.BILINEAR, box=(0, 0, 88.5, 77.25)
    )
    np.testing.assert_array_equal(found, np.asarray(expected))


def test_what_pillow_resizes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    use(object(), monkeypatch)
    assert resizes(3, "bilinear")
    assert not resizes(4, "bilinear")
    assert not resizes(3, "nearest")
    assert not resizes(3, None)
    use(None, monkeypatch)
    assert not resizes(3, "bilinear")


@variant
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("fill_mode", FILLS)
@settings(max_examples=40)
@given(
    size=st.tuples(st.integers(2, 60), st.integers(2, 60)),
    linear=st.tuples(*[st.floats(-1.5, 1.5)] * 4),
    shift=st.tuples(*[st.floats(-80, 80)] * 2),
    rounds=st.booleans(),
    seed=st.integers(0, 99),
)
def test_warped_bytes_are_those_of_scipy(
    kernels: Any,
    channels: int,
    fill_mode: str,
    size: tuple[int, int],
    linear: tuple[float, ...],
    shift: tuple[float, float],
    rounds: bool,
    seed: int,
) -> None:
    x = noise(*size, channels, seed)
    matrix = np.array([[*linear[:2], shift[0]], [*linear[2:], shift[1]]])
    out = np.empty_like(x)
    with pytest.MonkeyPatch.context() as patch:
        use(kernels, patch)
        assert warps_bytes(x, fill_mode)
        warp_bytes(x, matrix, fill_mode, out, rounds=rounds)
    swapped, offset, mode = matrix[::-1, 1::-1], matrix[::-1, 2], FILLS[fill_mode]
    expected = [
        ndimage.affine_transform(x[..., c].astype(np.float64), swapped, offset, order=1, mode=mode)
        for c in range(channels)
    ]
    # Where fractions are cut off, values were half a level higher in the mean.
    off = np.abs(out + (0.0 if rounds else 0.5) - np.stack(expected, axis=-1))
    assert off.max() <= 0.5 + 0.1


@variant
@pytest.mark.parametrize("fill_mode", FILLS)
def test_whole_positions_and_plain_areas_keep_their_values(
    kernels: Any, fill_mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(kernels, monkeypatch)
    x, out = noise(40, 50, 3), np.empty((40, 50, 3), np.uint8)
    warp_bytes(x, np.array([[0.0, 1, 3], [1, 0, -2]]), fill_mode, out)
    modes = {"nearest": "edge", "reflect": "symmetric", "mirror": "reflect", "wrap": "wrap"}
    padded = np.pad(x, ((50, 50), (50, 50), (0, 0)), modes[fill_mode])
    np.testing.assert_array_equal(out, padded[48:98, 53:93].transpose(1, 0, 2))
    plain = np.full_like(x, 201)
    warp_bytes(plain, np.array([[0.9, 0.3, 3.3], [-0.2, 1.1, 7.7]]), fill_mode, out)
    assert (out == 201).all()


@variant
@pytest.mark.parametrize("short", [2**-14, 2**-15, 2**-16, 3 * 2**-16, 2**-20])
def test_almost_whole_positions_have_no_weights_below_zero(
    kernels: Any, short: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(kernels, monkeypatch)
    for place in np.ndindex(2, 2):
        x, out = np.zeros((2, 2, 3), np.uint8), np.empty((2, 2, 3), np.uint8)
        x[place] = 255
        warp_bytes(x, np.array([[1, 0, 1 - short], [0, 1, 1 - short]]), "nearest", out)
        expected = 254 if place == (1, 1) else 0
        assert abs(int(out[0, 0, 0]) - expected) <= 1


@variant
@pytest.mark.parametrize("fill_mode", FILLS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e18, 3e9])
def test_positions_that_no_image_has_are_harmless(
    kernels: Any, fill_mode: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(kernels, monkeypatch)
    x = np.full((9, 11, 3), 7, np.uint8)
    for place in np.ndindex(2, 3):
        matrix, out = np.eye(2, 3), np.zeros_like(x)
        matrix[place] = value
        warp_bytes(x, matrix, fill_mode, out)
        assert (out == 7).all()


ROWS, PIXELS = bytes(5 * 7), np.empty((5, 6), np.uint8)
X, BOUNDS = np.zeros((8, 9, 3), np.uint8), np.array([[0, 2], [2, 2], [4, 3], [6, 3]], np.int32)
WEIGHTS = np.full((4, 3), 2**20, np.int32)


@variant
@pytest.mark.parametrize(
    "wrong",
    [
        (ROWS[:-1], PIXELS, 5, 6, 1),
        (ROWS, PIXELS[1:], 5, 6, 1),
        (ROWS, PIXELS, 7, 4, 1),
        (ROWS, PIXELS, -5, -6, 1),
        (ROWS, PIXELS, 5, 6, 0),
        (ROWS, PIXELS, 5, 6, 5),
        (b"\5" + ROWS[1:], PIXELS, 5, 6, 1),
    ],
)
def test_what_cannot_be_rows_of_a_png_file_is_refused(kernels: Any, wrong: tuple[Any, ...]) -> None:
    kernels.unfilter(ROWS, PIXELS, 5, 6, 1)
    with pytest.raises(ValueError, match=r"bytes|filter"):
        kernels.unfilter(*wrong)


@variant
@pytest.mark.parametrize("window", [(-1, 2), (0, 4), (8, 2), (2**31 - 1, 1), (0, -1)])
def test_windows_that_do_not_lie_in_the_image_are_refused(
    kernels: Any, window: tuple[int, int]
) -> None:
    bounds = BOUNDS.copy()
    bounds[3] = window
    out = np.zeros((8, 4, 3), np.uint8)
    kernels.resize(X, out, 8, 9, 3, False, BOUNDS, WEIGHTS)
    with pytest.raises(ValueError, match="window"):
        kernels.resize(X, out, 8, 9, 3, False, bounds, WEIGHTS)
    with pytest.raises(ValueError, match="window"):
        kernels.resize(X, np.zeros((4, 9, 3), np.uint8), 8, 9, 3, True, bounds, WEIGHTS)


@variant
def test_sizes_that_do_not_agree_are_refused(kernels: Any) -> None:
    out = np.zeros((8, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="channels"):
        kernels.resize(X, out, 8, 9, 5, False, BOUNDS, WEIGHTS)
    with pytest.raises(ValueError, match="resized has"):
        kernels.resize(X, out[1:], 8, 9, 3, False, BOUNDS, WEIGHTS)
    with pytest.raises(TypeError):
        kernels.resize(X, bytes(96), 8, 9, 3, False, BOUNDS, WEIGHTS)


@variant
@pytest.mark.parametrize(
    "wrong",
    [
        {"fill": 4},
        {"fill": -1},
        {"rows": 1, "pixels": X[:1]},
        {"matrix": np.eye(1, 3)},
        {"warped": np.empty((7, 9, 3), np.uint8)},
    ],
    ids=list,
)
def test_what_cannot_be_warped_is_refused(kernels: Any, wrong: dict[str, Any]) -> None:
    given_ = {
        "pixels": X, "warped": np.empty_like(X), "rows": 8, "columns": 9, "channels": 3, "out_rows": 8,
        "out_columns": 9, "fill": 0, "rounds": False, "matrix": np.eye(2, 3),
    }  # fmt: skip
    kernels.warp(*given_.values())
    with pytest.raises(ValueError, match="warped"):
        kernels.warp(*(given_ | wrong).values())
