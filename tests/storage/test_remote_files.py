"""Class folders and data frames by URL: on S3 (moto's, over HTTP), in archives, in memory."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import (
    AUGMENTED,
    BATCH,
    BATCHES,
    SAMPLES,
    SEED,
    SIZE,
    assert_same_batches,
    flow,
    take,
)
from PIL import Image
from remote_support import PLACES, remote, tarred, zipped
from s3_support import BUCKET, S3, needs_s3, upload

from imageloom import (
    ImageDataGenerator,
    InvalidArgumentError,
    MissingDirectoryError,
    StateMismatchError,
    load_img,
)
from imageloom._storage import stamps

fsspec = pytest.importorskip("fsspec")
pytestmark = needs_s3


# The same batches as from a disk


@pytest.mark.parametrize("executor", ["serial", "threads"])
@pytest.mark.parametrize("place", PLACES)
def test_batches_are_those_of_the_local_folder(
    place: str, executor: str, places: dict[str, str], crops: Path
) -> None:
    local = flow(crops, **AUGMENTED)
    with remote(places[place], executor, **AUGMENTED) as it:
        assert it.filenames == local.filenames
        assert it.class_indices == local.class_indices
        assert_same_batches(take(it, BATCHES + 2), take(local, BATCHES + 2))


def test_worker_processes_read_by_themselves(places: dict[str, str], crops: Path, s3: S3) -> None:
    """They learn of the endpoint, which stands in fsspec's settings of this process."""
    expected = take(flow(crops, **AUGMENTED), BATCHES + 2)
    generator = ImageDataGenerator(cores=2, **AUGMENTED)
    with ExitStack() as opened:  # all of them: so long the workers stay
        for place, url in places.items():
            if place == "memory":
                continue
            it = generator.flow_from_directory(url, SIZE, batch_size=BATCH, seed=SEED)
            opened.enter_context(it)
            s3.requests.clear()
            assert_same_batches(take(it, BATCHES + 2), expected)
            assert s3.count("GET /data?") == 0, "workers list nothing"
            assert place == "cached" or s3.count("HEAD") == 0
            assert it.report().stages["fetch"] > 0


@pytest.mark.parametrize("executor", ["processes", "ray"])
def test_memory_is_of_one_process(executor: str, places: dict[str, str]) -> None:
    it = remote(places["memory"], executor)
    with pytest.raises(InvalidArgumentError, match='executor="threads"'):
        next(it)
    it.close()


@pytest.mark.parametrize("place", ["s3", "zip", "tar"])
def test_order_and_classes_are_those_of_the_same_tree_on_a_disk(
    place: str, class_folder: Path, tmp_path: Path, s3: S3
) -> None:
    """Keras' order (see test_directory_source): folders by path, files by name in each."""
    tree = tmp_path / "tree"
    for path in class_folder.rglob("*"):
        if path.is_file():
            for target in (
                tree / path.relative_to(class_folder),
                tree / "chelsea" / "nested-b" / path.name,
            ):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
    for name in ("a.npy", "b.npy", "c.NPY", "notes.txt"):
        (tree / "arrays" / "deep").mkdir(parents=True, exist_ok=True)
        np.save(tree / "arrays" / "deep" / "x.npy", np.zeros((4, 4, 3), np.uint8))
        (tree / "arrays" / name).write_bytes((tree / "arrays" / "deep" / "x.npy").read_bytes())
    (tree / "chelsea" / "array.npy").write_bytes(b"")  # beside images: not listed
    url = {
        "s3": lambda: upload(tree, f"tree-{place}"),
        "zip": lambda: f"zip://::{zipped(tree, tmp_path / 'x.zip')}",
        "tar": lambda: f"tar://images::{tarred(tree, tmp_path / 'x.tar')}",
    }[place]()
    generator = ImageDataGenerator(executor="serial", validation_split=0.4)
    for subset in (None, "training", "validation"):
        local, far = (generator.flow_from_directory(root, subset=subset) for root in (tree, url))
        assert far.filenames == local.filenames
        np.testing.assert_array_equal(far.classes, local.classes)
        assert far.class_indices == local.class_indices


def test_a_local_folder_is_joined_as_ever(crops: Path, places: dict[str, str]) -> None:
    assert flow(crops).filepaths[0] == str(crops / "astronaut" / "00.jpg")
    it = remote(places["zip on s3"])
    assert it.filepaths[0] == f"zip://images/astronaut/00.jpg::s3://{BUCKET}/crops.zip"
    assert load_img(it.filepaths[0]) == load_img(flow(crops).filepaths[0])


