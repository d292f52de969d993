"""Small programs in which each call of the system is to fail once. Each returns digests of what it got.

`place` is an empty folder for what the program writes, and `make` makes a generator.
"""

import hashlib
import json
import os
import shutil

import numpy as np
import pandas as pd
from PIL import Image

from imageloom._imaging.normalise import FeatureStatistics
from imageloom._imaging.statistics_file import save_statistics

FLOW = {"target_size": (10, 12), "batch_size": 2, "seed": 3}
AUGMENTED = {"rotation_range": 20, "horizontal_flip": True, "brightness_range": (0.7, 1.2)}
SAMPLES = 6
BATCHES = SAMPLES // 2


def write_images(folder):
    """Two classes of three images."""
    for number in range(SAMPLES):
        place = folder / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        ramp = np.linspace(0, 40 * (number + 1), 14 * 11 * 3).reshape(14, 11, 3)
        kind = ("jpg", "png")[number > 2]
        Image.fromarray(ramp.astype("uint8")).save(place / f"{number}.{kind}")
    for place in (
        folder,
        *folder.iterdir(),
    ):  # an index does not count if its folder was changed just now
        os.utime(place, (10**9, 10**9))
    return folder


def digests(arrays):
    return [
        hashlib.sha256(repr((a.dtype, a.shape)).encode() + a.tobytes()).hexdigest()[:12] for a in arrays
    ]


def read(it, batches=BATCHES):
    return digests([array for _ in range(batches) for array in next(it)])


def an_epoch_of_a_folder(images, place, make):
    got = []
    for _ in range(2):  # the second one finds the index
        with make(**AUGMENTED).flow_from_directory(images, **FLOW) as it:
            got += read(it, BATCHES + 1)
    return got


def random_access(images, place, make):
    with make(**AUGMENTED).flow_from_directory(images, **FLOW) as it:
        return digests([array for i in (2, 0, 1) for array in it[i]])


def arrays(images, place, make):
    x = np.arange(SAMPLES * 10 * 12 * 3, dtype="float32").reshape(SAMPLES, 10, 12, 3) % 255
    with make(**AUGMENTED).flow(x, np.arange(SAMPLES), batch_size=2, seed=3) as it:
        return read(it)


def a_mapped_array(images, place, make):
    path = place / "x.npy"
    np.save(path, np.arange(SAMPLES * 10 * 12 * 3, dtype="uint8").reshape(SAMPLES, 10, 12, 3))
    x = np.load(path, mmap_mode="r")
    with make(**AUGMENTED).flow(x, np.arange(SAMPLES), batch_size=2, seed=3) as it:
        return read(it)


def a_frame(images, place, make):
    files = sorted(str(path) for path in images.rglob("*.*"))
    frame = pd.DataFrame({"filename": files, "class": [path.split("/")[-2] for path in files]})
    with make(**AUGMENTED).flow_from_dataframe(frame, **FLOW) as it:
        return read(it)


def a_cache_in_memory(images, place, make):
    with make(cache="memory", **AUGMENTED).flow_from_directory(images, **FLOW) as it:
        return read(it, 2 * BATCHES)


def a_cache_on_disk(images, place, make):
    got = []
    for _ in range(2):
        with make(cache=str(place / "cache"), **AUGMENTED).flow_from_directory(images, **FLOW) as it:
            got += read(it, 2 * BATCHES)
    return got


def a_saved_state(images, place, make):
    with make(**AUGMENTED).flow_from_directory(images, **FLOW) as it:
        got = read(it, 2)
        state = json.dumps(it.state_dict())
    with make(**AUGMENTED).flow_from_directory(images, **FLOW) as it:
        it.load_state_dict(json.loads(state))
        return got + read(it, 2)


def pictures_saved(images, place, make):
    folder = place / "saved"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with make().flow_from_directory(images, save_to_dir=folder, save_format="png", **FLOW) as it:
        got = read(it)
    return got + [
        hashlib.sha256(file.read_bytes()).hexdigest()[:12] + file.name
        for file in sorted(folder.iterdir())
    ]


def statistics(images, place, make):
    path = place / "statistics.npz"
    options = {"featurewise_center": True, "featurewise_std_normalization": True}
    generator = make(**options)
    with generator.flow_from_directory(images, **FLOW) as it:
        generator.fit(it)
    found = generator.mean, generator.std
    save_statistics(FeatureStatistics(mean=found[0], std=found[1]), path)
    again = make(**options)
    again.fit(path)
    with again.flow_from_directory(images, **FLOW) as it:
        return digests([*found, again.mean, again.std]) + read(it)


def an_index_in_a_folder(images, place, make):
    got = []
    for _ in range(2):
        flow = make().flow_from_directory(images, shuffle_index_dir=str(place / "indexes"), **FLOW)
        with flow as it:
            got += read(it)
    return got


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        a_cache_in_memory,
        a_cache_on_disk,
        a_frame,
        a_mapped_array,
        a_saved_state,
        an_epoch_of_a_folder,
        an_index_in_a_folder,
        arrays,
        pictures_saved,
        random_access,
        statistics,
    )
}
