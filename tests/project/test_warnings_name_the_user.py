"""Every warning names the file and line of the user's own code, however many calls lie between."""

from __future__ import annotations

import errno
import functools
import os
import shutil
import sys
import tarfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from recorded_warnings import dark, marked_line, places, recorded

import imageloom
from imageloom import ImageDataGenerator
from imageloom._imaging import opencv
from imageloom._imaging.normalise import FeatureStatistics, MeasuredImages
from imageloom._imaging.statistics_file import save_statistics

EXECUTORS = ("serial", "threads", "processes")


@pytest.fixture
def good(data_set: Path, tmp_path: Path) -> Path:
    """Two classes of readable images."""
    folder = shutil.copytree(data_set, tmp_path / "good")
    (folder / "dogs").rmdir()
    (folder / "cats/1.png").unlink()
    return folder


def frame_of(folder: Path) -> pd.DataFrame:
    files = sorted(str(path.relative_to(folder)) for path in (folder / "cups").iterdir())
    return pd.DataFrame({"filename": files, "class": ["a", "b"], "number": [1, 2]})


def images(channels: int = 3) -> np.ndarray[Any, Any]:
    return np.full((4, 8, 8, channels), 100, np.float32)


# What provokes a warning: functions of the folder `good`, the warning's text, and the marked line


def overridden_option(_: Path) -> None:
    ImageDataGenerator(zca_whitening=True)  # warns


def overridden_samplewise_option(_: Path) -> None:
    ImageDataGenerator(samplewise_std_normalization=True)  # warns


def overridden_option_by_the_long_name(_: Path) -> None:
    imageloom.ParallelImageDataGenerator(featurewise_std_normalization=True)  # warns


def overridden_option_in_a_subclass(_: Path) -> None:
    class OfTheUser(ImageDataGenerator):
        def __init__(self) -> None:
            super().__init__(zca_whitening=True)  # warns

    OfTheUser()


def switch_with_a_number(_: Path) -> None:
    ImageDataGenerator(horizontal_flip=0.5)  # type: ignore[arg-type]  # warns


def switch_of_a_flow_with_a_number(_: Path) -> None:
    ImageDataGenerator().flow(images(), shuffle=1000)  # type: ignore[arg-type]  # warns


def unfitted_standardize(_: Path) -> None:
    ImageDataGenerator(featurewise_center=True).standardize(images()[0])  # warns


def unfitted_flow(_: Path) -> None:
    next(ImageDataGenerator(featurewise_center=True).flow(images()))  # warns


def statistics_of_another_size(folder: Path) -> None:
    measured = MeasuredImages(rescale=None, target_size=(9, 9), color_mode="rgb", dtype="float32")
    save_statistics(FeatureStatistics(mean=np.zeros((1, 1, 3)), images=measured), folder / "x.npz")
    generator = ImageDataGenerator(featurewise_center=True, executor="serial")
    generator.fit(folder / "x.npz")
    it = generator.flow_from_directory(folder, target_size=(8, 8))
    next(it)  # warns


def exchanged_axes(folder: Path) -> None:
    generator = ImageDataGenerator(height_shift_range=0.2)
    generator.flow_from_directory(folder)  # warns


def exchanged_axes_of_arrays(_: Path) -> None:
    ImageDataGenerator(height_shift_range=0.2).flow(images())  # warns


def exchanged_axes_of_a_frame(folder: Path) -> None:
    generator = ImageDataGenerator(height_shift_range=0.2)
    generator.flow_from_dataframe(frame_of(folder), folder)  # warns


def missing_files_of_a_frame(folder: Path) -> None:
    frame = frame_of(folder).replace({"filename": {os.path.join("cups", "1.png"): "gone.png"}})
    ImageDataGenerator().flow_from_dataframe(frame, folder)  # warns


def ignored_classes_of_a_frame(folder: Path) -> None:
    frame, mode = frame_of(folder), "raw"
    ImageDataGenerator().flow_from_dataframe(frame, folder, classes=["a"], class_mode=mode)  # warns


def deprecated_keyword(folder: Path) -> None:
    ImageDataGenerator().flow_from_dataframe(frame_of(folder), folder, sort=True)  # warns


def deprecated_class_mode(folder: Path) -> None:
    frame = frame_of(folder)
    flow: Any = ImageDataGenerator().flow_from_dataframe
    flow(frame, folder, y_col="number", class_mode="other")  # warns


def class_without_images(folder: Path) -> None:
    (folder / "empty").mkdir()
    ImageDataGenerator().flow_from_directory(folder)  # warns


