import json
import sys

import imageloom

assert "keras" not in sys.modules
crops, file, hold_at = sys.argv[1], sys.argv[2], int(sys.argv[3])
it = imageloom.ImageDataGenerator(cores=2, horizontal_flip=True, rescale=1 / 255)
it = it.flow_from_directory(crops, target_size=(24, 24), batch_size=4, seed=4)
resume = imageloom.ResumeCallback(it, file, 1)
assert "keras" in sys.modules
from recording import recording_model

trained = []


def hear(mark):
    trained.append(mark)
    if len(trained) == hold_at:
        print(json.dumps(trained), flush=True)
        sys.stdin.read()


with it:
    recording_model(hear).fit(
        it, epochs=3, initial_epoch=resume.epoch, shuffle=False, verbose=0, callbacks=[resume]
    )
print(json.dumps(trained))
