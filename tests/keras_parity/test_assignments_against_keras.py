"""Every attribute that Keras' iterators have may be assigned, with Keras' effect, at any moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from both_iterators import (
    BATCH,
    FLOWS,
    SAMPLES,
    assert_alike,
    generators,
    make,
    make_folder,
    outcome,
)
from numpy.typing import NDArray

FILES: Final = ("directory", "dataframe", "raw")
LENGTH: Final = -(-SAMPLES // BATCH)
Assign = Callable[[Any, Any], None]  # of an iterator, and a generator of its library


def set_to(**values: Any) -> Assign:
    """Assigns these attributes."""

    def assign(it: Any, generator: Any) -> None:
        del generator
        for name, value in values.items():
            setattr(it, name, value)

    return assign


def other_generator(it: Any, generator: Any) -> None:
    """Assigns a generator that transforms nothing."""
    it.image_data_generator = type(generator)(rescale=2.0)


def channels_first(it: Any, generator: Any) -> None:
    """With a generator that knows no axes, which Keras asks for them."""
    other_generator(it, generator)
    it.data_format, it.image_shape = "channels_first", (3, 8, 8)


def reversed_paths(it: Any, generator: Any) -> None:
    del generator
    it._filepaths = it._filepaths[::-1]


def paths_in_place(it: Any, generator: Any) -> None:
    del generator
    it.filepaths[3], it.filepaths[4] = it.filepaths[9], it.filepaths[9]


def oversample(it: Any, generator: Any) -> None:
    """What public oversamplers do."""
    del generator
    extra = [0, 0, 1, 7]
    it._filepaths = [*it._filepaths, *(it._filepaths[i] for i in extra)]
    it.filenames = [*it.filenames, *(it.filenames[i] for i in extra)]
    it.classes = np.array([*it.classes, *(it.classes[i] for i in extra)])
    it.n = it.samples = len(it._filepaths)
    it._set_index_array()


def labels_in_place(it: Any, generator: Any) -> None:
    del generator
    if hasattr(it, "y"):
        it.y[:] = 77
    elif it.class_mode == "raw":
        it._targets[2:] = 5
    else:
        it.classes[2] = 1


def images_in_place(it: Any, generator: Any) -> None:
    del generator
    it.x = it.x / 2


# For each attribute, the flows that have it, and what is assigned.
ANY: Final = FLOWS
TABLE: Final[Mapping[str, list[tuple[tuple[str, ...], Assign]]]] = {
    "n": [(ANY, set_to(n=7)), (ANY, set_to(n=20)), (ANY, set_to(n=0))],
    "batch_size": [(ANY, set_to(batch_size=size)) for size in (1, 2, 4, 5, 11, 30)],
    "seed": [(ANY, set_to(seed=4))],
    "shuffle": [(ANY, set_to(shuffle=False)), (ANY, set_to(shuffle=True))],
    "batch_index": [(ANY, set_to(batch_index=index)) for index in (0, 1, 3)],
    "total_batches_seen": [(ANY, set_to(total_batches_seen=number)) for number in (0, 90)],
    "index_array": [
        (ANY, set_to(index_array=np.array([3, 3, 3, 1, 0, 5, 5, 2, 9, 4, 8]))),
        (ANY, set_to(index_array=np.arange(4))),
    ],
    "index_generator": [(ANY, lambda it, _: setattr(it, "index_generator", it._flow_index()))],
    "lock": [(ANY, lambda it, _: setattr(it, "lock", threading.Lock()))],
    "workers": [(ANY, set_to(workers=2))],
    "max_queue_size": [(ANY, set_to(max_queue_size=3))],
    "use_multiprocessing": [(ANY, set_to(use_multiprocessing=False))],
    "num_batches": [(ANY, set_to(num_batches=3))],
    "image_data_generator": [(ANY, other_generator)],
    "data_format": [(FILES, channels_first)],
    "dtype": [(ANY, set_to(dtype="float64")), (FILES, set_to(dtype="float16"))],
    "save_to_dir": [(ANY, set_to(save_to_dir=None))],
    "save_prefix": [(ANY, set_to(save_prefix="a"))],
    "save_format": [(ANY, set_to(save_format="jpeg"))],
    "x": [
        (("arrays",), images_in_place),
        (("arrays",), lambda it, _: setattr(it, "x", it.x[:, :5])),
        (("arrays",), lambda it, _: setattr(it, "x", it.x[:4])),
    ],
    "x_misc": [(("arrays",), set_to(x_misc=[np.arange(SAMPLES) * 3]))],
    "y": [
        (("arrays",), set_to(y=np.eye(SAMPLES))),
        (("arrays",), set_to(y=None)),
        (("arrays",), labels_in_place),
    ],
    "sample_weight": [
        (("arrays",), set_to(sample_weight=np.ones(SAMPLES))),
        (("arrays",), set_to(sample_weight=None)),
        (FILES, set_to(sample_weight=np.ones(SAMPLES))),
    ],
    "target_size": [
        (FILES, set_to(target_size=(5, 6))),
        (FILES, set_to(target_size=(5, 6), image_shape=(5, 6, 3))),
        (FILES, set_to(image_shape=(5, 6, 3), target_size=(5, 6))),
    ],
    "image_shape": [(FILES, set_to(image_shape=(9, 8, 3)))],
    "color_mode": [(FILES, set_to(color_mode="grayscale", image_shape=(8, 8, 1)))],
    "interpolation": [(FILES, set_to(interpolation="bilinear", target_size=(8, 8)))],
    "keep_aspect_ratio": [(FILES, set_to(keep_aspect_ratio=True))],
    "subset": [(FILES, set_to(subset="training"))],
    "split": [(FILES, set_to(split=(0.0, 0.5)))],
    "directory": [(FILES, set_to(directory="elsewhere"))],
    "filenames": [(FILES, set_to(filenames=["nothing"])), (FILES, lambda it, _: it.filenames.sort())],
    "_filepaths": [(FILES, reversed_paths), (FILES, paths_in_place)],
    "filepaths": [(FILES, set_to(filepaths=[]))],
    "labels": [(FILES, set_to(labels=np.zeros(SAMPLES)))],
    "samples": [(FILES, set_to(samples=3))],
    "num_classes": [(("directory",), set_to(num_classes=9))],
    "class_mode": [
        (("directory", "dataframe"), set_to(class_mode=mode))
        for mode in ("sparse", "binary", "input", None)
    ]
    + [(("raw",), set_to(class_mode="sparse")), (("directory",), set_to(class_mode="raw"))],
    "classes": [
        (("directory", "dataframe"), set_to(classes=np.ones(SAMPLES, "int32"))),
        (("directory", "dataframe"), set_to(classes=[0, 1] * 6)),
        (("directory", "dataframe"), set_to(classes=[0, [0, 1]] * 6)),
        (("directory", "dataframe"), set_to(classes=[0])),
        (("directory", "dataframe"), labels_in_place),
    ],
    "class_indices": [(("directory", "dataframe"), set_to(class_indices={"a": 0, "b": 1, "c": 2}))],
    "_targets": [
        (("raw",), set_to(_targets=np.arange(SAMPLES) * 2)),
        (("raw",), labels_in_place),
        (("dataframe",), set_to(_targets=np.zeros(SAMPLES), class_mode="raw")),
    ],
    "_sample_weight": [
        (("dataframe", "raw"), set_to(_sample_weight=np.zeros(SAMPLES))),
        (("dataframe", "raw"), set_to(_sample_weight=None)),
    ],
    "white_list_formats": [(ANY, set_to(white_list_formats=("gif",)))],
    "allowed_class_modes": [(FILES, set_to(allowed_class_modes={None}))],
}
# What Keras' classes have beside data: methods, and what belongs to Keras' own machinery.
METHODS: Final = {
    "_flow_index", "_get_batches_of_transformed_samples", "_set_index_array", "on_epoch_begin",
    "on_epoch_end", "reset", "set_processing_attrs", "get_classes",
}  # fmt: skip
INTERNAL: Final = {
    "_api_export_path", "_api_export_symbol_id", "_check_params", "_filter_classes",
    "_filter_valid_filepaths", "_max_queue_size", "_use_multiprocessing", "_warn_if_super_not_called",
    "_workers",
}  # fmt: skip
CASES: Final = [
    pytest.param(flow, assign, id=f"{flow}-{name}-{number}")
    for name, entries in TABLE.items()
    for number, (flows, assign) in enumerate(entries)
    for flow in flows
]


_OF_NEXT: Final = [a for name in ("batch_index", "total_batches_seen") for _, a in TABLE[name]]
_NO_SAMPLES: Final = TABLE["n"][-1][1]
_WITHOUT_AN_ORDER: Final = [assign for _, assign in TABLE["batch_index"][1:]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven pictures in two classes."""
    return make_folder(tmp_path_factory.mktemp("assigned") / "photos")


