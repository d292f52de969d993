import itertools
import os
import tempfile
from pathlib import Path

import numpy as np
from telling import ARGUMENTS, tell, workers

from imageloom import ImageDataGenerator, ImageLoomError

executor, mode, what, form = ARGUMENTS
path = Path(tempfile.mkdtemp()) / "x.npy"
np.save(path, np.random.default_rng(0).integers(0, 255, (60, 40, 40, 3), dtype=np.uint8))
x = np.load(path, mmap_mode=mode)
x = {"plain": x, "turned": x[::-1, ::-1], "scattered": x.transpose(1, 0, 2, 3)}[form]


def images(generator):
    return generator.flow(x, batch_size=4, seed=1)


def labels(generator):
    return generator.flow(np.zeros(x.shape, "uint8"), x, batch_size=4, seed=1)


calls = itertools.count()


def cut_meanwhile(image):
    """Makes the file shorter at a moment when the only thread that computes does not read it."""
    if next(calls) == 20:
        os.truncate(path, 5000)
    return image


generator = ImageDataGenerator(executor=executor, cores=2, featurewise_center=True)
generator.mean = 0.0
cut_by_thread = executor == "threads" and what == "images"
if cut_by_thread:
    generator.cores, generator.preprocessing_function = 1, cut_meanwhile
if what != "fit":
    it = {"images": images, "labels": labels}[what](generator)
    next(it)
if not cut_by_thread:
    os.truncate(path, 5000)
said = []
try:
    if what == "fit":
        generator.fit(x)
    else:
        for _ in range(40):
            next(it)
except ImageLoomError as error:
    said.append(str(error))
if what != "fit":
    tell(workers=workers())
    it.close()
tell(said=said, name=str(path))