def binary_with_three_classes(folder: Path) -> None:
    shutil.copytree(folder / "cats", folder / "more")
    ImageDataGenerator().flow_from_directory(folder, class_mode="binary")  # warns


def tiff_files(folder: Path) -> None:
    Image.new("RGB", (8, 8)).save(folder / "cats" / "3.tiff")
    ImageDataGenerator().flow_from_directory(folder)  # warns


def folder_that_cannot_be_listed(folder: Path) -> None:
    listing, hidden = os.scandir, str(folder / "cats")

    def refusing(path: Any) -> Any:
        if os.fspath(path) == hidden:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), hidden)
        return listing(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        ImageDataGenerator().flow_from_directory(folder)  # warns


def odd_channels(_: Path) -> None:
    ImageDataGenerator().flow(images(channels=2))  # warns


def odd_channels_in_fit(_: Path) -> None:
    ImageDataGenerator(featurewise_center=True).fit(images(channels=2))  # warns


def dark_images_in_fit(_: Path) -> None:
    ImageDataGenerator(brightness_range=(0.5, 1)).fit(dark(), augment=True)  # warns


def dark_images_in_fit_of_an_iterator(_: Path) -> None:
    generator = ImageDataGenerator(brightness_range=(0.5, 1), featurewise_center=True)
    generator.fit(generator.flow(dark()), augment=True)  # warns


def dark_images_in_a_preview(_: Path) -> None:
    imageloom.preview(ImageDataGenerator(brightness_range=(0.5, 1)), dark())  # warns


def dark_images_in_random_transform(_: Path) -> None:
    generator = ImageDataGenerator(brightness_range=(0.5, 1), executor="serial")
    next(generator.flow(dark()))  # warns


def dark_images_in_a_batch_of_any_samples(_: Path) -> None:
    it = ImageDataGenerator(brightness_range=(0.5, 1)).flow(dark())
    it._get_batches_of_transformed_samples(np.arange(2))  # warns


def cache_without_one_size(folder: Path) -> None:
    generator = ImageDataGenerator(cache="memory", executor="serial")
    flow: Any = generator.flow_from_directory
    it = flow(folder, target_size=(8, 8), interpolation=None)
    next(it)  # warns


def cache_below_one_image(folder: Path) -> None:
    generator = ImageDataGenerator(cache="memory", cache_limit=1, executor="serial")
    it = generator.flow_from_directory(folder, target_size=(8, 8))
    it[0]  # warns


def keras_multiprocessing(_: Path) -> None:
    ImageDataGenerator().flow(images()).use_multiprocessing = True  # warns


def transparency_in_jpeg(folder: Path) -> None:
    imageloom.save_img(folder / "x.jpg", images(channels=4)[0])  # warns


def clash_of_packages(_: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("imageloom._pipeline.batch.clash_warning", lambda: "OpenCV is not right")
        next(ImageDataGenerator(executor="serial").flow(images()))  # warns


def dangling_link_in_an_archive(folder: Path) -> None:
    archive = folder.parent / "good.tar"
    (folder / "cats" / "nowhere.png").symlink_to("missing.png")
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, ".")
    ImageDataGenerator().flow_from_directory(f"tar://::file://{archive}")  # warns


def key_like_a_url(_: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe("/strange/cats/1.png", b"")
    store.pipe("/strange/cats/a::b.png", b"")
    try:
        ImageDataGenerator(executor="threads").flow_from_directory("memory://strange")  # warns
    finally:
        store.rm("/strange", recursive=True)


PROVOCATIONS: dict[Callable[[Path], None], str] = {
    overridden_option: "overrides `featurewise_center`",
    overridden_samplewise_option: "overrides `samplewise_center`",
    overridden_option_by_the_long_name: "overrides `featurewise_center`",
    overridden_option_in_a_subclass: "overrides `featurewise_center`",
    unfitted_standardize: "has not been fit",
    unfitted_flow: "has not been fit",
    statistics_of_another_size: "images of 9x9 pixels",
    switch_with_a_number: "`horizontal_flip` is either True or False",
    switch_of_a_flow_with_a_number: "`shuffle` is either True or False",
    exchanged_axes: "exchanges two axes",
    exchanged_axes_of_arrays: "exchanges two axes",
    exchanged_axes_of_a_frame: "exchanges two axes",
    missing_files_of_a_frame: "Found 1 invalid image filename",
    ignored_classes_of_a_frame: "`classes` will be ignored",
    deprecated_keyword: "`sort` is deprecated",
    deprecated_class_mode: 'class_mode="other"` is deprecated',
    class_without_images: "No images found for the class 'empty'",
    binary_with_three_classes: 'class_mode="binary"',
    tiff_files: '".tiff" files',
    folder_that_cannot_be_listed: "cannot be listed",
    odd_channels: "expected either 1, 3, or 4 channels",
    odd_channels_in_fit: "1, 3 or 4 channels",
    dark_images_in_fit: "0..255 scale",
    dark_images_in_fit_of_an_iterator: "0..255 scale",
    dark_images_in_a_preview: "0..255 scale",
    dark_images_in_random_transform: "0..255 scale",
    dark_images_in_a_batch_of_any_samples: "0..255 scale",
    cache_without_one_size: "`cache` keeps nothing",
    cache_below_one_image: "`cache` keeps nothing",
    keras_multiprocessing: "use_multiprocessing is ignored",
    transparency_in_jpeg: "does not support RGBA",
    clash_of_packages: "OpenCV is not right",
    dangling_link_in_an_archive: "entries that are left out",
    key_like_a_url: "could be taken for URLs",
}


@pytest.mark.slow
@pytest.mark.parametrize("provoke", PROVOCATIONS, ids=lambda function: function.__name__)
def test_the_line_that_calls(provoke: Callable[[Path], None], good: Path) -> None:
    with recorded() as caught:
        provoke(good)
    assert places(caught, PROVOCATIONS[provoke]) == {(__file__, marked_line(provoke))}


def test_all_warnings_of_the_package_are_provoked() -> None:
    """Guards the list above: whoever adds a warning adds what provokes it."""
    package = Path(imageloom.__file__).parent
    calls = sum(path.read_text(encoding="utf-8").count("warn_user(") for path in package.rglob("*.py"))
    assert calls - 1 == 23, "one more or less than the list above was made for"


# With more of the user's code around the call


@pytest.fixture
def users_module(tmp_path: Path) -> Iterator[ModuleType]:
    """A module of the user's: the line that calls the library is its second."""
    path = tmp_path / "users_module.py"
    path.write_text(
        "def opened(generator, folder):\n    return generator.flow_from_directory(folder)\n"
    )
    module = ModuleType("users_module")
    module.__file__ = str(path)
    sys.modules["users_module"] = module
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
    yield module
    del sys.modules["users_module"]


def test_a_function_of_another_module(good: Path, users_module: ModuleType) -> None:
    with recorded() as caught:
        users_module.opened(ImageDataGenerator(height_shift_range=0.2), good)
    assert places(caught, "exchanges two axes") == {(users_module.__file__, 2)}


def test_a_context_manager_of_the_user(good: Path) -> None:
    @contextmanager
    def opened() -> Iterator[Any]:
        generator = ImageDataGenerator(height_shift_range=0.2)
        yield generator.flow_from_directory(good)  # warns

    with recorded() as caught, opened() as it, it:
        pass
    assert places(caught, "exchanges two axes") == {(__file__, marked_line(opened))}


def test_an_exit_stack(good: Path) -> None:
    def several() -> None:
        with ExitStack() as stack:
            generator = ImageDataGenerator(height_shift_range=0.2)
            stack.enter_context(generator.flow_from_directory(good))  # warns

    with recorded() as caught:
        several()
    assert places(caught, "exchanges two axes") == {(__file__, marked_line(several))}


def test_what_functools_calls(good: Path) -> None:
    flow = functools.partial(ImageDataGenerator(height_shift_range=0.2).flow_from_directory, good)

    class Data:
        @functools.cached_property
        def train(self) -> Any:
            return flow()  # warns

    with recorded() as caught:
        assert Data().train is not None
    line = marked_line(Data.__dict__["train"].func)
    assert places(caught, "exchanges two axes") == {(__file__, line)}


def test_a_decorator_of_the_user(good: Path) -> None:
    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*arguments: Any, **options: Any) -> Any:
            return function(*arguments, **options)

        return wrapper

    @logged
    def opened() -> Any:
        return ImageDataGenerator(height_shift_range=0.2).flow_from_directory(good)  # warns

    with recorded() as caught:
        opened()
    assert places(caught, "exchanges two axes") == {(__file__, marked_line(opened))}


def test_a_warning_is_shown_once_for_each_line(good: Path) -> None:
    """Python's default filter works by line: two lines of the user are two warnings."""

    def two_lines() -> None:
        ImageDataGenerator(zca_whitening=True)
        ImageDataGenerator(zca_whitening=True)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        globals().pop("__warningregistry__", None)
        two_lines()
        two_lines()
    assert len(caught) == 2
    assert caught[0].lineno + 1 == caught[1].lineno
    del good


def test_nothing_clashes_here() -> None:
    assert opencv.clash_warning() is None
