"""Calls transforms of `torchvision.transforms.v2`, which take tensors that say what they are.

Nothing here imports the library: whoever has made a transform has loaded it.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np

from imageloom._adapters.compositions.parts import Convention, SampleParts
from imageloom._errors import MissingDependencyError

__all__ = ["CONVENTION"]


def _tensors() -> Any:
    """The module of the tensors that say what they are; `torchvision.transforms.v2` loads it."""
    return sys.modules["torchvision.tv_tensors"]


def _call(function: Any, parts: SampleParts) -> SampleParts:
    torch, kinds = sys.modules["torch"], _tensors()
    size = parts.image.shape[:2]

    def tensor(x: Any) -> Any:
        return torch.from_numpy(np.require(x, requirements=["C", "W"]))

    data: dict[str, Any] = {"image": kinds.Image(tensor(np.moveaxis(parts.image, -1, 0)))}
    if parts.masks:
        data["masks"] = [kinds.Mask(tensor(np.moveaxis(mask, -1, 0))) for mask in parts.masks]
    if parts.boxes is not None:
        # A step that leaves out boxes leaves out their labels, too: here, the number of each box.
        boxes = tensor(parts.boxes.astype(np.float32))
        data["boxes"] = kinds.BoundingBoxes(boxes, format="XYXY", canvas_size=size)
        data["labels"] = tensor(parts.numbers)
    if parts.points is not None:
        if not hasattr(kinds, "KeyPoints"):
            raise MissingDependencyError(
                "This torchvision does not move points with their image: install version 0.23 or newer."
            )
        data["points"] = kinds.KeyPoints(tensor(parts.points.astype(np.float32)), canvas_size=size)
    found = function(data)
    boxes, points = found.get("boxes"), found.get("points")
    return SampleParts(
        image=_image(found["image"]),
        masks=[np.moveaxis(np.asarray(mask), 0, -1) for mask in found.get("masks", ())],
        boxes=None if boxes is None else np.asarray(boxes, np.float64).reshape(-1, 4),
        points=None if points is None else np.asarray(points, np.float64).reshape(-1, 2),
        numbers=parts.numbers if boxes is None else np.asarray(found["labels"], np.int64),
        applied=[type(step).__name__ for step in getattr(function, "transforms", [function])],
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