# Requests


def test_files_are_listed_by_folder_and_asked_for_once(places: dict[str, str], s3: S3) -> None:
    it = remote(places["s3"])
    assert s3.count("GET /data?") <= 2 + 3, "the folder's existence, its folders, each class"
    assert s3.count("HEAD") <= 1
    s3.requests.clear()
    take(it, BATCHES)
    assert len(s3.requests) == s3.count("GET /data/crops/") == SAMPLES
    assert len(set(s3.requests)) == SAMPLES


def test_a_file_of_an_archive_is_one_request(places: dict[str, str], s3: S3) -> None:
    for place in ("zip on s3", "tar on s3"):
        it = remote(places[place])
        assert len(s3.requests) < 8, "its size, and its index"
        s3.requests.clear()
        take(it, BATCHES)
        assert len(s3.requests) == SAMPLES
        s3.requests.clear()


def test_the_files_of_a_batch_are_asked_for_at_once(places: dict[str, str], s3: S3) -> None:
    meeting = threading.Barrier(BATCH)

    def wait(request: str) -> None:
        if request.startswith("GET /data/crops/"):
            meeting.wait(30)

    it = remote(places["s3"])
    s3.before = wait
    next(it)


@pytest.mark.parametrize("where", ["memory", "directory"])
def test_what_is_cached_is_not_fetched_again(
    where: str, places: dict[str, str], crops: Path, tmp_path: Path, s3: S3
) -> None:
    expected = take(flow(crops, **AUGMENTED), 2 * BATCHES)
    cache = "memory" if where == "memory" else tmp_path / "kept"
    it = remote(places["s3"], cache=cache, **AUGMENTED)
    received = take(it, BATCHES)
    s3.requests.clear()
    received += take(it, BATCHES)
    assert s3.requests == []
    assert_same_batches(received, expected)
    if where == "directory":
        again = remote(places["s3"], cache=cache, **AUGMENTED)
        assert_same_batches(take(again, BATCHES), expected[:BATCHES])
        assert s3.count("GET /data/crops/") == 0, "the listing tells that nothing has changed"


def test_a_cached_file_that_has_changed_is_fetched(own: str, tmp_path: Path, crops: Path) -> None:
    take(remote(own, cache=tmp_path), BATCHES)
    fsspec.filesystem("s3").put_file(str(crops / "cat" / "00.jpg"), f"{own}/cat/02.jpg")
    received = take(remote(own, cache=tmp_path), BATCHES)
    assert_same_batches(received, take(remote(own), BATCHES))


# Data frames


def frame(root: str, crops: Path) -> pd.DataFrame:
    names = [str(name) for name in flow(crops).filenames]
    cells = [
        f"{root}/{name}" if "::" not in root else root.replace("::", f"/{name}::", 1) for name in names
    ]
    return pd.DataFrame({"filename": cells, "class": [name.partition("/")[0] for name in names]})


