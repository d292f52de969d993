"""`it.receipt()` and `it.verify(receipt)`, and states from which an iterator is made again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import AUGMENTED, BATCHES, SEED, SIZE, assert_same_batches, flow, take

from imageloom import (
    ArgumentTypeError,
    ImageDataGenerator,
    InvalidArgumentError,
    IteratorClosedError,
    Noise,
    StateMismatchError,
)
from imageloom._api.iterators.origins import decoded, encoded
from imageloom._api.rebuilding import rebuilt
from imageloom._sources import contents

X = np.random.RandomState(3).randint(0, 256, (11, 9, 9, 3)).astype("uint8")


def through_json(found: Any) -> Any:
    return json.loads(json.dumps(found))


@pytest.fixture
def images(crops: Path, tmp_path: Path) -> Path:
    """A copy of the images, to be changed."""
    return Path(shutil.copytree(crops, tmp_path / "images"))


def test_a_receipt_holds_elsewhere_and_changes_nothing(crops: Path, images: Path) -> None:
    it = flow(crops, **AUGMENTED)
    take(it, BATCHES + 2)
    state = it.state_dict()
    receipt = through_json(it.receipt())
    assert it.state_dict() == state
    assert [batch["position"] for batch in receipt["batches"]] == [0, 2, 5, BATCHES + 1]
    assert len(receipt["files"]) == 23
    assert {"imageloom", "python", "numpy", "pillow"} <= receipt["versions"].keys()
    other = flow(images, **AUGMENTED, cache="memory")
    assert other.verify(receipt) == []
    assert other.total_batches_seen == 0


def test_what_differs_is_named(images: Path) -> None:
    it = flow(images, **AUGMENTED, shuffle=False)
    receipt = through_json(it.receipt(2))
    content = (images / "cup" / "05.png").read_bytes()
    (images / "cup" / "05.png").write_bytes((images / "cup" / "03.png").read_bytes())
    (changed, batch) = flow(images, **AUGMENTED, shuffle=False).verify(receipt)
    assert changed.startswith("the file 'cup/05.png': its content has changed")
    assert batch == f"batch {BATCHES - 1}: the images differ from those of the receipt"
    (images / "cup" / "05.png").write_bytes(content)
    (images / "cat" / "04.jpg").rename(images / "cat" / "99.jpg")
    found = flow(images, **AUGMENTED, shuffle=False).verify(receipt)
    assert "the file 'cat/04.jpg': not there" in found
    assert any("cat/99.jpg' is new" in each or "1 new" in each for each in found)
    (images / "cat" / "99.jpg").rename(images / "cat" / "04.jpg")
    assert flow(images, **AUGMENTED, shuffle=False).verify(receipt) == []


def test_arguments_seeds_and_versions_are_named(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = through_json(flow(crops, **AUGMENTED).receipt(1))
    receipt["versions"]["numpy"] = "1.0"
    assert flow(crops, **AUGMENTED).verify(receipt) == [], "another version with the same batches"
    found = flow(crops, **{**AUGMENTED, "rotation_range": 30}, seed=SEED + 1).verify(receipt)
    assert found[:2] == ["rotation_range was 20 and is 30", f"seed was {SEED} and is {SEED + 1}"]
    assert found[2].startswith("batch 0: the images")
    assert found[3].startswith("numpy was 1.0 and is ")
    monkeypatch.setattr("imageloom._pipeline.pipeline.Pipeline.run", _fails)
    (failed,) = flow(crops, **AUGMENTED).verify({**receipt, "versions": {}})[:1]
    assert failed.startswith("batch 0 cannot be computed: no room")


def _fails(*_: Any, **__: Any) -> Any:
    raise OSError("no room")


def test_arrays_are_compared_by_all_their_values() -> None:
    generator = ImageDataGenerator(**AUGMENTED, executor="serial")
    receipt = through_json(generator.flow(X, np.arange(11), 4, seed=1).receipt(1))
    assert generator.flow(X.copy(), np.arange(11), 4, seed=1).verify(receipt) == []
    other = X.copy()
    other[5, 3, 3, 0] += 1
    assert generator.flow(other, np.arange(11), 4, seed=1).verify(receipt)[0] == (
        "the values of the arrays have changed"
    )
    targets = generator.flow(X, np.arange(11)[::-1].copy(), 4, seed=1).verify(receipt)
    assert any("array 1 differs from that of the receipt" in each for each in targets)


def test_without_contents_only_names_and_sizes_count(images: Path) -> None:
    receipt = flow(images).receipt(1, contents=False)
    file = images / "cat" / "00.jpg"
    file.write_bytes(file.read_bytes() + b"\0")
    assert any("'cat/00.jpg'" in each for each in flow(images).verify(receipt))


def test_large_sets_have_groups_of_files(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "_GROUPS", 5)
    receipt = through_json(flow(images).receipt(1))
    assert [group[1] for group in receipt["files"]] == [5, 5, 5, 5, 3]
    assert flow(images).verify(receipt) == []
    shutil.copy(images / "cat" / "00.jpg", images / "cat" / "zz.jpg")
    found = [each for each in flow(images).verify(receipt) if "files from" in each]
    assert len(found) == 1
    assert "one of them at least is new, missing or changed (5 files" in found[0]


def test_the_statistics_of_fit_come_with_it(crops: Path) -> None:
    it = flow(crops, featurewise_center=True, featurewise_std_normalization=True)
    it.image_data_generator.fit(it, verbose=False)
    receipt = through_json(it.receipt(1))
    again = rebuilt(receipt, instead="", executor="serial")
    assert again.verify(receipt) == []


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        ([], ArgumentTypeError, "received list"),
        ({}, InvalidArgumentError, "not a receipt"),
        ({"format": "imageloom-receipt", "version": 2}, StateMismatchError, "has version 2"),
        ({"format": "imageloom-receipt", "version": 1}, InvalidArgumentError, "damaged"),
    ],
)
def test_what_is_no_receipt(wrong: Any, kind: type[Exception], words: str, crops: Path) -> None:
    with pytest.raises(kind, match=words):
        flow(crops).verify(wrong)


def test_a_damaged_receipt_says_so(crops: Path) -> None:
    receipt = flow(crops).receipt(1)
    for name in ("files", "batches", "state", "versions"):
        for damage in (None, 3, [3]):
            with pytest.raises(InvalidArgumentError, match="damaged"):
                flow(crops).verify({**receipt, name: damage})


def test_closed_iterators_and_wrong_numbers(crops: Path) -> None:
    it = flow(crops)
    for wrong in (0, -1, 1.5, "3"):
        with pytest.raises((InvalidArgumentError, ArgumentTypeError), match="`batches` must be"):
            it.receipt(wrong)  # type: ignore[arg-type]
    it.close()
    with pytest.raises(IteratorClosedError):
        it.receipt()


# States and receipts as the source of an iterator


@pytest.mark.parametrize("kind", ["directory", "frame"])
def test_an_iterator_is_made_again_from_its_state(kind: str, crops: Path, tmp_path: Path) -> None:
    options = {
        **AUGMENTED,
        "noise": ["gauss", Noise("speckle", var=0.02)],
        "validation_split": 0.3,
        "width_shift_range": [1, 2],
        "height_shift_range": [1, 2],
        "max_samples_per_class": 7,
    }
    generator = ImageDataGenerator(**options, executor="serial")
    of_files = {"target_size": SIZE, "batch_size": 5, "subset": "training", "color_mode": "grayscale"}
    table = tmp_path / "table.csv"
    if kind == "directory":
        it = generator.flow_from_directory(crops, **of_files, classes=["cup", "cat"])
    else:
        pd = pytest.importorskip("pandas")
        files = sorted(str(path.relative_to(crops)) for path in crops.rglob("*.[jp][pn]g"))
        pd.DataFrame({"name": files, "a": range(len(files)), "b": 1.5}).to_csv(table)
        it = generator.flow_from_dataframe(
            pd.read_csv(table), crops, "name", ["a", "b"], class_mode="multi_output", **of_files
        )
    it.batch_size = 3
    seen = take(it, 9)
    state = through_json(it.state_dict())
    again = rebuilt(state, table=table if kind == "frame" else None, instead="", executor="serial")
    assert type(again) is type(it)
    again.load_state_dict(state)
    for place in (8, 0, 4):
        batch, right = again.batch(place), seen[place]
        np.testing.assert_array_equal(batch[0], right[0])
        np.testing.assert_array_equal(np.asarray(batch[1]), np.asarray(right[1]))
    if kind == "frame":
        with pytest.raises(InvalidArgumentError, match="--table"):
            rebuilt(state, instead="")


def test_what_is_no_data_is_named(crops: Path) -> None:
    hooked = flow(crops, preprocessing_function=np.flipud).state_dict()
    with pytest.raises(
        InvalidArgumentError, match=r"\(numpy.flipud\). In Python, where they are, do it"
    ):
        rebuilt(hooked, instead="do it")
    arrays = ImageDataGenerator().flow(X, None).state_dict()
    with pytest.raises(InvalidArgumentError, match=r"needs x. In Python, where they are, do it"):
        rebuilt(through_json(arrays), instead="do it")

    class Own(ImageDataGenerator):
        def standardize(self, x: Any) -> Any:
            return x

    own = Own(executor="serial").flow_from_directory(crops).state_dict()
    with pytest.raises(InvalidArgumentError, match="the method standardize"):
        rebuilt(own, instead="")


def test_options_of_subsets_and_of_new_steps_come_along(crops: Path) -> None:
    """What is no number any more, such as a function of groups, is named."""
    options: dict[str, Any] = {
        "split": "random",
        "split_seed": 3,
        "fold": (1, 3),
        "random_crop": {"scale": (0.5, 1.0)},
        "hue_range": 0.1,
        "random_erasing": 0.5,
        "jpeg_quality_range": (30, 90),
    }
    it = flow(crops, **options, subset="training")
    state = through_json(it.state_dict())
    again = rebuilt(state, instead="", executor="serial")
    again.load_state_dict(state)
    assert_same_batches([again.batch(3)], [it.batch(3)])
    groups = flow(crops, groups=len, split="random", validation_split=0.3).state_dict()
    with pytest.raises(InvalidArgumentError, match="needs groups"):
        rebuilt(groups, instead="")


def test_a_state_writes_and_imports_nothing(crops: Path, tmp_path: Path) -> None:
    it = flow(crops, save_to_dir=str(tmp_path / "saved"), cache=str(tmp_path / "cache"))
    state = through_json(it.state_dict())
    text = json.dumps(state["origin"])
    assert "saved" not in text
    assert "cache" not in text
    assert not (tmp_path / "cache").exists()


def test_index_files_must_be_there(crops: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    it = ImageDataGenerator(executor="serial").flow_from_directory(
        crops, target_size=SIZE, shuffle_index_dir=folder, seed=1
    )
    state = through_json(it.state_dict())
    again = rebuilt(state, instead="", executor="serial")
    assert_same_batches([again.batch(1)], [it.batch(1)])
    shutil.rmtree(folder)
    with pytest.raises(InvalidArgumentError, match="index files"):
        rebuilt(state, instead="")
    assert not folder.exists(), "nothing is written"


@pytest.mark.parametrize(
    "damage", [None, 3, {}, {"iterator": "DirectoryIterator"}, {"iterator": [], "missing": 3}]
)
def test_damaged_origins(damage: Any, crops: Path) -> None:
    state = flow(crops).state_dict()
    with pytest.raises(InvalidArgumentError, match="state"):
        rebuilt({**state, "origin": damage}, instead="")


def test_arguments_of_a_newer_release_are_told(crops: Path) -> None:
    state = flow(crops).state_dict()
    state["origin"]["arguments"]["sharpness"] = 3
    with pytest.raises(InvalidArgumentError, match="newer imageloom"):
        rebuilt(state, instead="")


def test_values_come_back_as_they_were() -> None:
    values = [1, 2.5, None, True, "a", (1, [2, (3,)]), {"tuple": [1]}, Noise("s&p", amount=0.2), {}]
    assert decoded(through_json(encoded(values))) == values
    assert encoded(np.float64(0.5)) == 0.5
    for wrong in ({"tuple": 3}, {"other": 1}, {"a": 1, "b": 2}):
        with pytest.raises(InvalidArgumentError, match="not what a state has"):
            decoded(wrong)


def test_old_states_still_load(crops: Path) -> None:
    it = flow(crops, **AUGMENTED)
    expected = take(it, 5)
    state = flow(crops, **AUGMENTED).state_dict()
    del state["origin"]
    again = flow(crops, **AUGMENTED)
    again.load_state_dict({**state, "position": 3})
    assert_same_batches(take(again, 2), expected[3:])
    with pytest.raises(InvalidArgumentError, match="older imageloom"):
        rebuilt(state, instead="")
