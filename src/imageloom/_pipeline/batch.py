"""Computes one batch, sample by sample (see `pipeline` for the order of the steps)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import BadImageError, BadSamplesError, BatchShapeError, InvalidArgumentError
from imageloom._imaging.augment.affine import Affine
from imageloom._imaging.augment.batch import MirroredWarp
from imageloom._imaging.augment.colour import Scaling
from imageloom._imaging.augment.fused import Fusion
from imageloom._imaging.augment.steps.apply import apply_all
from imageloom._imaging.half import write_row
from imageloom._imaging.moments import FeatureMoments
from imageloom._imaging.normalise import standardize_into
from imageloom._imaging.opencv import clash_warning
from imageloom._imaging.planes import write_planes
from imageloom._pipeline.advice import advised, shape_advice
from imageloom._pipeline.batch_function import call_batch_function, put_aside
from imageloom._pipeline.batch_method import call_batch_method
from imageloom._pipeline.cache import PixelStore
from imageloom._pipeline.calling import SampleCalls
from imageloom._pipeline.drawing import ImageDraws
from imageloom._pipeline.first_look import FirstLook
from imageloom._pipeline.hooks import Hook, params_for_sample
from imageloom._pipeline.mixture import mixed_batch
from imageloom._pipeline.reading import BatchReader, in_user_layout
from imageloom._pipeline.recipe import BatchReport, BatchTask, Recipe
from imageloom._pipeline.saving import encoded_pictures
from imageloom._pipeline.seeds import StreamPurpose
from imageloom._pipeline.spare_states import give_back
from imageloom._pipeline.targets import SampleTargets
from imageloom._pipeline.unfinished import DrawnImages
from imageloom._pipeline.user_methods import UserMethods
from imageloom._pipeline.whereabouts import Whereabouts
from imageloom._pipeline.windows import FurtherSteps
from imageloom._warnings import Code, coded

__all__ = ["BatchWork"]


class BatchWork:
    """The work on one batch.

    Attributes:
        at: The stage and the sample that the work is at.
    """

    def __init__(
        self,
        task: BatchTask,
        raw: NDArray[Any] | None,
        progress: NDArray[np.int64] | None,
        *,
        recipe: Recipe,
        store: PixelStore,
        methods: UserMethods,
        fusion: Fusion | None,
        state: np.random.RandomState | None,
    ) -> None:
        """Takes the arguments of `Pipeline.run`, and what the pipeline has made of its recipe."""
        self.at = Whereabouts(task, whole_batch=recipe.user_code.makes_batches)
        self._recipe = recipe
        self._task = task
        self._methods = methods
        # What was drawn before is applied in single steps.
        self._fusion = fusion if task.transforms is None else None
        self._fitting: tuple[np.dtype[Any], tuple[int, ...]] | None = None  # of the last fused image
        self._owns_state = state is None
        self._state = task.spec.random_state() if state is None else state
        self._steps = FurtherSteps(recipe, task.spec.seed)
        self._calls = SampleCalls(recipe, task, self.at)
        self._draws = ImageDraws(recipe, task, methods, self._steps, self._calls, self._state)
        self._reader = BatchReader(recipe, task, raw, store, self.at)
        self._from_bytes = False  # whether the current image was stored as bytes
        self._progress = np.empty(1, np.int64) if progress is None else progress
        self._targets = SampleTargets(recipe, task, self._reader, self._steps, self.at)
        self._transforms: list[Mapping[str, Any]] = []  # of all images, if the recipe asks for them
        # Bytes take less time to move than the floats that they stand for. The user's code gets floats.
        self._takes_bytes = recipe.user_code.hook is None and not methods.standardizes
        keeps = self._takes_bytes
        if self._draws.active:
            keeps = not (methods.transforms or methods.applies)
        self._keeps_bytes = keeps and recipe.working_dtype == "float32"
        self._composes = recipe.user_code.composes
        self._bad: list[tuple[int, str, str]] = []  # samples that cannot be read, with file and reason
        looks = task.is_looked_at and not recipe.unfinished
        self._look = FirstLook(recipe, task, self.at) if looks else None
        self._unfinished: list[DrawnImages] = []  # of each image of a sample

    def run(self, arrays: Sequence[NDArray[Any]]) -> BatchReport:
        """Computes the whole batch."""
        recipe, at = self._recipe, self.at
        if recipe.user_code.batch_function is not None:
            return self._run_batch_function(arrays[0])
        if recipe.user_code.batch_method is not None:
            return self._run_batch_method(arrays[0])
        images, further = arrays[: recipe.images], arrays[recipe.images :]
        # The arrays behind the images are for masks, and for what was drawn or copies of the images.
        masks, further = further[: recipe.masks], further[recipe.masks :]
        count = len(recipe.layout.coordinates)
        coordinates, further = further[:count], further[count:]
        copies: Sequence[NDArray[Any]] = further
        if recipe.unfinished:
            self._unfinished = self._unfinished_images(further)
            copies = ()
        self._reader.prefetch()
        with nullcontext() if self._look is None else self._look.reading():
            self._compute_samples(images, masks, coordinates)
        at.enter("finish")
        if self._bad:
            words = "; ".join(f"{name!r}: {reason}" for _, name, reason in self._bad)
            raise BadSamplesError(words, tuple(self._bad))
        for drawn in self._unfinished:
            drawn.write()
        warnings = (*_clash(), *(() if self._look is None else self._look.finish(images)))
        mixture = None
        if recipe.mixing is not None:
            mixture = mixed_batch(recipe, self._task, [*images, *masks])
        for image, copied in zip(images, copies, strict=False):
            copied[...] = image
        pictures: tuple[tuple[str, bytes], ...] = ()
        if recipe.params.save_to_dir is not None:
            pictures = encoded_pictures(recipe, self._task, images, self._state, at)
        moments = None
        if recipe.report.moments:
            moments = FeatureMoments.of_all(images, 1 if recipe.channels_first else 3)
        at.enter("finish")
        hits = len(self._task) * recipe.images - self._reader.decoded if recipe.cache is not None else 0
        return BatchReport(
            warnings=warnings,
            moments=moments,
            seconds=at.clock.seconds(),
            times=at.clock.times(),
            cache_hits=hits,
            transforms=tuple(self._transforms),
            pictures=pictures,
            mixture=mixture,
        )

    def close(self) -> None:
        """Ends what still goes on in the background, whether the batch was finished or not."""
        self._reader.close()
        if self._owns_state:
            self._owns_state = False
            give_back(self._state)

    def _run_batch_function(self, images: NDArray[Any]) -> BatchReport:
        self.at.enter("batch_function")
        params = params_for_sample(self._recipe.params, self._calls.entropy(StreamPurpose.HOOK))
        batch = call_batch_function(self._recipe, self._task, params, images)
        self.at.enter("finish")
        clock = self.at.clock
        return BatchReport(batch=batch, seconds=clock.seconds(), times=clock.times())

    def _run_batch_method(self, images: NDArray[Any]) -> BatchReport:
        self.at.enter("batch_function")
        batch, call = call_batch_method(self._recipe, self._task, self._state)
        self.at.enter("finish")
        return BatchReport(
            warnings=tuple(call.warnings.values()),
            batch=(put_aside(batch, images),),
            seconds=self.at.clock.seconds(),
            times=self.at.clock.times(),
            pictures=tuple(call.pictures),
        )

    def _compute_samples(
        self,
        images: Sequence[NDArray[Any]],
        masks: Sequence[NDArray[Any]],
        coordinates: Sequence[NDArray[Any]],
    ) -> None:
        at, progress = self.at, self._progress
        for j in range(len(self._task)):
            progress[0] = j
            at.sample = j
            for k, array in enumerate(images):
                at.part = k
                self._compute_if_readable(array[j])
            for k, array in enumerate(masks):
                at.mask = k
                self._compute_mask(array[j])
            at.mask = -1
            if not self._bad:
                self._targets.write([array[j] for array in coordinates])

    def _compute_if_readable(self, row: NDArray[Any]) -> None:
        """Computes an image; if bad images are to be replaced, notes the image if it is bad."""
        self.at.enter("read")
        try:
            x = self._reader.image()
        except BadImageError as error:
            self._note_or_raise(error)
            return
        if self._bad:  # the batch will be computed again, with other samples
            return
        self._targets.begin(x)
        if self._composes:
            for unreadable in self._targets.read_masks():
                self._note_or_raise(unreadable)
            if self._bad:
                return
        self._compute(x, row)
        if self._targets.composed and self._transforms:
            functions = tuple(self._targets.composed)
            self._transforms[-1] = {**self._transforms[-1], "functions": functions}

    def _note_or_raise(self, error: BadImageError) -> None:
        report = self._recipe.report
        if not report.all_bad_samples:
            raise advised(error) if report.advises_replacing else error
        self._bad.append((self.at.sample, self.at.filename() or "", str(error)))

    def _compute_mask(self, row: NDArray[Any]) -> None:
        """Reads a mask and applies the geometry of its image; notes a bad one as above."""
        self.at.enter("read")
        if self._bad and self._composes:
            return  # they were read before their image
        try:
            x = self._targets.mask(row.dtype, moves=not self._bad)
        except BadImageError as error:
            self._note_or_raise(error)
            return
        if self._bad:
            return
        x = in_user_layout(x, self._recipe)
        if x.shape != row.shape:
            raise BatchShapeError(
                f"The mask has shape {x.shape} but the batch holds {row.shape}. A mask needs one "
                "channel and, if images are not resized (interpolation=None, .npy files), the size of "
                "its image."
            )
        np.copyto(row, x, casting="unsafe")

    def _compute(self, x: NDArray[Any], row: NDArray[Any]) -> None:
        """Computes a row of the batch from the stored pixels."""
        recipe = self._recipe
        if recipe.crops and recipe.user_code.noaug_hook is None:
            x = self._cropped(x)
        if self._fusion is not None and self._computed_at_once(self._fusion, x, row):
            return
        if recipe.user_code.noaug_hook is not None:
            self.at.enter("noaug_hook")
            x = self._hooked(recipe.user_code.noaug_hook, x.copy())
            if recipe.crops:
                x = self._cropped(x)
        if x.ndim == 2:
            x = x[:, :, None]
        if recipe.unfinished:
            self._leave_unfinished(x, row)
            return
        x = self._in_working_dtype(x)
        if self._draws.active:
            self.at.enter("transform")
            x = self._transform(x, row)
            if x is row and not recipe.standardize.normalises:
                return
        if self._methods.standardizes:
            self.at.enter("standardize")
            x = self._methods.standardize(self._calls.about(), in_user_layout(x, self._recipe))
        else:
            x = self._standardize(x, row)
        if x is row:
            return
        write_row(self._fitting_row(x, row), row)

    def _in_working_dtype(self, x: NDArray[Any]) -> NDArray[Any]:
        """A copy of the stored pixels, which may be shared; or themselves, if they stay bytes."""
        recipe = self._recipe
        self._from_bytes = x.dtype == np.uint8 and recipe.rescale_first is None
        if self._from_bytes and self._keeps_bytes:
            return x
        x = x.astype(recipe.working_dtype)
        return x * np.asarray(recipe.rescale_first, x.dtype) if recipe.rescale_first else x

    def _cropped(self, x: NDArray[Any]) -> NDArray[Any]:
        self.at.enter("transform")
        x = self._steps.cropped(x if x.ndim == 3 else x[:, :, None], self._calls.image_number)
        self._targets.follow_crop()
        return x

    def _computed_at_once(self, fusion: Fusion, x: NDArray[Any], row: NDArray[Any]) -> bool:
        """Computes a row in the steps that are done at once, if the stored pixels are fit for it."""
        halves, planes = row.dtype == np.float16, self._recipe.channels_first
        single = row
        if halves or planes:
            shape = (*row.shape[1:], row.shape[0]) if planes else row.shape
            single = np.empty(shape, np.float32 if halves else row.dtype)
        kind = x.dtype, x.shape
        if kind != self._fitting:  # all rows are alike, and so are most images
            if not fusion.fits(x, single):
                return False
            self._fitting = kind
        if self._look is not None and fusion.recolours:
            self._look.before_transform(x)
        self.at.enter("transform")
        if self._draws.active and self._targets.follow_every_image:
            params, affine = self._draw(x)
            warp = MirroredWarp.of(params, affine, x.shape[0], x.shape[1])
            colours = params if fusion.recolours else None
        else:
            warp, colours = self._draws.warp(x, recolours=fusion.recolours)
        fusion.write(x, warp, single, colours)
        if fusion.normalises:
            self.at.enter("standardize")
            fusion.normalise(single)
        if planes:
            write_planes(single, row)
        elif halves:
            write_row(single, row)
        return True

    def _fitting_row(self, x: NDArray[Any], row: NDArray[Any]) -> NDArray[Any]:
        """The image in the shape of its row. As in Keras, a single channel fills all of them."""
        axis = 0 if self._recipe.channels_first else -1
        if x.shape != row.shape and x.ndim == row.ndim and x.shape[axis] == 1:
            read = self._recipe.read
            is_grey = read is not None and read.color_mode == "grayscale"
            grey = np.repeat(x, row.shape[axis], axis)
            if (self._recipe.user_code or is_grey) and grey.shape == row.shape:
                return grey
        self._check_shape(x, row)
        return x

    def _check_shape(self, x: NDArray[Any], row: NDArray[Any]) -> None:
        if x.shape != row.shape:
            raise BatchShapeError(
                f"The image has shape {x.shape} but the batch holds {row.shape}. "
                f"{shape_advice(self._recipe, x.shape)}"
            )

    def _unfinished_images(self, arrays: Sequence[NDArray[Any]]) -> list[DrawnImages]:
        options, (height, width, _) = self._recipe.transform, self._recipe.layout.row_shape
        pairs = zip(arrays[::2], arrays[1::2], strict=True)
        return [DrawnImages(options, (height, width), *pair) for pair in pairs]

    def _leave_unfinished(self, x: NDArray[Any], row: NDArray[Any]) -> None:
        """Writes the stored pixels, and what a device needs to finish them."""
        self.at.enter("transform")
        self._check_shape(x, row)
        if row.dtype == np.uint8 != x.dtype:
            raise InvalidArgumentError(
                f'finish="device" sends images to the device as bytes, but this one is stored as '
                f'{x.dtype}: pass finish="host".'
            )
        params, affine = self._targets.drawn = self._draw(x) if self._draws.active else ({}, None)
        np.copyto(row, x, casting="unsafe")
        self._unfinished[self.at.part].note(self.at.sample, params, affine)

    def _transform(self, x: NDArray[Any], row: NDArray[Any]) -> NDArray[Any]:
        """Returns the transformed image, or `row` itself if it was written there, and multiplied."""
        options = self._recipe.transform
        assert options is not None
        if self._look is not None:
            self._look.before_transform(x)
        if self._methods.transforms and self._task.transforms is None:
            return self._methods.transform(self._calls.about(), self._state, x)
        params, affine = self._targets.drawn = self._draw(x)
        if self._recipe.report.transforms:
            self._transforms.append(self._steps.with_window(params))
        if self._methods.applies:
            return self._methods.apply(self._calls.about(), x, params)
        return apply_all(
            x,
            params,
            options,
            affine,
            scaling=self._scaling(x, row, params),
            within=self._draws.within(x, affine),
            from_bytes=self._from_bytes and (x.dtype != np.uint8 or self._keeps_bytes),
            to_bytes=self._takes_bytes,
        )

    def _scaling(self, x: NDArray[Any], row: NDArray[Any], params: Mapping[str, Any]) -> Scaling | None:
        """The batch's row, if the image may be written there, and the factor if only that follows.

        None, too, if no step is drawn that would take it over.
        """
        if params.get("brightness") is params.get("contrast") is params.get("noise") is None:
            return None
        factor = self._recipe.standardize.sole_factor or 1.0
        single = not (self._recipe.user_code or self._recipe.channels_first)
        fits = x.shape == row.shape and self._recipe.working_dtype == "float32" == row.dtype
        return Scaling(factor, row) if single and fits else None

    def _draw(self, x: NDArray[Any]) -> tuple[Mapping[str, Any], Affine | None]:
        params, affine = self._draws.of(x)
        self._targets.follow(x, params, affine)
        return params, affine

    def _hooked(self, hook: Hook, x: NDArray[Any]) -> NDArray[Any]:
        return self._calls.hook(hook, x, self._targets, from_bytes=self._from_bytes)

    def _standardize(self, x: NDArray[Any], row: NDArray[Any]) -> NDArray[Any]:
        """Returns the finished image, or `row` itself if the image was written there already."""
        recipe = self._recipe
        if recipe.user_code.hook is not None:
            self.at.enter("hook")
            x = self._hooked(recipe.user_code.hook, x)
        self.at.enter("standardize")
        return standardize_into(row, in_user_layout(x, self._recipe), recipe.standardize)


def _clash() -> tuple[tuple[str, str, type[Warning]], ...]:
    text = clash_warning()
    if text is None:
        return ()
    return ((Code.OPENCV_CLASH, coded(Code.OPENCV_CLASH, text), UserWarning),)
