"""The function that runs on a Ray cluster: one task computes one batch.

A worker of Ray's keeps the pipelines of the iterators that it last computed for, so each task
carries only the description of its batch.
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import WorkerStartError
from imageloom._executors.elsewhere import as_in_program
from imageloom._executors.failed import Failed
from imageloom._executors.failures import as_message, received
from imageloom._executors.inside import as_worker
from imageloom._executors.listening import Listener
from imageloom._imaging.opencv import cv2
from imageloom._pipeline.cache import open_store
from imageloom._pipeline.layout import private_arrays
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchReport, BatchTask
from imageloom._version import __version__

__all__ = ["Arrays", "Outcome", "RemoteRecipe", "compute"]

_PIPELINES_KEPT: Final = 8
Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True)
class RemoteRecipe:
    """What all tasks of one iterator have in common.

    Its references into the object store are in tuples, so that Ray passes the references and not
    the objects.

    Attributes:
        key: A string that is different for each iterator in the whole cluster.
        version: The version of imageloom in the driver.
        search_path: The module search path of the driver, where the modules of hooks are found.
        recipe: A reference to the packed recipe.
        large: References to its large parts.
        rows: A reference to the array that the images are rows of; empty for files.
    """

    key: str
    version: str
    search_path: tuple[str, ...]
    recipe: tuple[object]
    large: tuple[object, ...]
    rows: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a task, beside the pixels.

    Attributes:
        result: The report of the batch, or why it failed.
        node: The node that has computed it.
        seconds: How long that took.
    """

    result: BatchReport | Failed
    node: str
    seconds: float


_opened: OrderedDict[str, Pipeline] = OrderedDict()


def compute(
    recipe: RemoteRecipe, task: BatchTask, raw: NDArray[Any] | None = None
) -> tuple[Outcome, Arrays]:
    """Computes a batch. An exception of the user's code becomes part of the outcome.

    `raw` are its images, if only the driver can read the array that they are rows of.
    """
    started = time.monotonic()
    arrays: Arrays = ()
    result: BatchReport | Failed
    listener = Listener()
    try:
        with as_worker():
            pipeline = _pipeline_for(recipe)
            arrays = private_arrays(pipeline.recipe.layout, len(task))
            raw = _raw_rows(recipe, task) if raw is None else raw
            with as_in_program(pipeline, task, listener) as pillow:
                report = pipeline.run(task, arrays, raw)
        result = report.with_warnings(pillow).with_said(listener.said(task))
    except BaseException as error:  # a hook may even raise SystemExit
        result, arrays = as_message(error, listener.said(task)), ()
    return Outcome(result, _node(), time.monotonic() - started), arrays


def _raw_rows(recipe: RemoteRecipe, task: BatchTask) -> NDArray[Any] | None:
    """Returns the rows of the array, which is fetched for each batch, so that no worker keeps it."""
    if not recipe.rows:
        return None
    import ray

    return np.take(ray.get(recipe.rows[0]), task.spec.indices, axis=0)


def _pipeline_for(recipe: RemoteRecipe) -> Pipeline:
    pipeline = _opened.pop(recipe.key, None)
    if pipeline is None:
        pipeline = _open(recipe)
        while len(_opened) >= _PIPELINES_KEPT:
            _opened.popitem(last=False)
    _opened[recipe.key] = pipeline
    return pipeline


def _open(remote: RemoteRecipe) -> Pipeline:
    import ray

    if remote.version != __version__:
        raise WorkerStartError(
            f"The node {_node()} has imageloom {__version__}, and the program has {remote.version}. "
            "Install the same version on all nodes, because batches may differ between versions."
        )
    cv2.setNumThreads(1)
    sys.path += [place for place in remote.search_path if place not in sys.path]
    packing, *large = ray.get([*remote.recipe, *remote.large])
    # What is in the object store is read-only, and shared by all workers of the node.
    recipe = received(packing, [memoryview(bytearray(part)) for part in large])
    return Pipeline(recipe, open_store(recipe.cache))


def _node() -> str:
    import ray

    return f"{ray.util.get_node_ip_address()}/{ray.get_runtime_context().get_node_id()[:8]}"
