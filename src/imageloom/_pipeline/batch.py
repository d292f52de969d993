"""One batch under way, sample by sample (see `pipeline` for the order of the steps)."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import BadImageError, BadSamplesError, BatchShapeError
from imageloom._imaging.augment.affine import Affine
from imageloom._imaging.augment.apply import apply_geometry, apply_transform, scale_warning
from imageloom._imaging.augment.batch import BatchTransforms
from imageloom._imaging.augment.fused import fits, transform_and_scale
from imageloom._imaging.convert import array_to_img
from imageloom._imaging.decode import read_pixels
from imageloom._imaging.moments import FeatureMoments
from imageloom._imaging.normalise import standardize
from imageloom._imaging.opencv import clash_warning
from imageloom._options import ReadOptions
from imageloom._pipeline.batch_function import call_batch_function
from imageloom._pipeline.cache import PixelStore
from imageloom._pipeline.hooks import Hook, SampleCall
from imageloom._pipeline.recipe import BatchReport, BatchTask, Recipe
from imageloom._pipeline.seeds import StreamPurpose
from imageloom._pipeline.stages import STAGES
from imageloom._pipeline.user_methods import UserMethods
from imageloom._storage.fetching import Fetcher
from imageloom._storage.places import join, last_part

__all__ = ["BatchWork"]


class BatchWork:
    """One batch under way: its random state, and where it is, for the error that may come."""

    def __init__(
        self,
        task: BatchTask,
        raw: NDArray[Any] | None,
        cell: NDArray[np.int64] | None,
        *,
        recipe: Recipe,
        store: PixelStore,
        own: UserMethods,
        fused_factor: float | None,
    ) -> None:
        """Arguments as of `Pipeline.run`; then what the pipeline has made of its recipe."""
        self.recipe = recipe
        self.fused_factor = fused_factor
        self.store = store
        self.own = own
        self.task = task
        self.raw = raw
        self.state = task.spec.random_state()
        self.draws = self._batch_draws()
        self.sample = 0  # of the batch
        self.part = 0  # of the sample, where samples are tuples of images
        self.mask = -1  # the mask of the sample that is at work, if one is
        self.drawn: tuple[Mapping[str, Any], Affine | None] | None = None  # for the image before it
        self.transforms: list[Mapping[str, Any]] = []  # where they are to be told
        self.cell = np.empty(1, np.int64) if cell is None else cell
        self.fetcher: Fetcher | None = None  # of remote files
        self.stage = "read"
        self.since = time.perf_counter()
        self.seconds: dict[str, float] = {}
        self.decoded = 0
        self.bad: list[tuple[int, str, str]] = []
        clash = clash_warning()
        self.warnings = {} if clash is None else {"opencv": clash}

    def _batch_draws(self) -> BatchTransforms | None:
        if self.recipe.transform is None:
            return None
        images = len(self.task) * self.recipe.images
        # Not a method of this object: in a cycle, it would keep the batch's memory mapped.
        own_stream = functools.partial(_own_stream, self.task.spec.seed)
        return BatchTransforms(self.state, self.recipe.transform, images, own_stream)

    def run(self, arrays: Sequence[NDArray[Any]]) -> BatchReport:
        """Computes the whole batch."""
        recipe = self.recipe
        if recipe.batch_function is not None:
            self.enter("batch_function")
            params = recipe.params.for_sample(self._entropy(StreamPurpose.HOOK))
            batch = call_batch_function(recipe, self.task, params, arrays[0])
            self.enter("finish")
            return BatchReport(batch=batch, seconds=self.seconds)
        images, further = arrays[: recipe.images], arrays[recipe.images :]
        # What lies behind the images are their masks, or else copies of them.
        masks = further if recipe.masks else []
        if recipe.storage is not None:
            self.enter("fetch")
            self.fetcher = Fetcher(self.task.root, self._files(), self.task.members)
        for j in range(len(self.task)):
            self.cell[0] = j
            for k, array in enumerate(images):
                self.sample, self.part = j, k
                self.compute_if_readable(array[j])
            for k, array in enumerate(masks):
                self.mask = k
                self.compute_mask(array[j])
            self.mask = -1
        self.enter("finish")
        if self.bad:
            words = "; ".join(f"{name!r}: {reason}" for _, name, reason in self.bad)
            raise BadSamplesError(words, tuple(self.bad))
        for image, copied in zip(images, further[len(masks) :], strict=False):
            copied[...] = image
        if recipe.params.save_to_dir is not None:
            self.save(images)
            self.enter("finish")
        moments = None
        if recipe.measures:
            channel_axis = 1 if recipe.channels_first else 3
            parts = [FeatureMoments.of(array, channel_axis) for array in images]
            moments = functools.reduce(FeatureMoments.merged, parts)
        self.enter("finish")
        hits = len(self.task) * recipe.images - self.decoded if recipe.cache is not None else 0
        return BatchReport(
            warnings=tuple(self.warnings.items()),
            moments=moments,
            seconds=self.seconds,
            cache_hits=hits,
            transforms=tuple(self.transforms),
        )

    def end(self) -> None:
        """Nothing is to go on when the batch is there, or will never be."""
        if self.fetcher is not None:
            self.fetcher.close()

    def _files(self) -> Iterator[str]:
        """The files that will be read, in this order."""
        task, images = self.task, self.recipe.images
        for j, (index, name) in enumerate(zip(task.spec.indices, task.filenames, strict=True)):
            for k, part in enumerate((name,) if isinstance(name, str) else name):
                if not self.store.holds(int(index) * images + k):
                    yield part
            yield from task.masks[j] if self.recipe.masks else ()

    def enter(self, stage: str) -> None:
        """Goes on to a stage; the time since the last one began belongs to that."""
        now = time.perf_counter()
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + now - self.since
        self.stage, self.since = stage, now

    def whereabouts(self) -> str:
        """Stage and file, as a line of the error."""
        position = self.task.spec.position
        if self.recipe.batch_function is not None:
            what = (
                f"files {', '.join(map(str, self.task.filenames))} (the batch at position {position})"
            )
        else:
            what = f"{self._name()} (sample {self.sample} of the batch at position {position})"
        return f"imageloom: while {STAGES[self.stage].activity}, {what}"

    def _name(self) -> str:
        name = self._filename()
        if name is not None:
            return f"file {name!r}"
        if len(self.task) == 0:
            return "no image"
        return f"image {self.task.spec.indices[self.sample]}"

    def _filename(self) -> str | None:
        if self.mask >= 0:
            return self.task.masks[self.sample][self.mask]
        if not self.task.filenames:
            return None
        name = self.task.filenames[self.sample]
        return name if isinstance(name, str) else name[self.part]

    def compute_if_readable(self, row: NDArray[Any]) -> None:
        """Computes a sample; where bad images are to be replaced, notes it if it is one."""
        self.enter("read")
        if not self.recipe.replaces_bad_images:
            self.compute(self._pixels(), row)
            return
        try:
            x = self._pixels()
        except BadImageError as error:
            self.bad.append((self.sample, self._filename() or "", str(error)))
            return
        if not self.bad:  # else the batch will be computed again, without these
            self.compute(x, row)

    def compute_mask(self, row: NDArray[Any]) -> None:
        """Reads a mask and turns it as its image; where bad images are replaced, notes a bad one."""
        self.enter("read")
        read = self.recipe.read
        assert read is not None
        try:
            x = self._from_file(read.for_masks())
            if not np.can_cast(x.dtype, row.dtype):
                raise BadImageError(
                    f"The mask {self._filename()!r} is stored as {x.dtype}, and the first one of its "
                    f"column as {row.dtype}: store all of a column alike."
                )
        except BadImageError as error:
            if not self.recipe.replaces_bad_images:
                raise
            self.bad.append((self.sample, self._filename() or "", str(error)))
            return
        if self.bad:
            return
        array = last_part(self._filename() or "").lower().endswith(".npy")
        x = self._channels_last(x) if array else x
        if x.ndim == 2:
            x = x[:, :, None]
        options = self.recipe.transform
        if options is not None and self.drawn is not None:
            self.enter("transform")
            params, affine = self.drawn
            x = apply_geometry(x, params, options, affine)
        x = self._shown(x)
        if x.shape != row.shape:
            raise BatchShapeError(
                f"The mask has shape {x.shape} but the batch holds {row.shape}: one channel, and "
                "without resizing (interpolation=None, .npy files) its image's size."
            )
        np.copyto(row, x, casting="unsafe")

    def compute(self, x: NDArray[Any], row: NDArray[Any]) -> None:
        """From the stored pixels to a row of the batch."""
        recipe = self.recipe
        if self.fused_factor is not None and self.task.transforms is None and fits(x, row):
            self.enter("transform")
            self._transform_and_scale(x, self.fused_factor, row)
            return
        if recipe.noaug_hook is not None:
            self.enter("noaug_hook")
            x = self._call(recipe.noaug_hook, x.copy())
        if x.ndim == 2:
            x = x[:, :, None]
        x = x.astype(recipe.working_dtype)  # always a copy: what was read may belong to somebody
        if recipe.rescale_first:
            x = x * np.asarray(recipe.rescale_first, x.dtype)
        if recipe.transform is not None:
            self.enter("transform")
            x = self._transform(x)
        if self.own.standardizes:
            self.enter("standardize")
            x = self.own.standardize(self._about(), self._shown(x))
        else:
            x = self._standardize(x, row)
        if x is row:
            return
        if x.shape != row.shape:
            raise BatchShapeError(
                f"The image has shape {x.shape} but the batch holds {row.shape}. A hook that changes "
                "the shape needs `batch_shape`, and images that are not resized "
                "(interpolation=None, .npy files) need a hook that brings them to it."
            )
        np.copyto(row, x, casting="unsafe")

    def _pixels(self) -> NDArray[Any]:
        """The sample as it is stored, (height, width, channels); maybe read-only."""
        index = int(self.task.spec.indices[self.sample])
        if self.raw is not None:
            return self._channels_last(self.raw[self.sample])
        if self.recipe.rows is not None:
            return self._channels_last(self.recipe.rows[index])
        x = self.store.pixels(index * self.recipe.images + self.part, self._decoded)
        name = self._filename() or ""
        if self.fetcher is not None:
            name = last_part(name)
        return self._channels_last(x) if name.lower().endswith(".npy") else x

    def _decoded(self) -> NDArray[Any]:
        read = self.recipe.read
        assert read is not None
        self.decoded += 1
        return self._from_file(read)

    def _from_file(self, read: ReadOptions) -> NDArray[Any]:
        name = self._filename() or ""
        if self.fetcher is None:
            return read_pixels(os.path.join(self.task.root, name), read)
        self.enter("fetch")
        content = self.fetcher.content(name)
        self.enter("read")
        return read_pixels(join(self.task.root, name), read, content)

    def _channels_last(self, x: NDArray[Any]) -> NDArray[Any]:
        return np.moveaxis(x, 0, -1) if self.recipe.channels_first and x.ndim == 3 else x

    def _shown(self, x: NDArray[Any]) -> NDArray[Any]:
        """The image in the layout the user chose; ours is channels last."""
        return np.moveaxis(x, -1, 0) if self.recipe.channels_first and x.ndim == 3 else x

    def _transform(self, x: NDArray[Any]) -> NDArray[Any]:
        options = self.recipe.transform
        assert options is not None
        if options.recolours and self.sample == 0:
            text = scale_warning(x, self._name())
            if text is not None:
                self.warnings["scale"] = text
        if self.own.transforms and self.task.transforms is None:
            return self.own.transform(self._about(), self.state, x)
        params, affine = self.drawn = self._drawn(x)
        if self.recipe.tells_transforms:
            self.transforms.append(params)
        if self.own.applies:
            return self.own.apply(self._about(), x, params)
        return apply_transform(x, params, options, affine)

    def _transform_and_scale(
        self, x: NDArray[np.uint8], factor: float, row: NDArray[np.float32]
    ) -> None:
        options = self.recipe.transform
        assert options is not None
        assert self.draws is not None
        image = self.sample * self.recipe.images + self.part
        warp = self.draws.warp_of(image, x.shape[0], x.shape[1])
        transform_and_scale(x, warp, factor, row, fill_mode=options.fill_mode)

    def _drawn(self, x: NDArray[Any]) -> tuple[Mapping[str, Any], Affine | None]:
        image = self.sample * self.recipe.images + self.part
        if self.task.transforms is not None:
            return self.task.transforms[image], None
        if self.own.draws:
            return self.own.draw(self._about(), self.state, x), None
        assert self.draws is not None
        return self.draws.of(image, x.shape[0], x.shape[1])

    def _standardize(self, x: NDArray[Any], row: NDArray[Any]) -> NDArray[Any]:
        """The finished image; `row` itself if it has been written there already."""
        recipe = self.recipe
        if recipe.hook is not None:
            self.enter("hook")
            x = self._call(recipe.hook, x)
        self.enter("standardize")
        if x.dtype.kind != "f" and recipe.standardize.active:
            x = x.astype(np.float32)
        x, factor = self._shown(x), recipe.standardize.sole_factor
        if factor is not None and x.shape == row.shape:
            np.multiply(x, factor, out=row, casting="unsafe")
            return row
        return standardize(x, recipe.standardize)

    def _about(self) -> SampleCall:
        task, j = self.task, self.sample
        extras = {
            "class_id": task.class_ids[j] if task.class_ids else None,
            "filename": self._filename(),
            "batch_index": j,
            "batch_class_ids": list(task.class_ids),
            "batch_filenames": list(task.filenames),
        }
        params = self.recipe.params.for_sample(self._entropy(StreamPurpose.HOOK))
        return SampleCall(params, extras, self._entropy(StreamPurpose.COLOUR_AND_NOISE))

    def _call(self, hook: Hook, x: NDArray[Any]) -> NDArray[Any]:
        """Runs a hook on an image in the layout the user chose."""
        call = self._about()
        return self._channels_last(hook(call.params, self._shown(x), call.extras))

    def _entropy(self, purpose: StreamPurpose) -> tuple[int, ...]:
        return (self.task.spec.seed, self.sample * self.recipe.images + self.part, purpose)

    def save(self, images: Sequence[NDArray[Any]]) -> None:
        """Writes the finished images, under Keras' names; the numbers in them are drawn last."""
        params = self.recipe.params
        self.enter("save")
        for j, index in enumerate(self.task.spec.indices):
            for k, array in enumerate(images):
                self.sample, self.part = j, k
                number = self.state.randint(self.recipe.saved_name_range)
                name = f"{params.save_prefix}_{index}_{number}.{params.save_format}"
                image = array_to_img(array[j], params.data_format, scale=True)
                image.save(os.path.join(params.save_to_dir or "", name))


def _own_stream(seed: int, image: int) -> Callable[[], np.random.Generator]:
    return lambda: np.random.Generator(np.random.PCG64((seed, image, StreamPurpose.COLOUR_AND_NOISE)))
