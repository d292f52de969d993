"""What the user can change about an error of a batch, as the flow method that has made it allows it."""

from __future__ import annotations

from imageloom._errors import BadImageError
from imageloom._pipeline.recipe import Recipe

__all__ = ["advised", "shape_advice"]


def advised(error: BadImageError) -> BadImageError:
    """The same error, whose first line also says how to go on without the file."""
    first, newline, rest = str(error.args[0]).partition("\n")
    advice = 'Pass on_bad_image="replace" to the generator to go on without such files.'
    error.args = (f"{first.rstrip()} {advice}{newline}{rest}", *error.args[1:])
    return error


def shape_advice(recipe: Recipe, shape: tuple[int, ...]) -> str:
    """What to do about an image that does not fit its batch.

    Args:
        recipe: the recipe of the batch.
        shape: the shape of the image, in the user's layout.
    """
    if recipe.read is None:
        return (
            "Batches of arrays have images of the shape that they have in `x`: let the hook return "
            "images of this shape, or cut the images before they are passed to `flow`."
        )
    remedy = "let it return images of this shape"
    if len(shape) == 3 and recipe.report.takes_batch_shape:
        batch = (recipe.layout.rows, *shape)
        remedy = f"pass batch_shape={batch} to flow_from_directory"
    elif len(shape) == 3:
        remedy = f"assign image_shape={shape} to the iterator before its first batch"
    return (
        f"If a hook changes the shape, {remedy}. If images are not resized (interpolation=None, .npy "
        "files), pass a hook that returns images of this shape."
    )
