"""Calls transforms of albumentations, which take a sample as named arrays.

Nothing here imports the library: whoever has made a transform has loaded it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from imageloom._adapters.compositions.parts import Convention, SampleParts

__all__ = ["CONVENTION"]

# The names of formats there, and in Keras.
_BOX_FORMATS: Final = {
    "coco": "xywh",
    "pascal_voc": "xyxy",
    "albumentations": "rel_xyxy",
    "yolo": "rel_center_xywh",
}
# How many numbers a point has in each format; those behind x and y are an angle, a scale or a depth.
_POINT_NUMBERS: Final = {"xy": 2, "yx": 2, "xya": 3, "xys": 3, "xyz": 3, "xyas": 4, "xysa": 4}


def _format(function: Any, kind: str) -> Any:
    processors = getattr(function, "processors", None) or {}
    return getattr(getattr(processors.get(kind), "params", None), "format", None)


def _box_format(function: Any) -> str | None:
    return _BOX_FORMATS.get(_format(function, "bboxes") or "")


def _point_format(function: Any) -> str | None:
    found = _format(function, "keypoints")
    return None if found not in _POINT_NUMBERS else found[:2]


def _fields(function: Any, kind: str) -> list[str]:
    return list(getattr(function.processors[kind].params, "label_fields", None) or ())


def _call(function: Any, parts: SampleParts) -> SampleParts:
    data: dict[str, Any] = {"image": np.require(parts.image, requirements=["C", "W"])}
    if parts.masks:
        data["masks"] = [np.require(mask, requirements=["C", "W"]) for mask in parts.masks]
    # Whatever stands behind the coordinates is kept: here, the number of each box or point.
    numbers = parts.numbers[:, None]
    if parts.boxes is not None:
        data["bboxes"] = np.concatenate([parts.boxes, numbers], axis=1)
        data.update((name, parts.labels.tolist()) for name in _fields(function, "bboxes"))
    elif "bboxes" in (getattr(function, "processors", None) or {}):
        data["bboxes"] = np.empty((0, 4))
        data.update((name, []) for name in _fields(function, "bboxes"))
    if parts.points is not None:
        more = _POINT_NUMBERS[_format(function, "keypoints")] - 2
        further = np.zeros((len(numbers), more))
        # A point in the outer half of a border pixel is outside there.
        points = np.maximum(parts.points, 0)
        data["keypoints"] = np.concatenate([points, further, numbers], axis=1)
        data.update((name, parts.numbers.tolist()) for name in _fields(function, "keypoints"))
    elif "keypoints" in (getattr(function, "processors", None) or {}):
        data["keypoints"] = np.empty((0, 2))
        data.update((name, []) for name in _fields(function, "keypoints"))
    tracks = hasattr(function, "_track_transform_params")
    if tracks:
        data["applied_transforms"] = []
    found = function(**data)
    rows = found["bboxes"] if parts.boxes is not None else found.get("keypoints", ())
    rows = np.asarray(rows, np.float64)
    given = rows[:, -1].astype(np.int64) if len(rows) else np.empty(0, np.int64)
    return SampleParts(
        image=found["image"],
        masks=[mask if mask.ndim == 3 else mask[:, :, None] for mask in found.get("masks", ())],
        boxes=None if parts.boxes is None else rows[:, :4].reshape(-1, 4),
        points=None if parts.points is None else rows[:, :2].reshape(-1, 2),
        numbers=given,
        applied=[name for name, _ in found["applied_transforms"]]
        if tracks
        else [type(function).__name__],
    )


CONVENTION: Final = Convention(
    package="albumentations",
    call=_call,
    box_format=_box_format,
    point_format=_point_format,
    advice=(
        'A.Compose([...], bbox_params=A.BboxParams(format="pascal_voc"))',
        'A.Compose([...], keypoint_params=A.KeypointParams(format="xy"))',
    ),
    draws_from=(),
)
