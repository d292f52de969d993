import json
import os

import jax
import numpy as np

import imageloom

generator = imageloom.ImageDataGenerator(executor="threads", cores=1)
it = generator.flow_from_directory(
    os.environ["CROPS"], target_size=(8, 8), batch_size=4, class_mode="sparse", shuffle=False
)
mesh = jax.sharding.Mesh(jax.devices(), ("batch",))
sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
expected = [it[number] for number in range(len(it))]
read, error = 0, ""
try:
    for (images, y), (right, labels) in zip(it.to_jax(sharding), expected, strict=True):
        np.testing.assert_array_equal(images, right)
        np.testing.assert_array_equal(y, labels)
        assert len(images.addressable_shards) == len(y.addressable_shards) == 2
        read += 1
except imageloom.InvalidArgumentError as caught:
    error = str(caught)
print(json.dumps({"devices": len(jax.devices()), "read": read, "error": error}))
