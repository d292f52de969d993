"""MLTK's own code with our generators, by stand-ins for its modules.

What they do, with which arguments and in which module, is what MLTK 0.20 was seen to do when its
`train_model`, `quantize_model` and `evaluate_model` ran on its example of images. MLTK itself pins
versions of TensorFlow and NumPy that cannot be installed beside those of the tests.
"""

from __future__ import annotations

import copy
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import BATCHES, SAMPLES, SIZE

from imageloom import ImageDataGenerator, ParallelImageDataGenerator

FACES = [ImageDataGenerator, ParallelImageDataGenerator]
PACKAGE = "mltk.core.preprocess.image.parallel_generator"
CLASSES = ["astronaut", "cat", "cup"]

ATTRIBUTES = """
def assigned(value, dtype):
    if not isinstance(value, dtype):
        raise AttributeError("Model attribute: image.datagen must be a dtype of " + dtype[0].__name__)
    return value
"""

LOADING = """
import copy

def load_dataset(datagen, directory, subset, counts, test):
    from mltk.core.preprocess.image.parallel_generator import ParallelImageDataGenerator
    creator = copy.deepcopy(datagen)
    if test:
        creator.debug = True
        creator.max_batches_pending = 1
    size = 3 if test else 32
    kwargs = dict(
        directory=directory, target_size=(24, 24), batch_shape=(size, 24, 24, 1),
        classes=["astronaut", "cat", "cup"], class_mode="categorical", color_mode="grayscale",
        interpolation="bilinear", follow_links=False, shuffle_index_dir=None,
        list_valid_filenames_in_directory_function=None,
    )
    creator.max_samples_per_class = size if test else -1
    creator.validation_augmentation_enabled = subset != "evaluation"
    if isinstance(creator, ParallelImageDataGenerator):
        kwargs["class_counts"] = counts
    subset = "validation" if subset == "evaluation" else subset
    iterator = creator.flow_from_directory(subset=subset, shuffle=True, **kwargs)
    if counts:
        iterator.max_samples = sum(counts.values())
    return iterator
"""

# The loops of MLTK over an iterator, by the module that they are in.
LOOPS = {
    "mltk.core.evaluate_classifier": """
def read(x):
    def iterate_evaluation_data():
        for batch in x:
            batch_x, batch_y = batch
            yield batch_x, batch_y
    return [batch_x for batch_x, batch_y in iterate_evaluation_data()]
""",
    "mltk.core.evaluate_autoencoder": """
def read(x):
    found = []
    for batch_x, _ in x:
        found.append(batch_x)
    return found
""",
    "mltk.core.model.mixins.streaming_mixin": """
def read(validation_data):
    return [batch[0] for i, batch in enumerate(validation_data)]
""",
    "mltk.core.tflite_model.tflite_model": """
def read(x):
    n_samples, found = 0, []
    for batch in x:
        found.append(batch if not isinstance(batch, tuple) else batch[0])
        n_samples += len(found[-1])
        if hasattr(x, "max_samples") and x.max_samples > 0 and n_samples >= x.max_samples:
            break
    return found
""",
    "mltk": """
def read(x):
    return [batch[0] for batch, _ in zip(x, range(1000))]
""",
}

SAMPLES_FOR_QUANTIZING = """
import numpy as np

def generator_of(validation_data, max_samples):
    def _representative_dataset_generator():
        n_samples = 0
        for batch in validation_data:
            if n_samples >= max_samples:
                break
            for x in batch[0]:
                yield [np.expand_dims(x, axis=0)]
                n_samples += 1
                if n_samples >= max_samples:
                    break
    return _representative_dataset_generator
"""


def module_of_mltk(name: str, text: str) -> Any:
    module = types.ModuleType(name)
    exec(text, module.__dict__)
    return module


@pytest.fixture
def original(monkeypatch: pytest.MonkeyPatch) -> type:
    """MLTK's class, in the module where its code looks for it."""
    package = types.ModuleType(PACKAGE)
    theirs = type("ParallelImageDataGenerator", (), {"__module__": PACKAGE})
    package.ParallelImageDataGenerator = theirs  # type: ignore[attr-defined]
    parts = PACKAGE.split(".")
    for end in range(1, len(parts)):
        name = ".".join(parts[:end])
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, PACKAGE, package)
    return theirs


@pytest.fixture
def assigned() -> Callable[[Any, Any], Any]:
    """What MLTK does with the value of `my_model.datagen`."""
    function: Callable[[Any, Any], Any]
    function = module_of_mltk("mltk.core.model.model_attributes", ATTRIBUTES).assigned
    return function


@pytest.mark.parametrize("face", FACES)
def test_a_model_of_mltk_takes_our_generators(
    face: type[Any], original: type, assigned: Callable[[Any, Any], Any]
) -> None:
    generator = face()
    assert assigned(generator, (original, dict)) is generator
    assert assigned(face(), (face,)), "and it still is what it is"
    with pytest.raises(AttributeError, match="must be a dtype"):
        assigned(generator, (dict,))


