"""Calls transforms of `torchvision.transforms.v2`, which take tensors that say what they are.

Nothing here imports the library: whoever has made a transform has loaded it.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np

from imageloom._adapters.compositions.parts import Convention, SampleParts
from imageloom._errors import InvalidArgumentError, MissingDependencyError

__all__ = ["CONVENTION"]

# Transforms of whole batches, and what does the same.
_OF_BATCHES: Final = {"MixUp": "mixup", "CutMix": "cutmix"}
_FORMAT: Final = "XYXY"  # of boxes


def _tensors() -> Any:
    """The module of the tensors that say what they are; `torchvision.transforms.v2` loads it."""
    return sys.modules["torchvision.tv_tensors"]


def _call(function: Any, parts: SampleParts) -> SampleParts:
    _refuse_those_of_batches(function)
    torch, kinds = sys.modules["torch"], _tensors()
    size = parts.image.shape[:2]

    def tensor(x: Any) -> Any:
        return torch.from_numpy(np.require(x, requirements=["C", "W"]))

    data: dict[str, Any] = {"image": kinds.Image(tensor(np.moveaxis(parts.image, -1, 0)))}
    if parts.masks:
        data["masks"] = [kinds.Mask(tensor(np.moveaxis(mask, -1, 0))) for mask in parts.masks]
    if parts.boxes is not None or parts.points is not None:
        # A step that leaves out some of them leaves out their labels, too: here, the number of each.
        data["labels"] = tensor(parts.numbers)
    if parts.boxes is not None:
        boxes = tensor(parts.boxes.astype(np.float32))
        data["boxes"] = kinds.BoundingBoxes(boxes, format=_FORMAT, canvas_size=size)
    if parts.points is not None:
        if not hasattr(kinds, "KeyPoints"):
            raise MissingDependencyError(
                "This torchvision does not move points with their image: install version 0.23 or newer."
            )
        data["points"] = kinds.KeyPoints(tensor(parts.points.astype(np.float32)), canvas_size=size)
    found = function(data)
    boxes, points = _as_given(found.get("boxes")), found.get("points")
    numbers = np.asarray(found.get("labels", parts.numbers), np.int64)
    _check_numbered(numbers, boxes, points)
    return SampleParts(
        image=_image(found["image"]),
        masks=[np.moveaxis(np.asarray(mask), 0, -1) for mask in found.get("masks", ())],
        boxes=None if boxes is None else np.asarray(boxes, np.float64).reshape(-1, 4),
        points=None if points is None else np.asarray(points, np.float64).reshape(-1, 2),
        numbers=numbers,
        applied=[type(step).__name__ for step in getattr(function, "transforms", [function])],
    )


def _refuse_those_of_batches(function: Any) -> None:
    """Raises if a transform, or a step of it, mixes images: a hook gets one."""
    for step in (function, *getattr(function, "transforms", ())):
        name = type(step).__name__
        if name in _OF_BATCHES and type(step).__module__.startswith("torchvision."):
            raise InvalidArgumentError(
                f"v2.{name} mixes the images and targets of a batch, and a hook gets one image: leave "
                f"it out, and pass `{_OF_BATCHES[name]}` to the generator."
            )


def _as_given(boxes: Any) -> Any:
    """Boxes in the format in which they were given, if a step has changed it."""
    form = getattr(boxes, "format", None)  # which plain tensors lack
    if form is None or form.name == _FORMAT:
        return boxes
    functional = sys.modules["torchvision.transforms.v2.functional"]
    return functional.convert_bounding_box_format(boxes, new_format=type(form)[_FORMAT])


def _check_numbered(numbers: Any, boxes: Any, points: Any) -> None:
    """Raises if boxes or points have been left out, and it is not known which."""
    for what, found in (("BoundingBoxes", boxes), ("KeyPoints", points)):
        if found is not None and len(found) != len(numbers):
            raise InvalidArgumentError(
                f"A step of torchvision has left out some of the {what}, but not their labels, which "
                f'say which ones those are: pass v2.Sanitize{what}(labels_getter="default"), or leave '
                "it out, because what lies outside of the image is left out or hidden anyway."
            )


def _image(found: Any) -> Any:
    """The image as an array (height, width, channels); some steps make images of Pillow."""
    image = np.asarray(found)
    if not hasattr(found, "numpy"):
        return image if image.ndim == 3 else image[:, :, None]
    return np.moveaxis(image, 0, -1)


CONVENTION: Final = Convention(
    package="torchvision",
    call=_call,
    box_format=lambda _: "xyxy",
    point_format=lambda _: "xy",
    advice=("", ""),
    draws_from=("torch", "random", "numpy"),
)
