import json
import os

import keras
import tf_keras

import imageloom

generator = imageloom.ImageDataGenerator(executor="threads", cores=1)
it = generator.flow_from_directory(os.environ["CROPS"], target_size=(8, 8), batch_size=4, seed=1)
result = {
    "is": [isinstance(it, keras.utils.PyDataset), isinstance(it, tf_keras.utils.Sequence)],
    "seen": [],
    "format": [imageloom.ImageDataGenerator().data_format],
}
for package in (tf_keras, keras):
    model = package.Sequential([package.layers.Flatten(), package.layers.Dense(3)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(it, epochs=1, verbose=0)
    result["seen"].append(it.total_batches_seen)
it.close()
tf_keras.backend.set_image_data_format("channels_first")
result["format"].append(imageloom.ImageDataGenerator().data_format)
print("RESULT " + json.dumps(result))
