"""The common part of the flow methods.

Each flow method is a function in a file of its own, which the class of the generator assigns by
name.
"""

from __future__ import annotations

import os
from typing import Any, Protocol

from imageloom._api.flows.arguments import check_directory, geometry_warning
from imageloom._api.iterators.plans import FileSettings
from imageloom._api.planning import PlanningGenerator
from imageloom._checks import check_subset
from imageloom._options import GeneratorOptions
from imageloom._sources.base import subset_split
from imageloom._warnings import Once, warn_user

__all__ = ["FlowingGenerator", "file_settings", "output_settings", "warn_about_geometry"]


class FlowingGenerator(PlanningGenerator, Protocol):
    """The part of a generator that its flow methods use."""

    _warned: Once

    def _options(self) -> GeneratorOptions:
        """The current options, checked."""
        ...


def file_settings(
    options: GeneratorOptions,
    *,
    batch_size: int,
    save_to_dir: str | os.PathLike[str] | None,
    save_prefix: str,
    save_format: str,
    subset: str | None,
    **reading: Any,
) -> FileSettings:
    """The checked arguments of a flow method for files; `reading` has those that only it has.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value that is not allowed.
        MissingDirectoryError: `save_to_dir` does not exist.
    """
    output = output_settings(options, batch_size, save_to_dir, save_prefix, save_format, subset)
    return FileSettings(**output, **reading, split=subset_split(subset, options.split))


def output_settings(
    options: GeneratorOptions,
    batch_size: int,
    save_to_dir: str | os.PathLike[str] | None,
    save_prefix: str,
    save_format: str,
    subset: str | None,
) -> dict[str, Any]:
    """The fields of `OutputSettings`.

    Raises:
        InvalidArgumentError: `subset` is not "training", "validation" or None.
        MissingDirectoryError: `save_to_dir` does not exist.
    """
    check_subset(subset)
    if save_to_dir is not None:
        check_directory("save_to_dir", save_to_dir)
    return {
        "batch_size": batch_size if options.batch_size is None else options.batch_size,
        "data_format": options.data_format,
        "dtype": options.dtype,
        "subset": subset,
        "save_to_dir": None if save_to_dir is None else os.fspath(save_to_dir),
        "save_prefix": save_prefix,
        "save_format": save_format,
    }


def warn_about_geometry(
    generator: FlowingGenerator, options: GeneratorOptions, size: tuple[int, int]
) -> None:
    """Warns once per generator if Keras' exchanged axes may make a visible difference."""
    text = geometry_warning(options, size)
    if text is not None and generator._warned.first("geometry"):
        warn_user(text)
