"""Misspelt keywords, and those of other functions and libraries: the error names the right one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from imageloom import (
    ImageDataGenerator,
    ImageLoomError,
    ParallelImageDataGenerator,
    load_img,
    preview,
)
from imageloom import image as keras_names
from imageloom._checks.keywords import _ARGUMENTS, _FOREIGN, _NO_COUNTERPART, _REMARKS, explained

CALLS: dict[str, Callable[..., Any]] = {
    "ImageDataGenerator": ImageDataGenerator,
    "ParallelImageDataGenerator": ParallelImageDataGenerator,
    "flow": ImageDataGenerator().flow,
    "flow_from_directory": ImageDataGenerator().flow_from_directory,
    "flow_from_dataframe": ImageDataGenerator().flow_from_dataframe,
    "fit": ImageDataGenerator().fit,
    "DirectoryIterator": keras_names.DirectoryIterator,
    "DataFrameIterator": keras_names.DataFrameIterator,
    "NumpyArrayIterator": keras_names.NumpyArrayIterator,
}
GENERATORS = ("ImageDataGenerator", "ParallelImageDataGenerator")
FLOWS = ("flow", "flow_from_directory", "flow_from_dataframe")
FILES = ("flow_from_directory", "flow_from_dataframe", "DirectoryIterator", "DataFrameIterator")
OF_GENERATOR = r"ImageDataGenerator\("


def refusal(call: str, **wrong: Any) -> str:
    """What is said about keywords that a function does not have."""
    with pytest.raises(TypeError) as caught:
        CALLS[call](**wrong)
    assert isinstance(caught.value, ImageLoomError)
    return str(caught.value)


def misspelt(name: str) -> list[str]:
    """One letter left out, doubled, or exchanged with the next one; and other ways of writing."""
    middle = len(name) // 2
    left, right = name[:middle], name[middle:]
    camel = "".join(part.title() for part in name.split("_"))
    return [
        left[:-1] + right,
        left + left[-1] + right,
        left[:-1] + right[0] + left[-1] + right[1:],
        name.upper(),
        camel[0].lower() + camel[1:],
    ]


@pytest.mark.parametrize("call", CALLS)
def test_a_misspelt_argument_is_recognised(call: str) -> None:
    names = set(inspect.signature(CALLS[call]).parameters) - {"deprecated"}
    for name in names:
        if len(name) < 4:
            continue
        for wrong in set(misspelt(name)) - names:
            assert f"`{name}`" in refusal(call, **{wrong: 1}), wrong


@pytest.mark.parametrize("call", FLOWS)
def test_a_misspelt_option_of_the_generator_is_recognised_in_a_flow(call: str) -> None:
    for wrong, right in (
        ("rotaion_range", "rotation_range"),
        ("horisontal_flip", "horizontal_flip"),
        ("validation_splt", "validation_split"),
        ("rescal", "rescale"),
    ):
        text = refusal(call, **{wrong: 0.1})
        assert f"`{right}`" in text
        assert "ImageDataGenerator(...)" in text


@pytest.mark.parametrize("call", GENERATORS)
@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("workers", "cores"),
        ("num_workers", "cores"),
        ("n_jobs", "cores"),
        ("use_multiprocessing", "executor"),
        ("max_queue_size", "max_batches_pending"),
        ("prefetch_factor", "max_batches_pending"),
        ("timeout", "batch_timeout"),
        ("zoom", "zoom_range"),
        ("degrees", "rotation_range"),
        ("hflip", "horizontal_flip"),
        ("shift_limit", "width_shift_range"),
        ("brightness", "brightness_range"),
        ("contrast_limit", "contrast_range"),
        ("scale", "rescale"),
        ("normalize", "rescale"),
        ("fill_value", "cval"),
        ("border_mode", "fill_mode"),
        ("transform", "preprocessing_function"),
        ("val_split", "validation_split"),
        ("test_size", "validation_split"),
        ("dim_ordering", "data_format"),
        ("bs", "batch_size"),
        ("cache_dir", "cache"),
        ("collate_fn", "get_batch_function"),
    ],
)
def test_words_of_other_libraries_for_the_generator(call: str, word: str, right: str) -> None:
    text = refusal(call, **{word: 2})
    assert text.startswith(f"{call}() got an unexpected keyword argument {word!r}: it is called")
    assert f"`{right}` here" in text


@pytest.mark.parametrize("call", FILES)
@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("image_size", "target_size"),
        ("img_size", "target_size"),
        ("input_shape", "target_size"),
        ("label_mode", "class_mode"),
        ("class_names", "classes"),
        ("root_dir", "directory"),
        ("random_state", "seed"),
        ("resample", "interpolation"),
        ("bs", "batch_size"),
        ("crop_to_aspect_ratio", "keep_aspect_ratio"),
        ("channels", "color_mode"),
    ],
)
def test_words_of_other_libraries_for_files(call: str, word: str, right: str) -> None:
    assert f"`{right}` here" in refusal(call, **{word: 2})


@pytest.mark.parametrize(
    ("call", "word", "right"),
    [
        ("flow_from_dataframe", "df", "dataframe"),
        ("flow_from_dataframe", "filename_col", "x_col"),
        ("flow_from_dataframe", "label_col", "y_col"),
        ("flow_from_dataframe", "labels", "y_col"),
        ("flow_from_dataframe", "sample_weight", "weight_col"),
        ("flow_from_dataframe", "path", "directory"),
        ("flow", "images", "x"),
        ("flow", "labels", "y"),
        ("flow", "sample_weights", "sample_weight"),
        ("flow", "targets", "y"),
        ("flow_from_directory", "follow_symlinks", "follow_links"),
        ("NumpyArrayIterator", "labels", "y"),
        ("DataFrameIterator", "df", "dataframe"),
    ],
)
def test_a_word_means_what_the_function_has(call: str, word: str, right: str) -> None:
    assert f"it is called `{right}` here" in refusal(call, **{word: 2})


@pytest.mark.parametrize("call", FLOWS)
def test_every_option_of_the_generator_is_sent_there_from_a_flow(call: str) -> None:
    own = {*inspect.signature(CALLS[call]).parameters}
    if "color_mode" in own:
        own.add("grayscale")  # which is a colour mode of the files there
    for name in set(inspect.signature(ImageDataGenerator).parameters) - own:
        text = refusal(call, **{name: 0.25})
        assert f"it belongs to ImageDataGenerator(...), as in ImageDataGenerator({name}=0.25)" in text


@pytest.mark.parametrize("call", FLOWS)
@pytest.mark.parametrize("word", ["workers", "zoom", "degrees", "transform", "use_multiprocessing"])
def test_a_foreign_word_for_an_option_is_sent_there_from_a_flow(call: str, word: str) -> None:
    text = refusal(call, **{word: 2})
    assert "it is called" in text
    assert "belongs to ImageDataGenerator(...)" in text


def test_a_split_in_a_flow_also_says_what_flows_take() -> None:
    assert 'subset="training"' in refusal("flow_from_directory", validation_split=0.2)


@pytest.mark.parametrize("call", GENERATORS)
@pytest.mark.parametrize(
    ("word", "home"),
    [
        ("target_size", "flow_from_directory"),
        ("class_mode", "flow_from_dataframe"),
        ("x_col", "dataframe"),
        ("follow_links", "flow_from_directory"),
        ("shuffle", "flow"),
        ("augment", "fit"),
        ("steps_per_epoch", "model.fit"),
        ("image_size", "flow_from_directory"),
        ("directory", "flow_from_directory"),
        ("labels", "flow"),
    ],
)
def test_arguments_of_the_flows_are_sent_there_from_the_generator(
    call: str, word: str, home: str
) -> None:
    text = refusal(call, **{word: 2})
    assert "belongs to" in text
    assert f"{home}(" in text


@pytest.mark.parametrize("call", [*FLOWS, "fit"])
@pytest.mark.parametrize("word", ["epochs", "steps_per_epoch", "validation_data", "callbacks"])
def test_arguments_of_keras_fit_are_sent_there(call: str, word: str) -> None:
    assert f"model.fit({word}=" in refusal(call, **{word: 2})


@pytest.mark.parametrize("word", sorted(_NO_COUNTERPART))
def test_what_has_no_counterpart_says_why(word: str) -> None:
    assert "there is no such argument" in refusal("flow_from_directory", **{word: True})


def test_all_wrong_keywords_are_named_at_once() -> None:
    text = refusal("ImageDataGenerator", rotaion_range=3, workers=2, x_col="a", colour_of_sky=1)
    assert "got 4 unexpected keyword arguments" in text
    for part in ("`rotation_range`", "`cores`", "flow_from_dataframe(...)", "'colour_of_sky'"):
        assert part in text


def test_without_an_idea_the_arguments_are_where_to_look() -> None:
    assert "help(ImageDataGenerator)" in refusal("ImageDataGenerator", qqq=3)
    assert "`x`, `augment`, `rounds`, `seed` and `verbose`" in refusal("fit", qqq=3)


@pytest.mark.parametrize("value", [np.zeros((9, 9)), "long " * 99, [*range(999)]], ids=type)
def test_a_large_value_does_not_fill_the_screen(value: Any) -> None:
    assert len(refusal("flow", rescale=value)) < 400


@pytest.mark.parametrize(
    ("function", "word", "right"),
    [
        (load_img, "size", "target_size"),
        (load_img, "grayscale", "color_mode"),
        (preview, "sampels", "samples"),
        (keras_names.smart_resize, "resample", "interpolation"),
        (keras_names.img_to_array, "layout", "data_format"),
    ],
)
def test_functions_beside_the_class_do_so_too(
    function: Callable[..., Any], word: str, right: str
) -> None:
    with pytest.raises(TypeError, match=f"`{right}`"):
        function(**{word: 3})


def test_keras_own_keywords_still_work() -> None:
    frame = pytest.importorskip("pandas").DataFrame({"filename": [], "class": []})
    with pytest.warns(DeprecationWarning, match="drop_duplicates"):
        ImageDataGenerator().flow_from_dataframe(frame, drop_duplicates=True)
    iterator = keras_names.Iterator(3, 1, False, None, workers=1, max_queue_size=3)
    assert iterator.max_queue_size == 3
    with pytest.raises(TypeError, match="`shuffle`"):
        keras_names.Iterator(3, 1, shufle=False, seed=None)


def test_a_subclass_passes_its_keywords_on() -> None:
    class OfAUser(ImageDataGenerator):
        def __init__(self, colours: int, **others: Any) -> None:
            super().__init__(**others)
            self.colours = colours

    assert OfAUser(3, rescale=2).rescale == 2
    with pytest.raises(TypeError, match="`rotation_range`"):
        OfAUser(3, rotation=2)


def test_the_table_has_no_word_that_is_an_argument_everywhere_it_may_be_meant() -> None:
    """A row that can never apply is dead."""
    arguments = {name for names in _ARGUMENTS.values() for name in names}
    for word, meanings in _FOREIGN.items():
        assert set(meanings) <= arguments, word
        assert word == word.lower(), word
    assert set(_REMARKS) <= set(_FOREIGN) | arguments
    assert not set(_NO_COUNTERPART) & (set(_FOREIGN) | arguments)


def test_a_right_call_costs_a_look_at_the_names() -> None:
    calls: list[dict[str, Any]] = []

    @explained("function")
    def function(first: int, *, second: int = 2) -> None:
        calls.append({"first": first, "second": second})

    function(1)
    function(first=1, second=3)
    assert calls == [{"first": 1, "second": 2}, {"first": 1, "second": 3}]
    assert str(inspect.signature(function)) == "(first: 'int', *, second: 'int' = 2) -> 'None'"
    with pytest.raises(TypeError, match="missing"):
        function()  # type: ignore[call-arg]
