"""`state_dict` and `load_state_dict`: the stream goes on as if nothing had happened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import (
    AUGMENTED,
    BATCH,
    BATCHES,
    SEED,
    SIZE,
    Lent,
    assert_same_batches,
    worker_processes,
)
from numpy.typing import NDArray
from programs import run_program

from imageloom import (
    ArgumentTypeError,
    ImageDataGenerator,
    InvalidArgumentError,
    StateMismatchError,
    load_img,
)
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor

pd = pytest.importorskip("pandas")

FLOWS = ("directory", "frame", "arrays")
OF_FLOW = {
    "target_size",
    "batch_size",
    "shuffle",
    "class_mode",
    "subset",
    "color_mode",
    "interpolation",
}
OF_FLOW |= {"save_to_dir", "classes", "keep_aspect_ratio", "y", "sample_weight"}


def frame_of(folder: Path) -> Any:
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.[jp][pn]g"))
    return pd.DataFrame({"filename": names, "class": [Path(name).parent.name for name in names]})


def pixels_of(folder: Path) -> NDArray[Any]:
    names = frame_of(folder)["filename"]
    return np.stack([np.asarray(load_img(folder / name, target_size=SIZE)) for name in names])


def make(
    kind: str, data: Any, lent: Executor | None = None, *, seed: int | None = SEED, **options: Any
) -> Any:
    """An iterator over a folder, a folder's frame or an array; options go where they belong."""
    of_flow = {name: options.pop(name) for name in OF_FLOW & set(options)}
    generator = ImageDataGenerator(**{"executor": "serial", **options})
    if lent is not None:
        generator._engine.lent = Lent(lent)  # type: ignore[assignment]
    arguments: dict[str, Any] = {"batch_size": BATCH, "seed": seed, **of_flow}
    if kind == "arrays":
        return generator.flow(data, **arguments)
    arguments.setdefault("target_size", SIZE)
    if kind == "frame":
        folder, frame = data if isinstance(data, tuple) else (data, frame_of(data))
        return generator.flow_from_dataframe(frame, folder, **arguments)
    return generator.flow_from_directory(data, **arguments)


def saved(it: Any) -> dict[str, Any]:
    """The state, through JSON."""
    state: dict[str, Any] = json.loads(json.dumps(it.state_dict()))
    return state


def take(it: Any, batches: int) -> list[Any]:
    return [next(it) for _ in range(batches)]


@pytest.fixture(scope="module")
def executors() -> Iterator[Sequence[Executor | None]]:
    """Serial, threads and processes of several sizes."""
    made = [make_executor(kind, n, disable_gpu=True) for kind, n in (("threads", 2), ("processes", 2))]
    yield (None, *made)
    for executor in made:
        executor.close()


@pytest.fixture(scope="module")
def pixels(crops: Path) -> NDArray[Any]:
    return pixels_of(crops)


@pytest.fixture
def own_crops(crops: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(crops, tmp_path / "images"))


@pytest.mark.slow
@pytest.mark.parametrize("shuffle", [True, False], ids=["shuffled", "ordered"])
@pytest.mark.parametrize("kind", FLOWS)
def test_the_stream_goes_on_from_every_position_of_two_epochs_in_any_executor(
    kind: str, shuffle: bool, crops: Path, pixels: Any, executors: Sequence[Executor | None]
) -> None:
    data = pixels if kind == "arrays" else crops
    uninterrupted, states = [], []
    first = make(kind, data, shuffle=shuffle, **AUGMENTED)
    for _ in range(2 * BATCHES):
        states.append(saved(first))
        uninterrupted.append(next(first))
    states.append(saved(first))
    uninterrupted += take(first, 2)
    images = [batch[0] if isinstance(batch, tuple) else batch for batch in uninterrupted]
    assert len(images[BATCHES - 1]) == 23 % BATCH, "the last batch of an epoch is short"
    for position, state in enumerate(states):
        assert state["position"] == position
        executor = executors[position % len(executors)]
        with make(kind, data, executor, shuffle=shuffle, **AUGMENTED) as it:
            it.load_state_dict(state)
            assert it.total_batches_seen == position
            rest = uninterrupted[position:]
            assert_same_batches(take(it, len(rest)), rest)


