"""Quantisation for TFLite: a representative data set out of the training flow."""

import numpy as np
import tensorflow as tf
from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "data/train", target_size=(8, 8), batch_size=1, class_mode=None, shuffle=False
)
weights = tf.constant(np.random.RandomState(0).randn(192, 3), tf.float32)


@tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.float32)])
def network(x):
    return tf.nn.softmax(tf.reshape(x, (1, 192)) @ weights)


def representative_data_gen():
    for _ in range(10):
        yield [next(flow).astype(np.float32)]


converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()])
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = representative_data_gen
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.uint8
content = converter.convert()
details = tf.lite.Interpreter(model_content=content).get_input_details()[0]
results = {
    "bytes": len(content),
    "quantization": list(details["quantization"]),
    "seen": flow.total_batches_seen,
}
