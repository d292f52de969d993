import sys

from imageloom import ImageDataGenerator
from imageloom._api import engine

engine._may_compute_here = lambda *_: False  # worker processes compute from the first batch on

TALKS = sys.argv[2:] != ["silent"]


def talking(params, x, filename):
    if TALKS:
        print("hook:", filename, flush=True)
        print("complaint:", filename, file=sys.stderr)
    return x


generator = ImageDataGenerator(cores=1, preprocessing_function=talking)
with generator.flow_from_directory(sys.argv[1], (8, 8), batch_size=8, shuffle=False) as it:
    for _ in range(3):
        next(it)
