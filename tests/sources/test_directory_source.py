from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reference import keras_generator, quiet

from imageloom import DirectoryIterator, ImageDataGenerator
from imageloom._errors import ArgumentTypeError, InvalidArgumentError, MissingDirectoryError

TREE = {
    "ant": ["a10.png", "a2.png", "B.png", "a1.jpg", "x/deep/er.png", "x/a.png", "w/z.png", "z.png"],
    "bee": ["b.PNG", "c.JpEg", "d.TIF", "e.bmp", "notes.txt", "f.gif", "g.webp", "notapng", "h.ppm"],
    "Cat": ["one.png", "two.png", "three.png", ".hidden.png", ".d/four.png"],
    ".secret": ["s.png"],
}


def write_tree(root: Path, tree: dict[str, Sequence[str]]) -> Path:
    """Files that are all the same tiny PNG, whatever their names say: Pillow looks inside."""
    image = root / "image.png"
    Image.fromarray(np.full((3, 3, 3), 7, np.uint8)).save(image)
    content = image.read_bytes()  # the file itself stays, at the top level, where none is read
    for name, files in tree.items():
        (root / name).mkdir()
        for file in files:
            path = root / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return root


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("tree"), TREE)


def ours(folder: Path, *, constructor: dict[str, Any] | None = None, **flow: Any) -> DirectoryIterator:
    generator = ImageDataGenerator(executor="serial", **(constructor or {}))
    return generator.flow_from_directory(folder, (3, 3), **flow)


def keras(folder: Path, *, constructor: dict[str, Any] | None = None, **flow: Any) -> Any:
    with quiet():
        generator = keras_generator(**(constructor or {}))
        return generator.flow_from_directory(str(folder), (3, 3), **flow)


def assert_same_samples(iterator: DirectoryIterator, expected: Any) -> None:
    assert iterator.filenames == expected.filenames
    assert [str(path) for path in iterator.filepaths] == expected.filepaths
    assert iterator.class_indices == expected.class_indices
    assert list(iterator.class_indices) == list(expected.class_indices)
    assert iterator.num_classes == expected.num_classes
    assert iterator.n == iterator.samples == expected.samples
    assert iterator.classes.dtype == iterator.labels.dtype == expected.classes.dtype
    np.testing.assert_array_equal(iterator.classes, expected.classes)
    np.testing.assert_array_equal(iterator.labels, expected.labels)


def test_order_and_classes_are_those_of_keras(tree: Path) -> None:
    iterator = ours(tree)
    assert_same_samples(iterator, keras(tree))
    assert list(iterator.class_indices) == [".secret", "Cat", "ant", "bee"]
    ants = [name for name in iterator.filenames if name.startswith("ant")]
    names = ["B.png", "a1.jpg", "a10.png", "a2.png", "z.png", "w/z.png", "x/a.png", "x/deep/er.png"]
    assert ants == [os.path.join("ant", *name.split("/")) for name in names]


def test_only_the_end_of_a_name_makes_an_image(tree: Path) -> None:
    bees = {Path(name).name for name in ours(tree, classes=["bee"]).filenames}
    assert bees == {"b.PNG", "c.JpEg", "d.TIF", "e.bmp", "notapng", "h.ppm"}


