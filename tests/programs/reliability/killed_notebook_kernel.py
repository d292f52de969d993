import threading

from holding import hold_on
from telling import FLOW, FOLDER, tell, workers

cells = [
    "from imageloom import ImageDataGenerator",
    "darker = lambda x: hold_on(x / 2, 40)",
    "train = ImageDataGenerator(cores=1, preprocessing_function=darker).flow_from_directory(F, **FLOW)",
    "images, targets = next(train)",
    "tell(workers=workers())",
    "for batch in train: pass",
]
space = {"F": FOLDER, "FLOW": FLOW, "tell": tell, "workers": workers, "hold_on": hold_on}
space["__name__"] = "__main__"


def kernel():
    for cell in cells:
        exec(compile(cell, "<cell>", "exec"), space)


thread = threading.Thread(target=kernel)
thread.start()
thread.join()
