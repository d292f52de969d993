import contextlib
import os
import time

import pandas as pd
import psutil
from PIL import Image
from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator
from imageloom._api import streamed_fit


class Bar:
    def update(self, images):
        tell(workers=workers())


class Stopping(ImageDataGenerator):
    def random_transform(self, x, seed=None):
        while x.max() == 0 and not os.path.exists("go"):
            time.sleep(0.01)
        return x


Image.new("RGB", (24, 24)).save("black.png")
streamed_fit.progress_bar = lambda *described, **shown: contextlib.nullcontext(Bar())
files = [os.path.join(FOLDER, "cat", f"{i:02d}.png") for i in (1, 3, 5, 7)]
frame = pd.DataFrame({"filename": [*files, os.path.abspath("black.png")]})
flow = dict(FLOW, class_mode=None)
generator = Stopping(cores=1, executor=ARGUMENTS[0], featurewise_center=True)
try:
    generator.fit(generator.flow_from_dataframe(frame, **flow), augment=True)
except KeyboardInterrupt:
    told = {"left": len(psutil.wait_procs(psutil.Process().children(), timeout=2)[1])}
    told["unfitted"] = generator.mean is None
    if ARGUMENTS[1]:
        open("go", "w").close()  # a thread cannot be ended from outside
    generator.fit(generator.flow_from_dataframe(frame[:4], **flow))
    tell(mean=generator.mean.shape, **told)
