"""The function that belongs to a pre-trained network, with and without `rescale`."""

from keras.applications import mobilenet_v2, resnet50, vgg16
from keras.preprocessing.image import ImageDataGenerator

WITHIN = {}
results = {}
for network in (mobilenet_v2, resnet50, vgg16):
    gen = ImageDataGenerator(preprocessing_function=network.preprocess_input, horizontal_flip=True)
    flow = gen.flow_from_directory("data/train", target_size=(24, 24), batch_size=6, seed=3)
    results[network.__name__] = next(flow)[0]

both = ImageDataGenerator(preprocessing_function=vgg16.preprocess_input, rescale=0.5)
results["both"] = next(both.flow_from_directory("data/train", (24, 24), seed=3))[0]
