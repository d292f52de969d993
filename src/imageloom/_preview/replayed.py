"""A picture of one batch of the stream: its files, its targets, and what was drawn for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imageloom._executors.here import seeded_here
from imageloom._pipeline.layout import private_arrays
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchSpec, Recipe
from imageloom._preview.captions import phrases
from imageloom._preview.marks import Marks, marks_of
from imageloom._preview.originals import stored_sample
from imageloom._preview.samples import (
    PreviewImage,
    Version,
    not_normalised,
    stored_marks,
    without_copies,
)
from imageloom._preview.sheet import about_values, draw_sheet
from imageloom._sources.base import SampleSource

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["replay_sheet"]

_ROWS: Final = 4  # of a picture, as long as there are few samples in a row
_MOST_ACROSS: Final = 4
_SHORT: Final = 4  # numbers of a target that are shown one by one


def replay_sheet(
    recipe: Recipe,
    source: SampleSource,
    spec: BatchSpec,
    *,
    title: str,
    subtitle: str,
    notes: Sequence[str] = (),
) -> Image.Image:
    """Draws a row for each image of a batch, as stored and as in the batch before normalisation.

    Args:
        recipe: the recipe of the iterator's batches, without a cache.
        source: the data set.
        spec: the samples and the seed of the batch.
        title: the headline.
        subtitle: the text below it.
        notes: sentences for the foot.

    Raises:
        BadImageError: a file cannot be read.
        Exception: a hook raised it.
    """
    targets = [_target(source, spec, row) for row in range(len(spec.indices))]
    images = _batch_images(recipe, source, spec, targets)
    sheet = draw_sheet(
        images,
        title=title,
        subtitle=subtitle,
        notes=[*about_values(images, recipe.standardize.rescale), *notes],
        across=min(_MOST_ACROSS, -(-len(images) // _ROWS)),
    )
    for place, (version, image) in enumerate(zip(sheet.info["versions"], images, strict=True)):
        version["target"] = targets[place // recipe.images] or _marks_in_words(image.versions[0].marks)
        version["drawn"] = phrases(image.versions[0].params)
    return sheet


def _batch_images(
    recipe: Recipe, source: SampleSource, spec: BatchSpec, targets: Sequence[str]
) -> list[PreviewImage]:
    rows = len(spec.indices)
    shown = without_copies(not_normalised(recipe), rows)
    arrays = private_arrays(shown.layout, rows)
    task = source.task(spec)
    pipeline = Pipeline(shown)
    with seeded_here(pipeline, task):  # as in workers
        report = pipeline.run(task, arrays)
    single = without_copies(not_normalised(recipe), 1)
    parts, masked = recipe.images, recipe.images + recipe.masks
    drawn = report.transforms or [None] * (rows * parts)
    found = []
    for row, index in enumerate(spec.indices.tolist()):
        batch = [array[row] for array in arrays[:masked]]
        if recipe.channels_first:
            batch = [np.moveaxis(each, 0, -1) for each in batch]
        marks = None
        if recipe.coordinates is not None:
            rows_of_marks = [array[row] for array in arrays[masked:]]
            height, width = batch[0].shape[:2]
            marks = marks_of(recipe.coordinates, rows_of_marks, (height, width), source.class_indices)
        stored, masks = stored_sample(recipe, source, index)
        for part, (name, image) in enumerate(stored):
            params = drawn[row * parts + part]
            version = Version(batch[part], batch[parts:], params, spec.seed, marks)
            found.append(
                PreviewImage(
                    name,
                    source.class_name(index) or targets[row],
                    image,
                    masks,
                    [version],
                    class_number=source.class_indices.get(source.class_name(index)),
                    marks=stored_marks(single, source, index),
                )
            )
    return found


def _target(source: SampleSource, spec: BatchSpec, row: int) -> str:
    """The target of one sample of a batch in a few words, with its weight; "" without any."""
    index = spec.indices[row : row + 1]
    name = source.class_name(int(index[0]))
    values = None if name else source.targets(index)
    words = [name] if name else []
    if isinstance(values, list):
        words += [_in_words(column[0]) for column in values]
    elif values is not None and len(values):
        words.append(_in_words(values[0]))
    weights = source.weights(index)
    if weights is not None:
        words.append(f"weight {_in_words(weights[0])}")
    return ", ".join(words)


def _marks_in_words(marks: Marks | None) -> str:
    """The number of boxes or points that the batch has; "" without any."""
    if marks is None or not marks.numbers.size:
        return ""
    count, kind = len(marks.numbers), "box" if len(marks.boxes) else "point"
    return f"{count} {kind}" if count == 1 else f"{count} {kind}{'es' if kind == 'box' else 's'}"


def _in_words(value: Any) -> str:
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "biuf":
        return str(value)[:40]
    if numbers.size == 1:
        return f"{numbers.item():g}"
    if numbers.ndim == 1 and numbers.size <= _SHORT:
        return f"[{', '.join(f'{number:g}' for number in numbers.tolist())}]"
    if numbers.ndim == 1 and np.count_nonzero(numbers) == 1 and numbers.max() == 1:
        return f"{int(numbers.argmax())} (one-hot)"
    return f"array of {'×'.join(map(str, numbers.shape))}"