@pytest.mark.parametrize("place", ["s3", "zip", "zip on s3", "memory"])
@pytest.mark.parametrize("cells", [True, False], ids=["URLs in cells", "URL of the directory"])
def test_frames(
    place: str,
    cells: bool,
    places: dict[str, str],
    crops: Path,
    s3: S3,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stamps, "_WORTH_LISTING", 7 if cells else 8)  # the smallest class has 6
    local = frame(str(crops), crops)
    root = places[place]
    far = frame(root, crops) if cells else frame("", crops)
    if not cells:
        far["filename"] = far["filename"].str.lstrip("/")
    missing = far["filename"][0].replace("00.jpg", "missing.jpg")
    far.loc[len(far)] = [missing, "cat"]
    generator = ImageDataGenerator(executor="threads", cores=2, validation_split=0.2, **AUGMENTED)
    options: dict[str, Any] = {"target_size": SIZE, "batch_size": BATCH, "seed": SEED}
    with pytest.warns(UserWarning, match="1 invalid"):
        it = generator.flow_from_dataframe(far, root, **options, subset="training")
    assert len(s3.requests) <= 3 + 6 + 3, "folders are listed where they have many files"
    expected = generator.flow_from_dataframe(local, **options, subset="training")
    with it, expected:
        assert_same_batches(take(it, BATCHES), take(expected, BATCHES))
    assert it.filepaths[0] == frame(root, crops)["filename"][len(local) // 5]


def test_local_and_remote_files_in_one_frame_with_masks(
    places: dict[str, str], crops: Path, tmp_path: Path, s3: S3
) -> None:
    masks = tmp_path / "masks"
    local = frame(str(crops), crops)
    for name in flow(crops).filenames:
        (masks / str(name)).parent.mkdir(parents=True, exist_ok=True)
        with Image.open(crops / str(name)) as image:
            image.convert("L").point(lambda v: v // 64).save((masks / str(name)).with_suffix(".png"))
    stems = [str(Path(str(name)).with_suffix(".png")) for name in flow(crops).filenames]
    local["mask"] = [str(masks / stem) for stem in stems]
    far_masks = upload(masks, "masks")
    far = local.copy()
    far["mask"] = [f"{far_masks}/{stem}" for stem in stems]
    far.loc[::2, "filename"] = frame(places["zip on s3"], crops)["filename"][::2]
    options: dict[str, Any] = {
        "y_col": "mask",
        "class_mode": "image",
        "target_size": SIZE,
        "seed": SEED,
    }
    for executor in ("serial", "processes"):
        generator = ImageDataGenerator(
            executor=executor, cores=2, rotation_range=20, horizontal_flip=True
        )
        with (
            generator.flow_from_dataframe(local, batch_size=BATCH, **options) as near,
            generator.flow_from_dataframe(far, places["s3"], batch_size=BATCH, **options) as it,
        ):
            assert_same_batches(take(it, BATCHES), take(near, BATCHES))


# The rest of the library


def test_a_state_belongs_to_the_files_as_they_were(own: str, crops: Path) -> None:
    expected = take(remote(own), BATCHES + 2)
    it = remote(own)
    take(it, 2)
    state = it.state_dict()
    other = remote(own)
    other.load_state_dict(state)
    assert_same_batches(take(other, BATCHES), expected[2:])
    fsspec.filesystem("s3").put_file(str(crops / "cat" / "00.jpg"), f"{own}/cat/02.jpg")
    with pytest.raises(StateMismatchError, match="files"):
        remote(own).load_state_dict(state)


def test_statistics_and_previews_and_kept_orders(
    places: dict[str, str], crops: Path, tmp_path: Path
) -> None:
    found = []
    for url in (str(crops), places["s3"]):
        generator = ImageDataGenerator(executor="threads", cores=2, featurewise_center=True)
        with generator.flow_from_directory(url, SIZE, batch_size=BATCH, seed=1) as it:
            generator.fit(it)
            sheet = it.preview()
            # Without its title, which names the folder.
            found.append((generator.mean, np.asarray(sheet.crop((0, 70, *sheet.size)))))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    orders = [remote(places[place], shuffle_index_dir=tmp_path) for place in ("s3", "s3", "zip")]
    assert orders[0].filenames == orders[1].filenames == orders[2].filenames
    assert orders[0].filenames != flow(crops).filenames
    assert sorted(map(str, orders[0].filenames)) == sorted(map(str, flow(crops).filenames))


def test_a_listing_is_never_an_old_one(own: str, crops: Path) -> None:
    assert len(remote(own).filenames) == SAMPLES
    # By another program: this process' file system does not hear of it.
    other = fsspec.filesystem("s3", skip_instance_cache=True)
    other.put_file(str(crops / "cat" / "00.jpg"), f"{own}/cat/99.jpg")
    assert len(remote(own).filenames) == SAMPLES + 1


@pytest.mark.parametrize("argument", ["cache", "save_to_dir", "shuffle_index_dir"])
def test_nothing_is_written_to_urls(argument: str, places: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=f"`{argument}` .*, not a URL"):
        next(remote(places["s3"], **{argument: f"s3://{BUCKET}/written"}))
    with pytest.raises(MissingDirectoryError, match="save_to_dir"):
        ImageDataGenerator().flow_from_directory(places["s3"], save_to_dir=places["s3"])


def test_names_of_one_file(places: dict[str, str], s3: S3) -> None:
    """A relative name and a URL may mean the same file."""
    names = ["cat/00.jpg", f"{places['s3']}/cat/00.jpg", "cat/00.jpg"]
    frame = pd.DataFrame({"filename": names})
    generator = ImageDataGenerator(executor="serial")
    it = generator.flow_from_dataframe(frame, places["s3"], class_mode=None, target_size=SIZE)
    assert it.filenames == names
    assert s3.count("HEAD") == 1
    x = next(it)
    np.testing.assert_array_equal(x[0], x[1])
    np.testing.assert_array_equal(x[0], x[2])
