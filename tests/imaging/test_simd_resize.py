"""The SIMD resizer next to Pillow, whose bytes it has to have but for a few."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import take
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_support import use
from numpy.typing import NDArray
from pictures import photograph
from PIL import Image

from imageloom import ImageDataGenerator
from imageloom._imaging import simd_resize
from imageloom._imaging.simd_resize import resize_bilinear
from imageloom._options import GeneratorOptions

pytestmark = pytest.mark.skipif(
    simd_resize.simd_resizer() is None, reason="this processor has no SIMD resizer"
)

Pixels = NDArray[Any]
# Of each size, Pillow begins with another direction, or with none.
SIZES = [(375, 500), (500, 333), (300, 300), (400, 90), (61, 260), (224, 300), (300, 150)]


def by_pillow(pixels: Pixels, size: tuple[int, int], part: Any = None) -> Pixels:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    box = None if part is None else (0, 0, part[1], part[0])
    resized = image.resize(size[::-1], Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized).reshape(*size, -1).astype(int)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_in_pillows_order_few_values_differ(size: tuple[int, int], channels: int) -> None:
    mode = "RGB" if channels == 3 else "L"
    pixels = photograph("coffee", *size, mode).reshape(*size, channels)
    target = (150, 150) if min(size) >= 150 else (60, 80)
    found = resize_bilinear(pixels, target, share=0.02)
    assert found is not None
    off = np.abs(found - by_pillow(pixels, target))
    assert off.max() <= 1
    assert np.mean(off > 0) < 0.008


@pytest.mark.slow
@settings(max_examples=150)
@given(
    size=st.tuples(st.integers(2, 160), st.integers(2, 160)),
    target=st.tuples(st.integers(2, 120), st.integers(2, 120)),
    share=st.sampled_from([0.05, 0.01, 0.002]),
)
def test_the_share_is_kept_at_all_sizes(
    size: tuple[int, int], target: tuple[int, int], share: float
) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = resize_bilinear(pixels, target, share=share)
    if found is not None:
        off = np.count_nonzero(found != by_pillow(pixels, target))
        assert off <= 3 * share * found.size + 12  # small images have more or less by chance


def test_pillow_resizes_where_too_many_would_differ() -> None:
    pixels = photograph("coffee", 280, 280)
    assert resize_bilinear(pixels, (224, 224), share=0.01) is None, "5 pixels for 4"
    assert resize_bilinear(pixels, (224, 224)) is not None


def test_sizes_without_fractions_are_exact() -> None:
    pixels = photograph("chelsea", 200, 300)
    found = resize_bilinear(pixels, (100, 150), share=0.0)
    np.testing.assert_array_equal(found, by_pillow(pixels, (100, 150)))


@pytest.mark.parametrize("part", [(187.5, 250), (188, 249.25), (187.125, 249.875)])
def test_a_part_is_cut_as_pillow_cuts_it(part: tuple[float, float]) -> None:
    pixels = photograph("rocket", 188, 250)
    found = resize_bilinear(pixels, (160, 224), part=part)
    assert found is not None
    off = np.abs(found - by_pillow(pixels, (160, 224), part))
    assert off.max() <= 1
    assert np.abs(by_pillow(pixels, (160, 224)) - by_pillow(pixels, (160, 224), part)).max() > 10


@pytest.mark.parametrize(
    ("options", "share"),
    [
        ({}, 1.0),
        ({"brightness_range": (0.2, 1.0)}, 1.0),
        ({"brightness_range": (0.5, 1.5)}, 2**-7),
        ({"contrast_range": (0.5, 1.5)}, 2**-7),
        ({"contrast_range": (0.9, 1.1)}, 2**-5),
        ({"brightness_range": (0.5, 1.7), "contrast_range": (0.5, 1.7)}, 2**-9),
        ({"brightness_range": (2.0, 9.0)}, 2**-10),
        ({"brightness_range": (-1.5, -0.5)}, 2**-7),
    ],
    ids=str,
)
def test_the_more_levels_are_spread_the_fewer_may_differ(options: dict[str, Any], share: float) -> None:
    assert GeneratorOptions(**options).transform.differing_share == share


@pytest.mark.parametrize("options", [{"brightness_range": (0.5, 1.5)}, {"contrast_range": (0.4, 1.6)}])
def test_after_the_colour_steps_999_of_1000_are_within_one_level(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    for number, name in enumerate(("coffee", "chelsea", "rocket", "astronaut")):
        picture = Image.fromarray(photograph(name, 333 + 20 * number, 500))
        picture.save(tmp_path / "a" / f"{name}.jpg", quality=92)
    use(None, monkeypatch)
    used = []
    resize = simd_resize.resize_bilinear

    def look(*args: Any, **named: Any) -> Any:
        found = resize(*args, **named)
        used.append(found is not None)
        return found

    monkeypatch.setattr("imageloom._imaging.decode.resize_bilinear", look)
    batches = []
    for usable in (True, False):
        if not usable:
            monkeypatch.setattr(simd_resize, "simd_resizer", lambda: None)
        generator = ImageDataGenerator(executor="serial", horizontal_flip=True, **options)
        with generator.flow_from_directory(
            tmp_path, (150, 200), interpolation="bilinear", batch_size=4, seed=2, class_mode=None
        ) as it:
            batches.append(np.concatenate(take(it, 3)))
    assert any(used[: len(used) // 2])
    off = np.abs(batches[0] - batches[1])
    assert off.any()
    assert np.mean(off > 1.5) < 1e-3
