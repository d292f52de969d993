"""Time the listing of a very large data set: by Keras, by ours without and with an index.

The folder has hard links to a few small photographs. Every number is measured in a new process: the
seconds until the iterator exists, and the growth of peak memory during that time (on Linux). The
last rows are the size of what a worker receives, and the time of the first batch.

    python benchmarks/listing.py                  a million files in ten classes
    python benchmarks/listing.py --files 20000    a quick look
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import keep
from PIL import Image
from skimage import data
from tqdm import tqdm

CLASSES = 10
LINKS_PER_FILE = 30_000  # file systems allow some 65,000 names for one file
ROUNDS = 3

_MEASURE = """
import json, pathlib, sys, time
{imports}
def peak():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
generator = ImageDataGenerator({options})
pathlib.Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
start, before = time.perf_counter(), peak()
iterator = generator.flow_from_directory(sys.argv[1], target_size=(32, 32))
seconds = time.perf_counter() - start
grown = peak() - before
{more}
print(json.dumps(dict(seconds=seconds, grown_mib=grown, files=iterator.n, **figures)))
"""
_KERAS = {
    "imports": "from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator",
    "options": "",
    "more": "figures = {}",
}
_OURS = {
    "imports": "from imageloom import ImageDataGenerator\nimport cloudpickle",
    "options": "cores=2",
    "more": """
generator = iterator.image_data_generator
recipe = iterator._plan.recipe(generator._freeze(), iterator.batch_size)
start = time.perf_counter()
next(iterator)
figures = dict(
    first_batch_seconds=time.perf_counter() - start,
    sent_to_a_worker_kib=len(cloudpickle.dumps(recipe)) / 1024,
)
iterator.close()
""",
}


def make_folder(root: Path, files: int) -> None:
    """Make a data set of so many links, evenly in the classes."""
    sources = root.parent / "sources"
    sources.mkdir()
    photograph = Image.fromarray(data.chelsea()).resize((40, 30))
    for number in range(CLASSES):
        (root / f"class{number}").mkdir(parents=True)
    for i in tqdm(range(files), desc="linking", unit="files", unit_scale=True):
        if i % LINKS_PER_FILE == 0:
            source = sources / f"{i}.jpg"
            photograph.save(source)
        os.link(source, root / f"class{i % CLASSES}" / f"photograph-{i:08d}.jpg")


def measure(program: dict[str, str], root: Path) -> dict[str, float]:
    """Measure in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _MEASURE.format(**program), str(root)],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "IMAGELOOM_CACHE_DIR": str(root.parent / "cache"),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of every number."""
    return {name: round(statistics.median(r[name] for r in rounds), 3) for name in rounds[0]}


def main() -> None:
    """Measure and print the results; save those of the full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    runs: dict[str, list[dict[str, float]]] = {"keras": [], "listed": [], "from index": []}
    with tempfile.TemporaryDirectory(prefix="imageloom-listing-") as folder:
        root = Path(folder, "photographs")
        make_folder(root, options.files)
        for _ in range(options.rounds):
            runs["keras"].append(measure(_KERAS, root))
            shutil.rmtree(root.parent / "cache", ignore_errors=True)
            runs["listed"].append(measure(_OURS, root))
            runs["from index"].append(measure(_OURS, root))
    summary = {name: medians(rounds) for name, rounds in runs.items()}
    for name, figures in summary.items():
        print(f"{name:12}", *(f"{key} {value:,}" for key, value in figures.items()), sep="  ")
    if options.files == parser.get_default("files"):
        keep("listing", {"rounds": options.rounds, "medians": summary})


if __name__ == "__main__":
    main()
