"""A few transforms of `torchvision.transforms.v2`, for machines where its wheels do not fit torch.

Its classes have the module names, the conventions and the kinds of tensors of the original: a transform
takes a structure of tensors, moves each by its kind, and draws from torch's generator.
"""

from __future__ import annotations

import sys
from enum import Enum
from types import ModuleType
from typing import Any

import torch

__all__ = ["Compose", "ConvertBoxes", "CutMix", "Drop", "RandomHorizontalFlip", "ToDtype", "installed"]


class BoundingBoxFormat(Enum):
    """Formats of boxes."""

    XYXY = "XYXY"
    XYWH = "XYWH"


class _Kind:
    def __init__(self, data: Any, **about: Any) -> None:
        self.data, self.about = data, about

    def __len__(self) -> int:
        return len(self.data)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        found = self.data.numpy()
        return found if dtype is None else found.astype(dtype)

    def numpy(self) -> Any:
        return self.data.numpy()


class Image(_Kind):
    """(channels, height, width)."""


class Mask(_Kind):
    """(1, height, width)."""


class BoundingBoxes(_Kind):
    """(n, 4)."""

    @property
    def format(self) -> BoundingBoxFormat:
        return BoundingBoxFormat(self.about["format"])


class KeyPoints(_Kind):
    """(n, 2)."""


class Transform(torch.nn.Module):
    """The base of all transforms."""

    def forward(self, sample: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


class RandomHorizontalFlip(Transform):
    """Mirrors the columns with a probability."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, sample: dict[str, Any]) -> dict[str, Any]:
        if torch.rand(1) >= self.p:
            return sample
        return {key: self._flipped(value) for key, value in sample.items()}

    def _flipped(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._flipped(one) for one in value]
        if isinstance(value, (Image, Mask)):
            return type(value)(value.data.flip(-1))
        if isinstance(value, BoundingBoxes):
            width = value.about["canvas_size"][1]
            left, upper, right, lower = value.data.T
            return BoundingBoxes(
                torch.stack([width - right, upper, width - left, lower], 1), **value.about
            )
        if isinstance(value, KeyPoints):
            x, y = value.data.T
            return KeyPoints(torch.stack([value.about["canvas_size"][1] - 1 - x, y], 1), **value.about)
        return value


class Drop(Transform):
    """Leaves out all boxes or points but the last, as `SanitizeBoundingBoxes` leaves out some."""

    def __init__(self, labels_getter: str | None = "default") -> None:
        super().__init__()
        self.labels_getter = labels_getter

    def forward(self, sample: dict[str, Any]) -> dict[str, Any]:
        name = "boxes" if "boxes" in sample else "points"
        given = sample[name]
        found = {**sample, name: type(given)(given.data[-1:], **given.about)}
        return found if self.labels_getter is None else {**found, "labels": sample["labels"][-1:]}


class CutMix(Transform):
    """Takes whole batches, which no hook gets."""


class ConvertBoxes(Transform):
    """Changes the format of boxes to `"XYWH"`, as `ConvertBoundingBoxFormat` does."""

    def forward(self, sample: dict[str, Any]) -> dict[str, Any]:
        boxes = sample["boxes"]
        data = torch.cat([boxes.data[:, :2], boxes.data[:, 2:] - boxes.data[:, :2]], 1)
        return {**sample, "boxes": BoundingBoxes(data, **{**boxes.about, "format": "XYWH"})}


def convert_bounding_box_format(
    boxes: BoundingBoxes, *, new_format: BoundingBoxFormat
) -> BoundingBoxes:
    assert (boxes.format, new_format) == (BoundingBoxFormat.XYWH, BoundingBoxFormat.XYXY)
    data = torch.cat([boxes.data[:, :2], boxes.data[:, :2] + boxes.data[:, 2:]], 1)
    return BoundingBoxes(data, **{**boxes.about, "format": "XYXY"})


class ToDtype(Transform):
    """Floats of 0..1."""

    def forward(self, sample: dict[str, Any]) -> dict[str, Any]:
        return {**sample, "image": Image(sample["image"].data.to(torch.float32) / 255)}


class Compose(Transform):
    """One after the other."""

    def __init__(self, transforms: list[Any]) -> None:
        super().__init__()
        self.transforms = transforms

    def forward(self, sample: dict[str, Any]) -> dict[str, Any]:
        for transform in self.transforms:
            sample = transform(sample)
        return sample


def installed() -> dict[str, ModuleType]:
    """The modules that the library would have, with their names."""
    tensors = ModuleType("torchvision.tv_tensors")
    vars(tensors).update(Image=Image, Mask=Mask, BoundingBoxes=BoundingBoxes, KeyPoints=KeyPoints)
    functional = ModuleType("torchvision.transforms.v2.functional")
    vars(functional).update(convert_bounding_box_format=convert_bounding_box_format)
    for kind in (Transform, RandomHorizontalFlip, Drop, CutMix, ConvertBoxes, ToDtype, Compose):
        kind.__module__ = "torchvision.transforms.v2._transform"
    own = sys.modules[__name__]
    return {
        "torchvision.tv_tensors": tensors,
        "torchvision.transforms.v2.functional": functional,
        "torchvision.transforms.v2._transform": own,
    }
