"""What the flow methods have in common."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Any

from imageloom._api.flows.arguments import check_directory, geometry_warning
from imageloom._api.iterators.base import BatchIterator
from imageloom._api.iterators.files import FileSettings
from imageloom._api.transforms import ImageTransformer
from imageloom._checks import check_subset
from imageloom._executors.base import Channel
from imageloom._options import GeneratorOptions
from imageloom._sources.base import subset_split
from imageloom._stream.state import described
from imageloom._warnings import warn_user

__all__ = ["FlowBase"]


class FlowBase(ImageTransformer):
    """Turns arguments into settings, and warns of what they lead to."""

    _told_geometry = False

    @abstractmethod
    def _open_channel(self, iterator: BatchIterator) -> Channel:
        """Freezes the options for an iterator and lets it into the common executor."""

    def described(self) -> dict[str, Any]:
        """The arguments that decide about the values of batches, as plain JSON."""
        return described(self._current_options(), self._statistics())

    def _file_settings(
        self,
        options: GeneratorOptions,
        *,
        batch_size: int,
        save_to_dir: str | os.PathLike[str] | None,
        save_prefix: str,
        save_format: str,
        subset: str | None,
        **reading: Any,
    ) -> FileSettings:
        output = self._output(options, batch_size, save_to_dir, save_prefix, save_format, subset)
        return FileSettings(**output, **reading, split=subset_split(subset, options.split))

    def _output(
        self,
        options: GeneratorOptions,
        batch_size: int,
        save_to_dir: str | os.PathLike[str] | None,
        save_prefix: str,
        save_format: str,
        subset: str | None,
    ) -> dict[str, Any]:
        """The fields of `OutputSettings`."""
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

    def _warn_about_geometry(self, options: GeneratorOptions, size: tuple[int, int]) -> None:
        text = None if self._told_geometry else geometry_warning(options, size)
        if text is not None:
            self._told_geometry = True
            warn_user(text)
