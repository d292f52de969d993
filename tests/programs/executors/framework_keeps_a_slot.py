import gc
import sys

import numpy as np
from taking import way_of

from imageloom._executors.workers.shared_memory import SlotPool
from imageloom._pipeline.layout import BatchLayout

take, _ = way_of(sys.argv[1])

# Large enough and aligned, so that a framework that can go without a copy does.
pool = SlotPool(BatchLayout(rows=8, row_shape=(64, 64, 3), dtype="float32"), in_flight=2, kept=2)
slot = pool.lease()
(array,) = pool.hand_out(slot, 8)
array[...] = 3
taken = take(array)
del array
gc.collect()
others = []
while (other := pool.lease()) is not None:
    others.append(other)
    (array,) = pool.hand_out(other, 8)
    array[...] = 9
    del array
    if len(others) > 50:
        break
print("unchanged", bool((np.asarray(taken) == 3).all()))
del taken
gc.collect()
free = [pool.lease() for _ in range(4)]
print("free", sorted(free))
pool.close()
