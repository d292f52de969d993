"""`imageloom replay` and `imageloom verify`, and the pictures of `it.replay`."""

from __future__ import annotations

import functools
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_support import GEOMETRY, box_frame, boxes_of, corrected
from box_support import SIZE as BOX_SIZE
from command_line import run
from executor_support import AUGMENTED, BATCH, SIZE, file_at, flow, take
from PIL import Image
from programs import run_program

from imageloom import ImageDataGenerator, InvalidArgumentError


@pytest.fixture
def saved(crops: Path, tmp_path: Path) -> Path:
    """The state of a run after nine steps."""
    it = flow(crops, **AUGMENTED, featurewise_center=True)
    it.image_data_generator.fit(it, verbose=False)
    take(it, 9)
    path = tmp_path / "state.json"
    path.write_text(json.dumps(it.state_dict()))
    return path


def test_a_step_is_shown_with_files_targets_and_draws(saved: Path, crops: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    result = run("replay", saved, "--step", 7, "-o", out)
    lines = result.stdout.splitlines()
    assert not result.stderr
    assert lines[-1] == str(out)
    assert lines[0].split() == ["file", "target"]
    it = flow(crops, **AUGMENTED)
    for row, line in enumerate(lines[1:-1]):
        name = file_at(it, 7, row)
        assert line.split()[:2] == [name, name.partition("/")[0]]
        assert "rotate" in line
    assert len(lines) == BATCH + 2
    with Image.open(out) as sheet:
        assert sheet.width > 400
    found = json.loads(run("replay", saved, "--step", 7, "-o", out, "--json").stdout)
    assert found["step"] == 7
    assert [sample["file"] for sample in found["samples"]] == [file_at(it, 7, r) for r in range(BATCH)]
    assert {"seed", "parameters", "target", "drawn"} <= found["samples"][0].keys()


def test_the_pictures_are_those_of_the_batch(crops: Path) -> None:
    """What is shown, times the rescaling, is what the batch has."""
    from imageloom._preview import replayed

    it = flow(crops, **{**AUGMENTED, "rescale": 0.5}, class_mode="sparse")
    past = it._past_batch(8)
    recipe = it._views()._recipe()
    images = replayed._batch_images(recipe, it._plan.source, past.spec, [""] * BATCH)
    shown = np.stack([one.versions[0].image for one in images])
    np.testing.assert_allclose(shown * np.float32(0.5), past.batch[0], rtol=1e-5, atol=1e-4)
    sheet = it.replay(8)
    assert [version["target"] for version in sheet.info["versions"]] == [
        one.class_name for one in images
    ]


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.arange(6) / 4, "target 0.75"),
        (np.eye(6), "class 3"),
        (np.ones((6, 3)), "[1, 1, 1]"),
        (np.ones((6, 5, 2)), "array of 5×2"),
        (None, ""),
    ],
)
def test_targets_of_arrays_in_words(y: Any, words: str) -> None:
    x = np.random.RandomState(0).randint(0, 255, (6, 8, 8, 3)).astype("uint8")
    generator = ImageDataGenerator(rotation_range=9, executor="serial", data_format="channels_last")
    weights = None if y is None else np.arange(6) / 2
    it = generator.flow(x, y, 2, shuffle=False, sample_weight=weights)
    first, second = it.replay(1).info["versions"]
    assert first["file"] == "image 2"
    assert second["target"] == (f"{words}, weight 1.5" if words else "")


def test_many_samples_stand_side_by_side() -> None:
    x = np.zeros((32, 8, 8, 3), "uint8")
    it = ImageDataGenerator(horizontal_flip=True, executor="serial").flow(x, None, 32)
    sheet = it.replay(0)
    assert 1400 < sheet.width < 2200
    assert sheet.height < 2600
    assert len(sheet.info["versions"]) == 32


