"""What runs on a Ray cluster: one task, one batch.

A worker of Ray's keeps the pipelines of the last iterators that it computed for, so that a task carries
nothing but its batch's description.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import WorkerStartError
from imageloom._executors.failures import as_message
from imageloom._executors.workers.messages import Failed
from imageloom._imaging.opencv import cv2
from imageloom._pipeline.cache import open_store
from imageloom._pipeline.layout import private_arrays
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchReport, BatchTask
from imageloom._pipeline.seeds import seeded_for_hooks
from imageloom._version import __version__

__all__ = ["Computed", "Order", "compute"]

_PIPELINES_KEPT: Final = 8
Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True)
class Order:
    """What all tasks of an iterator have in common.

    Attributes:
        key: tells iterators apart, in the whole cluster.
        version: of imageloom, on the driver.
        search_path: of modules, on the driver: where its hooks' modules are found.
        recipe: in the object store, pickled; in a tuple, so that Ray hands over the reference.
        rows: the array that the images are rows of, in the object store; empty for files.
    """

    key: str
    version: str
    search_path: tuple[str, ...]
    recipe: tuple[Any]
    rows: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Computed:
    """What came of a task, beside the pixels.

    Attributes:
        outcome: the report, or how it failed.
        node: where it was computed.
        seconds: that it took there.
    """

    outcome: BatchReport | Failed
    node: str
    seconds: float


_opened: OrderedDict[str, Pipeline] = OrderedDict()


def compute(order: Order, task: BatchTask) -> tuple[Computed, Arrays]:
    """Computes a batch; whatever the user's code raises is part of the result."""
    started = time.monotonic()
    arrays: Arrays = ()
    outcome: BatchReport | Failed
    try:
        pipeline = _pipeline_for(order)
        arrays = private_arrays(pipeline.recipe.layout, len(task))
        raw = _raw_rows(order, task)
        with seeded_for_hooks(pipeline.recipe, task, restore=False):
            outcome = pipeline.run(task, arrays, raw)
    except BaseException as error:  # a hook may even raise SystemExit
        outcome, arrays = as_message(error), ()
    return Computed(outcome, _node(), time.monotonic() - started), arrays


def _raw_rows(order: Order, task: BatchTask) -> NDArray[Any] | None:
    """Of an array: looked up for each batch, so that no worker keeps that of a closed iterator."""
    if not order.rows:
        return None
    import ray

    return np.take(ray.get(order.rows[0]), task.spec.indices, axis=0)


def _pipeline_for(order: Order) -> Pipeline:
    pipeline = _opened.pop(order.key, None)
    if pipeline is None:
        pipeline = _open(order)
        while len(_opened) >= _PIPELINES_KEPT:
            _opened.popitem(last=False)
    _opened[order.key] = pipeline
    return pipeline


def _open(order: Order) -> Pipeline:
    import ray

    if order.version != __version__:
        raise WorkerStartError(
            f"The node {_node()} has imageloom {__version__}, and the program {order.version}: install "
            "the same version on all nodes, or batches may differ."
        )
    cv2.setNumThreads(1)
    sys.path += [place for place in order.search_path if place not in sys.path]
    recipe = pickle.loads(ray.get(order.recipe[0]))
    return Pipeline(recipe, open_store(recipe.cache))


def _node() -> str:
    import ray

    return f"{ray.util.get_node_ip_address()}/{ray.get_runtime_context().get_node_id()[:8]}"
