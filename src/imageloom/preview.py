"""A contact sheet: originals beside what the random transforms make of them, with what was drawn.

Images pass through the same pipeline as in batches, hooks included, but for the normalisation at the
end, which would make them unviewable.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imageloom.conversion import array_to_img
from imageloom.pipeline import Pipeline
from imageloom.recipe import Recipe
from imageloom.sampler import BatchSpec
from imageloom.shared_arrays import private_arrays
from imageloom.sources.base import SampleSource

__all__ = ["Specimen", "caption", "draw_sheet", "make_specimens"]

Draw = Callable[[tuple[int, ...], int], Mapping[str, Any]]

_LEAST_SIDE: Final = 144  # smaller images are enlarged, or nobody could read what stands below
_MARGIN: Final = 10
_FONT_SIZE: Final = 11
_LINE_HEIGHT: Final = 14
_CAPTION_LINES: Final = 4
_INK: Final = (40, 40, 40)
_PAPER: Final = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Specimen:
    """One sample: the image as stored, and its transformed versions, each with its parameters."""

    name: str
    original: Image.Image
    versions: list[tuple[Image.Image, Mapping[str, Any]]]


def make_specimens(
    recipe: Recipe,
    source: SampleSource,
    indices: Sequence[int],
    *,
    versions: int,
    seed: int,
    draw: Draw,
) -> list[Specimen]:
    """Computes what a sheet shows.

    Args:
        recipe: of the iterator's batches.
        source: its data set.
        indices: numbers of the samples to show.
        versions: transformed versions of each.
        seed: of the first version of the first sample; the others' follow.
        draw: the generator's `get_random_transform`, by the shape of an image and a seed.
    """
    shown = dataclasses.replace(
        recipe,
        standardize=dataclasses.replace(recipe.standardize, **_NOT_NORMALISED),
        cache=None,
        masks=0,
        layout=dataclasses.replace(
            recipe.layout, rows=1, copies=recipe.images, masks=0, dtype="float32"
        ),
        params=dataclasses.replace(recipe.params, save_to_dir=None),
        working_dtype="float32",
        replaces_bad_images=False,
        measures=False,
    )
    plain = dataclasses.replace(
        shown, transform=None, hook=None, noaug_hook=None, batch_function=None, overrides=frozenset()
    )
    original, varied = Pipeline(plain), Pipeline(dataclasses.replace(shown, batch_function=None))
    specimens = []
    for place, index in enumerate(indices):
        first = seed + place * versions
        found = []
        for offset in range(versions):
            params = draw(recipe.layout.row_shape, first + offset)
            image = _compute(varied, source, index, first + offset, [params] * recipe.images)
            found.append((image, params))
        specimens.append(
            Specimen(_name(source, index), _compute(original, source, index, first, None), found)
        )
    return specimens


_NOT_NORMALISED: Final[dict[str, Any]] = {
    "rescale": None,
    "samplewise_center": False,
    "samplewise_std_normalization": False,
    "featurewise_center": False,
    "featurewise_std_normalization": False,
    "zca_whitening": False,
}


def _compute(
    pipeline: Pipeline,
    source: SampleSource,
    index: int,
    seed: int,
    transforms: Sequence[Mapping[str, Any]] | None,
) -> Image.Image:
    spec = BatchSpec(0, 0, np.array([index], dtype=np.int64), seed, 0)
    task = source.task(spec)
    if transforms is not None:
        task = dataclasses.replace(task, transforms=tuple(dict(params) for params in transforms))
    arrays = private_arrays(pipeline.recipe.layout, 1)
    pipeline.run(task, arrays)
    return _as_image(arrays[0][0], pipeline.recipe.params.data_format)


def _as_image(x: NDArray[Any], data_format: str) -> Image.Image:
    viewable = x.min() >= -1 and 1.5 < x.max() <= 256
    if viewable:
        x = np.clip(x, 0, 255)
    return array_to_img(x, data_format, scale=not viewable).convert("RGB")


def _name(source: SampleSource, index: int) -> str:
    if not source.filenames:
        return f"image {index}"
    name = source.filenames[index]
    return name if isinstance(name, str) else name[0]


def caption(params: Mapping[str, Any]) -> str:
    """What was drawn, in words, without what changes nothing."""
    parts = []
    if params.get("theta"):
        parts.append(f"turn {params['theta']:+.1f}\N{DEGREE SIGN}")
    if params.get("tx") or params.get("ty"):
        parts.append(f"shift {params.get('tx', 0):+.1f}, {params.get('ty', 0):+.1f}")
    if params.get("shear"):
        parts.append(f"shear {params['shear']:+.1f}\N{DEGREE SIGN}")
    if params.get("zx", 1) != 1 or params.get("zy", 1) != 1:
        parts.append(f"zoom {params.get('zx', 1):.2f}, {params.get('zy', 1):.2f}")
    flips = [way for way in ("horizontal", "vertical") if params.get(f"flip_{way}")]
    if flips:
        parts.append(f"flip {' and '.join(flips)}")
    for key, name, form in (
        ("channel_shift_intensity", "channels", "+.0f"),
        ("brightness", "brightness", ".2f"),
        ("contrast", "contrast", ".2f"),
    ):
        if params.get(key) is not None:
            parts.append(f"{name} {params[key]:{form}}")
    if params.get("noise") is not None:
        parts.append(f"noise {getattr(params['noise'], 'name', params['noise'])}")
    return ", ".join(parts) or "unchanged"


def draw_sheet(specimens: Sequence[Specimen]) -> Image.Image:
    """One row for each sample: the original, then its versions, what was drawn below each."""
    pictures = [image for one in specimens for image in (one.original, *(v for v, _ in one.versions))]
    width = max(_LEAST_SIDE, *(image.width for image in pictures))
    height = max(_shown_size(image, width)[1] for image in pictures)
    cell_width = width + _MARGIN
    cell_height = height + _CAPTION_LINES * _LINE_HEIGHT + _MARGIN
    columns = 1 + max(len(one.versions) for one in specimens)
    size = (columns * cell_width + _MARGIN, len(specimens) * cell_height + _MARGIN)
    sheet = Image.new("RGB", size, _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_SIZE)
    letters = max(8, int(width / pen.textlength("n", font=font)))
    for row, one in enumerate(specimens):
        cells = [
            (one.original, one.name),
            *((image, caption(params)) for image, params in one.versions),
        ]
        for column, (image, text) in enumerate(cells):
            left, top = _MARGIN + column * cell_width, _MARGIN + row * cell_height
            shown = image.resize(_shown_size(image, width), Image.Resampling.NEAREST)
            sheet.paste(shown, (left, top))
            lines = textwrap.wrap(text, letters, max_lines=_CAPTION_LINES, placeholder=" ...")
            pen.multiline_text((left, top + height + 3), "\n".join(lines), fill=_INK, font=font)
    return sheet


def _shown_size(image: Image.Image, width: int) -> tuple[int, int]:
    return width, max(1, round(image.height * width / image.width))
