"""Warp, flips and rescaling in one, next to the single steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import BATCHES, take
from hypothesis import given, settings
from hypothesis import strategies as st
from moved_images import GEOMETRY, noise
from numpy.typing import NDArray
from pictures import Pixels, photograph
from spoilt_images import joined

from imageloom import ImageDataGenerator
from imageloom._imaging.augment import fused
from imageloom._imaging.augment.affine import affine_matrix, is_identity
from imageloom._imaging.augment.apply import apply_transform
from imageloom._imaging.augment.batch import MirroredWarp
from imageloom._imaging.augment.draw import TransformParams
from imageloom._imaging.augment.fused import can_fuse, fits, fusion_of, transform_and_scale
from imageloom._options import FILL_MODES, GeneratorOptions

CONTINUED = tuple(mode for mode in FILL_MODES if "constant" not in mode)
FACTORS = (1.0, 1 / 255, -1.0, -0.03, 1 / 127.5, 300.0)
# Of the largest value: what float32 rounds off in blending and multiplying.
ROUNDING = 5e-7
# Flips change which positions float32 rounds. Twice the most that was seen, in pixels for each pixel
# of distance from the corner; a pixel's difference is at most the largest value.
MISPLACED = 2.0**-20
# What makes a generator fuse.
SCALED_GEOMETRY: dict[str, Any] = {"rescale": 1 / 255, **GEOMETRY}


def reach(params: TransformParams, height: int, width: int) -> float:
    """How far from the corner the positions lie."""
    corners = np.array([(r, c) for r in (0, height) for c in (0, width)])
    matrix, offset = affine_matrix(params, height, width, corrected=False)
    return max(height, width, float(np.abs(corners @ matrix.T + offset).max()))


def assert_as_single_steps(
    x: Pixels, params: TransformParams, factor: float, fill_mode: str, largest_error: float
) -> None:
    options = GeneratorOptions(fill_mode=fill_mode).transform
    assert can_fuse(options)
    steps = apply_transform(x.astype(np.float32), params, options)
    affine = None if is_identity(params) else affine_matrix(params, *x.shape[:2], corrected=False)
    out, before = np.full(x.shape, np.nan, np.float32), x.copy()
    assert fits(x, out)
    warp = MirroredWarp.of(params, affine, *x.shape[:2])
    transform_and_scale(x, warp, factor, out, fill_mode=fill_mode)
    np.testing.assert_array_equal(x, before)
    atol = largest_error * 255 * abs(factor)
    np.testing.assert_allclose(out, steps.astype(np.float64) * factor, rtol=0, atol=atol)


@st.composite
def transforms(draw: st.DrawFn, *, flips: st.SearchStrategy[bool]) -> TransformParams:
    turns = st.one_of(st.sampled_from([0, 90, -90, 180, 45]), st.floats(-180, 180))
    slants = st.one_of(st.just(0), st.floats(-60, 60))
    moves = st.one_of(st.sampled_from([0, 1, -3]), st.floats(-40, 40))
    zooms = st.one_of(st.just(1), st.floats(0.3, 2.5))
    return {
        "theta": draw(turns),
        "tx": draw(moves),
        "ty": draw(moves),
        "shear": draw(slants),
        "zx": draw(zooms),
        "zy": draw(zooms),
        "flip_horizontal": draw(flips),
        "flip_vertical": draw(flips),
    }


sides = st.one_of(st.integers(1, 6), st.integers(1, 120))
channel_numbers = st.sampled_from([1, 3, 4])


@pytest.mark.slow
@settings(max_examples=400)
@given(
    size=st.tuples(sides, sides, channel_numbers),
    params=transforms(flips=st.booleans()),
    factor=st.sampled_from(FACTORS),
    fill_mode=st.sampled_from(CONTINUED),
    seed=st.integers(0, 2**32),
)
def test_the_single_steps_and_a_factor(
    size: tuple[int, int, int], params: TransformParams, factor: float, fill_mode: str, seed: int
) -> None:
    error = ROUNDING + MISPLACED * reach(params, *size[:2])
    assert_as_single_steps(noise(*size, seed), params, factor, fill_mode, error)


@pytest.mark.slow
@settings(max_examples=200)
@given(
    size=st.tuples(sides, sides, channel_numbers),
    params=transforms(flips=st.just(False)),
    factor=st.sampled_from(FACTORS),
    fill_mode=st.sampled_from(CONTINUED),
    seed=st.integers(0, 2**32),
)
def test_without_flips_only_the_last_bits_differ(
    size: tuple[int, int, int], params: TransformParams, factor: float, fill_mode: str, seed: int
) -> None:
    assert_as_single_steps(noise(*size, seed), params, factor, fill_mode, ROUNDING)


NOTHING: TransformParams = {
    "theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1,
    "flip_horizontal": False, "flip_vertical": False,
}  # fmt: skip
MUCH: TransformParams = {"theta": 17, "tx": 9.3, "ty": -20.2, "shear": 12, "zx": 0.8, "zy": 1.3}


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("horizontal", [False, True])
@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("factor", FACTORS)
def test_flips_alone(factor: float, vertical: bool, horizontal: bool, channels: int) -> None:
    x = noise(13, 8, channels)
    params = NOTHING | {"flip_horizontal": horizontal, "flip_vertical": vertical}
    out = np.full(x.shape, np.nan, np.float32)
    warp = MirroredWarp.of(params, None, *x.shape[:2])
    transform_and_scale(x, warp, factor, out, fill_mode="nearest")
    expected = x.astype(np.float32)[:: -1 if vertical else 1, :: -1 if horizontal else 1]
    np.testing.assert_array_equal(out, expected * np.float32(factor), strict=True)


@pytest.mark.parametrize("fill_mode", [mode for mode in CONTINUED if "wrap" not in mode])
@pytest.mark.parametrize("horizontal", [False, True])
@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("size", [(224, 299, 3), (300, 40, 1)])
def test_photographs_differ_by_less_than_a_hundredth_of_a_grey_level(
    size: tuple[int, int, int], vertical: bool, horizontal: bool, fill_mode: str
) -> None:
    x = photograph("coffee", *size[:2], "RGB" if size[2] == 3 else "L").reshape(size)
    params = NOTHING | MUCH | {"flip_horizontal": horizontal, "flip_vertical": vertical}
    assert_as_single_steps(x, params, 1 / 255, fill_mode, 0.01 / 255)


@pytest.mark.parametrize("fill_mode", CONTINUED)
def test_large_noise(fill_mode: str) -> None:
    params = NOTHING | MUCH | {"flip_horizontal": True, "flip_vertical": True}
    error = ROUNDING + MISPLACED * reach(params, 700, 900)
    assert_as_single_steps(noise(700, 900, 3), params, 1.0, fill_mode, error)


def test_the_rows_of_a_batch_are_written_in_place() -> None:
    x, params = noise(20, 30, 3), NOTHING | MUCH | {"flip_horizontal": True}
    batch = np.full((3, 20, 30, 3), 7, np.float32)
    affine = affine_matrix(params, 20, 30, corrected=False)
    warp = MirroredWarp.of(params, affine, *x.shape[:2])
    transform_and_scale(x, warp, 1 / 255, batch[1], fill_mode="reflect")
    np.testing.assert_array_equal(batch[[0, 2]], np.float32(7))
    assert batch[1].max() <= 1
    assert batch[1].std() > 0.1


@pytest.mark.parametrize("cval", [0.0, 17.3, 255.0, -40.0])
@pytest.mark.parametrize("factor", [1.0, 1 / 255, -2.0])
@pytest.mark.parametrize("fill_mode", ["constant", "grid-constant"])
@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("size", [(30, 41, 1), (90, 70, 3), (60, 60, 4)])
def test_what_is_beyond_a_constant_border_is_the_same(
    size: tuple[int, int, int], flips: tuple[bool, bool], fill_mode: str, factor: float, cval: float
) -> None:
    options = GeneratorOptions(fill_mode=fill_mode, cval=cval).transform
    assert can_fuse(options)
    x = photograph("coffee", *size[:2], "L")[..., None].repeat(size[2], axis=-1)
    flipped = {"flip_horizontal": flips[0], "flip_vertical": flips[1]}
    for moves in (MUCH, {"theta": 90}, {"tx": 3, "ty": -2}, {"theta": 30, "zx": 1.5, "zy": 1.5}):
        params = NOTHING | moves | flipped
        affine = affine_matrix(params, *size[:2], corrected=False)
        out = empty(*size)
        warp = MirroredWarp.of(params, affine, *size[:2])
        transform_and_scale(x, warp, factor, out, fill_mode=fill_mode, cval=cval)
        steps = apply_transform(x.astype(np.float32), params, options)
        error = 0.05 * abs(factor)  # of the blending; a pixel on the wrong side is off by some levels
        np.testing.assert_allclose(out, steps * np.float32(factor), rtol=0, atol=error)


@pytest.mark.parametrize(
    "option",
    [
        {"interpolation_order": 0},
        {"interpolation_order": 3},
        {"brightness_range": (0.8, 1.2)},
        {"contrast_range": (0.8, 1.2)},
        {"brightness_range": (0.8, 1.2), "noise": "gauss"},
    ],
    ids=str,
)
def test_steps_that_are_not_fused(option: dict[str, Any]) -> None:
    assert can_fuse(GeneratorOptions(**SCALED_GEOMETRY).transform)
    assert not can_fuse(GeneratorOptions(**(SCALED_GEOMETRY | option)).transform)


def empty(*shape: int, dtype: type = np.float32) -> NDArray[Any]:
    return np.empty(shape, dtype)


# What does not fit -> an image, and a place for it.
MISFITS: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
    "float image": (empty(9, 8, 3), empty(9, 8, 3)),
    "wider integers": (empty(9, 8, 3, dtype=np.uint16), empty(9, 8, 3)),
    "signed bytes": (empty(9, 8, 3, dtype=np.int8), empty(9, 8, 3)),
    "2 channels": (noise(9, 8, 2), empty(9, 8, 2)),
    "5 channels": (noise(9, 8, 5), empty(9, 8, 5)),
    "other columns": (noise(9, 8, 3), empty(9, 7, 3)),
    "other channels": (noise(9, 8, 1), empty(9, 8, 3)),
    "turned": (noise(9, 8, 3), empty(8, 9, 3)),
    "every second column": (noise(9, 8, 3), empty(9, 16, 3)[:, ::2]),
    "mirrored": (noise(9, 8, 3), empty(9, 8, 3)[:, ::-1]),
    "columns first": (noise(9, 8, 3), empty(8, 9, 3).transpose(1, 0, 2)),
    "float64": (noise(9, 8, 3), empty(9, 8, 3, dtype=np.float64)),
    "float16": (noise(9, 8, 3), empty(9, 8, 3, dtype=np.float16)),
    "signed bytes for bytes": (empty(9, 8, 3, dtype=np.int8), noise(9, 8, 3)),
    "floats for bytes": (empty(9, 8, 3), noise(9, 8, 3)),
    "too many rows": (noise(2**15, 1, 1), empty(2**15, 1, 1)),
    "too many columns": (noise(1, 2**15, 1), empty(1, 2**15, 1)),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit(name: str) -> None:
    assert not fits(*MISFITS[name])


@pytest.mark.parametrize("shape", [(9, 8, 1), (9, 8, 3), (9, 8, 4), (1, 1, 3), (2**15 - 1, 1, 1)])
def test_what_fits(shape: tuple[int, int, int]) -> None:
    assert fits(noise(*shape), empty(*shape))
    assert fits(noise(*shape)[:, ::-1], empty(2, *shape)[1])


@pytest.mark.parametrize("factor", [None, 1 / 255, -3.0])
@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("kind", ["bytes", "floats", "two channels", "a view"])
def test_flips_at_most_give_the_bytes_of_the_single_steps(
    kind: str, flips: tuple[bool, bool], factor: float | None
) -> None:
    x: NDArray[Any] = noise(9, 8, 2 if kind == "two channels" else 3)
    if kind != "bytes":
        x = x.astype(np.float32) - 100.3
    if kind == "a view":
        x = x[::2, ::-1]
    options = GeneratorOptions(horizontal_flip=flips[0], vertical_flip=flips[1], fill_mode="constant")
    fusion = fusion_of(options.transform, factor)
    assert fusion is not None
    out = empty(*x.shape)
    assert fusion.fits(x, out)
    warp = MirroredWarp(None, horizontal=flips[0], vertical=flips[1])
    fusion.write(x, warp, out)
    params = {"flip_horizontal": flips[0], "flip_vertical": flips[1]}
    steps = apply_transform(x.astype(np.float32), params, options.transform)
    np.testing.assert_array_equal(out, steps * np.float32(1.0 if factor is None else factor))


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint16, np.int8])
def test_other_numbers_go_the_long_way(dtype: type) -> None:
    fusion = fusion_of(None, 1 / 255)
    assert fusion is not None
    assert not fusion.fits(empty(9, 8, 3, dtype=dtype), empty(9, 8, 3))
    assert not fusion.fits(noise(9, 8, 3), empty(9, 8, 3, dtype=dtype))
    assert not fusion.fits(noise(9, 8, 3), empty(8, 9, 3))


@pytest.mark.parametrize(
    "option",
    [
        {"rotation_range": 1},
        {"width_shift_range": [1, 2]},
        {"height_shift_range": 0.1},
        {"zoom_range": 0.1},
        {"shear_range": 3},
        {"brightness_range": (0.5, 1)},
        {"channel_shift_range": 3.0},
        {"contrast_range": (0.5, 1)},
        {"noise": "gauss"},
    ],
    ids=str,
)
def test_what_is_more_than_flips(option: dict[str, Any]) -> None:
    options = GeneratorOptions(horizontal_flip=True, **option).transform
    assert not options.only_flips
    assert not options.changes_nothing
    assert fusion_of(options, None) is None
    assert GeneratorOptions(random_transforms_enabled=False, **option).transform.changes_nothing


def unchanged(x: Any) -> Any:
    """A hook: the pipeline goes the long way."""
    return x


@pytest.fixture
def fused_images(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of the images that went the short way."""
    shapes: list[tuple[int, ...]] = []

    def spy(x: Any, *args: Any, **options: Any) -> None:
        shapes.append(x.shape)
        transform_and_scale(x, *args, **options)

    monkeypatch.setattr(fused, "transform_and_scale", spy)
    return shapes


