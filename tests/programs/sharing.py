"""One of several processes that share a stream."""

import sys

from imageloom import ImageDataGenerator

folder, rank, place = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def flow(shard):
    generator = ImageDataGenerator(
        cores=1, rotation_range=20, horizontal_flip=True, rescale=1 / 255, max_samples_per_class=3
    )
    return generator.flow_from_directory(
        folder, (8, 8), color_mode="grayscale", batch_size=2, seed=5, shard=shard
    )