@pytest.mark.parametrize("face", FACES)
def test_only_mltk_sees_its_own_class(face: type[Any], original: type) -> None:
    generator = face(rotation_range=5)
    assert generator.__class__ is face
    assert not isinstance(generator, original)
    assert pickle.loads(pickle.dumps(generator)).rotation_range == 5
    assert type(copy.deepcopy(generator)) is face


def test_our_class_may_stand_in_the_place_of_theirs(
    original: type, assigned: Callable[[Any, Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[PACKAGE], original.__name__, ParallelImageDataGenerator)
    generator = ParallelImageDataGenerator()
    assert assigned(generator, (ParallelImageDataGenerator,)) is generator


def test_without_mltk_nothing_changes(assigned: Callable[[Any, Any], Any]) -> None:
    assert PACKAGE not in sys.modules
    assert assigned(ImageDataGenerator(), (ImageDataGenerator,))


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("subset", ["training", "evaluation"])
@pytest.mark.parametrize("test", [True, False])
def test_mltk_loads_a_data_set(
    face: type[Any], subset: str, test: bool, original: type, crops: Path
) -> None:
    assert original.__module__ == PACKAGE
    load = module_of_mltk("mltk.core.model.mixins.image_dataset_mixin", LOADING).load_dataset
    generator = face(validation_split=0.25, executor="serial", rotation_range=20)
    counts: dict[str, int] = {}
    with load(generator, crops, subset, counts, test) as it:
        assert list(counts) == CLASSES
        assert it.batch_size == (3 if test else 32)
        assert it.max_samples == it.samples == sum(counts.values()) > 0
        assert next(it)[0].shape == (min(it.batch_size, it.samples), 24, 24, 1)


@pytest.mark.parametrize("module", LOOPS)
def test_loops_of_mltk_end_after_an_epoch(module: str, crops: Path) -> None:
    read = module_of_mltk(module, LOOPS[module]).read
    generator = ParallelImageDataGenerator(executor="serial")
    with generator.flow_from_directory(crops, SIZE, batch_size=4, seed=1) as it:
        first = read(it)
        assert len(first) == BATCHES
        second = read(it)
        assert len(second) == BATCHES
        assert not np.array_equal(first[0], second[0]), "the next epoch"


def test_an_evaluation_that_stops_at_its_samples_is_followed_by_a_whole_one(crops: Path) -> None:
    module = "mltk.core.tflite_model.tflite_model"
    read = module_of_mltk(module, LOOPS[module]).read
    generator = ParallelImageDataGenerator(executor="serial")
    options: dict[str, Any] = {"shuffle": False, "batch_size": 4}
    with generator.flow_from_directory(crops, SIZE, **options) as it:
        whole = np.concatenate(read(it))
        it.max_samples = 6  # type: ignore[attr-defined]
        assert len(read(it)) == 2
        it.max_samples = SAMPLES  # type: ignore[attr-defined]
        np.testing.assert_array_equal(np.concatenate(read(it)), whole)


@pytest.mark.parametrize("most", [5, 8, 1000])
def test_the_samples_for_quantizing_end(most: int, crops: Path) -> None:
    """The converter reads them several times, and the loop that it stops is MLTK's generator."""
    of = module_of_mltk("mltk.core.quantize_model", SAMPLES_FOR_QUANTIZING).generator_of
    generator = ParallelImageDataGenerator(executor="serial")
    with generator.flow_from_directory(crops, SIZE, batch_size=4, seed=1) as it:
        samples = of(it, most)
        for _ in range(3):
            assert len(list(samples())) == min(most, SAMPLES)


def test_loops_of_everybody_else_go_on(crops: Path) -> None:
    with ImageDataGenerator(executor="serial").flow_from_directory(crops, SIZE, batch_size=4) as it:
        assert iter(it) is it
        for number, _ in enumerate(it):
            if number == 2 * BATCHES:
                break
        assert it.total_batches_seen == 2 * BATCHES + 1


@pytest.mark.parametrize(("of_the_generator", "expected"), [(None, 3), (1, 1)])
def test_the_batch_size_is_the_first_of_the_batch_shape(
    of_the_generator: int | None, expected: int, crops: Path
) -> None:
    """As in MLTK, whose models pass `batch_shape` alone; that of the generator overrides both."""
    generator = ParallelImageDataGenerator(executor="serial", batch_size=of_the_generator)
    for given in ({}, {"batch_size": 7}):
        with generator.flow_from_directory(crops, SIZE, batch_shape=(3, *SIZE, 3), **given) as it:
            assert it.batch_shape == (expected, *SIZE, 3)
            assert len(next(it)[0]) == expected
    with generator.flow_from_directory(crops, SIZE, batch_shape=(-1, *SIZE, 3)) as it:
        assert it.batch_size == (of_the_generator or SAMPLES)
    with generator.flow_from_directory(crops, SIZE, batch_size=5, batch_shape=(None, *SIZE, 3)) as it:  # type: ignore[arg-type]
        assert it.batch_size == (of_the_generator or 5)
