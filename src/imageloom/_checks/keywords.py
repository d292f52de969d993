"""Wrong keywords: the error names the right one, and the function that it belongs to.

People misspell arguments, give those of the constructor to a flow method, and use the words of other
libraries: Keras' own newer functions, torch, TensorFlow, albumentations, scikit-learn.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypeVar

from imageloom._checks.suggestions import as_words, nearest
from imageloom._checks.values import in_words
from imageloom._errors import ArgumentTypeError

__all__ = ["explain_methods", "explained"]

P = ParamSpec("P")
R = TypeVar("R")

_FEW: Final = 12  # arguments that an error lists
_GENERATOR: Final = "ImageDataGenerator"
_FIT_OF_MODELS: Final = "model.fit"

# The arguments of the functions that arguments may have been meant for, by the functions' names.
_ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    _FIT_OF_MODELS: (
        "epochs",
        "steps_per_epoch",
        "callbacks",
        "validation_data",
        "validation_steps",
        "validation_batch_size",
        "validation_freq",
        "class_weight",
        "initial_epoch",
        "verbose",
    ),
}

# What other libraries, and people, call our arguments. A word in several rows has the meaning of the
# first argument that the function has.
_ROWS: Final = {
    "directory": "dir data_dir root root_dir base_dir image_dir folder path dataset_dir main_directory "
    "file_root img_dir directory_path dir_path folder_path",
    "dataframe": "df data frame data_frame table",
    "x": "images image_array data inputs x_train arrays array imgs",
    "y": "labels targets target label y_train outputs",
    "x_col": "x image_col filename_col path_col file_col fn_col image_column filename_column filenames "
    "filename col_x images",
    "y_col": "y label_col target_col labels_col class_col label_column target_column labels targets "
    "target label col_y",
    "weight_col": "sample_weight sample_weights weights weights_col sample_weight_col weight",
    "sample_weight": "weights weight weight_col sample_weights",
    "target_size": "image_size img_size input_size size resize imgsz input_shape image_shape shape dim "
    "height width img_height img_width resize_to output_size crop_size target_shape",
    "class_mode": "label_mode labels label_type target_type mode",
    "classes": "class_names vocab categories class_list labels_list names",
    "color_mode": "channels num_channels mode colour grayscale",
    "batch_size": "bs batch minibatch_size mini_batch_size batchsize samples_per_batch",
    "shuffle": "random_shuffle shuffle_files permute",
    "seed": "random_state random_seed rng manual_seed generator",
    "keep_aspect_ratio": "crop_to_aspect_ratio preserve_aspect_ratio smart_resize",
    "follow_links": "follow_symlinks symlinks",
    "interpolation": "resample resize_method interpolation_method resizing_method",
    "validate_filenames": "check_files validate_files verify",
    "save_to_dir": "output_dir out_dir save_dir save_path",
    "balance": "sampler weighted balanced class_balance",
    "shard": "rank world_size num_shards shard_index num_replicas",
    "cores": "workers num_workers n_workers nb_worker nb_workers n_jobs njobs num_threads nthread "
    "num_parallel_calls num_cpus cpus jobs",
    "executor": "use_multiprocessing multiprocessing backend threads processes multiprocessing_context "
    "pool parallel",
    "max_batches_pending": "max_queue_size max_q_size prefetch prefetch_factor prefetch_queue_depth "
    "buffer_size queue_size",
    "batch_timeout": "timeout",
    "rotation_range": "degrees rotation rotate rotate_limit rotation_angle angle max_rotation",
    "width_shift_range": "translate shift shift_limit width_factor x_shift horizontal_shift "
    "translation shift_range",
    "height_shift_range": "height_factor y_shift vertical_shift",
    "shear_range": "shear shear_angle",
    "zoom_range": "zoom scale_limit zoom_factor scale_range scaling_range",
    "brightness_range": "brightness brightness_limit",
    "contrast_range": "contrast contrast_limit",
    "random_crop": "crop randomresizedcrop random_resized_crop crop_size center_crop",
    "hue_range": "hue hue_shift hue_delta hue_shift_limit random_hue",
    "saturation_range": "saturation sat_shift_limit random_saturation",
    "grayscale": "to_gray random_grayscale greyscale to_grayscale",
    "blur": "gaussian_blur blur_limit random_gaussian_blur random_blur",
    "jpeg_quality_range": "jpeg_quality image_compression quality_range random_jpeg_quality",
    "random_erasing": "cutout coarse_dropout erasing random_erase",
    "perspective": "random_perspective perspective_transform",
    "elastic": "elastic_transform random_elastic_transform elastic_distortion",
    "rand_augment": "randaugment auto_augment autoaugment trivial_augment",
    "channel_shift_range": "channel_shift color_shift colour_shift",
    "horizontal_flip": "hflip fliplr flip flip_left_right mirror random_flip",
    "vertical_flip": "vflip flipud flip_up_down",
    "fill_mode": "padding_mode border_mode border pad_mode",
    "cval": "fill_value fill value border_value constant_values pad_value",
    "rescale": "scale scaling normalize normalise scale_factor",
    "preprocessing_function": "transform transforms preprocess preprocessing preprocessor "
    "preprocess_input augmentation augmentations item_tfms batch_tfms map_fn function func",
    "get_batch_function": "collate_fn batch_function",
    "validation_split": "val_split test_split test_size valid_pct val_size validation_size",
    "data_format": "dim_ordering image_data_format channel_order layout",
    "interpolation_order": "order spline_order",
    "cache": "cache_dir caching cache_in_memory",
    "on_bad_image": "ignore_errors skip_errors on_error errors",
    "noise": "gaussian_noise noise_range",
}
_FOREIGN: Final[dict[str, list[str]]] = {}
for _own, _words in _ROWS.items():
    for _word in _words.split():
        _FOREIGN.setdefault(_word, []).append(_own)

# What the right name alone does not tell.
_REMARKS: Final = {
    "crop_to_aspect_ratio": "it crops images about their centre, too",
    "grayscale": 'pass color_mode="grayscale"',
    "label_mode": 'label_mode="int" is class_mode="sparse"',
    "split": 'the flow methods take subset="training" or subset="validation"',
    "use_multiprocessing": "worker processes are the default",
    "validation_split": 'the flow methods take subset="training" or subset="validation"',
}
# What has no counterpart.
_NO_COUNTERPART: Final = {
    "drop_last": "the last batch of an epoch is shorter, and `it.n // it.batch_size` batches are full",
    "pad_to_aspect_ratio": "images are stretched, or cropped with `keep_aspect_ratio=True`",
    "persistent_workers": "workers stay between epochs by themselves",
    "pin_memory": "batches are handed out without a copy",
    "repeat": "iterators never end, and epochs follow one another",
    "worker_init_fn": "workers seed their generators by themselves",
}


def explained(
    name: str, *, also: Collection[str] = (), meant: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Makes a wrong keyword an error that names the right one.

    Args:
        name: the function, as its users call it.
        also: keywords that it takes beyond its parameters.
        meant: whether arguments given to other functions may have been meant for this one.

    Returns:
        A decorator. What it returns raises an ArgumentTypeError for a keyword that the function
        does not have, and has the function's signature and documentation.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        own = tuple(
            parameter.name
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        )
        known = frozenset(own).union(also)
        visible = tuple(argument for argument in own if argument != "self")
        if meant:
            _ARGUMENTS.setdefault(name, visible)

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if not known.issuperset(kwargs):
                raise _error(name, visible, {k: v for k, v in kwargs.items() if k not in known})
            return function(*args, **kwargs)

        return checked

    return decorate


def explain_methods(kind: type, **methods: Collection[str]) -> None:
    """Does so for methods of a class; each may be given keywords that it takes beyond its parameters.

    Unlike a decorator, this leaves the methods' overloads and documentation to be seen by editors,
    which read the text of the class.
    """
    for name, also in methods.items():
        setattr(kind, name, explained(name, also=also, meant=True)(getattr(kind, name)))


def _error(name: str, own: Sequence[str], wrong: Mapping[str, Any]) -> ArgumentTypeError:
    advice = {word: _advice(name, own, word, value) for word, value in wrong.items()}
    if len(advice) == 1:
        ((word, text),) = advice.items()
        end = "" if text.endswith("?") else "."
        return ArgumentTypeError(f"{name}() got an unexpected keyword argument {word!r}: {text}{end}")
    listed = as_words(f"{word!r} ({text})" for word, text in advice.items())
    return ArgumentTypeError(f"{name}() got {len(advice)} unexpected keyword arguments: {listed}.")


def _advice(name: str, own: Sequence[str], word: str, value: Any) -> str:
    """What to write instead of a wrong keyword."""
    if word.lower() in own:
        return f"did you mean `{word.lower()}`?"
    for argument in _FOREIGN.get(word.lower(), ()):
        if argument in own:
            return _remarked(word, f"it is called `{argument}` here")
    homes = _homes(name, word)
    if homes:
        example = f"{homes[0]}({word}={in_words(value)})"
        return _remarked(word, f"it belongs to {_calls(homes)}, as in {example}")
    for argument in _FOREIGN.get(word.lower(), ()):
        homes = _homes(name, argument)
        if homes:
            return _remarked(word, f"it is called `{argument}`, and belongs to {_calls(homes)}")
    if word in _NO_COUNTERPART:
        return f"there is no such argument, because {_NO_COUNTERPART[word]}"
    return _nearest(name, own, word)


def _nearest(name: str, own: Sequence[str], word: str) -> str:
    others = [argument for home in _ARGUMENTS if home != name for argument in _ARGUMENTS[home]]
    meant = nearest(word, own, cutoff=0.75) or nearest(word, others, cutoff=0.75) or nearest(word, own)
    if meant is None:
        if len(own) > _FEW:
            return f"help({name}) describes its {len(own)} arguments"
        return f"its arguments are {as_words(f'`{argument}`' for argument in own)}"
    if meant in own:
        return f"did you mean `{meant}`?"
    return f"did you mean `{meant}`, which belongs to {_calls(_homes(name, meant))}?"


def _homes(name: str, argument: str) -> list[str]:
    """The other functions that have an argument, with the generator's constructor first."""
    found = [home for home in _ARGUMENTS if argument in _ARGUMENTS[home] and home != name]
    return sorted(found, key=lambda home: (home != _GENERATOR, home == _FIT_OF_MODELS))


def _calls(homes: Sequence[str]) -> str:
    return as_words(f"{home}(...)" for home in homes)


def _remarked(word: str, text: str) -> str:
    return f"{text}; {_REMARKS[word]}" if word in _REMARKS else text
