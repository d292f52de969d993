"""Splits beside Keras' slices: disjoint, complete, stable, by class, by group, and by fold."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageloom import ImageDataGenerator, StateMismatchError
from imageloom._sources.splitting import Division

pd = pytest.importorskip("pandas")

# Small classes may be in one part only; that this is told is tested elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore:IL2")

WAYS = ("sorted", "random", "stratified")
CLASSES = {"a": 40, "b": 12, "c": 7, "d": 2}
PIXELS = b"P6\n1 1\n255\n\1\2\3"
Parts = dict[str, list[str]]


def write(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PIXELS)


def files_of(classes: dict[str, int], *, prefix: str = "") -> list[str]:
    """Names such as a/p3_07.ppm: the patient 3 has every tenth picture."""
    return [f"{c}/{prefix}p{i % 10}_{i:02}.ppm" for c, n in classes.items() for i in range(n)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place: Path = tmp_path_factory.mktemp("photos")
    write(place, files_of(CLASSES))
    return place


def patient(name: str) -> str:
    return name.split("/")[1].split("_", maxsplit=1)[0]


def generator(**options: Any) -> ImageDataGenerator:
    return ImageDataGenerator(executor="serial", **options)


def by_folder(folder: Path, subset: str | None, **options: Any) -> Any:
    gen = generator(**options)
    return gen.flow_from_directory(folder, target_size=(1, 1), subset=subset, verbose=0, seed=0)


def frame_of(folder: Path) -> Any:
    names = sorted(str(path.relative_to(folder)) for path in folder.glob("*/*.ppm"))
    names = [name.replace(os.sep, "/") for name in names]
    return pd.DataFrame({"filename": names, "class": [name[0] for name in names]})


def by_frame(folder: Path, subset: str | None, class_mode: Any = "categorical", **options: Any) -> Any:
    frame = frame_of(folder).sample(frac=1, random_state=3)
    frame["who"] = [patient(name) for name in frame["filename"]]
    return generator(**options).flow_from_dataframe(
        frame, folder, target_size=(1, 1), subset=subset, verbose=0, seed=0, class_mode=class_mode
    )


def by_array(folder: Path, subset: str | None, **options: Any) -> Any:
    """The file's number in the frame is the pixel of each image, and its class the target."""
    frame = frame_of(folder)
    x = np.arange(len(frame), dtype=np.float32).reshape(-1, 1, 1, 1)
    if options.get("groups") is not None:
        options["groups"] = [patient(name) for name in frame["filename"]]
    y = frame["class"].to_numpy().astype(str)
    # Unlike the files, a sorted array has other classes in the first rows than in the rest.
    it = generator(**options).flow(x, y, subset=subset, seed=0, ignore_class_split=True)
    it.filenames = frame["filename"].to_numpy()[it.x.ravel().astype(int)].tolist()
    return it


FLOWS: list[Callable[..., Any]] = [by_folder, by_frame, by_array]


def parts_of(flow: Callable[..., Any], folder: Path, **options: Any) -> Parts:
    found = {s: list(flow(folder, s, **options).filenames) for s in ("training", "validation")}
    everything = sorted(flow(folder, None, **options).filenames)
    assert sorted(itertools.chain(*found.values())) == everything, "each sample in exactly one part"
    return found


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("groups", [None, patient])
def test_the_parts_are_disjoint_and_complete_and_have_their_share(
    folder: Path, flow: Callable[..., Any], way: str, groups: Any
) -> None:
    shares = []
    for seed in range(4):
        options = {"split": way, "split_seed": seed, "groups": groups}
        parts = parts_of(flow, folder, validation_split=0.3, **options)
        if groups is not None:
            assert not set(map(patient, parts["training"])) & set(map(patient, parts["validation"]))
        shares.append(len(parts["validation"]) / len(files_of(CLASSES)))
    assert 0.15 < np.mean(shares) < 0.45
    assert groups is not None or way == "random" or max(shares) < 0.36


@pytest.mark.parametrize("flow", FLOWS)
def test_a_stratified_split_gives_each_class_its_share_and_a_place_in_both_parts(
    folder: Path, flow: Callable[..., Any]
) -> None:
    for share, seed in itertools.product((0.1, 0.25, 0.5), range(3)):
        parts = parts_of(flow, folder, validation_split=share, split="stratified", split_seed=seed)
        counts = Counter(name[0] for name in parts["validation"])
        for name, count in CLASSES.items():
            assert 1 <= counts[name] < count
            assert abs(counts[name] - share * count) <= max(0.5, 1 - share * count)


