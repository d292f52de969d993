"""Reads the images and masks of one batch: from files, from an array, or from the cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import BadImageError
from imageloom._imaging.decode import read_pixels
from imageloom._imaging.file_size import size_in_file
from imageloom._imaging.opening import largest_file
from imageloom._options import ReadOptions
from imageloom._pipeline.cache import PixelStore
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.stored_rows import StoredRows
from imageloom._pipeline.whereabouts import Whereabouts
from imageloom._storage.access import use_access
from imageloom._storage.fetching import Fetcher, RemoteFiles
from imageloom._storage.local import read_file
from imageloom._storage.urls import join, last_part

__all__ = ["BatchReader", "channels_last", "in_user_layout"]


class BatchReader:
    """Reads what the whereabouts of the work refer to.

    Attributes:
        decoded: How many images had to be decoded.
    """

    def __init__(
        self,
        recipe: Recipe,
        task: BatchTask,
        raw: NDArray[Any] | None,
        store: PixelStore,
        at: Whereabouts,
    ) -> None:
        """`raw` are the images themselves, where they come out of an array of another process."""
        self.decoded = 0
        self._recipe = recipe
        self._task = task
        self._raw = raw
        self._store = store
        self._at = at
        self._indices = [*map(int, task.spec.indices.tolist())]
        self._fetcher: Fetcher | None = None  # of remote files

    def prefetch(self) -> None:
        """Requests the first remote files, or reads the rows of a stored array, if there are any."""
        if self._recipe.storage is not None:
            self._at.enter("fetch")
            task = self._task
            remote = task.remote or RemoteFiles()
            if remote.renewed is not None:
                use_access(remote.renewed, only_renewed=True)
            self._fetcher = Fetcher(task.root, self._files(), remote, largest_file())

        rows = self._recipe.rows
        if isinstance(rows, StoredRows) and self._raw is None:
            self._at.enter("read")
            # If one of them cannot be read, they are read one by one, so that the error names it.
            with suppress(BadImageError):
                self._raw = rows.batch(self._task.spec.indices)

    def close(self) -> None:
        """Cancels the requests for remote files."""
        if self._fetcher is not None:
            self._fetcher.close()

    def _files(self) -> Iterator[str]:
        """The files that will be read, in this order."""
        task, images = self._task, self._recipe.images
        for j, (index, name) in enumerate(zip(self._indices, task.filenames, strict=True)):
            for k, part in enumerate((name,) if isinstance(name, str) else name):
                if not self._store.holds(index * images + k) or self._lacks_size(index):
                    yield part
            yield from task.masks[j] if self._recipe.masks else ()

    def image(self) -> NDArray[Any]:
        """Returns an image as it is stored, (height, width, channels); it may be read-only."""
        recipe, at = self._recipe, self._at
        if self._raw is not None:
            return channels_last(self._raw[at.sample], recipe)
        index = self._indices[at.sample]
        if recipe.rows is not None:
            return channels_last(recipe.rows[index], recipe)
        x = self._store.pixels(index * recipe.images + at.part, self._decode)
        if not recipe.channels_first:
            return x
        name = at.filename() or ""
        if self._fetcher is not None:
            name = last_part(name)
        return channels_last(x, recipe) if name.lower().endswith(".npy") else x

    def size_in_file(self, x: NDArray[Any]) -> tuple[int, int]:
        """The (height, width) of the current image before it was resized to `x`."""
        read, name = self._recipe.read, self._at.filename() or ""
        if read is None or read.interpolation is None or last_part(name).lower().endswith(".npy"):
            return x.shape[0], x.shape[1]
        index = self._indices[self._at.sample]
        if self._lacks_size(index):
            self._content()
        return self._store.sizes[index]

    def _lacks_size(self, index: int) -> bool:
        return self._recipe.coordinates is not None and index not in self._store.sizes

    def mask(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Returns a mask, (height, width, 1).

        Raises:
            BadImageError: The mask cannot be read, or does not fit the dtype.
        """
        read, name = self._recipe.read, self._at.filename() or ""
        assert read is not None
        masks = read.for_masks()
        x = self._read_file(masks.at_own_size() if self._recipe.crops else masks)
        if not np.can_cast(x.dtype, dtype):
            raise BadImageError(
                f"The mask {name!r} is stored as {x.dtype}, but the first mask of its column as "
                f"{dtype}. Store all masks of a column with the same dtype."
            )
        if last_part(name).lower().endswith(".npy"):
            x = channels_last(x, self._recipe)
        return x[:, :, None] if x.ndim == 2 else x

    def _decode(self) -> NDArray[Any]:
        read = self._recipe.read
        assert read is not None
        self.decoded += 1
        if self._recipe.crops:
            read = read.at_own_size()
        if self._recipe.coordinates is None:
            return self._read_file(read)
        name = self._at.filename() or ""
        name = name if self._recipe.records is not None else join(self._task.root, name)
        return read_pixels(name, read, self._content())

    def _content(self) -> bytes:
        """Reads the file of an image, and notes the size of the image in it."""
        name = self._at.filename() or ""
        content = None
        if self._recipe.records is not None:
            content = self._record()
        elif self._fetcher is not None:
            self._at.enter("fetch")
            content = self._fetcher.content(name)
            self._at.enter("read")
        if content is None:
            content = read_file(os.path.join(self._task.root, name), largest_file())
        if not last_part(name).lower().endswith(".npy"):
            upright = self._recipe.read is not None and self._recipe.read.exif_orientation
            size = size_in_file(content, name, upright=upright)
            self._store.sizes[self._indices[self._at.sample]] = size
        return content

    def _read_file(self, read: ReadOptions) -> NDArray[Any]:
        name = self._at.filename() or ""
        if self._recipe.records is not None:
            return read_pixels(name, read, self._record())
        if self._fetcher is None:
            return read_pixels(os.path.join(self._task.root, name), read)
        self._at.enter("fetch")
        content = self._fetcher.content(name)
        self._at.enter("read")
        return read_pixels(join(self._task.root, name), read, content)

    def _record(self) -> bytes:
        """The encoded image, or mask, in the current row of the table."""
        sample, mask, task = self._at.sample, self._at.mask, self._task
        if task.contents:
            content = task.contents[sample] if mask < 0 else task.mask_contents[sample][mask]
        else:
            records = self._recipe.records if mask < 0 else self._recipe.mask_records[mask]
            assert records is not None
            content = records.content(self._indices[sample])
        if isinstance(content, str):
            raise BadImageError(content)
        return content


def channels_last(x: NDArray[Any], recipe: Recipe) -> NDArray[Any]:
    """Turns an image in the layout of the user into (height, width, channels)."""
    return np.moveaxis(x, 0, -1) if recipe.channels_first and x.ndim == 3 else x


def in_user_layout(x: NDArray[Any], recipe: Recipe) -> NDArray[Any]:
    """Turns an image (height, width, channels) into the layout that the user has chosen."""
    return np.moveaxis(x, -1, 0) if recipe.channels_first and x.ndim == 3 else x
