"""A few transforms of `torchvision.transforms.v2`, for machines where its wheels do not fit torch.

Its classes have the module names, the conventions and the kinds of tensors of the original: a transform
takes a structure of tensors, moves each by its kind, and draws from torch's generator.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import torch

__all__ = ["Compose", "DropBoxes", "RandomHorizontalFlip", "ToDtype", "installed"]


class _Kind:
    def __init__(self, data: Any, **about: Any) -> None:
        self.data, self.about = data, about

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


class DropBoxes(Transform):
    """Leaves out all boxes but the first, with their labels, as `SanitizeBoundingBoxes` does."""

    def forward(self, sample: dict[str, Any]) -> dict[str, Any]:
        boxes = sample["boxes"]
        kept = BoundingBoxes(boxes.data[:1], **boxes.about)
        return {**sample, "boxes": kept, "labels": sample["labels"][:1]}


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
    for kind in (Transform, RandomHorizontalFlip, DropBoxes, ToDtype, Compose):
        kind.__module__ = "torchvision.transforms.v2._transform"
    own = sys.modules[__name__]
    return {
        "torchvision.tv_tensors": tensors,
        "torchvision.transforms.v2._transform": own,
    }
