"""`decode="scaled"`: JPEG files that are decoded small, next to the exact way."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from executor_support import AUGMENTED
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kernel_support import use
from numpy.typing import NDArray
from pictures import photograph
from PIL import Image

from imageloom import ImageDataGenerator
from imageloom._imaging import decode as images_module
from imageloom._imaging.decode import read_pixels
from imageloom._imaging.kernels import kernels
from imageloom._options import COLOUR_CHANNELS, INTERPOLATIONS, ReadOptions

LARGE = (1200, 1600)  # height, width
TARGETS = ((224, 224), (150, 200), (299, 180), (64, 96))
# The nearest pixel is another one in another decoding; there is no agreement to ask for.
SMOOTH = tuple(name for name in INTERPOLATIONS if name != "nearest")


def options(target: tuple[int, int], *, scaled: bool = True, **others: Any) -> ReadOptions:
    usual: dict[str, Any] = {
        "color_mode": "rgb",
        "interpolation": "bilinear",
        "keep_aspect_ratio": False,
        "exact_resize": False,
    }
    return ReadOptions(target_size=target, scaled=scaled, **(usual | others))


@cache
def large(name: str = "coffee", mode: str = "RGB") -> Image.Image:
    """A photograph brought to a camera's size, as smooth between its pixels as those are."""
    small = Image.fromarray(photograph(name, 400, 533, mode="RGB"))
    return small.resize(LARGE[::-1], Image.Resampling.BICUBIC).convert(mode)


def save(folder: Path, image: Image.Image, name: str = "x.jpg", **how: Any) -> Path:
    image.save(folder / name, **({"quality": 90} if name.endswith("jpg") else {}), **how)
    return folder / name


def both(path: Path, target: tuple[int, int], **others: Any) -> list[NDArray[np.int64]]:
    return [read_pixels(path, options(target, scaled=s, **others)).astype(int) for s in (True, False)]


def assert_near(path: Path, target: tuple[int, int], **others: Any) -> None:
    scaled, exact = both(path, target, **others)
    assert scaled.shape == exact.shape
    off = np.abs(scaled - exact)
    assert off.any(), "nothing was left out of the decoding"
    # A box takes or leaves whole pixels, of which a decoding at a small scale has fewer.
    coarse = others.get("interpolation") in {"box", "hamming"}
    assert off.mean() < (2.5 if coarse else 1.5)
    assert np.quantile(off, 0.999) < (50 if coarse else 20)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("interpolation", SMOOTH)
@pytest.mark.parametrize("keep_aspect_ratio", [False, True])
def test_large_photographs_differ_by_little(
    keep_aspect_ratio: bool, interpolation: str, target: tuple[int, int], tmp_path: Path
) -> None:
    how = {"interpolation": interpolation, "keep_aspect_ratio": keep_aspect_ratio}
    assert_near(save(tmp_path, large()), target, **how)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket"])
@pytest.mark.parametrize("color_mode", COLOUR_CHANNELS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [False, True])
def test_colours_and_kinds_of_files_differ_by_little(
    progressive: bool, mode: str, color_mode: str, name: str, tmp_path: Path
) -> None:
    path = save(tmp_path, large(name, mode), progressive=progressive)
    for keep_aspect_ratio in (False, True):
        how: dict[str, Any] = {"color_mode": color_mode, "keep_aspect_ratio": keep_aspect_ratio}
        assert_near(path, (200, 224), **how)


@pytest.mark.parametrize("keep_aspect_ratio", [False, True])
@pytest.mark.parametrize("size", [(1203, 1601), (1199, 1597), (1207, 801)])
def test_sizes_that_no_scale_divides_are_not_shifted(
    size: tuple[int, int], keep_aspect_ratio: bool, tmp_path: Path
) -> None:
    image = large("chelsea").resize(size[::-1], Image.Resampling.BICUBIC)
    assert_near(save(tmp_path, image), (140, 171), keep_aspect_ratio=keep_aspect_ratio)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("keep_aspect_ratio", [False, True])