@contextmanager
def both(flow: str, folder: Path, executor: str = "serial", **kw: Any) -> Iterator[tuple[Any, ...]]:
    """Our iterator and Keras', with their generators."""
    ours, theirs = generators(executor)
    with make(ours, flow, folder, **kw) as mine:
        yield (mine, ours), (make(theirs, flow, folder, **kw), theirs)


@pytest.mark.parametrize("flow", FLOWS)
def test_the_table_has_every_attribute(flow: str, folder: Path) -> None:
    """A new attribute of Keras' iterators needs an entry."""
    theirs = make(generators()[1], flow, folder)
    names = {name for name in {*vars(theirs), *dir(type(theirs))} if not name.startswith("__")}
    assert names - METHODS - INTERNAL <= set(TABLE)
    mine = make(generators()[0], flow, folder)
    missing = {name for name in names - INTERNAL if not hasattr(mine, name) and hasattr(theirs, name)}
    assert missing == set()


@pytest.mark.parametrize("moment", [0, 2, LENGTH, LENGTH + 1])
@pytest.mark.parametrize(("flow", "assign"), CASES)
def test_assigned_between_batches(flow: str, assign: Assign, moment: int, folder: Path) -> None:
    with both(flow, folder) as pair:
        if moment == 0 and assign in _WITHOUT_AN_ORDER:
            pytest.skip("Keras has no order yet, and fails")
        if moment % LENGTH and assign is _NO_SAMPLES:
            pytest.skip("Keras hands out one more batch of the samples that there were")
        for batch in range(moment):
            assert_alike(*[outcome(it.__next__) for it, _ in pair], f"batch {batch}")
        assert_alike(*[outcome(lambda it=it, g=g: assign(it, g)) for it, g in pair], "assigned")
        for batch in range(2 * LENGTH):
            assert_alike(*[outcome(it.__next__) for it, _ in pair], f"batch {batch} after it")
        places = [(len(it), it.n, it.batch_size, it.total_batches_seen) for it, _ in pair]
        assert places[0] == places[1]


