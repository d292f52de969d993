"""What `imageloom check` runs: the flows of a program, and one of several ways to go on.

Arguments: the folder of images, and the way.
"""

import sys
import threading
import warnings
from pathlib import Path

from imageloom import ImageDataGenerator

photos, way = sys.argv[1:]
warnings.simplefilter("ignore")
print("printed")
rescale, brightness = (1 / 255, (0.5, 1)) if way == "good" else (255, (-1, 1))

if way == "nothing":
    sys.exit()
if way == "endless":
    threading.Event().wait()

generator = ImageDataGenerator(rescale=rescale)
train = generator.flow_from_directory(photos, (8, 8), batch_size=2)  # the first flow


def validation():
    generator = ImageDataGenerator(brightness_range=brightness)
    return generator.flow_from_directory(photos, (8, 8))  # the second flow


unread = validation()

if way == "fails":
    raise ZeroDivisionError("division by zero")  # fails
if way == "loop":
    for step, _ in enumerate(train):
        Path(f"step{step}").touch()
if way == "keras":
    import keras

    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(train)
    Path("saved").touch()