def test_small_photographs_are_the_same(
    keep_aspect_ratio: bool, interpolation: str, tmp_path: Path
) -> None:
    how = {"interpolation": interpolation, "keep_aspect_ratio": keep_aspect_ratio}
    image = Image.fromarray(photograph("coffee", 110, 130))
    for target in ((110, 130), (100, 120), (240, 200), (50, 300)):
        scaled, exact = both(save(tmp_path, image), target, **how)
        np.testing.assert_array_equal(scaled, exact)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x.png", "x.bmp", "x.tif"])
def test_files_that_are_no_jpeg_are_the_same(name: str, tmp_path: Path) -> None:
    for keep_aspect_ratio in (False, True):
        how: dict[str, Any] = {"keep_aspect_ratio": keep_aspect_ratio}
        scaled, exact = both(save(tmp_path, large(), name), (150, 130), **how)
        np.testing.assert_array_equal(scaled, exact)


@pytest.mark.parametrize("keep_aspect_ratio", [False, True])
def test_files_in_printing_colours_go_the_exact_way(keep_aspect_ratio: bool, tmp_path: Path) -> None:
    path = save(tmp_path, large(mode="CMYK"))
    scaled, exact = both(path, (150, 130), keep_aspect_ratio=keep_aspect_ratio)
    np.testing.assert_array_equal(scaled, exact)


def test_without_resizing_a_file_keeps_its_size(tmp_path: Path) -> None:
    scaled, exact = both(save(tmp_path, large()), (100, 100), interpolation=None)
    assert scaled.shape == (*LARGE, 3)
    np.testing.assert_array_equal(scaled, exact)