def test_folders_and_frames_of_the_same_files_have_the_same_parts(folder: Path) -> None:
    for way in ("random", "stratified"):
        one = parts_of(by_folder, folder, validation_split=0.3, split=way)
        other = parts_of(by_frame, folder, validation_split=0.3, split=way)
        assert {part: set(names) for part, names in one.items()} == {
            part: set(names) for part, names in other.items()
        }


def test_another_seed_makes_another_split(folder: Path) -> None:
    for way in ("random", "stratified"):
        splits = {
            tuple(
                by_folder(
                    folder, "validation", validation_split=0.3, split=way, split_seed=seed
                ).filenames
            )
            for seed in range(5)
        }
        assert len(splits) == 5


@pytest.mark.parametrize("groups", [None, patient])
def test_files_keep_their_part_when_others_are_added(tmp_path: Path, groups: Any) -> None:
    write(tmp_path, files_of(CLASSES))
    options = {"validation_split": 0.3, "split": "random", "groups": groups}
    before = parts_of(by_folder, tmp_path, **options)
    write(tmp_path, files_of({"a": 30, "c": 20, "new": 9}, prefix="more_" if groups is None else ""))
    after = parts_of(by_folder, tmp_path, **options)
    assert all(set(before[part]) <= set(after[part]) for part in before)


def test_few_files_change_their_part_in_a_stratified_split(tmp_path: Path) -> None:
    write(tmp_path, files_of({"a": 300, "b": 20}))
    before = parts_of(by_folder, tmp_path, validation_split=0.2, split="stratified")
    write(tmp_path, files_of({"a": 30, "new": 9}, prefix="more_"))
    after = parts_of(by_folder, tmp_path, validation_split=0.2, split="stratified")
    moved = set(before["training"]) & set(after["validation"])
    moved |= set(before["validation"]) & set(after["training"])
    assert len(moved) <= 6
    assert not any(name.startswith("b/") for name in moved), "nothing was added to this class"


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("groups", [None, patient])
def test_each_sample_is_for_validation_in_exactly_one_fold(
    folder: Path, flow: Callable[..., Any], way: str, groups: Any
) -> None:
    seen: list[str] = []
    sizes = []
    for fold in range(4):
        parts = parts_of(flow, folder, fold=(fold, 4), split=way, groups=groups)
        if groups is not None:
            assert not set(map(patient, parts["training"])) & set(map(patient, parts["validation"]))
        seen += parts["validation"]
        sizes.append(len(parts["validation"]))
    assert sorted(seen) == sorted(files_of(CLASSES))
    assert way == "random" or groups is not None or max(sizes) - min(sizes) <= len(CLASSES)


def test_the_first_sorted_fold_is_the_first_part_as_in_keras(folder: Path) -> None:
    folds = by_folder(folder, "validation", fold=(0, 4)).filenames
    assert folds == by_folder(folder, "validation", validation_split=0.25).filenames


def test_a_stratified_fold_has_each_class_that_has_enough_samples(folder: Path) -> None:
    for fold in range(5):
        found = by_folder(folder, "validation", fold=(fold, 5), split="stratified")
        counts = Counter(name[0] for name in found.filenames)
        assert all(abs(counts[name] - count / 5) < 1 for name, count in CLASSES.items())


@pytest.mark.parametrize("class_mode", [None, "input", "raw"])
def test_modes_without_classes_are_divided_too(folder: Path, class_mode: Any) -> None:
    for way in WAYS:
        parts = {
            subset: by_frame(folder, subset, class_mode, validation_split=0.3, split=way).filenames
            for subset in ("training", "validation")
        }
        assert not set(parts["training"]) & set(parts["validation"])
        assert sum(map(len, parts.values())) == sum(CLASSES.values())


def test_each_label_of_several_is_in_both_parts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"{i}.ppm" for i in range(60)]
    labels = [sorted({"often"} | set(rng.choice(["x", "y", "z", "w"], 1 + i % 2))) for i in range(60)]
    labels[3], labels[50] = ["rare", "often"], ["rare", "x"]
    frame = pd.DataFrame({"filename": names, "class": labels})
    for seed in range(5):
        gen = generator(validation_split=0.2, split="stratified", split_seed=seed)
        for subset in ("training", "validation"):
            it = gen.flow_from_dataframe(
                frame, tmp_path, subset=subset, validate_filenames=False, verbose=0
            )
            found = {it.class_indices[name] for name in ("often", "x", "y", "z", "w", "rare")}
            assert found == {number for numbers in it.classes for number in numbers}