@pytest.mark.parametrize("split", [0.1, 0.25, 0.34, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("subset", ["training", "validation"])
@pytest.mark.filterwarnings("ignore:IL207")
def test_subsets_are_those_of_keras(split: float, subset: str, tree: Path) -> None:
    options: dict[str, Any] = {"constructor": {"validation_split": split}, "subset": subset}
    assert_same_samples(ours(tree, **options), keras(tree, **options))


@pytest.mark.filterwarnings("ignore:IL207")
def test_the_subsets_share_all_images_out(tree: Path) -> None:
    options = {"validation_split": 0.4}
    training = ours(tree, constructor=options, subset="training").filenames
    validation = ours(tree, constructor=options, subset="validation").filenames
    assert sorted(training + validation) == sorted(ours(tree, constructor=options).filenames)
    assert [name for name in validation if name.startswith("Cat")] == [
        os.path.join("Cat", ".hidden.png"), os.path.join("Cat", "one.png"),
    ]  # fmt: skip


def test_without_a_split_training_is_everything_and_validation_an_error(tree: Path) -> None:
    assert ours(tree, subset="training").filenames == ours(tree).filenames
    with pytest.raises(InvalidArgumentError, match="validation_split"):
        ours(tree, subset="validation")
    with pytest.raises(ValueError, match="Invalid subset name"):
        ours(tree, subset="test")


@pytest.mark.parametrize("classes", [["bee", "ant"], ["Cat"], ("ant", "Cat", "bee"), [], None])
def test_given_classes_keep_their_order(classes: Any, tree: Path) -> None:
    iterator = ours(tree, classes=classes)
    assert_same_samples(iterator, keras(tree, classes=classes))
    if classes:
        assert list(iterator.class_indices) == list(classes)


def test_a_single_string_for_classes_is_an_error(tree: Path) -> None:
    """Keras would take its letters for classes."""
    with pytest.raises(ArgumentTypeError, match="'ant'"):
        ours(tree, classes="ant")


def test_a_given_class_without_a_folder_is_empty_and_named_in_a_warning(tree: Path) -> None:
    with pytest.warns(UserWarning, match="'wasp'"):
        iterator = ours(tree, classes=["ant", "wasp"])
    assert_same_samples(iterator, keras(tree, classes=["ant", "wasp"]))
    assert iterator.class_indices == {"ant": 0, "wasp": 1}


def test_an_empty_class_is_kept_and_named_in_a_warning(tmp_path: Path) -> None:
    folder = write_tree(tmp_path, {"full": ["a.png"], "empty": [], "text": ["a.txt"]})
    with pytest.warns(UserWarning, match="No images found") as caught:
        iterator = ours(folder)
    assert [name in str(w.message) for w, name in zip(caught, ("'empty'", "'text'"), strict=True)]
    assert_same_samples(iterator, keras(folder))
    assert iterator.class_indices == {"empty": 0, "full": 1, "text": 2}
    assert next(iterator)[1].tolist() == [[0, 1, 0]]


def test_a_folder_without_images_gives_empty_batches(tmp_path: Path) -> None:
    folder = write_tree(tmp_path, {"empty": []})
    with pytest.warns(UserWarning, match="No images found"):
        iterator = ours(folder)
    assert len(iterator) == 0
    images, labels = next(iterator)
    assert images.shape == (0, 3, 3, 3)
    assert labels.shape == (0, 1)


def test_the_index_folder_of_the_original_is_not_a_class(tmp_path: Path) -> None:
    folder = write_tree(tmp_path, {".index": ["a.png"], "cat": ["a.png"], ".indexes": ["b.png"]})
    assert ours(folder).class_indices == {".indexes": 0, "cat": 1}


def test_the_number_of_images_is_printed_as_keras_does(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras(tree)
    wanted = capsys.readouterr().out.strip()
    ours(tree)
    printed = capsys.readouterr()
    assert printed.out.strip() == wanted == "Found 20 images belonging to 4 classes."
    assert printed.err == ""


def test_missing_directories_are_named(tree: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere") as caught:
        ours(tree / "nowhere")
    assert isinstance(caught.value, MissingDirectoryError)
    with pytest.raises(MissingDirectoryError, match="save_to_dir"):
        ours(tree, save_to_dir=tree / "nowhere")
    with pytest.raises(MissingDirectoryError, match=r"image\.png"):
        ours(tree / "image.png")


@pytest.mark.parametrize("limit", [1, 2, 5, -1])
def test_the_number_of_samples_of_a_class_can_be_limited(limit: int, tree: Path) -> None:
    everything = ours(tree)
    iterator = ours(tree, constructor={"max_samples_per_class": limit})
    for number in range(everything.num_classes):
        files = [everything.filenames[i] for i in np.flatnonzero(everything.classes == number)]
        kept = [iterator.filenames[i] for i in np.flatnonzero(iterator.classes == number)]
        assert kept == (files if limit == -1 else files[:limit])


def test_the_limit_counts_after_the_split(tree: Path) -> None:
    options = {"validation_split": 0.5, "max_samples_per_class": 2}
    everything = ours(tree, classes=["ant"]).filenames
    training = ours(tree, classes=["ant"], constructor=options, subset="training").filenames
    validation = ours(tree, classes=["ant"], constructor=options, subset="validation").filenames
    assert validation == everything[:2]
    assert training == everything[4:6]


def test_tiff_files_get_the_warning_of_keras_once(tmp_path: Path) -> None:
    folder = write_tree(tmp_path, {"cat": ["a.tiff", "b.TIFF", "c.png"]})
    with pytest.warns(UserWarning, match="multiple bands") as caught:
        iterator = ours(folder)
    assert len(caught) == 1
    assert_same_samples(iterator, keras(folder))


def test_tiff_files_of_native_depth_are_not_warned_of(tmp_path: Path) -> None:
    folder = write_tree(tmp_path, {"cat": ["a.tiff", "b.tif", "c.png"]})
    assert len(ours(folder, constructor={"depth": "native"})) == 1


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linked file, a linked class and a linked folder inside a class."""
    folder = write_tree(tmp_path_factory.mktemp("linked"), {"real": ["b.png"], "other": ["o.png"]})
    elsewhere = write_tree(tmp_path_factory.mktemp("elsewhere"), {"far": ["f.png", "g.png"]})
    try:
        (folder / "real" / "a.png").symlink_to(elsewhere / "far" / "f.png")
        (folder / "borrowed").symlink_to(elsewhere / "far", target_is_directory=True)
        (folder / "real" / "more").symlink_to(elsewhere / "far", target_is_directory=True)
        (folder / "real" / "broken.png").symlink_to(elsewhere / "gone.png")
    except OSError:
        pytest.skip("this system lets nobody make links")
    return folder


@pytest.mark.parametrize("follow_links", [False, True])
def test_links_are_followed_where_keras_follows_them(follow_links: bool, linked: Path) -> None:
    iterator = ours(linked, follow_links=follow_links)
    assert_same_samples(iterator, keras(linked, follow_links=follow_links))
    names = [Path(name).as_posix() for name in iterator.filenames]
    assert ("real/more/f.png" in names) == follow_links
    assert {"borrowed/f.png", "real/a.png"} < set(names)


def test_a_relative_directory_stays_what_it_was(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names are those of Keras; the files are found even after a change of folder."""
    monkeypatch.chdir(tree.parent)
    iterator = ours(Path(tree.name), classes=["ant"])
    assert_same_samples(iterator, keras(Path(tree.name), classes=["ant"]))
    monkeypatch.chdir(tmp_path)
    assert next(iterator)[0].shape == (8, 3, 3, 3)


@pytest.mark.parametrize("directory", [str, Path, lambda path: f"{path}{os.sep}"])
def test_directories_are_strings_or_paths(directory: Any, tree: Path) -> None:
    assert ours(directory(tree)).filenames == ours(tree).filenames


@pytest.mark.parametrize("mode", ["categorical", "binary", "sparse", "input", None])
def test_targets_of_each_class_mode(mode: str | None, tree: Path) -> None:
    options: dict[str, Any] = {"classes": ["bee", "Cat"], "class_mode": mode, "shuffle": False}
    batch, expected = next(ours(tree, **options)), next(keras(tree, **options))
    if mode is None:
        assert isinstance(batch, np.ndarray)
        np.testing.assert_array_equal(batch, expected)
        return
    assert isinstance(batch, tuple)
    for array, wanted in zip(batch, expected, strict=True):
        assert array.dtype == wanted.dtype
        np.testing.assert_array_equal(array, wanted)
    assert batch[0] is not batch[1]


def test_the_input_mode_gives_a_copy(tree: Path) -> None:
    images, targets = next(ours(tree, class_mode="input"))
    images[:] = -1
    assert targets.min() >= 0


@pytest.mark.parametrize("mode", ["multi_output", "raw", "other", 3])
def test_other_class_modes_are_refused(mode: Any, tree: Path) -> None:
    with pytest.raises(ValueError, match="class_mode"):
        ours(tree, class_mode=mode)


def test_attributes_of_the_iterator_are_those_of_keras(tree: Path) -> None:
    options: dict[str, Any] = {"color_mode": "rgba", "batch_size": 5, "class_mode": "sparse", "seed": 3}
    iterator, expected = ours(tree, **options), keras(tree, **options)
    for name in (
        "n", "samples", "batch_size", "seed", "shuffle", "batch_index", "total_batches_seen",
        "class_mode", "target_size", "color_mode", "image_shape", "data_format", "dtype", "split",
        "subset", "save_to_dir", "save_prefix", "save_format", "keep_aspect_ratio", "sample_weight",
        "num_batches", "workers", "use_multiprocessing", "max_queue_size", "interpolation",
    ):  # fmt: skip
        assert getattr(iterator, name) == getattr(expected, name), name
    assert set(iterator.white_list_formats) == set(expected.white_list_formats)
    assert str(iterator.directory) == expected.directory
    assert iterator.batch_shape == (5, 3, 3, 4)
    assert iterator.sample_count == iterator.samples


def test_binary_targets_of_other_than_two_classes_warn(tree: Path) -> None:
    with pytest.warns(UserWarning, match=r"needs 2 classes, but .* has 4: .secret, Cat, ant, bee"):
        ours(tree, class_mode="binary")
    ours(tree, class_mode="binary", classes=["ant", "bee"])
