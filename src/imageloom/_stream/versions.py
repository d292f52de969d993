"""The order of test-time augmentation: n versions of each sample, one after the other.

A batch has all versions of as many samples as fit into the iterator's batch size, at least of one. The
seed of a batch depends on its number in the pass alone, so all passes are the same. Shard r of c has
the batches r, r + c, ...; none is left out, so some shards may have one more.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._pipeline.recipe import BatchSpec
from imageloom._pipeline.seeds import StreamPurpose
from imageloom._sources.base import SampleSource
from imageloom._stream.order import OrderOptions, Sampler, StreamOrder

__all__ = ["VersionsOrder"]


class _VersionsSampler(Sampler):
    """Computes the samples and the seed of each batch of versions."""

    def __init__(self, samples: int, batch_size: int, versions: int, seed: int, **given: Any) -> None:
        super().__init__(samples * versions, batch_size, shuffle=False, seed=seed, **given)
        self._versions = versions

    def __len__(self) -> int:
        return max(0, math.ceil((self._batches - self.shard) / self.shards))

    def spec(self, position: int) -> BatchSpec:
        """The samples and the seed of a position, the same in each pass."""
        index = position % (len(self) or 1) * self.shards + self.shard
        first = min(index * self.batch_size, self.samples)
        rows = np.arange(first, min(first + self.batch_size, self.samples), dtype=np.int64)
        return BatchSpec(
            position=position,
            index=index,
            indices=rows // self._versions,
            seed=self._seed(0, index),
            permuted=0,
        )


class VersionsOrder(StreamOrder):
    """The order of n versions of each sample of a data set.

    Attributes:
        versions: how many there are of each sample.
    """

    def __init__(
        self, source: SampleSource, versions: int, batch_size: int, seed: int, shard: tuple[int, int]
    ) -> None:
        """`batch_size` and `seed` are those of the iterator; the versions have a seed of their own."""
        words = np.random.SeedSequence((seed, StreamPurpose.TEST_TIME)).generate_state(1)
        super().__init__(
            source,
            max(1, batch_size // versions) * versions,
            OrderOptions(shuffle=False, seed=int(words[0])),
        )
        self.versions = versions
        self.shard = shard
        self.set_samples(len(source) * versions)

    def __len__(self) -> int:
        return len(self.sampler())

    @property
    def samples_in_order(self) -> NDArray[np.int64]:
        """The sample numbers of this shard, each once."""
        specs = [self.sampler().spec(p).indices[:: self.versions] for p in range(len(self))]
        return np.concatenate([np.empty(0, np.int64), *specs])

    def sampler_from(self, seen: int, rest: Any = None) -> Sampler:
        """A sampler; nothing is ever assigned that would shift it."""
        del seen, rest
        return _VersionsSampler(
            self.samples // self.versions,
            self.batch_size,
            self.versions,
            self.seed,
            shard=self.shard,
        )
