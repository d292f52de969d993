"""Whether the callback finds the batch of an outlier under Keras 2, also where a pass stops early."""

import json

import numpy as np
import tf_keras

import imageloom

x, y = np.full((40, 4, 4, 1), 100, "uint8"), np.ones(40)
generator = imageloom.ImageDataGenerator(executor="serial")
# In the sixth batch: an unusual loss is one after five usual ones.
with generator.flow(x, batch_size=4, seed=3, shuffle=True) as looked_at:
    next(looked_at)
    outlier = int(looked_at.index_array[5 * 4])
x[outlier] = 90
y[outlier] = 1000
model = tf_keras.Sequential(
    [tf_keras.layers.Flatten(), tf_keras.layers.Dense(1, kernel_initializer="zeros")]
)
model.compile(tf_keras.optimizers.SGD(1e-9), "mae")
found = []
for steps in (None, 7):
    it = generator.flow(x, y, 4, seed=3, shuffle=True)
    jumps = imageloom.LossJumpCallback(it)
    # Shuffled, the few batches of a stopped pass might leave the outlier out.
    model.fit(it, epochs=6, verbose=0, callbacks=[jumps], steps_per_epoch=steps, shuffle=steps is None)
    found.append([(jump["epoch"], outlier in jump["files"]) for jump in jumps.jumps])
print("RESULT " + json.dumps({"found": found}))