def test_rows_with_the_same_file_are_never_in_both_parts(tmp_path: Path) -> None:
    frame = pd.DataFrame({"filename": [f"{i % 20}.ppm" for i in range(60)], "class": ["a", "b"] * 30})
    for way in ("random", "stratified"):
        gen = generator(validation_split=0.3, split=way)
        found = [
            set(gen.flow_from_dataframe(
                frame, tmp_path, subset=subset, validate_filenames=False, verbose=0
            ).filenames)
            for subset in ("training", "validation")
        ]  # fmt: skip
        assert not found[0] & found[1]


def test_a_column_says_the_groups_and_numbers_with_gaps_are_numbers(folder: Path) -> None:
    by_name = by_frame(folder, "validation", validation_split=0.3, split="random", groups="who")
    by_function = by_frame(folder, "validation", validation_split=0.3, split="random", groups=patient)
    assert by_name.filenames == by_function.filenames
    frame = frame_of(folder)
    frame["who"] = [int(patient(name)[1:]) for name in frame["filename"]]
    gen = generator(validation_split=0.3, split="random", groups="who")
    whole = gen.flow_from_dataframe(frame, folder, subset="validation", verbose=0).filenames
    frame["who"] = frame["who"].astype(float)
    assert gen.flow_from_dataframe(frame, folder, subset="validation", verbose=0).filenames == whole


@pytest.mark.filterwarnings("ignore:Found 9 invalid")
def test_the_groups_of_rows_stay_with_them_when_rows_are_dropped(folder: Path) -> None:
    frame = frame_of(folder)
    frame["who"] = [patient(name) for name in frame["filename"]]
    frame.loc[::7, "filename"] = "missing.ppm"
    found = [
        generator(validation_split=0.3, split="random", groups=groups)
        .flow_from_dataframe(frame, folder, classes=["b", "a"], subset="training", verbose=0)
        .filenames
        for groups in ("who", frame["who"], frame["who"].tolist())
    ]
    assert found[0] == found[1] == found[2] != []


def test_batches_of_a_divided_array_hold_its_rows(tmp_path: Path) -> None:
    x = np.arange(40, dtype=np.float32).reshape(-1, 1, 1, 1)
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=x.shape)
    mapped[:] = x
    for images in (x, mapped):
        gen = ImageDataGenerator(validation_split=0.25, split="random", executor="threads")
        it = gen.flow(images, np.arange(40), subset="training", batch_size=64, shuffle=False)
        batch, targets = next(it)
        assert batch.ravel().tolist() == targets.tolist() == it.x.ravel().tolist() == it.y.tolist()
        it.close()


def test_the_limit_of_samples_applies_to_the_part(folder: Path) -> None:
    options = {"validation_split": 0.3, "split": "random"}
    whole = by_folder(folder, "training", **options).filenames
    few = by_folder(folder, "training", max_samples_per_class=3, **options).filenames
    assert few == [n for c in CLASSES for n in [n for n in whole if n.startswith(c)][:3]]


def test_a_function_that_lists_a_class_is_asked_for_all_of_it(folder: Path) -> None:
    asked = []

    def list_class(**given: Any) -> Any:
        asked.append(given["split"])
        return given["search_class"], [n for n in files_of(CLASSES) if n[0] == given["search_class"]]

    it = generator(validation_split=0.3, split="random").flow_from_directory(
        folder, subset="validation", verbose=0, list_valid_filenames_in_directory_function=list_class
    )
    other = by_folder(folder, "validation", validation_split=0.3, split="random")
    assert sorted(it.filenames) == sorted(other.filenames)
    assert asked == [None] * len(CLASSES)
    assert it.split is None


@pytest.mark.parametrize("flow", FLOWS)
def test_the_state_of_another_split_is_refused(folder: Path, flow: Callable[..., Any]) -> None:
    def train(**options: Any) -> Any:
        return flow(folder, "training", **{"validation_split": 0.3, "split": "random", **options})

    state = train().state_dict()
    train().load_state_dict(state)
    for options in (
        {"split": "stratified"},
        {"split_seed": 1},
        {"validation_split": None, "fold": (0, 3)},
    ):
        with pytest.raises(StateMismatchError, match="split was 'random, split_seed=0"):
            train(**options).load_state_dict(state)
    with pytest.raises(StateMismatchError, match="split was None and is 'random"):
        train().load_state_dict(train(split="sorted").state_dict())