def test_masks_and_channels_first(crops: Path) -> None:
    pd = pytest.importorskip("pandas")
    files = sorted(str(path) for path in (crops / "cat").glob("*.png"))
    frame = pd.DataFrame({"filename": files, "mask": files})
    it = ImageDataGenerator(rotation_range=9, data_format="channels_first", executor="serial")
    flow = it.flow_from_dataframe(frame, y_col="mask", class_mode="image", target_size=SIZE, seed=1)
    sheet = flow.replay(2)
    assert sheet.height > len(files) * 2 * 200, "each image, and its mask below"


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("mode", ["boxes", "keypoints"])
def test_boxes_and_points_are_shown_where_they_are_in_the_batch(
    data_format: str, mode: str, tmp_path: Path
) -> None:
    from imageloom._preview import replayed

    frame = box_frame(tmp_path)
    options: dict[str, Any] = {"rescale": 1 / 255, "data_format": data_format}
    generator = corrected(**GEOMETRY, **options)
    columns = "points" if mode == "keypoints" else "boxes"
    it = boxes_of(frame, tmp_path, generator, class_mode=mode, y_col=columns)
    past = it._past_batch(3)
    recipe = it._views()._recipe()
    images = replayed._batch_images(recipe, it._plan.source, past.spec, [""] * 4)
    words = [version["target"] for version in it.replay(3).info["versions"]]
    targets = past.batch[1]
    for row, image in enumerate(images):
        marks = image.versions[0].marks
        assert marks is not None
        assert image.marks is not None
        if mode == "boxes":
            there = targets["labels"][row] >= 0
            np.testing.assert_allclose(marks.boxes, targets["boxes"][row][there], atol=1e-4)
            assert len(image.marks.boxes) == len(frame["boxes"][past.spec.indices[row]])
        else:
            there = targets[row, :, 2] == 1
            np.testing.assert_allclose(marks.points, targets[row, there, :2] + 0.5, atol=1e-4)
        count, kind = int(there.sum()), "box" if mode == "boxes" else "point"
        assert words[row] in ("", f"{count} {kind}", f"{count} {kind}es", f"{count} {kind}s")
        assert (words[row] == "") == (count == 0)
        shape = image.versions[0].image.shape
        assert shape == (*BOX_SIZE, 1)


def test_whole_batches_of_functions_are_not_shown(crops: Path) -> None:
    def whole(index: int, names: Any, classes: Any, params: Any) -> Any:
        return index, (np.zeros((len(names), *SIZE, 3)), np.zeros(len(names)))

    it = flow(crops, get_batch_function=whole)
    with pytest.raises(InvalidArgumentError, match=r"it.batch\(position\)"):
        it.replay(0)


def test_the_data_may_lie_elsewhere_but_must_be_the_same(
    saved: Path, crops: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(crops, tmp_path / "moved"))
    out = tmp_path / "sheet.png"
    run("replay", saved, "--step", 3, "-o", out, "--data", moved)
    (moved / "cat" / "00.jpg").unlink()
    error = run("replay", saved, "--step", 3, "-o", out, "--data", moved, status=1).stderr
    assert "belongs to another stream of batches: files was" in error


def test_files_of_the_callbacks_and_receipts_are_read(crops: Path, tmp_path: Path) -> None:
    it = flow(crops, **AUGMENTED)
    out = tmp_path / "sheet.png"
    for content in ({"epoch": 1, "iterator": it.state_dict()}, it.receipt(1)):
        path = tmp_path / "saved.json"
        path.write_text(json.dumps(content))
        run("replay", path, "--step", 0, "-o", out)


