import sys

from imageloom import ImageDataGenerator

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