@pytest.mark.slow
def test_a_new_process_goes_on(crops: Path, tmp_path: Path) -> None:
    first = make("directory", crops, **AUGMENTED)
    take(first, 4)
    (tmp_path / "state.json").write_text(json.dumps(first.state_dict()))
    done = run_program("stream/go_on.py", crops, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "rest.npz") as stored:
        parts = [stored[f"arr_{i}"] for i in range(10)]
    assert_same_batches(list(zip(parts[::2], parts[1::2], strict=True)), take(first, 5))


def test_an_iterator_without_a_seed_adopts_the_states(crops: Path, global_numpy_state: None) -> None:
    unseeded = make("directory", crops, seed=None, **AUGMENTED)
    take(unseeded, 2)
    state = saved(unseeded)
    expected = take(unseeded, BATCHES)
    other = make("directory", crops, seed=None, **AUGMENTED)
    take(other, 1)
    np.random.seed(99)
    other.load_state_dict(state)
    assert_same_batches(take(other, BATCHES), expected)


def test_the_state_before_the_first_batch_fixes_the_seed(crops: Path, global_numpy_state: None) -> None:
    it = make("directory", crops, seed=None, **AUGMENTED)
    state = saved(it)
    assert state["position"] == 0
    np.random.seed(1)
    assert saved(it) == state
    other = make("directory", crops, seed=state["seed"], **AUGMENTED)
    assert_same_batches(take(it, 3), take(other, 3))
    assert saved(it)["seed"] == state["seed"]


def test_another_explicit_seed_is_refused(crops: Path) -> None:
    it = make("directory", crops, seed=2)
    with pytest.raises(StateMismatchError, match=r"seed 11, but this iterator has seed 2"):
        it.load_state_dict(saved(make("directory", crops)))
    assert_same_batches(take(it, 1), take(make("directory", crops, seed=2), 1))


@pytest.mark.parametrize("kind", ["directory", "frame"])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda cat: shutil.copy(cat / "00.jpg", cat / "added.jpg"), "samples was 23 and is 24"),
        (lambda cat: (cat / "02.jpg").unlink(), "samples was 23 and is 22"),
        (lambda cat: (cat / "02.jpg").rename(cat / "02a.jpg"), "files was"),
        (lambda cat: (cat / "02.jpg").write_bytes((cat / "04.jpg").read_bytes()), "files was"),
    ],
    ids=["added", "removed", "renamed", "resized"],
)
def test_other_files_are_refused(
    own_crops: Path, kind: str, change: Callable[[Path], object], named: str
) -> None:
    state = saved(make(kind, own_crops))
    make(kind, own_crops).load_state_dict(state)
    change(own_crops / "cat")
    with pytest.raises(StateMismatchError, match=named):
        make(kind, own_crops).load_state_dict(state)


def test_the_same_files_elsewhere_are_the_same_stream(crops: Path, own_crops: Path) -> None:
    for kind in ("directory", "frame"):
        first = make(kind, crops)
        take(first, 2)
        moved = make(kind, own_crops)
        moved.load_state_dict(saved(first))
        assert_same_batches(take(moved, 3), take(first, 3))


def raw(crops: Path, numbers: NDArray[Any]) -> Any:
    frame = frame_of(crops).assign(**{"class": numbers})
    return make("frame", (crops, frame), class_mode="raw")