def decoded_sizes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(height, width) of what the decoder gives from now on."""
    seen = []
    decode = simplejpeg.decode_jpeg

    def look(*args: Any, **named: Any) -> Any:
        pixels = decode(*args, **named)
        seen.append(pixels.shape[:2])
        return pixels

    monkeypatch.setattr(images_module.simplejpeg, "decode_jpeg", look)
    return seen


def test_a_file_is_decoded_no_larger_than_it_has_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = save(tmp_path, large()), decoded_sizes(monkeypatch)
    read_pixels(path, options((150, 200)))
    assert seen.pop() == (150, 200)
    read_pixels(path, options((151, 200)))
    assert seen.pop() == (300, 400)
    # All of the height, but 800 of the width is cut out: 224 of 1200 takes an eighth twice.
    read_pixels(path, options((224, 100), keep_aspect_ratio=True))
    assert seen.pop() == (300, 400)
    read_pixels(path, options((150, 200), scaled=False))
    assert seen.pop() == LARGE


@pytest.mark.parametrize(
    ("how", "scales"),
    [
        ({}, {1, 2, 3, 4}),
        ({"interpolation": "nearest"}, {1, 2, 3, 4}),
        ({"interpolation": "box"}, {1, 2, 3, 4, 5}),
        ({"interpolation": "hamming"}, {1, 2, 3, 4, 5, 6}),
        ({"interpolation": "lanczos"}, {1, 2, 3, 4, 5, 6}),
        ({"interpolation": "lanczos", "keep_aspect_ratio": True}, {1, 2, 3, 4}),
        ({"exact_resize": True}, {1, 2, 3, 4, 5, 6}),
        ({"color_mode": "grayscale"}, {1, 2, 3, 4, 5, 6}),  # Pillow makes it grey, and then resizes
    ],
    ids=str,
)
@pytest.mark.parametrize("by_kernels", [True, False])
def test_only_scales_that_save_time_are_taken(
    by_kernels: bool,
    how: dict[str, Any],
    scales: set[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not by_kernels:
        use(None, monkeypatch)
    elif kernels is None:
        pytest.skip("no kernels were compiled")
    elif how.get("color_mode") is None:
        scales = {1, 2, 3, 4}  # what Pillow does not resize
    path, seen = save(tmp_path, large().resize((800, 800))), decoded_sizes(monkeypatch)
    for eighths in range(1, 9):
        read_pixels(path, options((100 * eighths - 7, 100 * eighths - 7), **how))
    taken = [height // 100 for height, _ in seen]
    assert taken == [n if n in scales else 8 for n in range(1, 9)]


def test_sizes_that_no_scale_divides_are_resized_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, large().resize((500, 375)))
    by_pillow, seen = read_pixels(path, options((160, 160), exact_resize=True)), []
    monkeypatch.setattr(images_module, "_resize", lambda *a, **k: seen.append(a))
    fast = read_pixels(path, options((160, 160)))
    assert not seen
    assert np.abs(fast.astype(int) - by_pillow).max() <= 1


sizes = st.tuples(st.integers(1, 400), st.integers(1, 400))


@cache
def encoded(size: tuple[int, int], mode: str) -> bytes:
    file = io.BytesIO()
    large("rocket").resize(size[::-1]).convert(mode).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.slow
@settings(max_examples=80)
@given(
    size=sizes,
    target=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    mode=st.sampled_from(["RGB", "L"]),
    color_mode=st.sampled_from(list(COLOUR_CHANNELS)),
    interpolation=st.sampled_from(list(INTERPOLATIONS)),
    keep_aspect_ratio=st.booleans(),
)
def test_any_size_gives_the_target_and_is_never_enlarged_again(
    tmp_path_factory: pytest.TempPathFactory,
    size: tuple[int, int],
    target: tuple[int, int],
    mode: str,
    color_mode: str,
    interpolation: str,
    keep_aspect_ratio: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jpg"
    path.write_bytes(encoded(size, mode))
    how: dict[str, Any] = {
        "color_mode": color_mode,
        "interpolation": interpolation,
        "keep_aspect_ratio": keep_aspect_ratio,
    }
    if keep_aspect_ratio:  # see below for parts without a pixel
        assume(min(size[0] * target[1] // target[0], size[1] * target[0] // target[1]) > 0)
    exact = read_pixels(path, options(target, scaled=False, **how))
    with pytest.MonkeyPatch.context() as patch:
        seen = decoded_sizes(patch)
        scaled = read_pixels(path, options(target, **how))
    assert scaled.shape == exact.shape == (*target, COLOUR_CHANNELS[color_mode])
    assert scaled.dtype == np.uint8
    ((height, width),) = seen
    assert height >= min(target[0], size[0])
    assert width >= min(target[1], size[1])
    if (height, width) == size:
        np.testing.assert_array_equal(scaled, exact)


def test_a_cut_without_a_pixel_is_what_it_is_in_the_exact_way(tmp_path: Path) -> None:
    path = save(tmp_path, large().resize((20, 20)))
    scaled, exact = both(path, (1, 30), interpolation="nearest", keep_aspect_ratio=True)
    np.testing.assert_array_equal(scaled, exact)


def folder_of_large(folder: Path) -> Path:
    for number, name in enumerate(("coffee", "chelsea", "rocket")):
        (folder / name).mkdir(parents=True)
        for piece in range(2):
            corner = 40 * piece + 10 * number
            save(folder / name, large(name).crop((corner, corner, 1200, 1000)), f"{piece}.jpg")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_draws_and_labels_of_the_stream_do_not_depend_on_it(executor: str, tmp_path: Path) -> None:
    folder = folder_of_large(tmp_path / "images")
    flows = []
    for decode in ("exact", "scaled"):
        generator = ImageDataGenerator(
            decode=decode,
            executor="serial" if decode == "exact" else executor,
            cores=1,
            **{**AUGMENTED, "noise": None, "rescale": None},
        )
        flows.append(
            generator.flow_from_directory(
                folder, target_size=(96, 96), interpolation="bilinear", batch_size=4, seed=3
            )
        )
    exact, scaled = flows
    differs = False
    with scaled:
        for _ in range(2 * len(exact)):
            (x, y), (other, labels) = next(exact), next(scaled)
            np.testing.assert_array_equal(labels, y)
            # Another angle or shift would be off by tens of grey levels.
            assert np.abs(other - x).mean() < 2
            differs |= bool((other != x).any())
    assert differs, "the option did not reach the reading"