def test_a_remote_folder_has_the_parts_of_a_local_one(folder: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/divided", recursive=True)
    for way in WAYS:
        local = by_folder(folder, "validation", validation_split=0.3, split=way, groups=patient)
        remote = by_folder(
            "memory://divided", "validation", validation_split=0.3, split=way, groups=patient
        )  # type: ignore[arg-type]
        assert remote.filenames == [name.replace(os.sep, "/") for name in local.filenames]


def test_a_place_is_the_same_for_ever() -> None:
    division = Division(subset="validation", way="random", share=0.5, seed=7)
    rows = division.rows([f"a/{i}.png" for i in range(24)], None)
    assert rows.tolist() == [0, 1, 3, 4, 6, 7, 9, 11, 15, 22]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"split": "shuffled"}, "`split` must be 'sorted', 'random' or 'stratified'"),
        ({"split_seed": -1}, "`split_seed` must be an integer in 0"),
        ({"split_seed": None}, "`split_seed` must be an integer"),
        ({"fold": 3}, "fold=\\(0, 5\\)"),
        ({"fold": (5, 5)}, "an index in 0..count-1"),
        ({"fold": (0, 1)}, "a count of at least 2"),
        ({"fold": (0, 5), "validation_split": 0.2}, "Leave out one of them"),
        ({"groups": 5}, "`groups` must be the name of a column"),
        ({"groups": np.zeros((2, 2))}, "`groups` must be the name of a column"),
    ],
)
def test_wrong_options_are_refused_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        ImageDataGenerator(**options)


def test_wrong_groups_are_refused_with_what_is_allowed(folder: Path) -> None:
    options: dict[str, Any] = {"validation_split": 0.3, "split": "random"}
    with pytest.raises(TypeError, match="a function of the file name, for flow_from_directory"):
        by_folder(folder, "training", groups="who", **options)
    with pytest.raises(KeyError, match=r"no column 'whom' \(groups\). Did you mean groups='who'"):
        by_frame(folder, "training", groups="whom", **options)
    with pytest.raises(ValueError, match="there are 61 rows, and it has 2 entries"):
        by_frame(folder, "training", groups=[1, 2], **options)
    with pytest.raises(TypeError, match="a function of the file name, for flow_from_directory"):
        by_folder(folder, "training", groups=[1, 2], **options)
    with pytest.raises(ValueError, match="each sample, but that of 'a/p0_00"):
        by_folder(folder, "training", groups=lambda name: None, **options)
    with pytest.raises(IndexError) as caught:
        by_folder(folder, "training", groups=lambda name: name.split("/")[7], **options)
    assert "file name 'a/p0_00.ppm'" in caught.value.__notes__[0]
    x = np.zeros((4, 1, 1, 3))
    with pytest.raises(ValueError, match="there are 4 images, and it has 3 entries"):
        generator(groups=[1, 2, 3], **options).flow(x, subset="training")
    with pytest.raises(TypeError, match="an array with the group of each image, for flow"):
        generator(groups="who", **options).flow(x, subset="training")


@pytest.mark.parametrize("y", [None, np.linspace(0, 1, 4), np.array([[0.5, 0.5]] * 4)])
def test_targets_that_are_no_classes_cannot_be_stratified(y: Any) -> None:
    with pytest.raises(ValueError, match='split="stratified" needs samples with classes'):
        generator(validation_split=0.5, split="stratified").flow(
            np.zeros((4, 1, 1, 3)), y, subset="training"
        )


def test_an_empty_part_is_told() -> None:
    gen = generator(validation_split=0.001, split="random")
    with pytest.warns(UserWarning, match="The validation subset has no images: the split"):
        gen.flow(np.zeros((4, 1, 1, 3)), subset="validation")


def test_options_are_shown_and_copied() -> None:
    gen = generator(validation_split=0.2, split="random", split_seed=4, groups=patient)
    assert "split='random',\n    split_seed=4,\n    groups=patient" in repr(gen)
    assert "fold=(1, 5)" in repr(generator(fold=[1, 5]))
