import os
import sys
import threading

from imageloom import ImageDataGenerator


def hanging(params, x, filename):
    print("hook:", filename)
    if filename.startswith("cup"):
        open("hanging", "w").close()
        threading.Event().wait(100)
    return x


generator = ImageDataGenerator(cores=1, preprocessing_function=hanging)
with generator.flow_from_directory(sys.argv[1], (8, 8), batch_size=8, shuffle=False) as it:
    next(it)
    while not os.path.exists("hanging"):
        threading.Event().wait(0.01)