@pytest.mark.parametrize(
    "option",
    [
        {},
        {"vertical_flip": True, "fill_mode": "reflect"},
        {"width_shift_range": 3, "height_shift_range": [1, 4], "fill_mode": "wrap"},
        {"geometry": "corrected", "rescale": -1 / 127.5},
        {"fill_mode": "constant", "cval": 100.0},
        {"rotation_range": 0, "shear_range": 0, "zoom_range": 0, "width_shift_range": 0,
         "height_shift_range": 0},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("color_mode", ["rgb", "grayscale", "rgba"])
@pytest.mark.filterwarnings("ignore:Keras exchanges two axes")
def test_batches_are_those_of_the_long_way(
    color_mode: str, option: dict[str, Any], crops: Path, fused_images: list[tuple[int, ...]]
) -> None:
    batches = []
    for hook in (None, unchanged):
        generator = ImageDataGenerator(
            **(SCALED_GEOMETRY | option), executor="serial", preprocessing_function=hook
        )
        with generator.flow_from_directory(
            crops, (36, 28), batch_size=4, seed=5, color_mode=color_mode, interpolation="bilinear"
        ) as it:
            batches.append(joined(take(it, BATCHES)))
        assert len(fused_images) == len(batches[0][0]), "one way each"
    (short, labels), (long, other_labels) = batches
    np.testing.assert_array_equal(labels, other_labels)
    seam = option.get("fill_mode") == "wrap"  # where neighbours differ more than in photographs
    np.testing.assert_allclose(short, long, rtol=0, atol=1e-5 if seam else 2e-6)