@pytest.mark.parametrize("content", ["", "[1", "[]", '{"a": 1}', "[" * 100_000, "\0"])
def test_files_that_are_none(content: str, crops: Path, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(content)
    error = run("replay", path, "--step", 0, "-o", tmp_path / "a.png", status=1).stderr
    assert "no JSON file" in error or "no state of an iterator" in error
    error = run("verify", path, crops, status=1).stderr
    assert "no JSON file" in error or "not a receipt" in error


def test_functions_are_replayed_in_python(crops: Path, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(json.dumps(flow(crops, preprocessing_function=np.flipud).state_dict()))
    error = run("replay", path, "--step", 0, status=1).stderr
    assert "needs preprocessing_function (numpy.flipud). In Python, where they are," in error
    assert "it.replay(step)" in error


def test_steps_are_counted_from_0(saved: Path) -> None:
    for step in (-1, "x", 2**62):
        assert "--step" in run("replay", saved, "--step", step, status=2).stderr
    assert "--step" in run("replay", saved, status=2).stderr


def test_a_folder_is_verified(crops: Path, tmp_path: Path) -> None:
    it = flow(crops, **AUGMENTED, featurewise_center=True)
    it.image_data_generator.fit(it, verbose=False)
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(it.receipt(2)))
    moved = Path(shutil.copytree(crops, tmp_path / "moved"))
    same = run("verify", path, moved)
    assert same.stdout == "The same: 23 images, and 2 batches computed again.\n"
    assert not same.stderr
    (moved / "cat" / "01.png").write_bytes((moved / "cat" / "03.png").read_bytes())
    lines = run("verify", path, moved, status=1).stdout.splitlines()
    assert lines[0].startswith("the file 'cat/01.png': its content has changed")
    assert lines[-1] == "Not the same: 23 images, and 2 batches computed again."
    found = json.loads(run("verify", path, moved, "--json", status=1).stdout)
    assert found["same"] is False
    assert found["differences"][0] == lines[0]


def test_a_table_is_verified(crops: Path, tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    files = sorted(str(path.relative_to(crops)) for path in crops.rglob("*.[jp][pn]g"))
    table, path = tmp_path / "table.csv", tmp_path / "receipt.json"
    pd.DataFrame({"filename": files, "class": ["a", *"bc" * 11]}).to_csv(table)
    it = ImageDataGenerator(rotation_range=9, executor="serial").flow_from_dataframe(
        pd.read_csv(table), crops, target_size=SIZE, batch_size=BATCH
    )
    path.write_text(json.dumps(it.receipt(2)))
    assert "--table" in run("verify", path, crops, status=1).stderr
    run("verify", path, crops, "--table", table)
    pd.DataFrame({"filename": files, "class": ["c", *"bc" * 11]}).to_csv(table)
    assert "class_indices was" in run("verify", path, crops, "--table", table, status=1).stdout


@pytest.mark.parametrize("epsilon", [1e-6, 0.1])
def test_whitening_is_verified_with_its_statistics(epsilon: float, crops: Path, tmp_path: Path) -> None:
    options = {"zca_whitening": True, "zca_epsilon": epsilon, "featurewise_center": True}
    generator = ImageDataGenerator(executor="serial", rescale=0.5, **options)
    it = generator.flow_from_directory(crops, target_size=(4, 4), seed=1, interpolation="bilinear")
    generator.fit(it, verbose=False)
    receipt, statistics = tmp_path / "receipt.json", tmp_path / "statistics.npz"
    receipt.write_text(json.dumps(it.receipt(1)))
    assert it.verify(json.loads(receipt.read_text())) == []
    error = run("verify", receipt, crops, status=1).stderr
    assert "imageloom stats --zca" in error
    assert "with --statistics. Or in Python, make the iterator" in error
    run("replay", receipt, "--step", 0, "-o", tmp_path / "sheet.png")

    words = ["--size", 4, 4, "--rescale", "1/2", "--cores", 1, "--executor", "serial"]
    run("stats", crops, "-o", statistics, *words, "--zca", "--zca-epsilon", epsilon)
    verdict = run("verify", receipt, crops, "--statistics", statistics).stdout
    assert verdict == "The same: 23 images, and 1 batch computed again.\n"
    run("stats", crops, "-o", statistics, *words, "--zca", "--zca-epsilon", 7)
    lines = run("verify", receipt, crops, "--statistics", statistics, status=1).stdout.splitlines()
    assert lines[0].startswith("fitted zca_whitening_matrix was ")
    assert lines[1].startswith("batch 0: the images differ")
    run("stats", crops, "-o", statistics, *words)
    error = run("verify", receipt, crops, "--statistics", statistics, status=1).stderr
    assert "does not have the statistics that `zca_whitening` needs" in error


def test_means_of_a_file_take_the_place_of_those_of_the_receipt(crops: Path, tmp_path: Path) -> None:
    it = flow(crops, featurewise_center=True)
    it.image_data_generator.fit(it, verbose=False)
    receipt, statistics = tmp_path / "receipt.json", tmp_path / "statistics.npz"
    receipt.write_text(json.dumps(it.receipt(1)))
    size = ("--size", *SIZE, "--cores", 1, "--executor", "serial")
    run("stats", crops, "-o", statistics, *size, "--interpolation", "nearest")
    run("verify", receipt, crops, "--statistics", statistics)
    run("stats", crops, "-o", statistics, *size, "--interpolation", "lanczos")
    lines = run("verify", receipt, crops, "--statistics", statistics, status=1).stdout.splitlines()
    assert lines[0].startswith("fitted mean was ")


@pytest.mark.parametrize("model", ["resnet", "mobilenet", "densenet", "convnext"])
def test_functions_of_keras_models_are_verified(model: str, crops: Path, tmp_path: Path) -> None:
    applications = pytest.importorskip("keras").applications
    function = getattr(applications, model).preprocess_input
    it = flow(crops, **{**AUGMENTED, "rescale": None}, preprocessing_function=function)
    path = tmp_path / "receipt.json"
    found = it.receipt(1)
    path.write_text(json.dumps(found))
    assert found["state"]["origin"]["missing"] == []
    same = "The same: 23 images, and 1 batch computed again.\n"
    assert run("verify", path, crops).stdout == same
    if model == "resnet":
        done = run_program("cli/verify_without_keras.py", path, crops, cwd=tmp_path)
        assert (done.stdout, done.stderr) == (same, "")
    run("replay", path, "--step", 0, "-o", tmp_path / "sheet.png")

    other = json.loads(path.read_text())
    scaling = other["state"]["origin"]["options"]["preprocessing_function"]["preprocess_input"]
    assert scaling["model"] == model
    scaling["model"] = "inception_v3" if model != "mobilenet" else "vgg16"
    path.write_text(json.dumps(other))
    assert "batch 0: the images differ" in run("verify", path, crops, status=1).stdout
    for wrong in ({**scaling, "model": "os"}, {**scaling, "floatx": "O"}, {**scaling, "model": 3}, {}):
        other["state"]["origin"]["options"]["preprocessing_function"] = {"preprocess_input": wrong}
        path.write_text(json.dumps(other))
        assert "is not what a state has" in run("verify", path, crops, status=1).stderr


class Scale:
    """A function as an object."""

    def __call__(self, x: Any, by: float = 1) -> Any:
        return x * by


class Odd(Scale):
    """An object that cannot be asked for everything."""

    def __getattr__(self, name: str) -> Any:
        if name in ("__name__", "__qualname__"):
            raise ValueError(name)
        raise AttributeError(name)


def test_other_functions_are_named(crops: Path, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    for function, name in (
        (Scale(), "test_replay_and_verify.Scale"),
        (functools.partial(Scale(), by=2), "test_replay_and_verify.Scale"),
        (Odd(), "test_replay_and_verify.Odd"),
        (np.flipud, "numpy.flipud"),
    ):
        it = flow(crops, preprocessing_function=lambda x: x, noaug_preprocessing_function=function)
        path.write_text(json.dumps({**flow(crops).receipt(1), "state": it.state_dict()}))
        error = run("verify", path, crops, status=1).stderr
        assert ".<lambda>), noaug_preprocessing_function" in error
        assert f"noaug_preprocessing_function ({name}). In Python" in error
        assert ", where they are, make the iterator as there and call it.verify" in error
    grouped = flow(crops, groups=os.path.basename, validation_split=0.2).state_dict()
    path.write_text(json.dumps({**flow(crops).receipt(1), "state": grouped}))
    assert f"needs groups ({os.path.__name__}.basename)" in run("verify", path, crops, status=1).stderr
