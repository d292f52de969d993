import numpy as np
from telling import FLOW, FOLDER, tell

from imageloom import ImageDataGenerator

STRENGTH = 2.5
calls = []


def strengthen(x):
    return tame(x * STRENGTH)


def tame(x):
    return np.minimum(x, 255)


class Shade:
    def __init__(self, amount):
        self.amount = amount

    def __call__(self, params, x, class_id):
        return x - self.amount * class_id


class Picky(Exception):
    pass


def refuse(x):
    raise Picky("not today")


means = []
for hook in (lambda x: x * STRENGTH, strengthen, Shade(3)):
    both = []
    for executor in ("serial", "processes"):
        generator = ImageDataGenerator(cores=1, executor=executor, preprocessing_function=hook)
        with generator.flow_from_directory(FOLDER, **FLOW) as it:
            both.append(next(it)[0])
    means.append(bool((both[0] == both[1]).all()))
try:
    generator = ImageDataGenerator(cores=1, preprocessing_function=refuse)
    next(generator.flow_from_directory(FOLDER, **FLOW))
except Picky as error:
    caught = str(error)
tell(means=means, caught=caught, module=Shade.__module__)