@pytest.mark.parametrize("moment", [0, 2, LENGTH])
@pytest.mark.parametrize("shuffle", [True, False])
def test_oversampling(moment: int, shuffle: bool, folder: Path) -> None:
    if shuffle and moment == 2:
        pytest.skip("`_set_index_array` draws from the state that the last batch of Keras has left")
    with both("directory", folder, shuffle=shuffle) as pair:
        for _ in range(moment):
            assert_alike(*[next(it) for it, _ in pair])
        for it, generator in pair:
            oversample(it, generator)
        for batch in range(2 * LENGTH):
            assert_alike(*[next(it) for it, _ in pair], f"batch {batch}")
        assert len({(len(it), it.n, len(it.filenames)) for it, _ in pair}) == 1


@pytest.mark.parametrize(("flow", "assign"), CASES)
def test_assigned_between_numbers(flow: str, assign: Assign, folder: Path) -> None:
    if assign in _OF_NEXT:
        pytest.skip("our numbers do not move the position")
    with both(flow, folder) as pair:
        assert_alike(*[outcome(lambda it=it: it[0]) for it, _ in pair])
        assert_alike(*[outcome(lambda it=it, g=g: assign(it, g)) for it, g in pair], "assigned")
        for index in (1, 2):
            assert_alike(*[outcome(partial(it.__getitem__, index)) for it, _ in pair], f"{index}")


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "processes"])
@pytest.mark.parametrize("name", ["n", "batch_size", "seed", "y", "x", "_filepaths", "classes"])
def test_what_was_computed_ahead_is_dropped(executor: str, name: str, folder: Path) -> None:
    flows, assign = TABLE[name][0]
    with both(flows[0], folder, executor) as pair:
        for _ in range(2):
            assert_alike(*[next(it) for it, _ in pair])
        for it, generator in pair:
            assign(it, generator)
        for _ in range(LENGTH + 2):
            assert_alike(*[outcome(it.__next__) for it, _ in pair])


def test_pictures_are_saved_where_it_is_assigned(folder: Path, tmp_path: Path) -> None:
    with both("arrays", folder) as pair:
        for (it, _), name in zip(pair, ("ours", "theirs"), strict=True):
            (tmp_path / name).mkdir()
            next(it)
            it.save_to_dir, it.save_prefix, it.save_format = str(tmp_path / name), "x", "jpeg"
            next(it)
    saved = [sorted(p.name for p in (tmp_path / name).iterdir()) for name in ("ours", "theirs")]
    assert saved[0] == saved[1]
    assert len(saved[0]) == BATCH


@pytest.mark.parametrize("flow", FLOWS)
def test_index_array_is_that_of_the_last_batch(flow: str, folder: Path) -> None:
    with both(flow, folder) as pair:
        assert [it.index_array for it, _ in pair] == [None, None]
        for _ in range(2 * LENGTH + 1):
            orders: list[NDArray[np.int64]] = []
            for it, _ in pair:
                next(it)
                orders.append(it.index_array)
            np.testing.assert_array_equal(*orders)
            assert len({it.batch_index for it, _ in pair}) == 1


@pytest.mark.parametrize("moment", range(LENGTH + 1))
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_end_of_an_epoch_in_a_loop_of_next(moment: int, shuffle: bool, folder: Path) -> None:
    with both("arrays", folder, shuffle=shuffle) as pair:
        for it, _ in pair:
            for _ in range(moment):
                next(it)
            it.on_epoch_end()
        assert len({(it.batch_index, it.total_batches_seen) for it, _ in pair}) == 1
        after = [next(it) for it, _ in pair]
        if not shuffle or moment in (0, LENGTH):
            assert_alike(*after)
        else:  # Keras draws from the state that the last batch has left
            assert [len(batch[0]) for batch in after] == [len(after[0][0])] * 2
