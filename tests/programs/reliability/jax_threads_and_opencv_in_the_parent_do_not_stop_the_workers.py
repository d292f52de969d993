import json
import os
import sys
import threading

os.environ["CUDA_VISIBLE_DEVICES"] = "0"

import cv2
import jax
import numpy as np
from telling import FLOW, FOLDER, SIGNALS, tell

from imageloom import ImageDataGenerator

jax.block_until_ready(jax.numpy.ones((200, 200)) @ jax.numpy.ones((200, 200)))
cv2.warpAffine(np.zeros((900, 900, 3), "float32"), np.eye(2, 3), (900, 900))
threading.Thread(target=threading.Event().wait, daemon=True).start()


def refuse():
    raise AssertionError("forked")


os.fork = os.forkpty = refuse


def look(x):
    import cv2

    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    found = {name: os.environ[name] for name in names}
    found["opencv"] = cv2.getNumThreads()
    found["frameworks"] = sorted({"jax", "keras", "tensorflow", "torch"} & set(sys.modules))
    with open(os.path.join(SIGNALS, f"looked{os.getpid()}"), "w") as file:
        json.dump(found, file)
    return x


it = ImageDataGenerator(cores=2, preprocessing_function=look).flow_from_directory(FOLDER, **FLOW)
batches = [next(it) for _ in range(12)]
it.close()
tell(batches=len(batches))