def test_other_targets_in_a_frame_are_refused(crops: Path) -> None:
    frame = frame_of(crops)
    state = saved(make("frame", (crops, frame)))
    frame.loc[3, "class"] = "cup"
    with pytest.raises(StateMismatchError, match="targets was"):
        make("frame", (crops, frame)).load_state_dict(state)
    with pytest.raises(StateMismatchError, match="targets was"):
        raw(crops, np.arange(23) / 3).load_state_dict(saved(raw(crops, np.arange(23) / 7)))


def test_targets_that_differ_in_their_last_digits_are_refused(crops: Path) -> None:
    numbers = 1 + np.arange(23) / 7
    with pytest.raises(StateMismatchError):
        raw(crops, numbers + 1e-11).load_state_dict(saved(raw(crops, numbers)))


def test_print_options_of_numpy_do_not_matter(crops: Path) -> None:
    state = saved(raw(crops, np.arange(23) / 7))
    with np.printoptions(precision=3):
        raw(crops, np.arange(23) / 7).load_state_dict(state)


def changed_pixel(x: NDArray[Any]) -> NDArray[Any]:
    other = x.copy()
    other[11, 3, 4, 0] ^= 1
    return other


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda x: {"data": x[:-1]}, "samples was 23 and is 22"),
        (lambda x: {"data": x[:, :-1]}, "images was"),
        (lambda x: {"data": x.astype("float32")}, "images was"),
        (lambda x: {"data": changed_pixel(x)}, "pixels was"),
        (lambda x: {"y": np.arange(len(x)) % 3}, "targets was"),
        (lambda x: {"y": None}, "targets was"),
        (lambda x: {"sample_weight": np.ones(len(x))}, "targets was"),
    ],
    ids=["fewer", "shape", "dtype", "pixel", "targets", "no-targets", "weights"],
)
def test_other_arrays_are_refused(
    pixels: NDArray[Any], change: Callable[[NDArray[Any]], dict[str, Any]], named: str
) -> None:
    given: dict[str, Any] = {"data": pixels, "y": np.arange(len(pixels)) % 2}
    state = saved(make("arrays", **given))
    make("arrays", **given).load_state_dict(state)
    changed = {**given, **change(pixels)}
    if changed["y"] is not None:
        changed["y"] = changed["y"][: len(changed["data"])]
    with pytest.raises(StateMismatchError, match=named):
        make("arrays", **changed).load_state_dict(state)


@pytest.mark.parametrize(
    "other",
    [np.zeros(23), np.zeros((23, 1), "int64"), np.zeros((23, 2), "int32")],
    ids=["dtype", "shape", "both"],
)
def test_targets_of_another_kind_are_refused(pixels: NDArray[Any], other: NDArray[Any]) -> None:
    state = saved(make("arrays", pixels, y=np.zeros(23, "int64")))
    with pytest.raises(StateMismatchError):
        make("arrays", pixels, y=other).load_state_dict(state)


DIFFERENT: Sequence[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("target_size", {}, {"target_size": (24, 20)}),
    ("batch_size", {}, {"batch_size": 5}),
    ("shuffle", {}, {"shuffle": False}),
    ("class_mode", {}, {"class_mode": "sparse"}),
    ("color_mode", {}, {"color_mode": "grayscale"}),
    ("keep_aspect_ratio", {}, {"keep_aspect_ratio": True}),
    ("class_indices", {"classes": ["cat", "cup"]}, {"classes": ["cup", "cat"]}),
    ("subset", {"subset": "training"}, {"subset": "validation"}),
    ("samples", {"subset": "training"}, {"subset": "training", "validation_split": 0.25}),
    ("rotation_range", {"rotation_range": 5}, {"rotation_range": 6}),
    ("noise", {"noise": ["gauss"]}, {"noise": ["gauss", "s&p"]}),
    ("geometry", {}, {"geometry": "corrected"}),
    ("rescale", {"rescale": 1 / 255}, {"rescale": 1 / 127}),
    ("dtype", {}, {"dtype": "float64"}),
    ("data_format", {}, {"data_format": "channels_first"}),
]


