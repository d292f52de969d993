import json
import os
import sys

import numpy as np
from sharing import flow, place, rank

os.environ["KERAS_BACKEND"] = "jax"
import jax

jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(place, num_processes=2, process_id=rank)
import keras

keras.distribution.set_distribution(
    # The data are shards already.
    keras.distribution.DataParallel(devices=jax.devices(), auto_shard_dataset=False)
)
keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
model.compile(
    keras.optimizers.SGD(0.1), keras.losses.CategoricalCrossentropy(from_logits=True), jit_compile=True
)
before = [np.asarray(w).ravel().tolist() for w in model.get_weights()]
with flow("auto") as part:
    assert part.shard == (rank, 2)
    data = part.to_tf_dataset() if sys.argv[4] == "to_tf_dataset" else part
    model.fit(data, epochs=1, shuffle=False, verbose=0)
weights = [np.asarray(w.value.addressable_data(0)).ravel().tolist() for w in model.weights]
print("RESULT", json.dumps([*weights, *before]))