@pytest.mark.parametrize(("named", "was", "now"), DIFFERENT, ids=[name for name, _, _ in DIFFERENT])
def test_other_arguments_are_refused_by_name(
    crops: Path, named: str, was: dict[str, Any], now: dict[str, Any]
) -> None:
    split = {"validation_split": 0.5}
    state = saved(make("directory", crops, **{**split, **was}))
    make("directory", crops, **{**split, **was}).load_state_dict(state)
    it = make("directory", crops, **{**split, **now})
    with pytest.raises(StateMismatchError, match=rf"\b{named} was .* and is "):
        it.load_state_dict(state)
    assert it.total_batches_seen == 0


def test_another_fitted_mean_is_refused(pixels: NDArray[Any]) -> None:
    generators = [ImageDataGenerator(executor="serial", featurewise_center=True) for _ in range(3)]
    for generator, images in zip(generators, (pixels, pixels, pixels[:-4]), strict=True):
        generator.fit(images)
    one, same, other = (generator.flow(pixels, seed=1) for generator in generators)
    same.load_state_dict(saved(one))
    with pytest.raises(StateMismatchError, match="fitted mean was"):
        other.load_state_dict(saved(one))


def test_what_decides_about_no_value_may_differ(crops: Path, tmp_path: Path) -> None:
    first = make("directory", crops, **AUGMENTED)
    take(first, 3)
    harmless: list[dict[str, Any]] = [
        {"executor": "threads", "cores": 2},
        {"max_batches_pending": 1},
        {"batch_timeout": 30.0},
        {"on_bad_image": "replace"},
        {"save_to_dir": str(tmp_path)},
    ]
    state, right = saved(first), take(first, 3)
    for options in harmless:
        with make("directory", crops, **options, **AUGMENTED) as it:
            it.load_state_dict(state)
            assert_same_batches(take(it, 3), right)
    hooked = make("directory", crops, preprocessing_function=np.negative)
    hooked.load_state_dict(saved(make("directory", crops)))


def test_state_comes_with_a_version(crops: Path) -> None:
    state = saved(make("directory", crops))
    with pytest.raises(StateMismatchError, match=r"version 2; this imageloom reads version 1"):
        make("directory", crops).load_state_dict({**state, "version": 2})


@pytest.mark.parametrize("state", [None, "x", [], 3], ids=repr)
def test_what_is_no_dictionary_is_refused(crops: Path, state: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=f"received {type(state).__name__}"):
        make("directory", crops).load_state_dict(state)


@pytest.mark.parametrize(
    "damage",
    [{"format": "x"}, {"position": -1}, {"position": 1.5}, {"position": None}, {"seed": "11"}],
    ids=str,
)
def test_garbage_is_refused_and_changes_nothing(crops: Path, damage: dict[str, Any]) -> None:
    it = make("directory", crops)
    state = saved(it)
    take(it, 2)
    with pytest.raises(InvalidArgumentError, match=r"not a state|damaged: position"):
        it.load_state_dict({**state, **damage})
    with pytest.raises(InvalidArgumentError, match="not a state"):
        it.load_state_dict({})
    assert it.total_batches_seen == 2


@pytest.mark.parametrize("fingerprint", ["x", [1]], ids=repr)
def test_a_damaged_fingerprint_is_refused(crops: Path, fingerprint: Any) -> None:
    it = make("directory", crops)
    with pytest.raises((InvalidArgumentError, StateMismatchError)):
        it.load_state_dict({**saved(it), "fingerprint": fingerprint})


@pytest.mark.slow
def test_loading_starts_no_workers(crops: Path) -> None:
    before = worker_processes().keys()
    it = make("directory", crops, executor="processes", cores=2)
    it.load_state_dict({**saved(it), "position": 3})
    assert not it.is_running
    assert not worker_processes().keys() - before
    with it:
        next(it)
        assert worker_processes().keys() > before
